"""Ingest: a folder or a table → the manifest, without opening an image."""

from audit.ingest.dataset import open_dataset
from audit.ingest.hold_out import TEST, hold_out
from audit.ingest.naming import printable
from audit.ingest.table import TABLE_EXTENSIONS

__all__ = ["TABLE_EXTENSIONS", "TEST", "hold_out", "open_dataset", "printable"]
