"""Nearest images by embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.types import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 10
"""Neighbours kept an image, as cleanlab's Datalab does."""

_DIMENSIONS = 256
"""Embeddings are projected to at most as many before distances are taken: the rest is noise to
a neighbour search, and the products over all pairs cost in proportion."""

_BLOCK_CELLS = 16_000_000
_ROWS = 10_000


def nearest(embeddings: NDArray[np.float32], count: int = COUNT) -> Neighbours:
    """Exact k nearest neighbours by cosine distance, in blocks of bounded memory.

    Args:
        embeddings: `(n, d)`; rows of NaN have no neighbours and are nobody's.
        count: k.
    """
    total = len(embeddings)
    rows = np.full((total, count), -1, np.int64)
    distances = np.full((total, count), np.nan)
    known = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    if len(known) < 2:  # noqa: PLR2004 - an only image has no neighbour
        return Neighbours(rows, distances)
    vectors = _unit(_project(embeddings[known]))
    kept = min(count, len(known) - 1)
    block = max(1, _BLOCK_CELLS // len(known))
    for start in range(0, len(known), block):
        part = vectors[start:start + block]
        similarity = part @ vectors.T
        own = np.arange(len(part))
        similarity[own, start + own] = -np.inf
        best = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(similarity, best, axis=1)
        order = np.lexsort((best, -values), axis=1)  # ties by row, so that runs agree
        best = np.take_along_axis(best, order, axis=1)
        values = np.take_along_axis(values, order, axis=1)
        rows[known[start + own], :kept] = known[best]
        distances[known[start + own], :kept] = np.clip(1 - values, 0, 2)
    return Neighbours(rows, distances)


def _project(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    if min(embeddings.shape) <= _DIMENSIONS:
        return embeddings
    # Not centred: cosines are taken about the origin, which a projection about the mean moves.
    squares = np.zeros((embeddings.shape[1],) * 2)
    for start in range(0, len(embeddings), _ROWS):
        part = embeddings[start:start + _ROWS].astype(np.float64)
        squares += part.T @ part
    axes = np.linalg.eigh(squares)[1][:, -_DIMENSIONS:]  # ascending: the last carry the most
    return np.asarray(embeddings @ axes.astype(np.float32), np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)
