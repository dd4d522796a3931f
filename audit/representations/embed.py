"""From pictures to embeddings: blocks of features, each reduced to its principal components.

A block (the activations of one layer, the responses of the patches) has hundreds or thousands of
columns. It is centred, reduced to principal components, and scaled so that the mean squared length
of an image is 1: each block counts as much in a distance as any other, however many columns it has.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from sklearn.utils.extmath import randomized_svd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from audit.imagestore import Looks

    Features = NDArray[np.float32]

LEARNED_FROM = 4_096
"""Images from which whatever is learned without labels is learned."""

BATCH = 64

MOST_IN_MEMORY = 2**30
"""Bytes of embeddings above which they lie in a file, whose pages the system may take back."""

_ROWS = 16_384


@dataclass(frozen=True)
class Embeddings:
    """Embeddings `(n, d)`, and how many of their last columns change when a picture is mirrored."""

    rows: Features
    mirrored: int = 0


class Describer(Protocol):
    """Turns pictures into blocks of features, knowing nothing of the labels."""

    @property
    def components(self) -> tuple[int, ...]:
        """Principal components of each block that are kept, if it has as many."""
        ...

    @property
    def is_mirrored(self) -> bool:
        """Whether the last block is what changes when the picture is mirrored.

        It keeps the scale of the block before it, of which it is the other half.
        """
        ...

    def learn(self, looks: Looks, rows: NDArray[np.int64], seed: int) -> None:
        """Learn from some pictures what has to be learned before any can be described."""
        ...

    def describe(self, looks: Looks, rows: NDArray[np.int64]) -> list[Features]:
        """Blocks `(len(rows), d)`."""
        ...


def embed(describers: Sequence[Describer], looks: Looks, rows: NDArray[np.int64],
          seed: int, advance: Callable[[int], None]) -> Embeddings:
    """Describe images `rows` and reduce what each describer says; the last may be mirrored."""
    if not len(rows):
        return Embeddings(np.empty((0, 1), np.float32))
    order = np.random.default_rng(seed).permutation(len(rows))
    first, rest = np.sort(order[:LEARNED_FROM]), np.sort(order[LEARNED_FROM:])
    reductions = []
    parts = []
    for describer in describers:
        describer.learn(looks, rows[first], seed)
        batches = [describer.describe(looks, rows[some]) for some in _batches(first)]
        blocks = [np.concatenate(block) for block in zip(*batches, strict=True)]
        reductions.append(_reductions(blocks, describer))
        parts.append([reduction.apply(block)
                      for reduction, block in zip(reductions[-1], blocks, strict=True)])
    learned = np.concatenate([block for part in parts for block in part], axis=1)
    advance(len(first))
    embeddings = _room((len(rows), learned.shape[1]), looks.folder)
    embeddings[first] = learned
    for some in _batches(rest):
        embeddings[some] = np.concatenate([
            reduction.apply(block)
            for describer, own in zip(describers, reductions, strict=True)
            for reduction, block in zip(own, describer.describe(looks, rows[some]), strict=True)
        ], axis=1)
        advance(len(some))
    mirrored = parts[-1][-1].shape[1] if describers[-1].is_mirrored else 0
    return Embeddings(embeddings, mirrored)


def laid_out(known: Features, rows: NDArray[np.int64], images: int) -> Features:
    """One row an image, NaN where it is not known; no copy if all are known."""
    if len(rows) == images:
        return known
    everywhere = _room((images, known.shape[1]), _folder_of(known))
    for start in range(0, images, _ROWS):
        everywhere[start:start + _ROWS] = np.nan
    for start in range(0, len(rows), _ROWS):
        everywhere[rows[start:start + _ROWS]] = known[start:start + _ROWS]
    return everywhere


def rows_of(embeddings: Features, rows: NDArray[np.int64]) -> Features:
    """Some rows, ascending; no copy if these are all of them."""
    if len(rows) == len(embeddings):
        return embeddings
    some = _room((len(rows), embeddings.shape[1]), _folder_of(embeddings))
    for start in range(0, len(rows), _ROWS):
        some[start:start + _ROWS] = embeddings[rows[start:start + _ROWS]]
    return some


def _room(shape: tuple[int, int], folder: Path | None) -> Features:
    """An array in memory, or, where it would take too much of it, in a file of the work folder."""
    if folder is None or 4 * shape[0] * shape[1] <= MOST_IN_MEMORY:
        return np.empty(shape, np.float32)
    handle, name = tempfile.mkstemp(".embeddings", dir=folder)
    os.close(handle)
    return np.memmap(name, np.float32, "w+", shape=shape)


def _folder_of(embeddings: Features) -> Path | None:
    """Where they lie, if they lie in a file."""
    name = embeddings.filename if isinstance(embeddings, np.memmap) else None
    return None if name is None else Path(name).parent


@dataclass(frozen=True)
class _Reduction:
    """Centre `(d,)`, axes `(d, k)` and one factor."""

    centre: Features
    axes: Features
    scale: np.float32

    @classmethod
    def of(cls, block: Features, components: int) -> _Reduction:
        centre = block.mean(axis=0)
        centred = block - centre
        _, _, axes = randomized_svd(centred, min(components, *block.shape), n_iter=1,
                                    random_state=0)
        length = float(np.sqrt(np.mean(np.einsum("nd,nd->n", centred, centred))))
        return cls(centre, np.ascontiguousarray(axes.T, np.float32),
                   np.float32(1 / max(length, 1e-9)))

    def apply(self, block: Features) -> Features:
        return np.asarray((block - self.centre) @ self.axes * self.scale, np.float32)


def _reductions(blocks: list[Features], describer: Describer) -> list[_Reduction]:
    found = [_Reduction.of(block, components)
             for block, components in zip(blocks, describer.components, strict=True)]
    if describer.is_mirrored:
        last = found[-1]
        found[-1] = _Reduction(last.centre, last.axes, found[-2].scale)
    return found


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start:start + BATCH] for start in range(0, len(rows), BATCH)]
