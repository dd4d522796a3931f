"""Statistics of the pixels of one decoded image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MEASURE_SIDE = 160
"""Longest side, in pixels, at which pixels are measured. The rank correlation of the Laplacian
variance with true blur is 0.88 to 0.93 there against 0.96 at full size, for a tenth of the cost."""

_LUMA_WEIGHTS = np.array([[0.241, 0.691, 0.068]], np.float32)
"""HSP model of perceived brightness (D. R. Finley, 2006), as CleanVision uses it."""

_LEAST_ENERGY = 1.0
"""Variance of the Laplacian below which there is nothing but rounding in it."""

_PERCENTILES = (1, 5, 50, 95, 99)


def fit_within(pixels: Pixels, side: int) -> Pixels:
    """Shrink so that the longest side is at most `side`; never enlarge."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return pixels
    size = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    return resize(pixels, size)


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize to `(width, height)`, averaging where it shrinks to less than half.

    Bilinear is enough up to there (power-of-two decoding has done the rest) and 7 times faster.
    """
    height, width = pixels.shape[:2]
    shrinks_much = width > 2 * size[0] or height > 2 * size[1]
    method = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=method))


def pixel_statistics(pixels: Pixels, luma: Pixels) -> dict[str, float]:
    """Measure `(h, w, 3)` RGB pixels and their `(h, w)` luma, both at most `MEASURE_SIDE` wide.

    Returns:
        The float columns of `tables.MEASURES`.
    """
    squared = cv2.transform(pixels.astype(np.float32) ** 2, _LUMA_WEIGHTS)
    brightness = _percentiles(np.rint(np.sqrt(squared)).astype(np.uint8))
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    return {
        **{f"brightness_p{percent:02d}": value / 255
           for percent, value in zip(_PERCENTILES, brightness, strict=True)},
        "sharpness": _sharpness(luma),
        "contrast": float(cv2.meanStdDev(luma)[1][0, 0]),
        "entropy": _entropy(pixels),
        "colourfulness": _percentiles(spread)[-1],
    }


def _percentiles(values: Pixels) -> list[float]:
    """Percentiles of uint8 values by their histogram: the least value that reaches each share."""
    cumulated = np.bincount(values.ravel(), minlength=256).cumsum()
    wanted = np.array(_PERCENTILES) / 100 * cumulated[-1]
    return [float(level) for level in np.searchsorted(cumulated, wanted)]


def _entropy(pixels: Pixels) -> float:
    """Shannon entropy in bits of the three channel histograms as one, 0 to 9.58.

    As `PIL.Image.entropy` gives for an RGB image, on which CleanVision's low_information rests.
    """
    counts = np.concatenate([np.bincount(pixels[..., channel].ravel(), minlength=256)
                             for channel in range(3)])
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _sharpness(luma: Pixels) -> float:
    """Share of the Laplacian's energy that one more blur (Gaussian, 1 px) takes away, 0 to 1.

    The idea of re-blurring is that of Crete et al., "The blur effect" (2007): what is sharp
    loses much by a blur, what is blurred already loses little, and neither contrast nor how much
    of the picture is plain matters, which mislead the Laplacian's variance alone. Measured on
    500 images each of three data sets: the least sharp 0.5 % of photos have 0.82 to 0.90; blurred
    with a deviation of 1 % of the side, at 160 px, 95 % have less than 0.41 to 0.66.

    Returns:
        NaN for a picture that is flat, of which sharpness says nothing.
    """
    energy = float(cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1][0, 0]) ** 2
    if energy < _LEAST_ENERGY:
        return float("nan")
    blurred = cv2.GaussianBlur(luma, (0, 0), 1.0)
    left = float(cv2.meanStdDev(cv2.Laplacian(blurred, cv2.CV_16S))[1][0, 0]) ** 2
    return max(0.0, 1 - left / energy)
