"""Ingest: a folder or a table → the manifest, without opening an image."""

from audit.ingest.dataset import open_dataset
from audit.ingest.hold_out import TEST, hold_out
from audit.ingest.naming import printable

__all__ = ["TEST", "hold_out", "open_dataset", "printable"]
