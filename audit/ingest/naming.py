"""File names as ids: printable in every format, and unique."""

from __future__ import annotations

import os
import unicodedata

_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "lost+found"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or the system's own."""
    return name.startswith((".", "@eaDir")) or name in _SYSTEM_NAMES


def printable(relative: str) -> str:
    r"""The path as text that every file format takes: bytes that are not UTF-8 as `\\xNN`."""
    return os.fsencode(relative).decode("utf-8", "backslashreplace")


def class_name(given: str) -> str:
    """The name in Unicode form NFC, so that one typed on another system is the same class."""
    return unicodedata.normalize("NFC", printable(given))


def with_unique_ids(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Add `#2`, `#3`, ... to the `image_id` of rows that share one.

    Rows share one when a table lists an image twice, or when names differ only in bytes that
    cannot be printed.
    """
    taken = {row["image_id"] for row in rows}
    seen: set[object] = set()
    for row in rows:
        name, count = row["image_id"], 1
        while row["image_id"] in seen or (count > 1 and row["image_id"] in taken):
            count += 1
            row["image_id"] = f"{name}#{count}"
        seen.add(row["image_id"])
    return rows
