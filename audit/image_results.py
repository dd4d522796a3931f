"""What measuring gave of each image: in a file of a shard, in the cache, collected for all.

Pixels do not go on from here: what later stages want of a picture is its measures, a thumbnail, a
small picture, and what a network says of it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from audit import tables
from audit.imagestore import LOOK_SIDE, Looks, TensorStore, Thumbnails, ThumbnailWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HALF = np.float16
MOST_HALF = float(np.finfo(HALF).max)

_BYTES = ("thumbnail", "look", "activations")
_TYPES = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_ALL_DIFFERENT = {"file_sha256", "pixel_hash", "perceptual_hash"}


class ImageResult(NamedTuple):
    """Of one image.

    Attributes:
        measures: a row of `tables.MEASURES`.
        thumbnail: JPEG; empty if it has none.
        look: pixels of the small picture, a square of at most `LOOK_SIDE`, RGB; empty if none.
        activations: `(d,)` half floats as bytes; empty if no network has seen it.
    """

    measures: dict[str, Any]
    thumbnail: bytes
    look: bytes
    activations: bytes = b""

    def encoded(self) -> bytes:
        """All but the activations, as bytes."""
        told = json.dumps([self.measures, len(self.thumbnail)], default=_plain).encode()
        return told + b"\n" + self.thumbnail + self.look

    @classmethod
    def decoded(cls, encoded: bytes, activations: bytes = b"") -> ImageResult:
        """What `encoded` made bytes of."""
        told, _, rest = encoded.partition(b"\n")
        measures, length = json.loads(told)
        return cls(measures, rest[:length], rest[length:], activations)


def half(activations: NDArray[np.float32]) -> NDArray[np.float16]:
    """As they are kept: to three digits, in half the space; what is too large is the largest."""
    return np.clip(activations, -MOST_HALF, MOST_HALF).astype(HALF)


def write_results(path: Path, results: Sequence[ImageResult]) -> None:
    """Write the results of a shard as one Parquet file, which is there whole or not at all."""
    columns = {name: pa.array([one.measures[name] for one in results], _TYPES[column.kind])
               for name, column in tables.MEASURES.items()}
    for name in _BYTES:
        columns[name] = pa.array([getattr(one, name) for one in results], pa.binary())
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        parquet.write_table(pa.table(columns), temporary, compression="none",
                            use_dictionary=False, write_statistics=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_results(path: Path) -> list[ImageResult]:
    """What `write_results` wrote."""
    read = parquet.read_table(path)
    measures = read.select(list(tables.MEASURES)).to_pylist()
    others = [read.column(name).to_pylist() for name in _BYTES]
    return [ImageResult(*one) for one in zip(measures, *others, strict=True)]


class Collector:
    """The results of all images, in the order of the manifest, whatever order they come in."""

    def __init__(self, folder: Path, count: int, width: int) -> None:
        """Begin the files of `count` images in `folder`, with `width` activations each or 0."""
        self._columns: dict[str, NDArray[Any]] = {
            name: np.full(count, tables.DEFAULTS[column.kind], tables.EMPTY[column.kind])
            for name, column in tables.MEASURES.items()}
        self._words: dict[str, str] = {}
        self._thumbnails = ThumbnailWriter(folder / "thumbnails.bin", count)
        self._looks = TensorStore.create(folder / "looks.bin", count, LOOK_SIDE)
        self._activations = np.memmap(folder / "activations.bin", HALF, "w+", shape=(
            count, width)) if width and count else None

    def add(self, row: int, result: ImageResult) -> None:
        """Keep the results of image `row`."""
        for name, value in result.measures.items():
            if isinstance(value, str) and name not in _ALL_DIFFERENT:
                value = self._words.setdefault(value, value)  # noqa: PLW2901 - one copy of each
            self._columns[name][row] = value
        self._thumbnails.write(row, result.thumbnail)
        if result.look:
            side = round((len(result.look) / 3) ** 0.5)
            self._looks.write(row, np.frombuffer(result.look, np.uint8).reshape(side, side, 3))
        if self._activations is not None and result.activations:
            self._activations[row] = np.frombuffer(result.activations, HALF)

    def close(self) -> tuple[pd.DataFrame, Looks, Thumbnails]:
        """Measures, schema `tables.MEASURES`, looks and thumbnails."""
        measures = pd.DataFrame({name: pd.Series(column, dtype=column.dtype)
                                 for name, column in self._columns.items()})
        return measures, Looks(self._looks, self._activations), self._thumbnails.close()


def complete(measures: dict[str, object]) -> dict[str, object]:
    """A row of measures with the default of each column that it lacks."""
    return {name: measures.get(name, tables.DEFAULTS[column.kind])
            for name, column in tables.MEASURES.items()}


def _plain(value: Any) -> Any:
    return value.item()
