"""Bytes of a file → pixels, and whether the file is whole.

JPEG is decoded by simplejpeg in strict mode, which finds flipped bytes where Pillow is silent (a
quarter to a half of single ones, for JPEG has no checksum; nearly all damage of 64 bytes), at a
power-of-two scale when the image is larger than needed. Everything else, and a JPEG that
simplejpeg does not take (CMYK, unusual subsampling), is decoded by Pillow.
"""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from audit.formats import SNIFF_BYTES, UNSUPPORTED_EXTENSIONS, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MAX_PIXELS = 89_478_485
"""Largest image that is decoded: Pillow's own limit for a decompression bomb, a quarter GiB."""

EXIF_ORIENTATION = 0x0112
_UNUSUAL_SUBSAMPLING = "Could not determine subsampling"
_MAX_REASON = 140
_TRUNCATED = re.compile(
    # "Premature end of data segment" is libjpeg's word for a marker amid the pixels: corruption.
    r"premature end of (?!data segment)|truncated|unexpected end|not enough (image )?data",
    re.IGNORECASE)
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>|\s*\(?0x[0-9a-f]{6,}\)?", re.IGNORECASE)


class UndecodableError(Exception):
    """No pixels can be had from the file. `kind` is a `problem_kind` of `tables.MEASURES`."""

    def __init__(self, kind: str, reason: str) -> None:
        """Keep the kind and one line of reason."""
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class _PillowsBusinessError(Exception):
    """A JPEG for Pillow to try, and what libjpeg-turbo had against it, if anything."""

    def __init__(self, kind: str = "", problem: str = "") -> None:
        super().__init__(problem)
        self.kind = kind
        self.problem = problem


@dataclass(frozen=True)
class Decoded:
    """Pixels of one image, upright, perhaps at a reduced scale, and the facts of its file.

    `pixels` is `(h, w, 3)` uint8 RGB; `width` and `height` are those of the full image after
    the EXIF orientation was applied. `problem` is empty for a file that is whole.
    """

    pixels: Pixels
    width: int
    height: int
    format: str
    mode: str
    exif_orientation: int = 1
    is_animated: bool = False
    problem_kind: str = ""
    problem: str = ""


def decode(data: bytes, extension: str, least_side: int) -> Decoded:
    """Decode one file's bytes, whatever its extension says.

    Args:
        data: the whole file.
        extension: lower case with its dot; only words the error of a format that is not read.
        least_side: neither side is reduced below this many pixels.

    Raises:
        UndecodableError: empty, not an image, too large to decode, or broken beyond use.
    """
    if not data:
        raise UndecodableError("empty", "the file has 0 bytes")
    name = sniff(data[:SNIFF_BYTES])
    if not name:
        if extension in UNSUPPORTED_EXTENSIONS:
            raise UndecodableError(
                "unsupported", f"{extension} is not a format that is read: convert it to PNG")
        raise UndecodableError("not_an_image", "the content is of no known image format")
    if name != "JPEG":
        return _decode_with_pillow(data, name)
    try:
        return _decode_jpeg(data, least_side)
    except _PillowsBusinessError as why:
        decoded = _decode_with_pillow(data, name)
        return decoded if decoded.problem else replace(
            decoded, problem_kind=why.kind, problem=why.problem)


