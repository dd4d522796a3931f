"""Nearest images by embedding: exactly, and of many images nearly so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.representations.inverted_lists import can_search, search_lists
from audit.types import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

COUNT = 10
"""Neighbours kept an image, as cleanlab's Datalab does."""

_DIMENSIONS = 256
"""Embeddings are projected to at most as many before distances are taken: the rest is noise to
a neighbour search, and the products over all pairs cost in proportion."""

EXACT_TO = 50_000
"""Images up to which each is compared with each: 25 s of one core at 128 columns, and four times
as long for twice the images."""

_BLOCK_CELLS = 16_000_000
_ROWS = 10_000


def nearest(embeddings: NDArray[np.float32], count: int = COUNT) -> Neighbours:
    """Nearest neighbours by cosine distance, in memory that grows with the images only.

    Exact for up to `EXACT_TO` images, and for more of them where faiss is not installed (the extra
    `ann`); then a million take hours. With it they take minutes, and some neighbours are not the
    nearest ones but hardly farther away: see `inverted_lists`.

    Args:
        embeddings: `(n, d)`; rows of NaN have no neighbours and are nobody's.
        count: neighbours of each, fewer where there are fewer images.
    """
    total = len(embeddings)
    rows = np.full((total, count), -1, np.int64)
    distances = np.full((total, count), np.nan)
    known = np.flatnonzero(_is_finite(embeddings))
    if len(known) < 2:  # noqa: PLR2004 - an only image has no neighbour
        return Neighbours(rows, distances)
    vectors = _unit(_project(embeddings if len(known) == total else embeddings[known]))
    kept = min(count, len(known) - 1)
    search = search_lists if len(known) > EXACT_TO and can_search() else _search_all
    for some, others, similarity in search(vectors, kept):
        own = known[some]
        order = np.lexsort((others, -similarity), axis=1)  # ties by row, so that runs agree
        best = np.take_along_axis(others, order, axis=1)
        rows[own, :kept] = np.where(best >= 0, known[best], -1)
        distances[own, :kept] = np.clip(1 - np.take_along_axis(similarity, order, axis=1), 0, 2)
    return Neighbours(rows, distances)


def _search_all(vectors: NDArray[np.float32], kept: int,
                ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Rows of a block, and the `kept` most similar others of each of them, in any order."""
    block = max(1, _BLOCK_CELLS // len(vectors))
    for start in range(0, len(vectors), block):
        part = vectors[start:start + block]
        similarity = part @ vectors.T
        own = np.arange(len(part))
        similarity[own, start + own] = -np.inf
        best = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
        yield start + own, best, np.take_along_axis(similarity, best, axis=1)


def _is_finite(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(n,)` rows that are finite; not looked at all at once, which would be a copy of them."""
    return np.concatenate([np.isfinite(embeddings[start:start + _ROWS]).all(axis=1)
                           for start in range(0, max(len(embeddings), 1), _ROWS)])


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
    unit = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), _ROWS):
        part = vectors[start:start + _ROWS]
        norms = np.linalg.norm(part, axis=1, keepdims=True)
        unit[start:start + _ROWS] = part / np.maximum(norms, 1e-12)
    return unit
