"""Regularised least squares for many overlapping training sets at once.

Each training set is all images but those of a few folds, so its normal equations are those of
all images less those of the folds: the products over images are taken once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    Factor = tuple[NDArray[np.float32], bool]
    Judge = tuple[tuple[int, ...], Factor]

INNER_PARTS = 4
"""Classifiers that judge the labels outside a fold; each is left out of by one part of them."""


class FoldedLeastSquares:
    """Solves `features @ weights ≈ targets` on all images but those of some folds."""

    def __init__(self, features: NDArray[np.float32], folds: NDArray[np.int64]) -> None:
        """Take the products of `(n, m)` features, a fold at a time: `m * m` floats a fold."""
        self.features = features
        self.rows = {int(fold): np.flatnonzero(folds == fold) for fold in np.unique(folds)}
        self._products = {fold: _gram(features[rows]) for fold, rows in self.rows.items()}
        self._sum = np.sum(list(self._products.values()), axis=0)

    def factor(self, ridge: float, without: Collection[int],
               nor: NDArray[np.int64] | None = None) -> Factor:
        """Factorise the normal equations without some folds; good for any targets.

        Args:
            ridge: weight of the squared norm.
            without: folds that are left out.
            nor: rows of other folds that are left out too.
        """
        equations = self._sum.copy()
        for fold in without:
            equations -= self._products[fold]
        if nor is not None and len(nor):
            equations -= _gram(self.features[nor])
        equations[np.diag_indices(len(equations))] += ridge
        factor: Factor = cho_factor(equations, lower=True, overwrite_a=True, check_finite=False)
        return factor

    def solve(self, factor: Factor, targets: NDArray[np.float32], without: Collection[int],
              ) -> NDArray[np.float32]:
        """Weights `(m, c)` for targets `(n, c)`, of which rows of folds left out do not count."""
        counted = targets.copy()
        for fold in without:
            counted[self.rows[fold]] = 0
        return np.asarray(cho_solve(factor, self.features.T @ counted, check_finite=False),
                          np.float32)

    def judges(self, ridge: float, fold: int) -> list[Judge]:
        """Classifiers that see neither a fold nor one part of the others; good for any targets.

        Returns:
            The folds of each part, and the factor without them and without `fold`.
        """
        others = self._others(fold)
        parts = [tuple(others[start::INNER_PARTS])
                 for start in range(min(INNER_PARTS, len(others)))]
        return [(part, self.factor(ridge, (fold, *part))) for part in parts]

    def judge(self, judges: Sequence[Judge], targets: NDArray[np.float32], fold: int,
              ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows `(m,)` outside a fold, and their scores `(m, c)` by the judge that saw neither.

        Args:
            judges: of that fold.
            targets: `(n, c)` that they learn.
            fold: what is inside it is neither learned nor judged.
        """
        scores = np.zeros_like(targets)
        for part, factor in judges:
            weights = self.solve(factor, targets, (fold, *part))
            held_out = np.concatenate([self.rows[one] for one in part])
            scores[held_out] = self.features[held_out] @ weights
        rows = np.concatenate([self.rows[one] for one in self._others(fold)])
        return rows, scores[rows]

    def _others(self, fold: int) -> list[int]:
        return [one for one in self.rows if one != fold]


def one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Targets `(n, classes)` of labels."""
    return centred(np.eye(classes, dtype=np.float32)[labels])


def centred(targets: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scores of 0 for each class where nothing is known, as far from every image."""
    return np.asarray(targets - 1 / targets.shape[1], np.float32)


def _gram(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of the columns; rows picked from many are copied once for both factors."""
    return np.asarray(features.T @ features)
