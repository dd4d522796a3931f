"""A CSV or Parquet table `path,label[,split][,group]` → the manifest."""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING

import pandas as pd

from audit import tables
from audit.errors import UsageError
from audit.ingest.folder import SPLIT_NAMES
from audit.ingest.naming import class_name, printable, with_unique_ids
from audit.places import Url, has_password, is_remote, joined, shown
from audit.remote import list_files, read_file, refused
from audit.types import Ingested

if TYPE_CHECKING:
    from audit.places import Place

TABLE_EXTENSIONS = (".csv", ".parquet")


def read_table(table: Place, root: Place, label_column: str = "label") -> Ingested:
    """Read a table whose paths are relative to `root`, or are URLs, in the order of the table.

    Labels, splits and groups are taken as text as they stand: a class named "NA" or "nan" is a
    class. A row without a label is not counted. An image listed twice is two images, which the
    duplicate and conflict checks then speak of.

    Raises:
        UsageError: the table cannot be read, or has no column `path` or `label_column`, or holds
            passwords.
    """
    frame = _load(table)
    missing = [name for name in ("path", label_column) if name not in frame.columns]
    if missing:
        message = (f"{table} must have the columns path,{label_column}. "
                   f"Got {','.join(map(str, frame.columns))} instead."
                   + (" Give the one with labels as --label-column NAME."
                      if missing == [label_column] else ""))
        raise UsageError(message)
    rows: list[dict[str, object]] = []
    not_counted: dict[str, str] = {}
    for line, record in enumerate(frame.to_dict("records"), start=2):  # the first is the heading
        given = str(record["path"])
        label = class_name(str(record[label_column]))
        split = str(record.get("split", ""))
        if has_password(given):
            raise UsageError(f"{table} holds a password in {shown(given)} (row {line}). Give "
                             "credentials by the environment; see docs/remote.md.")
        path = joined(root, given)  # an absolute path stays what it is
        image_id = _image_id(given) if given else ""
        if not given or not label:
            name = f"{image_id} (row {line})" if image_id else f"row {line}"
            not_counted[name] = "its row has no label" if given else "its row has no path"
            continue
        rows.append({"image_id": image_id, "path": path, "given_label": label,
                     "split": SPLIT_NAMES.get(split.lower(), split),
                     "group": str(record.get("group", ""))})
    return Ingested(root=root, manifest=tables.make(tables.MANIFEST, with_unique_ids(rows)),
                    not_counted=not_counted,
                    listed=list_files(str(row["path"]) for row in rows if is_remote(row["path"])))


def _image_id(given: str) -> str:
    """The path in one form, printable; of a web address without its query, which may be signed."""
    return printable(shown(given) if is_remote(given) else
                     os.path.normpath(given).replace(os.sep, "/"))


def _load(table: Place) -> pd.DataFrame:
    """Read a table with every cell as text and an empty cell as empty text."""
    try:
        source = io.BytesIO(read_file(table)) if isinstance(table, Url) else table
    except OSError as error:
        raise refused(str(table), error) from error
    try:
        if table.suffix.lower() == ".parquet":
            # Nullable types: a whole number beside an empty cell stays whole, 3 and not 3.0.
            frame = pd.read_parquet(source, dtype_backend="numpy_nullable")
            return frame.astype(object).where(frame.notna(), "").map(str)
        with warnings.catch_warnings():
            # Rows longer than the heading: pandas would shift or cut them, and go on.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                               index_col=False)
    except pd.errors.ParserWarning as error:
        message = (f"{table} has rows with more cells than its heading names. "
                   "Put cells that hold a comma in quotes.")
        raise UsageError(message) from error
    except (OSError, ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:160]
        message = f"{table} cannot be read as a table ({reason}). Give a CSV in UTF-8 or a Parquet."
        raise UsageError(message) from error
