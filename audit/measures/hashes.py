"""Hashes of a file, of its pixels, and of how it looks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import xxhash

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE = 32
_LOW = 8
_LEAST_ENERGY = 40.0
"""Root mean square of the 63 low frequencies below which a picture is as good as flat: its hash
would be made of rounding errors, and flat pictures would all be near duplicates by chance."""


def _dct_matrix(side: int) -> NDArray[np.float32]:
    """Orthonormal DCT-II matrix, shape `(side, side)`."""
    k = np.arange(side)
    matrix = np.sqrt(2 / side) * np.cos(np.pi / side * (k[None, :] + 0.5) * k[:, None])
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


_DCT = _dct_matrix(_SIDE)[:_LOW]


def file_hash(data: bytes) -> str:
    """SHA-256 of the file, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def pixel_hash(pixels: NDArray[np.uint8], width: int, height: int) -> str:
    """Hash of decoded pixels, upright, and of the full size they were decoded from.

    The same picture in two lossless files, or in two JPEGs that differ only in metadata, hashes
    alike. A JPEG decoded at half scale is hashed at that scale. XXH3, 128 bits: in a billion
    pictures, two that differ share them with a chance of 1 in 10^21. It is made for speed and not
    against people who want two pictures to collide; what identifies a file is its SHA-256.
    """
    digest = xxhash.xxh3_128(np.ascontiguousarray(pixels).data)
    digest.update(f"{width}x{height}".encode())
    return digest.hexdigest()


def perceptual_hash(luma: NDArray[np.uint8]) -> str:
    """64-bit pHash: signs of the 8 x 8 lowest frequencies against their median.

    The construction of Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010), section 3.2: 32 x 32 luma, DCT-II, median of the low frequencies.

    Returns:
        16 hexadecimal digits; empty for a picture that is as good as flat.
    """
    small = cv2.resize(luma, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = (_DCT @ small @ _DCT.T).ravel()
    detail = low[1:]
    if float(detail @ detail) < _LEAST_ENERGY**2 * len(detail):
        return ""
    bits = low > np.sort(detail)[len(detail) // 2]  # the median: their number is odd
    return np.packbits(bits).tobytes().hex()
