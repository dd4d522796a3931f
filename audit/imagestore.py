"""What the one decode of an image leaves for later stages: model tensors and thumbnails.

Both live in files, so that memory does not grow with the number of images. They are written by the
rows of the manifest, and may be read by those of another order. Pictures are written and read as
plain bytes at computed offsets rather than through one long-lived mapping: pages of a mapping count
as memory of the process until it is closed.
"""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from audit.resizing import resize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


_PAGE = 4096
"""Slots begin at a multiple of this, so that what a small image leaves of its slot stays a hole."""

_SIDE_BYTES = 2

LOOK_SIDE = 32
"""Side in pixels of the small pictures that patches and duplicates are found on."""


@dataclass(frozen=True)
class TensorStore:
    """Square uint8 RGB pictures for a model, none of a side above `size` pixels.

    A picture of fewer pixels than the model wants is kept at a side of its own and enlarged when
    it is read. The file holds the side of each picture, 0 for none, as little-endian 16-bit
    numbers, and from the next page on a slot a picture, all of one stride. It is sparse: what is
    not written takes no space.

    Attributes:
        path: of the file.
        count: of pictures.
        size: largest side in pixels.
        order: `(count,)`, where a row is in the file; None where rows are as they were written.
    """

    path: Path
    count: int
    size: int
    order: NDArray[np.int64] | None = field(default=None, compare=False)

    @classmethod
    def create(cls, path: Path, count: int, size: int) -> TensorStore:
        """Lay out the file for `count` pictures. It takes no space until it is written."""
        store = cls(path, count, size)
        with path.open("wb") as file:
            file.truncate(store._offset(count))
        return store

    def reordered(self, order: NDArray[np.int64]) -> TensorStore:
        """The same file, of which row i is what was written as row `order[i]`."""
        return replace(self, order=order)

    def places(self, rows: NDArray[np.integer]) -> NDArray[np.integer]:
        """The rows as which pictures `rows` were written."""
        return rows if self.order is None else self.order[rows]

    def side_of(self, height: int, width: int) -> int:
        """Side at which to keep a picture of this shape: its longest side, at most `size`."""
        return min(max(height, width), self.size)

    def sides(self, rows: NDArray[np.integer]) -> NDArray[np.uint16]:
        """Side in pixels at which each of pictures `rows` is kept; 0 where none is."""
        return np.asarray(self._sides[self.places(rows)])

    def typical_side(self, rows: NDArray[np.integer]) -> int:
        """Median side in pixels at which pictures `rows` are kept; 0 if none is."""
        sides = self.sides(rows)
        kept = sides[sides > 0]
        return int(np.median(kept)) if len(kept) else 0

    def write(self, row: int, tensor: NDArray[np.uint8]) -> None:
        """Write one picture, shape `(side, side, 3)`. Safe from several processes at once.

        Rows are those of the file, whatever the order it is read in.

        Raises:
            ValueError: it is not square, or larger than `size`.
        """
        side = len(tensor)
        if tensor.shape != (side, side, 3) or not 0 < side <= self.size or tensor.dtype != np.uint8:
            raise ValueError(f"a tensor must be uint8 of shape (side, side, 3), side 1 to "
                             f"{self.size}. Got {tensor.dtype} of {tensor.shape} instead.")
        self._write(np.ascontiguousarray(tensor).data.cast("B"), self._offset(row))
        # Last, so that a picture with a side is whole even if its writer is killed.
        self._write(memoryview(side.to_bytes(_SIDE_BYTES, "little")), row * _SIDE_BYTES)

    def read(self, rows: NDArray[np.integer], size: int | None = None) -> NDArray[np.uint8]:
        """Read pictures `rows` into memory; one that was never written is black.

        Args:
            rows: which, in any order.
            size: side in pixels to resize to what is kept at another; `self.size` if not given.

        Returns:
            Shape `(len(rows), size, size, 3)`.

        Raises:
            IndexError: a row is not one of the store's.
        """
        size = self.size if size is None else size
        pictures = np.empty((len(rows), size, size, 3), np.uint8)
        if not len(rows):
            return pictures
        if np.min(rows) < 0:
            raise IndexError(f"rows must be 0 or more. Got {np.min(rows)} instead.")
        rows = self.places(rows)
        for row, side, picture in zip(rows.tolist(), self._sides[rows].tolist(), pictures,
                                      strict=True):
            if side == size:
                os.preadv(self._handle, [picture.data], self._offset(row))
            elif side:
                kept = np.frombuffer(os.pread(self._handle, side * side * 3, self._offset(row)),
                                     np.uint8).reshape(side, side, 3)
                resize(kept, (size, size), into=picture)
            else:
                picture[:] = 0
        return pictures

    def _offset(self, row: int) -> int:
        return _pages(self.count * _SIDE_BYTES) + row * _pages(self.size * self.size * 3)

    def _write(self, content: memoryview, offset: int) -> None:
        while content:  # a disk that is nearly full takes a part, and refuses the rest
            done = os.pwrite(self._handle, content, offset)
            content, offset = content[done:], offset + done

    @cached_property
    def _handle(self) -> int:
        """The file, opened once a process, for opening costs as much as writing."""
        handle = os.open(self.path, os.O_RDWR)
        weakref.finalize(self, os.close, handle)
        return handle

    @cached_property
    def _sides(self) -> NDArray[np.uint16]:
        """Sides as they are now in the file, which other processes write: a mapping of it."""
        return np.asarray(np.memmap(self.path, "<u2", mode="r", shape=(self.count,)))

    def __reduce__(self) -> tuple[type[TensorStore], tuple[object, ...]]:
        """Another process opens the file itself."""
        return TensorStore, (self.path, self.count, self.size, self.order)


