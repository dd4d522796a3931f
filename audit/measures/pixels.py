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

_GAUSSIAN = cv2.getGaussianKernel(7, 1.0, cv2.CV_32F)
"""For `cv2.sepFilter2D`: three times faster than `cv2.GaussianBlur`, and alike to one level."""


def pixel_statistics(pixels: Pixels, luma: Pixels) -> dict[str, float]:
    """Measure `(h, w, 3)` RGB pixels and their `(h, w)` luma, both at most `MEASURE_SIDE` wide.

    Returns:
        The float columns of `tables.MEASURES`.
    """
    planes = [cv2.extractChannel(pixels, channel) for channel in range(3)]
    squares = pixels.astype(np.float32)
    squares *= squares
    brightness = cv2.convertScaleAbs(cv2.sqrt(cv2.transform(squares, _LUMA_WEIGHTS)))
    red, green, blue = planes
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    levels = _percentiles(_histogram(brightness), _PERCENTILES)
    return {
        **{f"brightness_p{percent:02d}": level / 255
           for percent, level in zip(_PERCENTILES, levels, strict=True)},
        "sharpness": _sharpness(luma),
        "contrast": float(cv2.meanStdDev(luma)[1][0, 0]),
        "entropy": _entropy(np.concatenate([_histogram(plane) for plane in planes])),
        "colourfulness": _percentiles(_histogram(spread), _PERCENTILES[-1:])[0],
    }


def _histogram(values: cv2.typing.MatLike) -> NDArray[np.float32]:
    """How many of the uint8 values are at each of the 256 levels."""
    return np.asarray(cv2.calcHist([values], [0], None, [256], [0, 256]), np.float32).ravel()


def _percentiles(counts: NDArray[np.float32], percents: tuple[int, ...]) -> list[float]:
    """The least level that reaches each share of the histogram."""
    cumulated = counts.cumsum()
    wanted = [percent / 100 * float(cumulated[-1]) for percent in percents]
    return [float(level) for level in np.searchsorted(cumulated, wanted)]


def _entropy(counts: NDArray[np.float32]) -> float:
    """Shannon entropy in bits of the three channel histograms as one, 0 to 9.58.

    As `PIL.Image.entropy` gives for an RGB image, on which CleanVision's low_information rests.
    """
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _variance(values: cv2.typing.MatLike) -> float:
    """Variance of 16-bit values by their sums: five times faster than `cv2.meanStdDev`."""
    number = values.size
    mean = cv2.sumElems(values)[0] / number
    return max(0.0, cv2.norm(values, cv2.NORM_L2SQR) / number - mean * mean)


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
    energy = _variance(cv2.Laplacian(luma, cv2.CV_16S))
    if energy < _LEAST_ENERGY:
        return float("nan")
    blurred = cv2.sepFilter2D(luma, cv2.CV_8U, _GAUSSIAN, _GAUSSIAN)
    return max(0.0, 1 - _variance(cv2.Laplacian(blurred, cv2.CV_16S)) / energy)
