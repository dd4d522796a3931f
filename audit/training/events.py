"""Logs that TensorBoard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.keras_runtime import load_tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCALARS = "scalars"
"""TensorBoard's plugin for a number a step. It need not be installed to write for it."""


class EventLog:
    """Appends the figures of each epoch to a folder that TensorBoard reads."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is written yet."""
        self._folder = folder

    def write(self, figures: Mapping[str, float]) -> None:
        """Write the figures of an epoch, whose number is `figures["epoch"]`."""
        tensorflow = load_tensorflow()
        metadata = tensorflow.compat.v1.SummaryMetadata(
            plugin_data={"plugin_name": SCALARS})
        writer = tensorflow.summary.create_file_writer(str(self._folder))
        with writer.as_default():
            for name, value in figures.items():
                if name != "epoch":
                    tensorflow.summary.write(name, tensorflow.constant(value),
                                             int(figures["epoch"]), metadata=metadata)
        writer.close()
