"""Out-of-fold probabilities for every readable image of a class that can be scored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.noise import fit_label_noise, temperature_scaled
from audit.types import CrossValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from audit.representations.folds import Folds
    from audit.representations.head import Choices, HeadAnswer


WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the second model, to choose from."""

PRECISE_TO = 20_000_000
"""Probabilities up to which each repeat is kept in double precision, 160 MB of them. Of more, those
of a repeat are only looked at for whether it flags an image too, and half the memory is saved."""

_TINY = 1e-12


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
    fits: Callable[[Sequence[Task]], Iterable[HeadAnswer]],
    model: str,
    second: Callable[[Task], NDArray[np.float32] | None] = lambda _: None,
) -> CrossValidation:
    """Fit on the images that take part, and lay the answers out over all images and classes.

    Args:
        labels: given label of each image.
        classes: all class names; columns of the answer.
        repeats: one or more assignments to folds of the same images.
        fits: fits a classifier for each of some tasks, in their order.
        model: the model in words.
        second: another model, asked once, for out-of-fold logits `(len(task.rows), task.classes)`
            or None; it counts as much as makes the labels of held-out images most likely.
    """
    first = repeats[0]
    rows = np.flatnonzero(first.fold >= 0)
    scored = [name for name in classes if name not in first.not_scorable]
    columns = [list(classes).index(name) for name in scored]
    codes = pd.Categorical(labels.iloc[rows], categories=scored).codes.astype(np.int64)
    tasks = [Task(rows, codes, folds.fold[rows], len(scored), number)
             for number, folds in enumerate(repeats)]
    choices: list[Choices] = []
    accuracies = []
    repeated: list[NDArray[np.floating]] = []
    total = np.zeros((len(rows), len(scored)))
    for answer in fits(tasks):
        choices.append(answer.choices)
        accuracies.append(answer.training_accuracy)
        total += answer.probabilities
        repeated.append(answer.probabilities if total.size <= PRECISE_TO
                        else answer.probabilities.astype(np.float32))
        del answer  # at a million images and a hundred classes, 800 MB
    total /= len(tasks)
    chosen: dict[str, float] = asdict(choices[0])
    logits = second(tasks[0])
    if logits is not None:
        total, chosen["second_weight"] = _mix(total, temperature_scaled(logits, codes), codes)

    def laid_out(some: NDArray[Any]) -> NDArray[Any]:
        if some.shape == (len(labels), len(classes)):
            return some
        everywhere = np.full((len(labels), len(classes)), np.nan, some.dtype)
        everywhere[rows] = 0
        everywhere[rows[:, None], columns] = some
        return everywhere

    return CrossValidation(laid_out(total), first.fold, float(np.mean(accuracies)), model,
                           tuple(laid_out(one) for one in repeated), chosen)


def _mix(first: NDArray[np.float64], second: NDArray[np.float64], labels: NDArray[np.int64],
         ) -> tuple[NDArray[np.float64], float]:
    """Geometric mean of two models' probabilities, and the weight of the second in it.

    The weight is what makes the given labels most likely under a model of label noise, to which
    both are alike: neither has seen the label that it is judged by.
    """
    logs = np.log(first + _TINY), np.log(second + _TINY)
    mixed = {weight: (1 - weight) * logs[0] + weight * logs[1] for weight in WEIGHTS}
    best = max(WEIGHTS, key=lambda weight: fit_label_noise(mixed[weight], labels).log_likelihood)
    return temperature_scaled(mixed[best], labels), best
