"""Activations of a pretrained network, frozen, at several depths."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.feature_maps import feature_maps
from audit.keras_runtime import load_keras
from audit.representations.inference import TENSORFLOW, converted_anew, runner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from audit.imagestore import Looks, TensorStore
    from audit.representations.inference import Keep

COMPONENTS = 256
"""As good as all of them on three data sets; 128 were not."""

LEVELS = 3
"""Scales whose last activations are read. The last layer knows the classes of ImageNet; texture
and material are told by those before it. Against the last alone, three raise the out-of-fold
accuracy by 2 to 6 points on three data sets, at no cost: they are computed anyway."""

SMALL_PICTURE = 64
"""Pictures of at most so many pixels are small: they are shown at a smaller side."""


class Extractor:
    """A frozen network as a function of one picture: what it says hangs on no other picture.

    Picklable: another process builds the network anew.
    """

    def __init__(self, network: Any, preprocess: Callable[[Any], Any], size: int,
                 small_size: int, *, with_mirror: bool, runtime: str = TENSORFLOW,
                 recipe: tuple[Callable[..., Extractor], tuple[str, ...]] | None = None,
                 salt: str = "", keep: Keep = converted_anew) -> None:
        """Wrap a built network without its top.

        Args:
            network: a Keras model from `(n, size, size, 3)` on.
            preprocess: from uint8 values as floats to what the network wants.
            size: side in pixels at which it is shown pictures.
            small_size: the same, if they are small.
            with_mirror: average with the mirror image: twice the time, a little better.
            runtime: what runs the network.
            recipe: what builds the same again, and its arguments.
            salt: told apart by, beside what can be read off the network.
            keep: gives what was made of the network by its key, or makes it.
        """
        keras = load_keras()
        outputs = _last_of_each_scale(network, size)
        pooled = [keras.layers.GlobalAveragePooling2D()(output) for output in outputs]
        self._network = keras.Model(network.inputs, pooled)
        self._preprocess = preprocess
        self._size = size
        self._small_size = small_size
        self._with_mirror = with_mirror
        self._recipe = recipe
        self._runner = runner(self._network, runtime, lambda make: keep(self.key, make))
        self._salt = salt
        self.widths = tuple(int(one.shape[-1]) for one in pooled)
        """Activations of each scale."""

    def __reduce__(self) -> tuple[Callable[..., Extractor], tuple[str, ...]]:
        """How another process comes by it.

        Raises:
            TypeError: nobody told.
        """
        if self._recipe is None:
            raise TypeError("this network cannot be built anew in another process")
        return self._recipe

    @cached_property
    def key(self) -> str:
        """Differs where the activations of a picture may: weights, layers, sides, mirror."""
        digest = blake2b(digest_size=16)
        structure = self._network.to_json()
        # Names count up within a process.
        for number, part in enumerate([self._network, *self._network.layers]):
            structure = structure.replace(f'"{part.name}"', f'"{number}"')
        digest.update(repr((structure, self._preprocess.__module__, self._size, self._small_size,
                            self._with_mirror, self._runner.kind, self._salt)).encode())
        for weights in self._network.get_weights():
            digest.update(np.ascontiguousarray(weights).data)
        return digest.hexdigest()

    def describe(self, pictures: TensorStore, rows: NDArray[np.int64],
                 advance: Callable[[float], None] = lambda _: None) -> NDArray[np.float32]:
        """Activations `(len(rows), sum(widths))`, averaged over the picture, scale by scale.

        Batches are of one shape, filled up with black, so that no picture's are of another sort
        of product than those of the others.
        """
        found = np.empty((len(rows), sum(self.widths)), np.float32)
        are_small = pictures.sides(rows) <= SMALL_PICTURE
        for side, some in ((self._small_size, np.flatnonzero(are_small)),
                           (self._size, np.flatnonzero(~are_small))):
            for start in range(0, len(some), self._runner.batch):
                batch = some[start:start + self._runner.batch]
                shown = np.zeros((self._runner.batch, side, side, 3), np.float32)
                shown[:len(batch)] = pictures.read(rows[batch], side)
                found[batch] = self._activations(self._preprocess(shown))[:len(batch)]
                advance(len(batch))
        return found

    def _activations(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        plain = self._runner.run(pictures)
        if not self._with_mirror:
            return plain
        return np.asarray(np.float32(0.5) * (plain + self._runner.run(pictures[:, :, ::-1])))


class NetworkDescriber:
    """The activations of each scale, of length 1 after square roots (Hellinger's distance)."""

    is_mirrored = False

    def __init__(self, widths: Sequence[int]) -> None:
        """Take how many activations each scale has."""
        self.components = (COMPONENTS,) * len(widths)
        self._ends = np.cumsum(widths)

    def learn(self, looks: Looks, rows: NDArray[np.int64], seed: int) -> None:
        """Nothing: the network was trained before."""

    def describe(self, looks: Looks, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """One block a scale."""
        blocks = np.split(looks.activations_of(rows), self._ends[:-1], axis=1)
        return [_unit(np.sign(block) * np.sqrt(np.abs(block))) for block in blocks]


def _last_of_each_scale(network: Any, size: int) -> list[Any]:
    """Outputs of the last layer at each of the last `LEVELS` sizes, coarsest last.

    Raises:
        UsageError: no layer gives a picture.
    """
    by_side = {side: layer.output for layer, side in feature_maps(network, size)}
    return [by_side[side] for side in reversed(sorted(by_side)[:LEVELS])]


def _unit(block: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(block / (np.linalg.norm(block, axis=1, keepdims=True) + 1e-9), np.float32)
