"""One rule for changing the size of pictures, wherever it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


def resize(pixels: Pixels, size: tuple[int, int], into: Pixels | None = None) -> Pixels:
    """Resize to `(width, height)`, averaging where it shrinks to less than half.

    Bilinear is enough up to there (power-of-two decoding has done the rest) and 7 times faster.

    Args:
        pixels: shape `(h, w, 3)` or `(h, w)`.
        size: the new width and height.
        into: an array of the new shape to write to, and to return.
    """
    height, width = pixels.shape[:2]
    shrinks_much = width > 2 * size[0] or height > 2 * size[1]
    method = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, dst=into, interpolation=method), np.uint8)


def fit_within(pixels: Pixels, side: int) -> Pixels:
    """Shrink so that the longest side is at most `side`; never enlarge."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return pixels
    size = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    return resize(pixels, size)
