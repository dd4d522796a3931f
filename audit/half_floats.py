"""Activations of many images in a file, as half floats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_LARGEST = 65_504.0
BYTES = 2
"""Of a half float."""


class HalfFloats:
    """Arrays of one shape, numbered by their place in a file that is open for reading and writing.

    They are written and read at computed offsets rather than through a mapping, whose pages would
    count as memory of the process.
    """

    def __init__(self, handle: int, shape: tuple[int, ...]) -> None:
        """Take an open file and the shape of one array."""
        self._handle = handle
        self._shape = shape
        self._stride = BYTES * int(np.prod(shape))

    def write(self, start: int, batch: Floats) -> None:
        """Keep arrays `start` and following; what no half float holds becomes the largest."""
        halves = np.clip(batch, -_LARGEST, _LARGEST).astype(np.float16)
        content = memoryview(halves.tobytes())
        at = start * self._stride
        while content:  # a disk that is nearly full takes a part, and refuses the rest
            done = os.pwrite(self._handle, content, at)
            content, at = content[done:], at + done

    def read(self, places: NDArray[np.int64]) -> Floats:
        """Those at `places`, in any order, `(len(places), *shape)`."""
        batch = np.empty((len(places), *self._shape), np.float16)
        for place, one in zip((places * self._stride).tolist(), batch, strict=True):
            os.preadv(self._handle, [one.data.cast("B")], place)
        return batch.astype(np.float32)
