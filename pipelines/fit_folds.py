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
    """Fits and predicts the folds of cross-validations of the same images.

    Attributes:
        embeddings: `(n, d)`, or a `.npy` file of them.
        seed: of the sample that the kernel is approximated from.
        optional: last columns that are used only where they help.
        landmarks: images that the kernel is approximated from.
        advance: told of progress, `STEPS` a task.
    """

    embeddings: np.ndarray | Path
    seed: int
    optional: int
    landmarks: int
    advance: Callable[[float], None] = _tell_nobody

    def __call__(self, asked: tuple[Sequence[Task], Choices | None]) -> list[HeadAnswer]:
        """Out-of-fold answers to tasks, with choices made before, if they were."""
        return list(self.answers(*asked))

    def answers(self, tasks: Sequence[Task], choices: Choices | None = None,
                ) -> Iterator[HeadAnswer]:
        """The same, one after the other, each as it is there."""
        known = (self.embeddings if isinstance(self.embeddings, np.ndarray)
                 else np.load(self.embeddings, mmap_mode="r"))
        first = tasks[0]
        return cross_validate_head(
            rows_of(known, first.rows), first.labels, (task.folds for task in tasks),
            first.classes, self.seed, self.advance, optional=self.optional,
            landmarks=self.landmarks, choices=choices, begun=first.repeat)

    def on(self, engine: Engine, work: Path) -> Callable[[Sequence[Task]], Iterator[HeadAnswer]]:
        """The same, done by an engine; embeddings go by a file if it must be."""
        if engine.is_here:
            return self.answers
        path = work.absolute() / "embeddings.npy"
        np.save(path, np.asarray(self.embeddings))
        there = replace(self, embeddings=path, advance=_tell_nobody)

        def fits(tasks: Sequence[Task]) -> Iterator[HeadAnswer]:
            (first,), = engine.map_calls(there, [(tasks[:1], None)])
            self.advance(STEPS)
            yield first
            for answer, in engine.map_calls(there, [([task], first.choices)
                                                    for task in tasks[1:]]):
                self.advance(STEPS)
                yield answer

        return fits
