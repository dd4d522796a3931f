"""Activations of a pretrained network, frozen, at several depths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from audit.feature_maps import feature_maps
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

COMPONENTS = 256
"""As good as all of them on three data sets; 128 were not."""

LEVELS = 3
"""Scales whose last activations are read. The last layer knows the classes of ImageNet; texture
and material are told by those before it. Against the last alone, three raise the out-of-fold
accuracy by 2 to 6 points on three data sets, at no cost: they are computed anyway."""

SMALL_PICTURE = 64
"""Pictures of at most so many pixels are small: they are shown at a smaller side."""


class NetworkDescriber:
    """The last activation at each of the last scales, averaged over the picture."""

    is_mirrored = False

    def __init__(self, network: Any, preprocess: Callable[[Any], Any], size: int,
                 small_size: int, *, with_mirror: bool) -> None:
        """Wrap a built network without its top.

        Args:
            network: a Keras model from `(n, size, size, 3)` on.
            preprocess: from uint8 values as floats to what the network wants.
            size: side in pixels at which it is shown pictures.
            small_size: the same, if they are small.
            with_mirror: average with the mirror image: twice the time, a little better.
        """
        keras = load_keras()
        outputs = _last_of_each_scale(network, size)
        self.components = (COMPONENTS,) * len(outputs)
        pooled = [keras.layers.GlobalAveragePooling2D()(output)
                  for output in outputs]
        self._network = keras.Model(network.inputs, pooled)
        self._preprocess = preprocess
        self._size = size
        self._small_size = small_size
        self._with_mirror = with_mirror

    def learn(self, tensors: TensorStore, rows: NDArray[np.int64], seed: int) -> None:  # noqa: ARG002
        """Learn whether pictures are small; the network was trained before."""
        if tensors.typical_side(rows) <= SMALL_PICTURE:
            self._size = self._small_size

    def describe(self, tensors: TensorStore, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """One block a scale, of length 1 after square roots (Hellinger's distance)."""
        pictures = self._preprocess(tensors.read(rows, self._size).astype(np.float32))
        blocks = self._activations(pictures)
        if self._with_mirror:
            mirrored = self._activations(pictures[:, :, ::-1])
            blocks = [np.float32(0.5) * (one + other)
                      for one, other in zip(blocks, mirrored, strict=True)]
        return [_unit(np.sign(block) * np.sqrt(np.abs(block))) for block in blocks]

    def _activations(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found = self._network.predict_on_batch(pictures)
        return list(found) if isinstance(found, list | tuple) else [found]  # one scale: no list


def _last_of_each_scale(network: Any, size: int) -> list[Any]:
    """Outputs of the last layer at each of the last `LEVELS` sizes, coarsest last.

    Raises:
        UsageError: no layer gives a picture.
    """
    by_side = {side: layer.output for layer, side in feature_maps(network, size)}
    return [by_side[side] for side in reversed(sorted(by_side)[:LEVELS])]


def _unit(block: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(block / (np.linalg.norm(block, axis=1, keepdims=True) + 1e-9), np.float32)
