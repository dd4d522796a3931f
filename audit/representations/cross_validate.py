"""Out-of-fold probabilities for every readable image of a class that can be scored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.types import CrossValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from audit.representations.folds import Folds
    from audit.representations.head import Choices, HeadAnswer


@dataclass(frozen=True)
class Task:
    """One cross-validation.

    Attributes:
        rows: images that take part.
        labels: `(len(rows),)` from 0 to `classes` - 1.
        folds: `(len(rows),)` from 0 on.
        classes: number of classes.
        repeat: its number, from 0.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]
    classes: int
    repeat: int


def cross_validate(
    labels: pd.Series,
    classes: Sequence[str],
    repeats: Sequence[Folds],
    fit: Callable[[Task, Choices | None], HeadAnswer],
    model: str,
) -> CrossValidation:
    """Fit on the images that take part, and lay the answers out over all images and classes.

    Args:
        labels: given label of each image.
        classes: all class names; columns of the answer.
        repeats: one or more assignments to folds of the same images.
        fit: a classifier, told what the first repeat chose, if it is not the first.
        model: the model in words.
    """
    first = repeats[0]
    rows = np.flatnonzero(first.fold >= 0)
    scored = [name for name in classes if name not in first.not_scorable]
    columns = [list(classes).index(name) for name in scored]
    codes = pd.Categorical(labels.iloc[rows], categories=scored).codes.astype(np.int64)
    answers: list[HeadAnswer] = []
    for number, folds in enumerate(repeats):
        task = Task(rows, codes, folds.fold[rows], len(scored), number)
        answers.append(fit(task, answers[0].choices if answers else None))
    laid_out = []
    for answer in answers:
        probabilities = np.full((len(labels), len(classes)), np.nan)
        probabilities[rows] = 0
        probabilities[rows[:, None], columns] = answer.probabilities
        laid_out.append(probabilities)
    return CrossValidation(
        np.mean(laid_out, axis=0), first.fold,
        float(np.mean([answer.training_accuracy for answer in answers])), model,
        tuple(laid_out), asdict(answers[0].choices))
