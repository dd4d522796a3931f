"""Decode each image of a list once, in worker processes: measures, pictures and thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import tables
from audit.engines import Failure, map_isolated
from audit.imagestore import TensorStore, Thumbnails, ThumbnailWriter
from audit.measures import MeasureImage, Measurement, extension_of, failed_measurement
from audit.places import is_remote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pipelines.progress import Stages

IMAGE_TIMEOUT_S = 8.0
"""Longest that one image may take to measure before its worker is ended: a whole photo of 89
megapixels takes 2 s."""

REMOTE_TIMEOUT_S = 120.0
"""The same for images in a store, with all the times that one is tried again."""


def image_timeout_s(paths: Sequence[str]) -> float:
    """Longest that one of these images may take, in seconds."""
    return REMOTE_TIMEOUT_S if any(map(is_remote, paths)) else IMAGE_TIMEOUT_S


def measure_images(paths: Sequence[str], side: int, workers: int, work: Path, stages: Stages,
                   ) -> tuple[pd.DataFrame, TensorStore, Thumbnails]:
    """Measure the images at `paths`, in their order.

    Args:
        paths: of the files, or URLs.
        side: in pixels, of the largest pictures to keep for a model.
        workers: processes.
        work: folder for the pictures and the thumbnails.
        stages: told of the progress.

    Returns:
        Measures, schema `tables.MEASURES`, pictures and thumbnails.
    """
    tensors = TensorStore.create(work / "tensors.npy", len(paths), side)
    writer = ThumbnailWriter(work / "thumbnails.bin", len(paths))
    rows: list[dict[str, object]] = [{} for _ in paths]
    with stages.stage("measuring", images=len(paths)) as advance:
        for item, answer in map_isolated(MeasureImage(tensors), enumerate(paths), workers=workers,
                                         timeout_s=image_timeout_s(paths)):
            measurement = measurement_of(*item, answer)
            rows[measurement.row] = measurement.measures
            writer.write(measurement.row, measurement.thumbnail)
            advance(1)
    return tables.make(tables.MEASURES, rows), tensors, writer.close()


def measurement_of(row: int, path: str, answer: Measurement | Failure) -> Measurement:
    """What was measured, or why nothing was."""
    if isinstance(answer, Failure):
        return failed_measurement(row, {"extension": extension_of(path)}, answer.kind,
                                  answer.reason)
    return answer
