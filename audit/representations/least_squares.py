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

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]
    Factor = tuple[Floats, bool]
    Crossed = dict[int, Floats]
    Judge = tuple[tuple[int, ...], Factor]

INNER_PARTS = 4
"""Classifiers that judge the labels outside a fold; each is left out of by one part of them."""

PAIR = 2
"""Folds left out by a judge that serves two folds: the judge of one for the images of the other."""


class FoldedLeastSquares:
    """Solves `features @ weights ≈ targets` on all images but those of some folds."""

    def __init__(self, features: Floats, folds: Rows,
                 products: dict[int, Floats] | None = None) -> None:
        """Take the products of `(n, m)` features, a fold at a time: `m * m` floats a fold.

        Args:
            features: `(n, m)`.
            folds: `(n,)` fold of each row.
            products: of each fold, where they are known.
        """
        self.features = features
        self.rows = {int(fold): np.flatnonzero(folds == fold) for fold in np.unique(folds)}
        self._folds = folds
        self._products = products or {
            fold: _gram(features[rows]) for fold, rows in self.rows.items()}
        self._sum = np.zeros((features.shape[1],) * 2, np.float32)
        for product in self._products.values():
            self._sum += product
        self._pairs: dict[tuple[float, frozenset[int]], Factor] = {}

    def narrowed(self, columns: int) -> FoldedLeastSquares:
        """The same with the first columns only; their products are known."""
        return FoldedLeastSquares(self.features[:, :columns], self._folds, {
            fold: product[:columns, :columns] for fold, product in self._products.items()})

    def factor(self, ridge: float, without: Collection[int], nor: Rows | None = None) -> Factor:
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
        return factorised(equations, ridge)

    def crossed(self, targets: Floats) -> Crossed:
        """Products `(m, c)` of the features with targets `(n, c)`, a fold at a time."""
        return {fold: self.features[rows].T @ targets[rows] for fold, rows in self.rows.items()}

    def solve(self, factor: Factor, crossed: Crossed, without: Collection[int],
              more: Floats | None = None) -> Floats:
        """Weights `(m, c)`.

        Args:
            factor: without the folds that are left out.
            crossed: of targets, of which those of the folds left out do not count.
            without: the folds left out.
            more: products `(m, c)` to add: of rows whose targets are others than `crossed` has.
        """
        right = np.zeros_like(next(iter(crossed.values()))) if more is None else more.copy()
        for fold, one in crossed.items():
            if fold not in without:
                right += one
        return np.asarray(cho_solve(factor, right, check_finite=False), np.float32)

    def judges(self, ridge: float, fold: int) -> list[Judge]:
        """Classifiers that see neither a fold nor one part of the others; good for any targets.

        Returns:
            The folds of each part, and the factor without them and without `fold`.
        """
        others = self._others(fold)
        parts = [tuple(others[start::INNER_PARTS])
                 for start in range(min(INNER_PARTS, len(others)))]
        return [(part, self._factor_of_judge(ridge, (fold, *part))) for part in parts]

    def judge(self, judges: Sequence[Judge], crossed: Crossed, fold: int) -> tuple[Rows, Floats]:
        """Rows `(m,)` outside a fold, and their scores `(m, c)` by the judge that saw neither.

        Args:
            judges: of that fold.
            crossed: of the targets that they learn.
            fold: what is inside it is neither learned nor judged.
        """
        rows, scores = [], []
        for part, factor in judges:
            weights = self.solve(factor, crossed, (fold, *part))
            for one in part:
                rows.append(self.rows[one])
                scores.append(self.features[self.rows[one]] @ weights)
        return np.concatenate(rows), np.concatenate(scores)

    def _factor_of_judge(self, ridge: float, without: tuple[int, ...]) -> Factor:
        """The factor without some folds. That without a pair serves two folds, and is kept."""
        if len(without) > PAIR:
            return self.factor(ridge, without)
        key = ridge, frozenset(without)
        kept = self._pairs.pop(key, None)
        if kept is not None:
            return kept
        return self._pairs.setdefault(key, self.factor(ridge, without))

    def _others(self, fold: int) -> list[int]:
        return [one for one in self.rows if one != fold]


def factorised(equations: Floats, ridge: float) -> Factor:
    """Cholesky's factor of equations, which are overwritten, with the ridge on the diagonal.

    They are their own transpose, which lies in memory as LAPACK wants it: half the time.
    """
    equations[np.diag_indices(len(equations))] += np.float32(ridge)
    factor: Factor = cho_factor(equations.T, lower=True, overwrite_a=True, check_finite=False)
    return factor


def one_hot(labels: Rows, classes: int) -> Floats:
    """Targets `(n, classes)` of labels."""
    return centred(np.eye(classes, dtype=np.float32)[labels])


def centred(targets: NDArray[np.floating]) -> Floats:
    """Scores of 0 for each class where nothing is known, as far from every image."""
    return np.asarray(targets - 1 / targets.shape[1], np.float32)


def _gram(features: Floats) -> Floats:
    """Products of the columns; rows picked from many are copied once for both factors."""
    return np.asarray(features.T @ features)
