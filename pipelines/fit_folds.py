"""The classifier of each cross-validation, fitted where the engine has it fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audit.representations import STEPS, cross_validate_head, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from audit.engines import Engine
    from audit.representations import Choices, HeadAnswer, Task


def _tell_nobody(_: float) -> None:
    """Where there is no progress to be shown."""


@dataclass(frozen=True)
class FitFolds:
    """Fits and predicts the folds of one cross-validation.

    Attributes:
        embeddings: `(n, d)`, or a `.npy` file of them.
        seed: of the first repeat; the next ones have the next.
        optional: last columns that are used only where they help.
        landmarks: images that the kernel is approximated from.
        advance: told of progress, `STEPS` in all.
    """

    embeddings: np.ndarray | Path
    seed: int
    optional: int
    landmarks: int
    advance: Callable[[float], None] = _tell_nobody

    def __call__(self, asked: tuple[Task, Choices | None]) -> HeadAnswer:
        """Out-of-fold answers to a task, with choices made before, if they were."""
        task, choices = asked
        known = (self.embeddings if isinstance(self.embeddings, np.ndarray)
                 else np.load(self.embeddings, mmap_mode="r"))
        return cross_validate_head(
            rows_of(known, task.rows), task.labels, task.folds, task.classes,
            self.seed + task.repeat, self.advance, optional=self.optional,
            landmarks=self.landmarks, choices=choices)

    def on(self, engine: Engine, work: Path,
           ) -> Callable[[Sequence[Task], Choices | None], Iterator[HeadAnswer]]:
        """The same for several tasks, done by an engine; embeddings go by a file if it must be."""
        if engine.is_here:
            return lambda tasks, choices: engine.map_calls(
                self, [(task, choices) for task in tasks])
        path = work.absolute() / "embeddings.npy"
        np.save(path, np.asarray(self.embeddings))
        there = replace(self, embeddings=path, advance=_tell_nobody)

        def fits(tasks: Sequence[Task], choices: Choices | None) -> Iterator[HeadAnswer]:
            for answer in engine.map_calls(there, [(task, choices) for task in tasks]):
                self.advance(STEPS)
                yield answer

        return fits
