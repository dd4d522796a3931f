"""Measure images shard by shard, and show each to a network while its pixels are at hand."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audit.engines import Shard
from audit.image_results import ImageResult, complete, half, write_results
from audit.imagestore import TensorStore
from audit.measures import measure_into
from pipelines.measure_images import IMAGE_TIMEOUT_S, measurement_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audit.engines import Failure
    from audit.measures import Measurement
    from audit.representations import Extractor

SHARD = 1_024
"""Images of a shard: a few seconds of work, and at most that is lost."""

SHARE_MEASURED = 0.1
"""Of the time that an image takes, that is not the network's."""


class ImageFile(NamedTuple):
    """An image of the manifest."""

    row: int
    path: str


class WrittenShard(NamedTuple):
    """Where the results of a shard are, in the order of its images."""

    shard: Shard[ImageFile]
    path: Path


@dataclass(frozen=True)
class MeasureShard:
    """Measures the images of a shard, has the network describe them, writes the results.

    Attributes:
        folder: for the files of results.
        size: in pixels, of the largest pictures the network is shown.
        extractor: the network, if there is one.
        scratch: folder for the shard's own pictures; that for temporary files if not given.
        kept: pictures of all images by the rows of the manifest, where they are wanted later.
        timeout_s: longest that one image may take.
    """

    folder: Path
    size: int
    extractor: Extractor | None = None
    scratch: Path | None = None
    kept: TensorStore | None = None
    timeout_s: float = IMAGE_TIMEOUT_S

    each = staticmethod(measure_into)

    @property
    def share(self) -> float:
        """See `ShardTask`."""
        return 1.0 if self.extractor is None else SHARE_MEASURED

    def begin(self, shard: Shard[ImageFile]) -> list[tuple[TensorStore, int, str]]:
        """Where to write the picture of each image, and its path."""
        if self.kept is not None:
            return [(self.kept, row, path) for row, path in shard.items]
        handle, name = tempfile.mkstemp(".tensors", dir=self.scratch)
        os.close(handle)
        tensors = TensorStore.create(Path(name), len(shard.items), self.size)
        return [(tensors, place, path) for place, (_, path) in enumerate(shard.items)]

    def finish(self, shard: Shard[ImageFile], given: Sequence[tuple[TensorStore, int, str]],
               answers: Sequence[Measurement | Failure], advance: Callable[[float], None],
               ) -> WrittenShard:
        """See `ShardTask`."""
        tensors = given[0][0]
        try:
            measured = [measurement_of(row, path, answer)
                        for (_, row, path), answer in zip(given, answers, strict=True)]
            activations = self._described(tensors, measured, advance)
            results = [ImageResult(complete(one.measures), one.thumbnail, one.look, said)
                       for one, said in zip(measured, activations, strict=True)]
            path = self.folder / f"shard-{shard.number:06}.parquet"
            write_results(path, results)
        finally:
            if self.kept is None:
                tensors.path.unlink(missing_ok=True)
        return WrittenShard(shard, path)

    def _described(self, tensors: TensorStore, measured: Sequence[Measurement],
                   advance: Callable[[float], None]) -> list[bytes]:
        """What the network says of each image that has a picture."""
        said = [b""] * len(measured)
        if self.extractor is None:
            return said
        readable = [place for place, one in enumerate(measured) if one.look]
        advance((1 - self.share) * (len(measured) - len(readable)))
        rows = np.array([measured[place].row for place in readable], np.int64)
        found = half(self.extractor.describe(
            tensors, rows, lambda done: advance((1 - self.share) * done)))
        for place, activations in zip(readable, found, strict=True):
            said[place] = activations.tobytes()
        return said


def shards_of(files: Sequence[ImageFile]) -> list[Shard[ImageFile]]:
    """The images in shards, in their order."""
    return [Shard(number, files[start:start + SHARD])
            for number, start in enumerate(range(0, len(files), SHARD))]
