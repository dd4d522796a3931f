"""Tells a folder from a table, and refuses what is neither."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audit.errors import UnauditableError, UsageError
from audit.ingest.folder import read_folder
from audit.ingest.naming import printable
from audit.ingest.table import TABLE_EXTENSIONS, read_table
from audit.places import Url, is_remote, shown

if TYPE_CHECKING:
    from audit.places import Place
    from audit.types import Ingested


def open_dataset(data: Place, labels: Place | None = None, label_column: str = "label") -> Ingested:
    """Find the images of a dataset and what it says of them.

    Args:
        data: a folder with one sub-folder a class, perhaps under train/val/test; or a CSV or
            Parquet table with columns `path, label[, split][, group]`; or, with `labels`, the
            folder that the paths of that table are relative to. Any of them may be in a store.
        labels: a table to read labels from instead of from folder names.
        label_column: the column of the table that holds the labels.

    Raises:
        UsageError: a path does not exist or is of the wrong kind; a table lacks a column, or no
            image that it lists exists.
        UnauditableError: there is no image.
    """
    for path in (data, labels):
        # Whether what is in a store exists is seen when it is listed or read.
        if path is not None and not is_remote(path) and not os.path.exists(path):
            message = (f"{path} does not exist. Give a folder with one sub-folder a class, "
                       "or a CSV or Parquet table.")
            raise UsageError(message)
    if labels is not None:
        if not _is_folder(data):
            message = f"with --labels, DATA must be a folder. Got {data} instead."
            raise UsageError(message)
        ingested = read_table(labels, data, label_column)
    elif _is_folder(data):
        ingested = read_folder(data)
    elif data.suffix.lower() in TABLE_EXTENSIONS:
        ingested = read_table(data, data.parent, label_column)
    else:
        message = (f"{data} is neither a folder nor a table ({', '.join(TABLE_EXTENSIONS)}). "
                   "Give a folder with one sub-folder a class, or a table with columns path,label.")
        raise UsageError(message)
    if ingested.manifest.empty:
        raise UnauditableError(_nothing_found(data, ingested))
    if labels is not None or not _is_folder(data):
        _refuse_other_paths(ingested, labels or data)
    return ingested


def _is_folder(place: Place) -> bool:
    """Whether it is one; in a store, whether it is not named like a table."""
    if isinstance(place, Url):
        return place.suffix.lower() not in TABLE_EXTENSIONS
    return place.is_dir()


def _refuse_other_paths(ingested: Ingested, table: Place) -> None:
    """Refuse a table of which no path exists: it was written for another folder.

    Where only some are missing, those are findings.
    """
    paths = ingested.manifest["path"]
    if any(path in ingested.listed if is_remote(path) else os.path.exists(path) for path in paths):
        return
    message = (f"no image of {table} exists: the first was looked for as "
               f"{printable(shown(paths.iloc[0]))}. Paths are relative to {ingested.root}; give "
               "the folder they begin in as DATA with --labels, or correct the paths.")
    raise UsageError(message)


def _nothing_found(data: Place, ingested: Ingested) -> str:
    kinds: dict[str, int] = {}
    for path in ingested.not_counted:
        name = path.rsplit("/", 1)[-1]
        kind = "." + name.rsplit(".", 1)[-1].lower() if "." in name[1:] else "without extension"
        kinds[kind] = kinds.get(kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    looked = f"looked at {len(ingested.not_counted)} files: {listed}" if kinds else "it is empty"
    direct = any("class folder" in reason for reason in ingested.not_counted.values())
    what = "no class folders with images" if direct else "no images"
    where = f"under {data}/" if _is_folder(data) else f"in {data}"
    return (f"{what} {where} ({looked}). "
            "Give a folder with one sub-folder a class, or --labels FILE.")
