"""Features learned from the images themselves, for when there are no pretrained weights.

As Coates, Ng & Lee, "An analysis of single-layer networks in unsupervised feature learning"
(2011): small patches are cut from random places, made even in contrast, whitened, and clustered;
an image is described by how strongly its patches respond to each cluster, in each quarter of the
picture. No label is looked at, and one pass over the images is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.imagestore import LOOK_SIDE
from audit.keras_runtime import load_tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.imagestore import Looks

    Pixels = NDArray[np.uint8]

SIDE = LOOK_SIDE
"""Side in pixels at which pictures are described."""

PATCH = 6
CHANNELS = 3
CONTRAST_FLOOR = 10.0
"""Added to the variance of a patch, in squared grey levels, as in the paper: plain patches stay
plain instead of becoming noise."""

WHITENING_FLOOR = 0.1
THRESHOLD = 0.25
"""Responses below it count as none: the paper's soft threshold."""

SAMPLED_PATCHES = 125
"""Patches cut for each filter to be learned, but at least `LEAST_PATCHES` in all."""

LEAST_PATCHES = 20_000
CLUSTERING_ROUNDS = 10
_BLOCK = 20_000
_SCALED_BY = 512
_RESPONSES_AT_ONCE = 4_096
"""Pictures times filters at a time: about 24 MB a table of responses. With three times as many,
that no cache holds, it takes a third longer."""

_MIDDLE = 128.0
"""Taken from all pixels before they are squared, for the sake of the last digits."""

_QUARTERS = 2


