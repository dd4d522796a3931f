"""Regularised least squares for many overlapping training sets at once.

Each training set is all images but those of a few folds, so its normal equations are those of
all images less those of the folds: the products over images are taken once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Factor = tuple[NDArray[np.float32], bool]


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


def _gram(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of the columns; rows picked from many are copied once for both factors."""
    return np.asarray(features.T @ features)
