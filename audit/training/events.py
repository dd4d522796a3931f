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
        """Begin a file in the folder; one that is there already is left, and shown with it."""
        self._writer = load_tensorflow().summary.create_file_writer(str(folder))

    def write(self, figures: Mapping[str, float]) -> None:
        """Write the figures of an epoch, whose number is `figures["epoch"]`."""
        tensorflow = load_tensorflow()
        metadata = tensorflow.compat.v1.SummaryMetadata(plugin_data={"plugin_name": SCALARS})
        with self._writer.as_default():
            for name, value in figures.items():
                if name != "epoch":
                    tensorflow.summary.write(name, tensorflow.constant(value),
                                             int(figures["epoch"]), metadata=metadata)
        self._writer.flush()
