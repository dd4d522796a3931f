"""A folder with one sub-folder a class, perhaps under train, val and test, → the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audit import tables
from audit.errors import UsageError
from audit.ingest.naming import class_name, is_hidden, printable, with_unique_ids
from audit.ingest.trees import LocalTree, Named, RemoteTree, Tree
from audit.places import Url
from audit.types import Ingested

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from audit.places import Place

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}
"""Folder names, in lower case, that are splits and not classes → the split's name."""

_NAMES_SHOWN = 3
_LINK_BACK = "a link that leads back to its parent"


@dataclass
class _Listing:
    """What was found so far in a tree."""

    tree: Tree[Any]
    rows: list[dict[str, object]] = field(default_factory=list)
    not_counted: dict[str, str] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)  # (split, class) → images

    def leave_out(self, path: str, reason: str) -> None:
        """Note why a path is no part of the dataset."""
        self.not_counted[self.tree.relative(path)] = reason


def read_folder(root: Place) -> Ingested:
    """List the images below `root` in a stable order.

    A class is a folder directly below `root`, or below a split folder; folders deeper down
    belong to it. Class names are brought to Unicode form NFC, so that a name typed on one
    system is the same class as on another. Nothing is opened but files whose extension says
    nothing, of which the first bytes are looked at.

    Raises:
        UsageError: `root` cannot be listed.
    """
    tree: Tree[Any] = RemoteTree(root) if isinstance(root, Url) else LocalTree(root)
    listing = _Listing(tree)
    try:
        folders = _class_folders(tree.root, (), listing)
        above = (tree.identity(tree.root),)
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
    if is_split:
        for name, folder in folders:
            split = SPLIT_NAMES[name.lower()]
            for label, sub in _classes_of_split(folder, above, listing):
                _list_class(sub, (split, class_name(label)), above, listing)
    else:
        for label, folder in folders:
            _list_class(folder, ("", class_name(label)), above, listing)
    notes += _nested_hint(listing)
    return Ingested(
        root=root,
        manifest=tables.make(tables.MANIFEST, with_unique_ids(listing.rows)),
        not_counted=listing.not_counted,
        empty_classes=tuple(f"{split}/{label}" if split else label
                            for (split, label), count in listing.counts.items() if not count),
        notes=tuple(notes),
        listed=tree.listed,
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{printable(name)}"' for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return shown + (f" and {more} more" if more > 0 else "")


def _class_folders(folder: str, above: tuple[Hashable, ...], listing: _Listing,
                   ) -> list[tuple[str, str]]:
    """Name and path of the folders in `folder`; everything else in it is noted."""
    tree = listing.tree
    folders = []
    for entry in tree.entries(folder):
        if is_hidden(entry.name):
            listing.leave_out(entry.path, "hidden")
        elif not tree.is_folder(entry):
            listing.leave_out(entry.path, tree.why_not_an_image(entry)
                              or "an image outside any class folder")
        elif tree.identity(entry.path) in (*above, tree.identity(folder)):
            listing.leave_out(entry.path, _LINK_BACK)
        else:
            folders.append((entry.name, entry.path))
    return folders


def _classes_of_split(folder: str, above: tuple[Hashable, ...], listing: _Listing,
                      ) -> list[tuple[str, str]]:
    try:
        return _class_folders(folder, above, listing)
    except OSError as error:
        listing.leave_out(folder, f"cannot be listed: {error.strerror}")
        return []


def _list_class(folder: str, key: tuple[str, str], above: tuple[Hashable, ...],
                listing: _Listing) -> None:
    """Add the images of one class folder; `key` is its split and its class."""
    split, label = key
    listing.counts.setdefault(key, 0)
    for entry in _walk(folder, above, listing):
        reason = "hidden" if is_hidden(entry.name) else listing.tree.why_not_an_image(entry)
        if reason:
            listing.leave_out(entry.path, reason)
            continue
        listing.counts[key] += 1
        listing.rows.append({"image_id": listing.tree.relative(entry.path), "path": entry.path,
                             "split": split, "given_label": label})


def _walk(folder: str, above: tuple[Hashable, ...], listing: _Listing) -> Iterator[Named]:
    """Files below `folder`. A link to a folder is followed, unless it leads back above itself."""
    tree = listing.tree
    try:
        here = tree.identity(folder)
        if here in above:
            listing.leave_out(folder, _LINK_BACK)
            return
        entries = tree.entries(folder)
    except OSError as error:
        listing.leave_out(folder, f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        if not tree.is_folder(entry):
            yield entry
        elif is_hidden(entry.name):
            listing.leave_out(entry.path, "hidden")
        else:
            yield from _walk(entry.path, (*above, here), listing)


def _nested_hint(listing: _Listing) -> list[str]:
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
             f"If those are the classes, give {printable(listing.tree.root)}/{label} instead.")]
