"""Pictures for the page: read from where the run found them, and encoded anew.

A browser is never given a file of the dataset itself: what it decodes was written by us.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, ImageOps

from audit.formats import EXTENSIONS
from audit.places import is_remote
from audit.remote import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIDES = (320, 1_280)
"""Longest sides in pixels that are served: in a grid and by itself."""

MOST_PIXELS = 40_000_000
"""Of a picture that is decoded for the page; larger ones take seconds and a gigabyte."""

KEPT_BYTES = 64 * 1024**2
_QUALITY = 88
_FILTER = Image.Resampling.HAMMING
"""Nearly as sharp as Lanczos when pictures shrink, in half its time: the next one is waited for."""
_GREY = (128, 128, 128)
_FORMATS = list(EXTENSIONS)
"""Those that are audited: Pillow has others read by programs that run what is in the file."""

_being_lenient = threading.Lock()


class Pictures:
    """JPEGs of a run's images, by row; the last ones are kept in memory."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Take the path of each row."""
        self._paths = paths
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, row: int, side: int) -> bytes | None:
        """A JPEG of one image, its longest side at most `side`, as it is meant to be seen.

        Safe from several threads.

        Returns:
            None if the file is gone. Of a file that is cut off, what is there. What cannot be
            decoded, or is too large to be, is a grey square: the page says what the check found.
        """
        key = row, side
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            encoded = _encode(self._paths[row], side)
        except FileNotFoundError:
            return None
        with self._lock:
            if key not in self._kept:
                self._kept[key] = encoded
                self._bytes += len(encoded)
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return encoded


def _encode(path: str, side: int) -> bytes:
    """A JPEG of a file.

    Raises:
        FileNotFoundError: it is gone.
    """
    try:
        return _jpeg(_picture(path, side))
    except FileNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise anything, and a broken file is to be shown too
        return _what_is_there(path, side)


def _what_is_there(path: str, side: int) -> bytes:
    try:
        with _lenient():
            return _jpeg(_picture(path, side))
    except Exception:  # noqa: BLE001 - the same
        return _jpeg(Image.new("RGB", (side, side), _GREY))


def _picture(path: str, side: int) -> Image.Image:
    with Image.open(io.BytesIO(read_file(path)) if is_remote(path) else path,
                    formats=_FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            return Image.new("RGB", (side, side), _GREY)
        image.draft("RGB", (side, side))
        picture = _flattened(_upright(image))
    picture.thumbnail((side, side), _FILTER, reducing_gap=2.0)
    return picture


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - Pillow raises anything on broken metadata; pixels are fine
        return image


@contextmanager
def _lenient() -> Iterator[None]:
    """Let Pillow read files that are cut off; it has only one switch, for all threads."""
    with _being_lenient:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False


def _flattened(image: Image.Image) -> Image.Image:
    """On white where it is transparent."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    if image.mode.startswith(("I", "F")):  # more than eight bits: by its own range
        values = np.asarray(image, np.float64)
        low, high = values.min(), values.max()
        scaled = (values - low) * 255 / max(high - low, 1e-9)
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
