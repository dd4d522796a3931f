"""A folder that is there whole or not at all, and that replaces only what was written here before.

It is written beside its place under a temporary name, and renamed. What a process that was killed
left half-done keeps its temporary name, and goes the next time.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audit.errors import UsageError
from audit.places import Url, is_remote
from audit.rundir import is_running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from audit.places import Place

PLAN_FILE = "plan.json"
IMAGES = "images"
MADE_BY = "audit fix"
WRITTEN = frozenset({PLAN_FILE, "plan.csv", "plan.parquet", "remedied.csv", IMAGES})
"""All that `audit fix` writes."""

_PARTS = (".tmp", ".old")


def refuse_target(out: Path, run: Path, data: Place, paths: Iterable[str]) -> None:
    """Refuse a folder that must not be written, or replaced.

    Args:
        out: the folder, which need not exist.
        run: folder of the run.
        data: folder or table that was audited; what is in a store is out of reach.
        paths: of the source images.

    Raises:
        UsageError: it lies in the data, or the data, the run or one of the images in it; or it
            holds what `audit fix` did not write.
    """
    real = out.resolve()
    if not isinstance(data, Url) and data.is_dir() and real.is_relative_to(data.resolve()):
        raise UsageError(f"--out {out} lies inside the data, {data}, which is never changed. "
                         "Give a folder elsewhere.")
    inside = next((one for one in _real_paths(run, data, paths)
                   if one == str(real) or one.startswith(f"{real}{os.sep}")), None)
    if inside is not None:
        raise UsageError(f"--out {out} holds {_printable(inside)}, which this is made from and "
                         "which would be replaced. Give another folder.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file. Give a folder.")
    if out.is_dir() and any(out.iterdir()):
        _refuse_what_is_not_ours(out)


def _real_paths(run: Path, data: Place, paths: Iterable[str]) -> Iterator[str]:
    yield str(run.resolve())
    if not isinstance(data, Url):
        yield str(data.resolve())
    paths = [path for path in paths if not is_remote(path)]
    yield from map(os.path.realpath, {os.path.dirname(path) for path in paths})
    yield from map(os.path.realpath, paths)  # a source may be a link to a file


def _refuse_what_is_not_ours(out: Path) -> None:
    try:
        about = json.loads((out / PLAN_FILE).read_text(encoding="utf-8"))
        is_ours, files = about["made_by"] == MADE_BY, about["files"]
    except (OSError, ValueError, KeyError, TypeError):
        is_ours, files = False, 0
    if not is_ours:
        raise UsageError(f"--out {out} is not empty, and `audit fix` did not write what it holds. "
                         "Give an empty or a new folder.")
    others = sorted(one.name for one in out.iterdir() if one.name not in WRITTEN)
    if others:
        raise UsageError(f'--out {out} holds "{_printable(others[0])}" beside what `audit fix` '
                         "wrote, and would be replaced. Move it elsewhere, or give another folder.")
    found = sum(len(names) for _, _, names in os.walk(out / IMAGES))
    if found != files:
        raise UsageError(f"--out {out} holds {found:,} images where `audit fix` wrote {files:,}: "
                         "it was changed by hand, and would be replaced. Give another folder.")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `out` when all has gone well.

    `out` must have passed `refuse_target`.
    """
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    _clear_left_behind(place)
    temporary, old = (place.parent / f".{place.name}.{os.getpid()}{part}" for part in _PARTS)
    try:
        temporary.mkdir()
        yield temporary
        if place.exists():
            place.rename(old)
        try:
            temporary.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)


def _clear_left_behind(place: Path) -> None:
    """Remove what killed processes left; bring back what one had moved away and not replaced."""
    for part in _PARTS:
        for left in place.parent.glob(f".{_escaped(place.name)}.*{part}"):
            owner = left.name.removeprefix(f".{place.name}.").removesuffix(part)
            if not owner.isdigit() or is_running(owner):
                continue
            if part == ".old" and not place.exists():
                left.rename(place)
            else:
                shutil.rmtree(left, ignore_errors=True)


def _escaped(name: str) -> str:
    """The name for `glob`, which takes brackets for sets of characters."""
    return "".join(f"[{one}]" if one in "[*?" else one for one in name)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
