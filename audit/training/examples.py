"""What a network is trained on: batches of inputs, labels and weights, the same in every run.

The order of the images and how each is changed depend on the seed and the number of the update
alone, so that a training that was killed goes on as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audit.keras_runtime import load_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

    Inputs = NDArray[np.uint8] | NDArray[np.float32]
    Batch = tuple[Inputs, NDArray[np.float32], NDArray[np.float32]]

SHIFT = 1 / 8
"""Of the side, by which a picture is moved at most; as usual for CIFAR-10 (4 of 32 pixels)."""

PREFETCHED = 4
"""Batches that wait while the network learns."""


class Source(Protocol):
    """What a network is given of an image, by rows of the images."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is given of one image."""

    @property
    def dtype(self) -> str:
        """Of its values."""

    def plain(self, rows: NDArray[np.int64], *, mirrored: bool) -> Inputs:
        """Of the images, or of their mirror images, as they are."""

    def changed(self, rows: NDArray[np.int64], random: np.random.Generator) -> Inputs:
        """Of the images, each mirrored and moved at random."""


@dataclass(frozen=True)
class Pictures:
    """The pictures themselves, uint8 of `(side, side, 3)`."""

    tensors: TensorStore
    side: int
    dtype = "uint8"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture."""
        return self.side, self.side, 3

    def plain(self, rows: NDArray[np.int64], *, mirrored: bool) -> Inputs:
        """The pictures, or their mirror images."""
        pictures = self.tensors.read(rows, self.side)
        return pictures[:, :, ::-1] if mirrored else pictures

    def changed(self, rows: NDArray[np.int64], random: np.random.Generator) -> Inputs:
        """The pictures, each mirrored and moved at random."""
        return augment(self.tensors.read(rows, self.side), random)


@dataclass(frozen=True)
class Examples:
    """Images to learn from or to be tested on.

    Attributes:
        source: what the network is given of them.
        rows: `(n,)` of the source; an image that counts twice is there twice.
        labels: `(n,)` from 0 on.
        weights: `(n,)` how much each counts, 1 on average.
    """

    source: Source
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of examples, repetitions counted."""
        return len(self.rows)


def training_batches(examples: Examples, classes: int, batch_size: int, seed: int, begin: int,
                     end: int) -> Any:
    """A `tf.data.Dataset` of the batches of updates `begin` to `end` - 1.

    Epochs follow one another without a gap: a batch may hold the last of one and the first of the
    next, and is always full.
    """
    tensorflow = load_tensorflow()
    source = examples.source
    signature = (tensorflow.TensorSpec((None, *source.shape), source.dtype),
                 tensorflow.TensorSpec((None, classes), tensorflow.float32),
                 tensorflow.TensorSpec((None,), tensorflow.float32))
    return tensorflow.data.Dataset.from_generator(
        lambda: _changed(examples, classes, batch_size, seed, begin, end),
        output_signature=signature).prefetch(PREFETCHED)


def _changed(examples: Examples, classes: int, batch_size: int, seed: int, begin: int, end: int,
             ) -> Iterator[Batch]:
    one_hot = np.eye(classes, dtype=np.float32)
    for update in range(begin, end):
        chosen = _chosen(len(examples), batch_size, seed, update)
        random = np.random.default_rng((seed, update, 1))
        yield (examples.source.changed(examples.rows[chosen], random),
               one_hot[examples.labels[chosen]], examples.weights[chosen])


def _chosen(count: int, batch_size: int, seed: int, update: int) -> NDArray[np.int64]:
    """Places of the images of a batch, in an endless row of shuffled epochs."""
    places = np.arange(update * batch_size, (update + 1) * batch_size)
    epochs = places // count
    orders = {epoch: np.random.default_rng((seed, int(epoch), 0)).permutation(count)
              for epoch in np.unique(epochs)}
    return np.array([orders[epoch][place % count]
                     for epoch, place in zip(epochs, places, strict=True)], np.int64)


def augment(pictures: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Mirror every second picture, and move each by up to an eighth of its side, edges repeated.

    Args:
        pictures: `(n, side, side, 3)`.
        random: where the changes come from.
    """
    side = pictures.shape[1]
    reach = max(1, round(SHIFT * side))
    mirrored = random.random(len(pictures)) < 0.5  # noqa: PLR2004 - every second
    moves = random.integers(-reach, reach + 1, (len(pictures), 2))
    changed = np.empty_like(pictures)
    index = np.arange(side)
    for picture, flip, (down, right), into in zip(pictures, mirrored, moves, changed, strict=True):
        rows = np.clip(index + down, 0, side - 1)
        columns = np.clip(index + right, 0, side - 1)
        into[:] = picture[rows][:, columns[::-1] if flip else columns]
    return changed
