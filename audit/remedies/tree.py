"""Where each image of a plan lies in a tree of class folders."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import TYPE_CHECKING

from audit.places import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
"""What no folder name may hold on one system or another."""

_UNNAMED_SPLIT = "train"
"""Of images without a split, where others have one."""


def folder_names(names: Iterable[str]) -> dict[str, str]:
    """Name → a folder name, unique, and the same wherever the name can be one.

    Unsafe characters become `_`, as do a leading dot, which would hide the folder, and trailing
    dots and spaces. Folders that would be the same get `_2`, `_3`, ...
    """
    ordered = sorted(set(names))
    safe = {name: _safe(name) for name in ordered}
    taken: set[str] = set()
    folders = {}
    # Names that need no change come first, so that they stay what they are.
    for name in sorted(ordered, key=lambda one: (safe[one] != one, one)):
        folder, number = safe[name], 1
        while folder in taken:
            number += 1
            folder = f"{safe[name]}_{number}"
        taken.add(folder)
        folders[name] = folder
    return folders


def _safe(name: str) -> str:
    cleaned = _UNSAFE.sub("_", name)
    cleaned = re.sub(r"^\.|[. ]+$", lambda found: "_" * len(found[0]), cleaned)
    return cleaned or "_"


def lay_out(plan: pd.DataFrame, paths: Iterable[str]) -> list[tuple[int, str]]:
    """Row of the plan and path in the tree, `[split/]class/file`, for each image and repetition.

    Files keep their names. Of those that would be the same in one folder, and of repetitions, the
    later get `__2`, `__3`, ... before the extension; the order of the plan decides.

    Args:
        plan: schema `tables.PLAN`.
        paths: of the source file of each row.
    """
    folders = _folders(plan)
    names = [file_name(path) for path in paths]
    used = plan["repeat"].to_numpy()
    natural = {f"{folder}/{name}".casefold()
               for folder, name, times in zip(folders, names, used, strict=True) if times}
    free = _Names(natural)
    placed = [(row, free.first(folders[row], names[row])) for row in range(len(plan)) if used[row]]
    for row in range(len(plan)):
        placed += [(row, free.another(folders[row], names[row]))
                   for _ in range(int(used[row]) - 1)]
    return placed


def _folders(plan: pd.DataFrame) -> list[str]:
    """The folder of each row, by the class to train with and, if the data has splits, the split."""
    classes = folder_names(plan["label"])
    splits = plan["split"].where(plan["split"] != "", _UNNAMED_SPLIT)
    if not (plan["split"] != "").any():
        return [classes[label] for label in plan["label"]]
    parts = folder_names(splits)
    return [f"{parts[split]}/{classes[label]}"
            for split, label in zip(splits, plan["label"], strict=True)]


class _Names:
    """Gives out file names, none twice, upper and lower case being the same."""

    def __init__(self, natural: set[str]) -> None:
        self._natural = natural
        self._taken: set[str] = set()
        self._numbers: dict[str, Iterator[int]] = {}

    def first(self, folder: str, name: str) -> str:
        path = f"{folder}/{name}"
        if path.casefold() in self._taken:
            return self.another(folder, name)
        self._taken.add(path.casefold())
        return path

    def another(self, folder: str, name: str) -> str:
        stem, extension = os.path.splitext(name)
        numbers = self._numbers.setdefault(f"{folder}/{name}".casefold(), count(2))
        paths = (f"{folder}/{stem}__{number}{extension}" for number in numbers)
        path = next(one for one in paths if self._is_free(one.casefold()))
        self._taken.add(path.casefold())
        return path

    def _is_free(self, path: str) -> bool:
        return path not in self._taken and path not in self._natural
