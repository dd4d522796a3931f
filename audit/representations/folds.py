"""Leak-safe folds: what belongs together shares a fold.

An image whose near duplicate was trained on is recognised, not predicted: a wrong label that was
copied along with the image would vouch for itself.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_GROUPS = 2
"""Unrelated images a class needs: one to learn from while the other is predicted."""


@dataclass(frozen=True)
class Folds:
    """Fold of each image, -1 for an image that takes no part.

    Attributes:
        fold: `(n,)` from 0 to `count` - 1, or -1.
        count: number of folds.
        not_scorable: classes with too few unrelated images to be predicted, or whose groups
            are those of other classes too, so that no two folds can hold them.
        notes: sentences for the user about small classes.
    """

    fold: NDArray[np.int64]
    count: int
    not_scorable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def group_together(sets: NDArray[np.int64], groups: pd.Series) -> NDArray[np.int64]:
    """Join near-duplicate sets and the table's groups: images linked by either are one group."""
    count = len(sets)
    named = groups.to_numpy() != ""
    codes = pd.factorize(groups)[0] + int(sets.max(initial=0)) + 1
    rows = np.arange(count)
    nodes = count + int(max(codes.max(initial=0), sets.max(initial=0))) + 1
    edges = coo_matrix(
        (np.ones(count + int(named.sum())),
         (np.concatenate([rows, rows[named]]),
          count + np.concatenate([sets, codes[named]]))), shape=(nodes, nodes))
    return np.asarray(connected_components(edges, directed=False)[1][:count], np.int64)


def assign_folds(labels: pd.Series, groups: NDArray[np.int64], usable: NDArray[np.bool_],
                 count: int, seed: int) -> Folds | None:
    """Assign images to folds, each class spread evenly, no group in two folds.

    Args:
        labels: given label of each image.
        groups: group of each image; images of one group share a fold.
        usable: images that take part.
        count: folds asked for; fewer if no class has as many groups.
        seed: of the shuffle.

    Returns:
        None if fewer than two classes can be scored.
    """
    groups_of = (pd.DataFrame({"label": labels, "group": groups})[usable]
                 .groupby("label")["group"].nunique())
    scorable = set(groups_of.index[groups_of >= LEAST_GROUPS])
    not_scorable = tuple(sorted(set(labels) - scorable))
    if len(scorable) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        return None
    taking_part = np.flatnonzero(usable & labels.isin(scorable).to_numpy())
    count = min(count, int(groups_of.max()))
    y = labels.to_numpy()[taking_part]
    g = np.unique(groups[taking_part], return_inverse=True)[1]  # numbered without gaps
    fold = np.full(len(labels), -1, np.int64)
    spread = _split(y, g, count, seed)
    entangled = _spread(y, g, spread, count)
    if len(scorable - entangled) < 2:  # noqa: PLR2004 - as above
        return None
    fold[taking_part] = np.where(np.isin(y, list(entangled)), -1, spread)
    used = np.unique(fold[fold >= 0])  # a fold that nothing fell into is none
    fold[fold >= 0] = np.searchsorted(used, fold[fold >= 0])
    count = len(used)
    small = groups_of[(groups_of >= LEAST_GROUPS) & (groups_of < count)]
    notes = [f'class "{label}" has {images} unrelated images and {count} folds were asked: '
             f"its images are scored with {images} folds." for label, images in small.items()
             if label not in entangled]
    notes += [f'class "{label}" has {int(groups_of.get(label, 0))} unrelated readable image'
              f"{'' if groups_of.get(label, 0) == 1 else 's'}: at least {LEAST_GROUPS} are "
              "needed to score its labels." for label in not_scorable]
    notes += [f'class "{label}" shares its groups with other classes so that no two folds can '
              "hold it: its labels are not scored." for label in sorted(entangled)]
    return Folds(fold, count, tuple(sorted({*not_scorable, *entangled})), tuple(notes))


def _split(labels: NDArray[np.object_], groups: NDArray[np.int64], count: int, seed: int,
           ) -> NDArray[np.int64]:
    """Stratified folds. Only groups of several images go through the slow grouped splitter."""
    fold = np.empty(len(labels), np.int64)
    sizes = np.bincount(groups)
    single = sizes[groups] == 1
    for part, splitter in ((single, StratifiedKFold), (~single, StratifiedGroupKFold)):
        rows = np.flatnonzero(part)
        if len(np.unique(groups[rows])) < count or _largest(labels[rows]) < count:
            fold[rows] = groups[rows] % count  # too few to stratify; _spread mends the rest
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            splits = splitter(count, shuffle=True, random_state=seed).split(
                rows, labels[rows], groups[rows])
            for number, (_, held_out) in enumerate(splits):
                fold[rows[held_out]] = number
    return fold


def _largest(labels: NDArray[np.object_]) -> int:
    return int(pd.Series(labels).value_counts().max()) if len(labels) else 0


def _spread(labels: NDArray[np.object_], groups: NDArray[np.int64], fold: NDArray[np.int64],
            count: int) -> set[str]:
    """Move groups, in place, so that each class is in two folds or more, else it is never learned.

    Returns:
        Classes for which no move was found that leaves every other class in two folds: their
        groups hold images of other small classes too.
    """
    stuck = set()
    by_label = pd.Series(fold).groupby(labels)
    in_one_fold = by_label.min() == by_label.max()  # no move makes them more: see `_may_move`
    for label in in_one_fold.index[in_one_fold]:
        rows = np.flatnonzero(labels == label)
        if len(np.unique(fold[rows])) > 1:  # by a move for a class before
            continue
        sizes = pd.Series(groups[np.isin(groups, groups[rows])]).value_counts()
        smallest_first = sorted(sizes.index, key=lambda group: (sizes[group], group))
        others = [(fold[rows[0]] + step) % count for step in range(1, count)]
        move = next(((group, to) for group in smallest_first for to in others
                     if _may_move(group, to, labels, groups, fold)), None)
        if move is None:
            stuck.add(str(label))
        else:
            fold[groups == move[0]] = move[1]
    return stuck


def _may_move(group: int, to: int, labels: NDArray[np.object_], groups: NDArray[np.int64],
              fold: NDArray[np.int64]) -> bool:
    """Whether no class that is in two folds would be in one only if `group` went to fold `to`."""
    moved = np.where(groups == group, to, fold)
    for label in np.unique(labels[groups == group]):
        rows = labels == label
        if len(np.unique(fold[rows])) > 1 and len(np.unique(moved[rows])) == 1:
            return False
    return True
