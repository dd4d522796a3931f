"""Writes a plan, and the dataset it describes. Source images are read and never changed."""

from __future__ import annotations

import csv
import hashlib
import os
from typing import TYPE_CHECKING

import pandas as pd

from audit.errors import UsageError
from audit.places import absolute, is_remote, shown
from audit.remedies.staging import IMAGES, MADE_BY, PLAN_FILE, staged
from audit.remedies.tree import folder_names, lay_out
from audit.remote import read_file
from audit.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MANIFEST, SYMLINK, COPY = "manifest", "symlink", "copy"
MODES = (MANIFEST, SYMLINK, COPY)
FORMAT = 1
"""Version of plan.json."""

_NAMES_SHOWN = 3


def write_remedied(out: Path, mode: str, plan: pd.DataFrame, sources: pd.DataFrame,
                   about: Mapping[str, object], advance: Callable[[int], None]) -> None:
    """Write the plan and the dataset into `out`, all at once.

    Args:
        out: folder; must have passed `staging.refuse_target`.
        mode: `manifest` (a table), `symlink` or `copy` (a tree of class folders).
        plan: schema `tables.PLAN`.
        sources: in the order of the plan, the `path`, `file_bytes` and `group` of each image.
        about: more for plan.json.
        advance: told how many images are done.

    Raises:
        UsageError: a source file is gone or has changed since the audit, links cannot be made, or
            a path cannot be written into a table. Nothing is left under `out` then.
    """
    paths = [absolute(path) for path in sources["path"]]
    if mode == SYMLINK:
        _refuse_links_to_stores(paths)
    _refuse_changed_files(plan, paths, sources["file_bytes"].tolist())
    with staged(out) as stage:
        folder = RunDir(stage)
        placed = [] if mode == MANIFEST else lay_out(plan, paths)
        if mode == MANIFEST:
            table = remedied_csv(plan, paths, sources["group"].tolist())
            folder.write("remedied.csv", table.encode())
        else:
            _write_tree(stage / IMAGES, mode, plan, paths, placed, advance)
        folder.write_table("plan", plan)
        kept = plan["label"][plan["repeat"] > 0]
        folder.write_json(PLAN_FILE, {
            "format": FORMAT, "made_by": MADE_BY, "mode": mode, **about, "files": len(placed),
            "class_folders": {} if mode == MANIFEST else {
                name: one for name, one in folder_names(plan["label"]).items()
                if name in set(kept)}})


def remedied_csv(plan: pd.DataFrame, paths: Sequence[str], groups: Sequence[str]) -> str:
    """`path,label,split,weight[,group]`, a row for each image and repetition, for `audit run`.

    Cells stand as they are: a label that began with an apostrophe, as spreadsheets need for text
    like `=1+1`, would be another class.

    Raises:
        UsageError: a path is not UTF-8, which no CSV can hold.
    """
    rows = plan.index.repeat(plan["repeat"])
    used = [paths[row] for row in rows]
    try:
        "".join(used).encode()
    except UnicodeEncodeError as error:
        raise UsageError("a path of the data is not UTF-8, which no table can hold. Take --mode "
                         "symlink or copy.") from error
    table = pd.DataFrame({
        "path": used, "label": plan["label"][rows].to_numpy(),
        "split": plan["split"][rows].to_numpy(), "weight": plan["weight"][rows].to_numpy()})
    if any(groups):
        table["group"] = [groups[row] for row in rows]
    # Quotes, since the writer would leave a cell with a carriage return without.
    return str(table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC))


def _refuse_changed_files(plan: pd.DataFrame, paths: Sequence[str], sizes: Sequence[int]) -> None:
    """Refuse, before anything is written, files that are gone or of another size."""
    gone, changed = [], []
    for name, sha, times, path, size in zip(plan["image_id"], plan["file_sha256"], plan["repeat"],
                                            paths, sizes, strict=True):
        if not times or is_remote(path):  # what is in a store was compared when it was listed
            continue
        try:
            found = os.stat(path).st_size
        except OSError:
            gone.append(name)
        else:
            if sha and found != size:
                changed.append(name)
    _refuse(gone, "gone")
    _refuse(changed, "changed")


def _refuse_links_to_stores(paths: Sequence[str]) -> None:
    stored = next((path for path in paths if is_remote(path)), None)
    if stored is not None:
        raise UsageError(f"no link can lead to {shown(stored)}. Take --mode manifest, a table of "
                         "URLs, or --mode copy, which downloads the images.")


def _refuse(names: Sequence[str], what: str) -> None:
    if names:
        more = len(names) - _NAMES_SHOWN
        listed = ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
        raise UsageError(f"{len(names):,} source file{'s are' if len(names) > 1 else ' is'} {what} "
                         f"since the audit: {listed}. Run the audit again.")


def _write_tree(images: Path, mode: str, plan: pd.DataFrame, paths: Sequence[str],
                placed: Sequence[tuple[int, str]], advance: Callable[[int], None]) -> None:
    """Write each image and repetition; the content of each source is compared with the audit's."""
    _make_folders(images, {os.path.dirname(place) for _, place in placed})
    names, hashes = plan["image_id"].tolist(), plan["file_sha256"].tolist()
    changed = []
    verified: set[int] = set()
    for row, place in placed:
        target = images / place
        content = b""
        if mode == COPY or row not in verified:
            content = _content(paths[row])
            if hashes[row] and hashlib.sha256(content).hexdigest() != hashes[row]:
                changed.append(names[row])
            verified.add(row)
        if mode == COPY:
            target.write_bytes(content)
        else:
            _link(paths[row], target)
        advance(1)
    _refuse(sorted(set(changed)), "changed")


def _content(path: str) -> bytes:
    if is_remote(path):
        return read_file(path)
    with open(path, "rb") as file:
        return file.read()


def _make_folders(images: Path, folders: set[str]) -> None:
    images.mkdir()
    for folder in sorted(folders):
        try:
            (images / folder).mkdir(parents=True)
        except FileExistsError as error:
            raise UsageError(
                f'two classes get the folder "{folder}", upper and lower case being the same on '
                "this disk. Take --mode manifest, or give --out on another disk.") from error


def _link(path: str, target: Path) -> None:
    try:
        os.symlink(path, target)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"links cannot be made here ({reason}). Take --mode copy or "
                         "manifest, or give --out on another disk.") from error
