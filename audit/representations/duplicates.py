"""Pairs of images that are the same: by file, by pixels, or nearly.

A near duplicate must be found by one measure and confirmed by another. Its candidates come from
the perceptual hash or from the embedding; what confirms it is the correlation of the two
pictures at 32 x 32 pixels, against a limit and against how alike unrelated images of this data
set are. One global hash threshold calls many distinct images duplicates where all look alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from audit.representations.hash_pairs import pairs_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.imagestore import TensorStore
    from audit.types import Neighbours

    Rows = NDArray[np.int64]

HASH_RADIUS = 8
"""Bits of 64 by which perceptual hashes of candidates may differ. Measured: 90 % of copies that
were resized, recompressed at quality 40, brightened by 20 % or cropped by 4 % stay within it."""

LEAST_CORRELATION = 0.95
"""Correlation of near duplicates at 32 x 32. Measured: 95 % of the copies above reach 0.977
(cropped ones 0.944)."""

BACKGROUND_RANK = 10
"""How alike unrelated images are is read from the tenth most like an image, not the first: where
each image has a copy, the first is the copy. Measured on four data sets of which each image was
copied: 99 % of the copies are found, against 4 % to 27 % with the first."""

BACKGROUND_SHARE = 0.12
"""A pair must be this much closer than an image usually is to its `BACKGROUND_RANK`th. On photos
the limit stays at 0.95 to 0.96; on 1,797 scanned digits 1 pair of distinct digits is left."""

EMBEDDING_SHARE = 0.13
"""Embedding distance of candidates, as a share of the median distance to the neighbours: the
threshold of cleanlab's Datalab for near duplicates."""

LEAST_CORRELATION_EMBEDDING = 0.80
"""What embedding candidates must reach: a crop or a shift keeps the embedding, not the pixels."""

_SIDE = 32
_BACKGROUND_SAMPLE = 1_000
_BLOCK = 256
_PAIRS = 8_192
"""Pairs whose pictures are in memory at once: 128 MiB if no two share one."""


def find_pairs(images: pd.DataFrame, tensors: TensorStore, neighbours: Neighbours | None,
               ) -> pd.DataFrame:
    """All duplicate pairs, schema `tables.PAIRS`, sorted by rows.

    Sets of identical files or pixels are given as pairs with their first image, not as all
    pairs, so that a thousand copies are a thousand rows. A pair is listed once, by its
    strongest kind.
    """
    stands_for = np.arange(len(images))  # copies are searched once, by the first of them
    found = []
    for kind, hashes in (
            ("pixels", images["pixel_hash"]),
            # An empty file, or another without pixels, shows no picture that could be the same.
            ("file", images["file_sha256"].where(images["pixel_hash"] != "", ""))):
        first, copy = _identical(hashes)
        stands_for[copy] = np.minimum(first, stands_for[copy])
        found.append(_table(first, copy, kind, np.ones(len(copy))))
    found.append(_near(images, tensors, neighbours, stands_for))
    pairs = pd.concat(found, ignore_index=True).drop_duplicates(["row_a", "row_b"], keep="last")
    return pairs.sort_values(["row_a", "row_b"], ignore_index=True)


def sets_of(pairs: pd.DataFrame, count: int) -> NDArray[np.int64]:
    """Number of the set each of `count` images belongs to; an image without a pair is alone."""
    edges = coo_matrix((np.ones(len(pairs)), (pairs["row_a"], pairs["row_b"])),
                       shape=(count, count))
    return np.asarray(connected_components(edges, directed=False)[1], np.int64)


def _table(row_a: Rows, row_b: Rows, kind: str, similarity: NDArray[np.float64]) -> pd.DataFrame:
    """Pairs of one kind, schema `tables.PAIRS`."""
    return pd.DataFrame({"row_a": row_a, "row_b": row_b,
                         "kind": pd.Series(kind, range(len(row_a)), object),
                         "similarity": similarity})


def _identical(hashes: pd.Series) -> tuple[Rows, Rows]:
    """The first image of each hash, and its later copies, one by one; empty hashes are none."""
    known = np.flatnonzero(hashes.to_numpy() != "")
    codes = pd.factorize(hashes.to_numpy(object)[known])[0]  # numbered as they come
    first = known[np.unique(codes, return_index=True)[1]][codes]
    later = first != known
    return first[later], known[later]


