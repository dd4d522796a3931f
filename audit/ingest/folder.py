"""A folder with one sub-folder a class, perhaps under train, val and test, → the manifest."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audit import tables
from audit.formats import IMAGE_EXTENSIONS, SNIFF_BYTES, sniff
from audit.ingest.naming import class_name, printable, with_unique_ids
from audit.types import Ingested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}
"""Folder names, in lower case, that are splits and not classes → the split's name."""

_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "lost+found"})


@dataclass
class _Listing:
    rows: list[dict[str, object]] = field(default_factory=list)
    not_counted: dict[str, str] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)  # (split, class) → images


def read_folder(root: Path) -> Ingested:
    """List the images below `root` in a stable order.

    A class is a folder directly below `root`, or below a split folder; folders deeper down
    belong to it. Class names are brought to Unicode form NFC, so that a name typed on one
    system is the same class as on another. Nothing is opened but files whose extension says
    nothing, of which the first bytes are looked at.
    """
    folders = _folders(root)
    names = [name for name, _ in folders]
    splits = [name for name in names if name.lower() in SPLIT_NAMES]
    is_split = bool(splits) and len(splits) == len(names)
    notes = []
    if splits and not is_split:
        others = [name for name in names if name not in splits]
        notes.append(f"{_listed(splits)} looks like a split, but {_listed(others)} stands beside "
                     "it, so each was taken for a class.")
    listing = _Listing()
    _note_loose_files(root, root, listing)
    if is_split:
        for name, folder in folders:
            _note_loose_files(root, folder, listing)
            for label, sub in _folders(folder):
                _list_class(root, sub, SPLIT_NAMES[name.lower()], class_name(label), listing)
    else:
        for label, folder in folders:
            _list_class(root, folder, "", class_name(label), listing)
    notes += _nested_hint(root, listing)
    return Ingested(
        root=root,
        manifest=tables.make(tables.MANIFEST, with_unique_ids(listing.rows)),
        not_counted=listing.not_counted,
        empty_classes=tuple(f"{split}/{label}" if split else label
                            for (split, label), count in listing.counts.items() if not count),
        notes=tuple(notes),
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{printable(name)}"' for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "@eaDir")) or name in _SYSTEM_NAMES


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _folders(folder: Path | str) -> list[tuple[str, str]]:
    return [(entry.name, entry.path) for entry in _entries(folder)
            if entry.is_dir() and not _is_hidden(entry.name)]


def _note_loose_files(root: Path, folder: Path | str, listing: _Listing) -> None:
    for entry in _entries(folder):
        if not entry.is_dir():
            reason = "hidden" if _is_hidden(entry.name) else _why_not_an_image(entry)
            listing.not_counted[_relative(root, entry.path)] = (
                reason or "an image outside any class folder")


def _list_class(root: Path, folder: str, split: str, label: str, listing: _Listing) -> None:
    count = 0
    for entry in _walk(root, folder, (), listing):
        relative = _relative(root, entry.path)
        reason = "hidden" if _is_hidden(entry.name) else _why_not_an_image(entry)
        if reason:
            listing.not_counted[relative] = reason
            continue
        count += 1
        listing.rows.append({"image_id": relative, "path": entry.path, "split": split,
                             "given_label": label})
    key = (split, label)
    listing.counts[key] = listing.counts.get(key, 0) + count


def _walk(root: Path, folder: str, above: tuple[tuple[int, int], ...], listing: _Listing,
          ) -> Iterator[os.DirEntry[str]]:
    """Files below `folder`. A link to a folder is followed, unless it leads back above itself."""
    try:
        facts = os.stat(folder)
        here = (facts.st_dev, facts.st_ino)
        if here in above:
            listing.not_counted[_relative(root, folder)] = "a link that leads back to its parent"
            return
        entries = _entries(folder)
    except OSError as error:
        listing.not_counted[_relative(root, folder)] = f"cannot be listed: {error.strerror}"
        return
    for entry in entries:
        if not entry.is_dir():
            yield entry
        elif _is_hidden(entry.name):
            listing.not_counted[_relative(root, entry.path)] = "hidden"
        else:
            yield from _walk(root, entry.path, (*above, here), listing)


def _why_not_an_image(entry: os.DirEntry[str]) -> str:
    """Empty for what the audit should look at, which a broken image is too."""
    extension = os.path.splitext(entry.name)[1].lower()
    try:
        mode = entry.stat().st_mode
    except OSError:  # a link to nothing: a missing image if it is named like one
        return "" if extension in IMAGE_EXTENSIONS else "a link to nothing"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    if extension in IMAGE_EXTENSIONS:
        return ""
    try:
        with open(entry.path, "rb") as file:
            return "" if sniff(file.read(SNIFF_BYTES)) else "not an image"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"


def _relative(root: Path, path: str) -> str:
    return printable(os.path.relpath(path, root).replace(os.sep, "/"))


def _nested_hint(root: Path, listing: _Listing) -> list[str]:
    """One class whose folder holds folders is most often a path given one level too high."""
    labels = {row["given_label"] for row in listing.rows}
    if len(labels) != 1:
        return []
    below = {str(row["image_id"]).split("/")[1] for row in listing.rows
             if str(row["image_id"]).count("/") > 1}
    if len(below) < 2:  # noqa: PLR2004 - two folders could be two classes, one could not
        return []
    label = next(iter(labels))
    return [f'"{label}" is the only class, and holds {len(below)} folders. '
            f"If those are the classes, give {root}/{label} instead."]
