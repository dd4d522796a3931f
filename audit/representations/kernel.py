"""A Gaussian kernel between images, and features whose products are its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

if TYPE_CHECKING:
    from numpy.typing import NDArray

JITTER = 1e-4
"""Added to the diagonal of the landmarks' kernel, so that copies among them do no harm."""

_ROWS = 4_096
_MEDIAN_OF = 1_000


@dataclass(frozen=True)
class GaussianKernel:
    """exp(-width * squared distance / median squared distance): equal images have 1."""

    width: float
    median: float

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], width: float) -> GaussianKernel:
        """The kernel on the scale of these images; every so many are looked at."""
        some = embeddings[::-(-len(embeddings) // _MEDIAN_OF)]
        distances = _squared_distances(some, some)
        apart = distances[~np.eye(len(some), dtype=bool)]
        median = float(np.median(apart)) if len(apart) else 1.0
        return cls(width, median if median > 0 else 1.0)

    def between(self, left: NDArray[np.float32], right: NDArray[np.float32],
                ) -> NDArray[np.float32]:
        """Values of all pairs, `(len(left), len(right))`."""
        exponents = _squared_distances(left, right)
        exponents *= np.float32(-self.width / self.median)
        return np.exp(exponents, out=exponents)


def kernel_features(embeddings: NDArray[np.float32], kernel: GaussianKernel, most: int,
                    random: np.random.Generator) -> NDArray[np.float32]:
    """Features `(n, m)`, m at most `most`, whose products approximate the kernel.

    Exact up to the jitter for `most` images or fewer; else by Nyström's method from `most` of
    them (Williams & Seeger, 2001), at a cost that grows with n and not with its square.
    """
    count = min(most, len(embeddings))
    landmarks = embeddings[np.sort(random.permutation(len(embeddings))[:count])]
    own = kernel.between(landmarks, landmarks).astype(np.float64)
    own[np.diag_indices(count)] += JITTER
    factor = cholesky(own.T, lower=True, overwrite_a=True, check_finite=False).astype(np.float32)
    del own
    features = np.empty((len(embeddings), count), np.float32)
    for start in range(0, len(embeddings), _ROWS):
        values = kernel.between(embeddings[start:start + _ROWS], landmarks)
        features[start:start + _ROWS] = solve_triangular(
            factor, values.T, lower=True, overwrite_b=True, check_finite=False).T
    return features


def _squared_distances(left: NDArray[np.float32], right: NDArray[np.float32],
                       ) -> NDArray[np.float32]:
    distances = left @ right.T
    distances *= -2
    distances += np.einsum("nd,nd->n", left, left)[:, None]
    distances += np.einsum("nd,nd->n", right, right)[None, :]
    return np.asarray(np.maximum(distances, 0, out=distances))
