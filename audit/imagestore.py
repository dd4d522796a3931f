"""What the one decode of an image leaves for later stages: model tensors and thumbnails.

Both live in files, so that memory does not grow with the number of images. Rows are rows of
the manifest. The stages write and read plain bytes at computed offsets rather than through one
long-lived mapping: pages of a mapping count as memory of the process until it is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class TensorStore:
    """Model input of every image: `(count, size, size, 3)` uint8 RGB in one `.npy` file."""

    path: Path
    count: int
    size: int

    @classmethod
    def create(cls, path: Path, count: int, size: int) -> TensorStore:
        """Lay out the file, all zeros (sparse, so it costs no space until it is written)."""
        store = cls(path, count, size)
        with path.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + count * store._row_bytes)
        return store

    @property
    def _row_bytes(self) -> int:
        return self.size * self.size * 3

    @property
    def _header_bytes(self) -> int:
        return self.path.stat().st_size - self.count * self._row_bytes

    def write(self, row: int, tensor: NDArray[np.uint8]) -> None:
        """Write one image, shape `(size, size, 3)`. Safe from several processes at once."""
        with self.path.open("r+b") as file:
            file.seek(self._header_bytes + row * self._row_bytes)
            file.write(np.ascontiguousarray(tensor).data)

    def read(self, rows: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Read images `rows` into memory, shape `(len(rows), size, size, 3)`."""
        if not len(rows):
            return np.empty((0, self.size, self.size, 3), np.uint8)
        return np.asarray(np.load(self.path, mmap_mode="r")[rows])


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

    def read(self, row: int) -> bytes:
        """Bytes of a JPEG; empty if the image could not be decoded."""
        start, length = (int(value) for value in self.spans[row])
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)