def _pages(size: int) -> int:
    """Bytes of the whole pages that `size` bytes take."""
    return -(-size // _PAGE) * _PAGE


@dataclass(frozen=True)
class Looks:
    """What is kept of each picture for later stages: a small one, and what a network says of it.

    Attributes:
        pictures: of a side of at most `LOOK_SIDE` pixels.
        activations: `(n, d)` half floats, in the order of the file of pictures; None without a
            network.
    """

    pictures: TensorStore
    activations: NDArray[np.float16] | None = None

    @property
    def folder(self) -> Path:
        """Where files of this run may be put."""
        return self.pictures.path.parent

    def activations_of(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Activations `(len(rows), d)` of pictures `rows`.

        Raises:
            ValueError: there was no network.
        """
        if self.activations is None:
            raise ValueError("no network has seen these pictures")
        return np.asarray(self.activations[self.pictures.places(rows)], np.float32)

    def reordered(self, order: NDArray[np.int64]) -> Looks:
        """The same, of which row i is what was written as row `order[i]`."""
        return replace(self, pictures=self.pictures.reordered(order))


class ThumbnailWriter:
    """Appends encoded thumbnails to one file. Used by one process only."""

    def __init__(self, path: Path, count: int) -> None:
        """Begin the file, for `count` images."""
        self._path = path
        self._file = path.open("wb")
        self._spans = np.zeros((count, 2), np.int64)

    def write(self, row: int, encoded: bytes) -> None:
        """Keep the thumbnail of image `row`; an empty one is no thumbnail."""
        self._spans[row] = self._file.tell(), len(encoded)
        self._file.write(encoded)

    def close(self) -> Thumbnails:
        """Finish the file and hand over its reader."""
        self._file.close()
        return Thumbnails(self._path, self._spans)


@dataclass(frozen=True)
class Thumbnails:
    """Reads the JPEG thumbnail of an image, longest side at most 128 px."""

    path: Path
    spans: NDArray[np.int64]

    def reordered(self, order: NDArray[np.int64]) -> Thumbnails:
        """The same file, of which row i is what was written as row `order[i]`."""
        return Thumbnails(self.path, self.spans[order])

    def read(self, row: int) -> bytes:
        """Bytes of a JPEG; empty if the image could not be decoded."""
        start, length = (int(value) for value in self.spans[row])
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)