def _decode_jpeg(data: bytes, least_side: int) -> Decoded:
    """Decode with libjpeg-turbo.

    Raises:
        _PillowsBusinessError: libjpeg-turbo gives no pixels; Pillow, which is less strict, may.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        if _UNUSUAL_SUBSAMPLING in str(error):  # legal, only not taken by this interface
            raise _PillowsBusinessError from error
        raise _PillowsBusinessError(*_reason(error)) from error
    _refuse_bomb(width, height)
    if colours not in {"YCbCr", "RGB", "Gray"}:  # CMYK and YCCK need Pillow's inversion rules
        raise _PillowsBusinessError
    factor = _power_of_two(min(width, height), least_side)
    least_height, least_width = -(-height // factor), -(-width // factor)
    options = {"min_height": least_height, "min_width": least_width,
               "buffer": _room(least_height * least_width * 3)}
    kind = problem = ""
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", **options)
    except ValueError as strict_error:
        kind, problem = _reason(strict_error)
        try:
            pixels = simplejpeg.decode_jpeg(data, "RGB", strict=False, **options)
        except ValueError as error:
            raise _PillowsBusinessError(kind, problem) from error
    orientation = _jpeg_orientation(data)
    if orientation >= 5:  # noqa: PLR2004 - EXIF 5 to 8 turn the image by a quarter
        width, height = height, width
    return Decoded(_upright(pixels, orientation), width, height, "JPEG",
                   "L" if colours == "Gray" else "RGB", orientation,
                   problem_kind=kind, problem=problem)


def _room(size: int) -> Pixels:
    """Room for `size` bytes that does not begin at a multiple of 32.

    To one that does, libjpeg-turbo writes around the processor's caches, from which the pixels
    are about to be read several times. It makes a tenth of the time a photo takes.
    """
    return np.empty(size + 1, np.uint8)[1:]


def _power_of_two(side: int, least_side: int) -> int:
    """Largest of 1, 2, 4 that leaves `side` at `least_side` or more.

    Only these: the scales from 5/8 to 7/8 are slower than full size (libjpeg-turbo issue 297).
    """
    return next((factor for factor in (4, 2) if side // factor >= least_side), 1)


def _jpeg_orientation(data: bytes) -> int:
    if data.find(b"Exif\0\0", 0, 65_536) < 0:
        return 1
    try:
        with _silence(), Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return _orientation(image)
    except Exception:  # noqa: BLE001 - Pillow raises anything on broken metadata; pixels are fine
        return 1


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow raises anything on broken metadata; pixels are fine
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1  # noqa: PLR2004


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the EXIF orientation (CIPA DC-008, tag 0x0112) of `(h, w, 3)` pixels."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


@contextmanager
def _silence() -> Iterator[None]:
    """What Pillow warns of is measured here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@_silence()
def _decode_with_pillow(data: bytes, name: str) -> Decoded:
    formats = [name]
    try:
        return _load(data, formats, name)
    except (UndecodableError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything on broken bytes
        kind, problem = _reason(error)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return _load(data, formats, name, kind, problem)
    except (UndecodableError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableError(*_reason(error)) from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _load(data: bytes, formats: list[str], name: str, kind: str = "", problem: str = "",
          ) -> Decoded:
    with Image.open(io.BytesIO(data), formats=formats) as image:
        _refuse_bomb(*image.size)
        mode, orientation = image.mode, _orientation(image)
        # Asking looks at the second frame, which may be what the file is damaged in.
        animated = not problem and name != "JPEG" and bool(getattr(image, "is_animated", False))
        image.load()
        # Pillow turns a TIFF upright itself while loading it, so what is left is asked again.
        pixels = _upright(_to_rgb(image), _orientation(image))
    if name == "PNG" and not problem:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            image.verify()  # the checksum of each chunk, which load() passes over
    height, width = pixels.shape[:2]
    return Decoded(pixels, width, height, name, mode, orientation, animated, kind, problem)


def _to_rgb(image: Image.Image) -> Pixels:
    """RGB as training code sees it: alpha dropped, 16-bit and float scaled to 8 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        low, high = (0.0, 65_535.0) if image.mode != "F" else _finite_range(values)
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
        scaled = np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255
        return np.asarray(cv2.cvtColor(scaled.astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(image.convert("RGB"))


def _finite_range(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _refuse_bomb(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise UndecodableError("corrupt", f"the image is {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise UndecodableError(
            "bomb", f"{width} x {height} is {width * height / 1e6:.0f} megapixels, "
                    f"more than the {MAX_PIXELS / 1e6:.0f} that are decoded")


def _reason(error: BaseException) -> tuple[str, str]:
    """Kind and one line of text, without addresses in memory, so that runs can be compared."""
    text = _ADDRESS.sub("", str(error)).strip() or type(error).__name__
    text = " ".join(text.split())[:_MAX_REASON]
    if isinstance(error, Image.DecompressionBombError):
        return "bomb", text
    return ("truncated" if _TRUNCATED.search(text) else "corrupt"), text
