"""Ingest: a folder or a table → the manifest, without opening an image."""

from audit.ingest.dataset import open_dataset
from audit.ingest.naming import printable

__all__ = ["open_dataset", "printable"]