class PatchDescriber:
    """Responses to patches, as what is the same in the mirror image and what is not.

    Most pictures mean the same when mirrored: what is the same learns faster. Digits and letters
    do not, so the other half is there too, for a classifier to use if it helps.
    """

    components = (1_024, 256)
    """With 512 of the first, 1 wrong label of 100 is found less on 10,000 small images; 2,048 are
    no better."""

    is_mirrored = True

    def __init__(self, filters: int) -> None:
        """Describe by so many filters."""
        self._count = filters
        self._batch = max(4, _RESPONSES_AT_ONCE // filters)

    def learn(self, looks: Looks, rows: NDArray[np.int64], seed: int) -> None:
        """Learn the filters, and the scale of each feature, from some pictures."""
        pictures = looks.pictures.read(rows, SIDE)
        self._features = PatchFeatures.learn(pictures, self._count, seed)
        some = np.concatenate(self._both(pictures[::-(-len(pictures) // _SCALED_BY)]))
        self._mean, deviation = some.mean(axis=0), some.std(axis=0)
        self._scale = np.float32(1 / np.sqrt(some.shape[1])) / (deviation + np.float32(1e-3))

    def describe(self, looks: Looks, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Two blocks `(len(rows), 8 * filters)`: the same when mirrored, and what changes sign."""
        plain, mirrored = ((one - self._mean) * self._scale
                           for one in self._both(looks.pictures.read(rows, SIDE)))
        return [(plain + mirrored) / 2, (plain - mirrored) / 2]

    def _both(self, pictures: Pixels) -> list[NDArray[np.float32]]:
        batches = [self._features.describe(pictures[start:start + self._batch])
                   for start in range(0, len(pictures), self._batch)]
        return [np.concatenate(both) for both in zip(*batches, strict=True)]


@dataclass(frozen=True)
class PatchFeatures:
    """A dictionary of whitened patches, learned once, that turns pictures into features.

    Attributes:
        filters: `(PATCH * PATCH * 3, k)`, whitening included.
        bias: `(k,)`.
    """

    filters: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def learn(cls, pictures: Pixels, count: int, seed: int) -> PatchFeatures:
        """Learn `count` filters from patches of `(n, SIDE, SIDE, 3)` pictures."""
        random = np.random.default_rng(seed)
        patches = _even_contrast(
            _cut(pictures, max(LEAST_PATCHES, SAMPLED_PATCHES * count), random))
        mean = patches.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
        whitening = (axes / np.sqrt(np.maximum(variances, 0) + WHITENING_FLOOR)) @ axes.T
        whitened = _unit((patches - mean) @ whitening.astype(np.float32))
        centroids = _cluster(whitened, count, random)
        filters = np.asarray(whitening @ centroids.T, np.float32)
        return cls(filters, np.asarray(-(mean @ filters), np.float32))

    def describe(self, pictures: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features of `(n, SIDE, SIDE, 3)` pictures, and those of their mirror images.

        Returns:
            Twice `(n, 8 * k)`: mean positive and negative response of each filter in each
            quarter of the picture, square roots taken, 0 or more.
        """
        plain, mirrored = self._network(pictures)
        return plain.numpy(), mirrored.numpy()

    @cached_property
    def _network(self) -> Any:
        """The features as a TensorFlow function.

        A convolution with filters that take the mean of a patch away themselves, scaled by what
        evens out its contrast: half the time of a product with patches that were cut out and made
        even. The mirror image has the same patches mirrored, so it is the filters that are
        mirrored, and the quarters.
        """
        tensorflow = load_tensorflow()
        count = len(self.bias)
        square = self.filters.reshape(PATCH, PATCH, CHANNELS, count)
        both = np.concatenate([square, square[:, ::-1]], axis=3)
        filters = tensorflow.constant(both - both.mean(axis=(0, 1, 2)))
        bias = tensorflow.constant(np.concatenate([self.bias, self.bias]))
        mean = tensorflow.fill((PATCH, PATCH, CHANNELS, 1), 1 / (PATCH * PATCH * CHANNELS))
        across = SIDE - PATCH + 1
        quarters = tensorflow.constant(_quarters(across))

        def network(pictures: Any) -> Any:
            pixels = tensorflow.cast(pictures, "float32") - _MIDDLE
            variance = (tensorflow.nn.conv2d(pixels**2, mean, 1, "VALID")
                        - tensorflow.nn.conv2d(pixels, mean, 1, "VALID")**2)
            even = tensorflow.math.rsqrt(variance + CONTRAST_FLOOR)
            responses = tensorflow.nn.conv2d(pixels, filters, 1, "VALID") * even
            responses = tensorflow.nn.bias_add(responses, bias)
            responses = tensorflow.reshape(responses, (-1, across * across, 2 * count))
            pooled = tensorflow.stack([
                tensorflow.matmul(quarters, tensorflow.nn.relu(responses - THRESHOLD)),
                tensorflow.matmul(quarters, tensorflow.nn.relu(-responses - THRESHOLD))], axis=1)
            pooled = tensorflow.sqrt(pooled)  # (n, sign, quarter, filter)
            plain, mirrored = pooled[..., :count], pooled[..., count:]
            mirrored = tensorflow.gather(mirrored, [1, 0, 3, 2], axis=2)
            size = 2 * _QUARTERS**2 * count
            return (tensorflow.reshape(plain, (-1, size)),
                    tensorflow.reshape(mirrored, (-1, size)))

        return tensorflow.function(network, reduce_retracing=True)


def _cut(pictures: Pixels, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Patches from random places of random pictures, flattened, `(count, d)`."""
    last = SIDE - PATCH + 1
    which = random.integers(0, len(pictures), count)
    down, right = random.integers(0, last, (2, count))
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (PATCH, PATCH), axis=(1, 2))
    cut = windows[which, down, right]  # (patch, channel, y, x)
    return np.asarray(cut.transpose(0, 2, 3, 1).reshape(count, -1), np.float32)


def _even_contrast(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = patches - patches.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(centred.var(axis=1, keepdims=True) + CONTRAST_FLOOR))


def _cluster(vectors: NDArray[np.float32], count: int, random: np.random.Generator,
             ) -> NDArray[np.float32]:
    """Spherical k-means in which a vector and its negative are alike, `(count, d)` of length 1."""
    centroids = vectors[random.permutation(len(vectors))[:count]].copy()
    for _ in range(CLUSTERING_ROUNDS):
        sums = np.zeros_like(centroids)
        for start in range(0, len(vectors), _BLOCK):
            part = vectors[start:start + _BLOCK]
            similarity = part @ centroids.T
            nearest = np.abs(similarity).argmax(axis=1)
            signs = np.sign(similarity[np.arange(len(part)), nearest])
            one_hot = np.zeros_like(similarity)
            one_hot[np.arange(len(part)), nearest] = signs
            sums += one_hot.T @ part
        empty = np.linalg.norm(sums, axis=1) < 1e-6  # noqa: PLR2004 - nothing came near it
        sums[empty] = vectors[random.integers(0, len(vectors), int(empty.sum()))]
        centroids = _unit(sums)
    return centroids


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6),
                      np.float32)


def _quarters(across: int) -> NDArray[np.float32]:
    """`(4, across * across)`: what averages responses over each quarter, in reading order."""
    means = np.zeros((_QUARTERS, _QUARTERS, across, across), np.float32)
    half = -(-across // _QUARTERS)  # both halves have the middle: the mirror image's are the same
    halves = slice(0, half), slice(across - half, across)
    for row, down in enumerate(halves):
        for column, right in enumerate(halves):
            means[row, column, down, right] = 1 / half**2
    return means.reshape(_QUARTERS**2, -1)
