"""A folder with one sub-folder a class, perhaps under train, val and test, → the manifest."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audit import tables
from audit.errors import UsageError
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

_NAMES_SHOWN = 3
_LINK_BACK = "a link that leads back to its parent"

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

    Raises:
        UsageError: `root` cannot be listed.
    """
    listing = _Listing()
    try:
        folders = _class_folders(root, root, (), listing)
    except OSError as error:
        message = f"{root} cannot be listed ({error.strerror}). Give a folder you may read."
        raise UsageError(message) from error
    names = [name for name, _ in folders]
    splits = [name for name in names if name.lower() in SPLIT_NAMES]
    is_split = bool(splits) and len(splits) == len(names)
    notes = []
    if splits and not is_split:
        others = [name for name in names if name not in splits]
        notes.append(f"{_listed(splits)} looks like a split, but {_listed(others)} stands beside "
                     "it, so each was taken for a class.")
    above = (_identity(root),)
    if is_split:
        for name, folder in folders:
            split = SPLIT_NAMES[name.lower()]
            for label, sub in _classes_of_split(root, folder, above, listing):
                _list_class(root, sub, (split, class_name(label)), above, listing)
    else:
        for label, folder in folders:
            _list_class(root, folder, ("", class_name(label)), above, listing)
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
    shown = ", ".join(f'"{printable(name)}"' for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return shown + (f" and {more} more" if more > 0 else "")


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "@eaDir")) or name in _SYSTEM_NAMES


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _identity(folder: Path | str) -> tuple[int, int]:
    facts = os.stat(folder)
    return facts.st_dev, facts.st_ino


def _class_folders(root: Path, folder: Path | str, above: tuple[tuple[int, int], ...],
                   listing: _Listing) -> list[tuple[str, str]]:
    """Name and path of the folders in `folder`; everything else in it is noted."""
    folders = []
    for entry in _entries(folder):
        relative = _relative(root, entry.path)
        if _is_hidden(entry.name):
            listing.not_counted[relative] = "hidden"
        elif not _is_folder(entry):
            listing.not_counted[relative] = (
                _why_not_an_image(entry) or "an image outside any class folder")
        elif _identity(entry.path) in (*above, _identity(folder)):
            listing.not_counted[relative] = _LINK_BACK
        else:
            folders.append((entry.name, entry.path))
    return folders


def _classes_of_split(root: Path, folder: str, above: tuple[tuple[int, int], ...],
                      listing: _Listing) -> list[tuple[str, str]]:
    try:
        return _class_folders(root, folder, above, listing)
    except OSError as error:
        listing.not_counted[_relative(root, folder)] = f"cannot be listed: {error.strerror}"
        return []


def _list_class(root: Path, folder: str, key: tuple[str, str],
                above: tuple[tuple[int, int], ...], listing: _Listing) -> None:
    """Add the images of one class folder; `key` is its split and its class."""
    split, label = key
    listing.counts.setdefault(key, 0)
    for entry in _walk(root, folder, above, listing):
        relative = _relative(root, entry.path)
        reason = "hidden" if _is_hidden(entry.name) else _why_not_an_image(entry)
        if reason:
            listing.not_counted[relative] = reason
            continue
        listing.counts[key] += 1
        listing.rows.append({"image_id": relative, "path": entry.path, "split": split,
                             "given_label": label})


def _walk(root: Path, folder: str, above: tuple[tuple[int, int], ...], listing: _Listing,
          ) -> Iterator[os.DirEntry[str]]:
    """Files below `folder`. A link to a folder is followed, unless it leads back above itself."""
    try:
        here = _identity(folder)
        if here in above:
            listing.not_counted[_relative(root, folder)] = _LINK_BACK
            return
        entries = _entries(folder)
    except OSError as error:
        listing.not_counted[_relative(root, folder)] = f"cannot be listed: {error.strerror}"
        return
    for entry in entries:
        if not _is_folder(entry):
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
    # Two folders could be two classes, one could not, unless it is a split.
    if len(below) == 1 and not {name.lower() for name in below} <= set(SPLIT_NAMES):
        return []
    if not below:
        return []
    label = next(iter(labels))
    folders = f"{len(below)} folders" if len(below) > 1 else f'the folder "{min(below)}"'
    return [(f'"{label}" is the only class, and holds {folders}. '
             f"If those are the classes, give {printable(str(root))}/{label} instead.")]
