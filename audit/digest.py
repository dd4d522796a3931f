"""One number for the contents of a dataset."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


def dataset_digest(images: pd.DataFrame) -> str:
    """The digest of a table of images; see `digest_of_rows`."""
    return digest_of_rows(images["file_sha256"], images["given_label"], images["split"])


def digest_of_rows(hashes: Iterable[str], labels: Iterable[str], splits: Iterable[str]) -> str:
    """SHA-256 over the sorted hashes of files with their labels and splits, hexadecimal.

    A renamed file leaves it as it is; a changed picture, label or split does not.
    """
    rows = sorted(zip(hashes, labels, splits, strict=True))
    # As JSON, since a label from a table may hold any character one could join them by.
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