def _near(images: pd.DataFrame, tensors: TensorStore, neighbours: Neighbours | None,
          stands_for: Rows) -> pd.DataFrame:
    """Near pairs of images that are not flat and no copies of an earlier one."""
    count = len(images)
    searched = (images["perceptual_hash"].to_numpy() != "") & (stands_for == np.arange(count))
    readable = np.flatnonzero(searched)
    nothing = np.empty(0, np.int64)
    if len(readable) < 2:  # noqa: PLR2004 - a pair takes two
        return _table(nothing, nothing, "near", np.empty(0))
    hashes = np.array([int(text, 16) for text in images["perceptual_hash"].to_numpy()[readable]],
                      np.uint64)
    by_hash = [readable[rows] for rows in pairs_within(hashes, HASH_RADIUS)]
    by_embedding = stands_for[np.stack(_close_embeddings(neighbours))]
    both = (by_embedding[0] != by_embedding[1]) & searched[by_embedding].all(axis=0)
    # A pair is one number that sorts as it does; by the embedding as well as by the hash it is
    # held to what the embedding asks for.
    codes = [np.minimum(*rows) * count + np.maximum(*rows)
             for rows in (by_hash, by_embedding[:, both])]
    candidates = np.union1d(*codes)
    if not len(candidates):
        return _table(nothing, nothing, "near", np.empty(0))
    limit = max(LEAST_CORRELATION, 1 - BACKGROUND_SHARE * _background(tensors, readable))
    wanted = np.where(np.isin(candidates, codes[1]), LEAST_CORRELATION_EMBEDDING, limit)
    row_a, row_b = np.divmod(candidates, count)
    correlation = _correlations(tensors, row_a, row_b)
    near = correlation >= wanted
    return _table(row_a[near], row_b[near], "near", np.array(
        [round(min(one, 1.0), 6) for one in correlation[near].tolist()], float))


def _close_embeddings(neighbours: Neighbours | None) -> tuple[Rows, Rows]:
    """Images and those of their neighbours that are far closer than is usual."""
    nothing = np.empty(0, np.int64)
    if neighbours is None or not neighbours.distances.size:
        return nothing, nothing
    typical = np.nanmedian(neighbours.distances)
    if not np.isfinite(typical):
        return nothing, nothing
    rows, columns = np.nonzero(neighbours.distances < EMBEDDING_SHARE * typical)
    return rows, neighbours.rows[rows, columns]


def _correlations(tensors: TensorStore, row_a: Rows, row_b: Rows) -> NDArray[np.float64]:
    """Correlation of the pictures of each pair; of as many pairs at a time as memory is for."""
    found = np.empty(len(row_a))
    for start in range(0, len(row_a), _PAIRS):
        pairs = np.stack([row_a[start:start + _PAIRS], row_b[start:start + _PAIRS]])
        needed, places = np.unique(pairs, return_inverse=True)
        looks = _looks(tensors, needed)
        first, second = places.reshape(pairs.shape)
        for place, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True), start):
            found[place] = looks[a] @ looks[b]
    return found


def _looks(tensors: TensorStore, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each image as a unit vector of its centred luma at 32 x 32, shape `(len(rows), 1024)`."""
    looks = np.empty((len(rows), _SIDE * _SIDE), np.float32)
    for start in range(0, len(rows), _BLOCK):
        for offset, tensor in enumerate(tensors.read(rows[start:start + _BLOCK], _SIDE)):
            looks[start + offset] = cv2.cvtColor(tensor, cv2.COLOR_RGB2GRAY).ravel()
    looks -= looks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(looks, axis=1, keepdims=True)
    return np.asarray(looks / np.maximum(norms, 1e-6), np.float32)


def _background(tensors: TensorStore, readable: NDArray[np.int64]) -> float:
    """Median of 1 - correlation between an image and its `BACKGROUND_RANK`th, from a sample.

    1, which is no demand, where there are not as many images.
    """
    if len(readable) <= BACKGROUND_RANK:
        return 1.0
    stride = max(1, len(readable) // _BACKGROUND_SAMPLE)
    sample = readable[::stride]
    looks = _looks(tensors, sample)
    most_alike = np.full((len(sample), BACKGROUND_RANK), -1.0)
    for start in range(0, len(readable), _BLOCK):
        block = readable[start:start + _BLOCK]
        correlation = looks @ _looks(tensors, block).T
        correlation[sample[:, None] == block[None, :]] = -1
        both = np.concatenate([most_alike, correlation], axis=1)
        most_alike = np.partition(both, -BACKGROUND_RANK, axis=1)[:, -BACKGROUND_RANK:]
    return float(np.median(1 - most_alike.min(axis=1)))
