"""Schemas of the tables that flow from stage to stage, and a check that a table keeps to one.

All tables are `pandas.DataFrame` with a plain range index. Missing text is `""`, never `None`
or NaN, so that a class called "nan" or "NA" stays a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Column:
    """One column: its kind ("text", "int", "float" or "bool") and what it holds."""

    kind: str
    meaning: str


MANIFEST: Mapping[str, Column] = {
    "image_id": Column("text", "path relative to the root, POSIX, unique"),
    "path": Column("text", "where the file is; may hold bytes that are not UTF-8"),
    "split": Column("text", "train, val, test, another name from the table, or empty"),
    "given_label": Column("text", "class the dataset gives the image"),
    "group": Column("text", "images of one group share a fold; empty for none"),
}

MEASURES: Mapping[str, Column] = {
    "status": Column("text", "ok, damaged (decoded in part) or unreadable"),
    "problem_kind": Column("text", "empty, missing, bomb, not_an_image, unsupported, corrupt, "
                                   "truncated, timeout, crash; empty if the status is ok"),
    "problem": Column("text", "the problem in words; empty if there is none"),
    "file_bytes": Column("int", "size of the file in bytes"),
    "file_sha256": Column("text", "SHA-256 of the file, hexadecimal; empty if it was not read"),
    "pixel_hash": Column("text", "hash of the decoded pixels and their shape; empty if none"),
    "perceptual_hash": Column("text", "64-bit DCT hash, 16 hexadecimal digits; empty if none"),
    "format": Column("text", "what the content is (JPEG, PNG, ...), whatever the extension says"),
    "extension": Column("text", "extension of the file, lower case with its dot"),
    "mode": Column("text", "pixel layout of the file in Pillow's names: RGB, L, CMYK, ..."),
    "jpeg_quality": Column("float", "quality a JPEG was saved with, 1 to 100 on libjpeg's scale, "
                                    "estimated; NaN if it is no JPEG"),
    "exif_orientation": Column("int", "1 to 8; 1 if there is none. It has been applied"),
    "is_animated": Column("bool", "the file holds more than one frame; the first was measured"),
    "width": Column("int", "pixels after the orientation was applied; 0 if unknown"),
    "height": Column("int", "pixels after the orientation was applied; 0 if unknown"),
    "brightness_p01": Column("float", "1st percentile of perceived brightness, 0 to 1"),
    "brightness_p05": Column("float", "5th percentile of perceived brightness, 0 to 1"),
    "brightness_p50": Column("float", "median of perceived brightness, 0 to 1"),
    "brightness_p95": Column("float", "95th percentile of perceived brightness, 0 to 1"),
    "brightness_p99": Column("float", "99th percentile of perceived brightness, 0 to 1"),
    "sharpness": Column("float", "share of the Laplacian's energy that re-blurring by 1 px takes "
                                 "away, 0 to 1, longest side at most 160 px; NaN if flat"),
    "contrast": Column("float", "standard deviation of the luma, 0 to 127.5"),
    "entropy": Column("float", "entropy of the three colour histograms taken as one, bits"),
    "colourfulness": Column("float", "99th percentile of the spread between channels, 0 to 255"),
}

PAIRS: Mapping[str, Column] = {
    "row_a": Column("int", "row of the first image in the manifest; row_a < row_b"),
    "row_b": Column("int", "row of the second image"),
    "kind": Column("text", "file (same bytes), pixels (same picture), near (almost the same)"),
    "similarity": Column("float", "1 for file and pixels; correlation of the pixels for near"),
}

SCORES: Mapping[str, Column] = {
    "score": Column("float", "0 to 1, low is bad; NaN where the image could not be scored"),
    "is_issue": Column("bool", "the image is flagged"),
}

FINDINGS: Mapping[str, Column] = {
    "check": Column("text", "code of the check"),
    "about": Column("text", "image, set (of images), class or dataset"),
    "subject": Column("text", "image_id, first image_id of the set, class name, or empty"),
    "score": Column("float", "0 to 1, low is bad"),
    "is_flagged": Column("bool", "False for a class or dataset that was looked at and is well"),
    "evidence": Column("text", "what was seen, one sentence"),
    "suggestion": Column("text", "what to do"),
    "related": Column("text", "JSON list of the other image_ids of the set or pair"),
}

DECISIONS: Mapping[str, Column] = {
    "image_id": Column("text", "image that was decided on; empty where the file says it"),
    "file_sha256": Column("text", "SHA-256 of its file; without image_id, of every copy of it"),
    "decision": Column("text", "keep, relabel or exclude"),
    "label": Column("text", "class it is of, where it is relabelled; else empty"),
    "reviewer": Column("text", "who decided"),
    "note": Column("text", "why, in the reviewer's words; may be empty"),
}

PLAN: Mapping[str, Column] = {
    "image_id": Column("text", "as in the manifest; the plan is sorted by it"),
    "file_sha256": Column("text", "SHA-256 of the file that was audited; empty if not read"),
    "split": Column("text", "as in the manifest"),
    "given_label": Column("text", "class the dataset gives the image"),
    "label": Column("text", "class to train with"),
    "action": Column("text", "keep, relabel or drop"),
    "repeat": Column("int", "how often it is in the training data; 0 if and only if dropped"),
    "weight": Column("float", "what it counts in the loss, on average 1; 0 if dropped"),
    "decided_by": Column("text", "rule, or the name of the reviewer"),
    "rule": Column("text", "the first rule that spoke of the image; none if no rule did"),
    "reason": Column("text", "why, in a sentence"),
}

_KINDS = {"text": "O", "int": "iu", "float": "f", "bool": "b"}
EMPTY: Mapping[str, type] = {
    "text": object, "int": np.int64, "float": np.float64, "bool": np.bool_}
"""Kind of column → type of its values."""

DEFAULTS: Mapping[str, object] = {"text": "", "int": 0, "float": np.nan, "bool": False}
"""Kind of column → the value of a row that says nothing."""


def make(schema: Mapping[str, Column], rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Build a table of this schema from dictionaries; columns that no row fills get its default.

    Raises:
        ValueError: a row holds a name that the schema does not.
    """
    rows = list(rows)
    unknown = {name for row in rows for name in row} - set(schema)
    if unknown:
        message = f"columns {sorted(unknown)} are not in the schema {list(schema)}"
        raise ValueError(message)
    # A series with its type given: from an array of text, pandas would make Arrow strings, which
    # cannot hold a path that is not UTF-8.
    return pd.DataFrame({
        name: pd.Series([row.get(name, DEFAULTS[column.kind]) for row in rows],
                        dtype=EMPTY[column.kind])
        for name, column in schema.items()
    })


def problems(table: pd.DataFrame, schema: Mapping[str, Column]) -> list[str]:
    """What keeps `table` from being of this schema, a sentence each; empty if nothing does."""
    found = [f"column {name!r} is missing" for name in schema if name not in table.columns]
    for name, column in schema.items():
        if name not in table.columns:
            continue
        values = table[name]
        if values.dtype.kind not in _KINDS[column.kind]:
            found.append(f"column {name!r} must be {column.kind}. Got {values.dtype} instead.")
        elif column.kind == "text" and not values.map(lambda cell: isinstance(cell, str)).all():
            found.append(f"column {name!r} must hold text only")
    return found
