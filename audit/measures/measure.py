"""One pass over one image: everything the audit wants of a file, from a single read and decode."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from audit.imagestore import LOOK_SIDE
from audit.measures.decode import Decoded, UndecodableError, decode
from audit.measures.hashes import file_hash, perceptual_hash, pixel_hash
from audit.measures.jpeg_quality import jpeg_quality
from audit.measures.pixels import MEASURE_SIDE, pixel_statistics
from audit.places import file_name, is_remote
from audit.remote import read_file
from audit.resizing import fit_within, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

UNREADABLE = "unreadable"
THUMBNAIL_SIDE = 128
MAX_FILE_BYTES = 512 * 1024**2
"""A file above this is not an image for a classifier; reading it would only fill the memory."""


@dataclass(frozen=True)
class Measurement:
    """What one image gave.

    Attributes:
        row: of the image.
        measures: a row of `tables.MEASURES`.
        thumbnail: JPEG; empty if there is none.
        look: pixels of the small picture, a square of bytes in RGB; empty if not asked for.
    """

    row: int
    measures: dict[str, object]
    thumbnail: bytes = b""
    look: bytes = b""


@dataclass(frozen=True)
class MeasureImage:
    """Measures image `(row, path)`, and writes its model tensor into `tensors`.

    An instance is sent to each worker once; images are sent by path or URL. It never raises on
    account of a file: what is wrong with one is in the measurement. A store that does not answer
    any more is no fault of a file, and raises `StoreLostError`.

    Attributes:
        tensors: where to write.
        with_look: give a small picture too, of the model's tensor.
    """

    tensors: TensorStore
    with_look: bool = False

    def __call__(self, item: tuple[int, str]) -> Measurement:
        """Measure one image."""
        row, path = item
        measures: dict[str, object] = {"extension": extension_of(path)}
        try:
            data = _read(path)
            measures |= {"file_bytes": len(data), "file_sha256": file_hash(data),
                         "jpeg_quality": jpeg_quality(data)}
            # The model and the measures both want at least this many pixels on the short side.
            decoded = decode(data, str(measures["extension"]),
                             least_side=max(self.tensors.size, MEASURE_SIDE))
            return self._describe(row, measures, decoded)
        except UndecodableError as error:
            return failed_measurement(row, measures, error.kind, error.reason)
        except MemoryError:
            return failed_measurement(row, measures, "bomb", "decoding it ran out of memory")

    def _describe(self, row: int, measures: dict[str, object], decoded: Decoded) -> Measurement:
        side = self.tensors.side_of(*decoded.pixels.shape[:2])
        tensor = resize(decoded.pixels, (side, side))
        self.tensors.write(row, tensor)
        small = fit_within(decoded.pixels, MEASURE_SIDE)
        luma = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        measures |= {
            "status": "damaged" if decoded.problem else "ok",
            "problem_kind": decoded.problem_kind,
            "problem": decoded.problem,
            "pixel_hash": pixel_hash(decoded.pixels, decoded.width, decoded.height),
            "perceptual_hash": perceptual_hash(luma),
            "format": decoded.format,
            "mode": decoded.mode,
            "exif_orientation": decoded.exif_orientation,
            "is_animated": decoded.is_animated,
            "width": decoded.width,
            "height": decoded.height,
            **pixel_statistics(small, luma),
        }
        return Measurement(row, measures, _thumbnail(small),
                           _look(tensor) if self.with_look else b"")


def measure_into(item: tuple[TensorStore, int, str]) -> Measurement:
    """Measure the image at a path, into the row of a store, with a small picture."""
    tensors, row, path = item
    return MeasureImage(tensors, with_look=True)((row, path))


def _look(tensor: NDArray[np.uint8]) -> bytes:
    side = min(len(tensor), LOOK_SIDE)
    return (tensor if side == len(tensor) else resize(tensor, (side, side))).tobytes()


def _thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    small = np.ascontiguousarray(fit_within(pixels, THUMBNAIL_SIDE))
    # Colour at half the resolution halves the time; a tiny image, shown enlarged, keeps its own.
    sampling = "420" if max(small.shape) == THUMBNAIL_SIDE else "444"
    return bytes(simplejpeg.encode_jpeg(small, quality=88, colorsubsampling=sampling))


def extension_of(path: str) -> str:
    """The extension in lower case with its dot; bytes that are not UTF-8 are replaced."""
    name = file_name(path)
    dot = name.rfind(".")
    if not 0 < dot < len(name) - 1:  # as for pathlib, ".jpg" and "photo." have none
        return ""
    suffix = name[dot:].lower()
    return suffix if suffix.isascii() else os.fsencode(suffix).decode("utf-8", "replace")


def failed_measurement(row: int, measures: dict[str, object], kind: str, reason: str,
                       ) -> Measurement:
    """The measurement of an image that gave no pixels."""
    return Measurement(
        row, measures | {"status": UNREADABLE, "problem_kind": kind, "problem": reason,
                         "exif_orientation": 1})


def hash_of_file(path: str) -> str:
    """SHA-256 of a file as a measurement has it; empty where it cannot be read or is too large.

    Raises:
        StoreLostError: it is in a store that does not answer.
    """
    try:
        return file_hash(_read(path))
    except UndecodableError:
        return ""


def _read(path: str) -> bytes:
    if is_remote(path):
        return _read_remote(path)
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        kind = "missing" if isinstance(error, FileNotFoundError) else "corrupt"
        raise UndecodableError(kind, f"it cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a table may hold any text, even with a zero byte in it
        raise UndecodableError("missing", f"no file can have its path: {error}") from error
    try:
        return _read_regular(handle)
    except OSError as error:
        raise UndecodableError("corrupt", f"it cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)


def _read_regular(handle: int) -> bytes:
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise UndecodableError("not_an_image", "it is not a regular file")
    if facts.st_size > MAX_FILE_BYTES:
        raise _too_large(f"{facts.st_size / 1024**2:.0f} MiB, more than the")
    data = os.read(handle, facts.st_size + 1)
    if len(data) == facts.st_size:
        return data
    with os.fdopen(handle, "rb", closefd=False) as file:  # it grew, or came in parts
        return data + file.read()


def _read_remote(url: str) -> bytes:
    try:
        # Asking for the size first would be a second request for each image.
        data = read_file(url, MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise UndecodableError("missing", f"it cannot be opened: {error.strerror}") from error
    except OSError as error:
        raise UndecodableError("corrupt", f"it cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _too_large("more than the")
    return data


def _too_large(told: str) -> UndecodableError:
    return UndecodableError(
        "bomb", f"the file has {told} {MAX_FILE_BYTES // 1024**2} MiB that are read")
