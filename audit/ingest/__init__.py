"""Ingest: a folder or a table → the manifest, without opening an image."""

from audit.ingest.dataset import open_dataset

__all__ = ["open_dataset"]
