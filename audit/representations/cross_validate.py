"""Out-of-fold probabilities for every readable image of a class that can be scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.types import CrossValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from audit.representations.folds import Folds


def cross_validate(
    labels: pd.Series,
    classes: Sequence[str],
    folds: Folds,
    fit: Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int],
                  tuple[NDArray[np.float64], float]],
    model: str,
) -> CrossValidation:
    """Fit on the images that take part, and lay the answer out over all images and classes.

    Args:
        labels: given label of each image.
        classes: all class names; columns of the answer.
        folds: from `folds.assign_folds`.
        fit: takes rows, integer labels from 0, folds and the number of classes; returns
            probabilities of those rows and the training accuracy.
        model: the model in words.
    """
    rows = np.flatnonzero(folds.fold >= 0)
    scored = [name for name in classes if name not in folds.not_scorable]
    codes = pd.Categorical(labels.iloc[rows], categories=scored).codes.astype(np.int64)
    predicted, training_accuracy = fit(rows, codes, folds.fold[rows], len(scored))
    probabilities = np.full((len(labels), len(classes)), np.nan)
    laid_out = np.zeros((len(rows), len(classes)))
    laid_out[:, [list(classes).index(name) for name in scored]] = predicted
    probabilities[rows] = laid_out
    return CrossValidation(probabilities, folds.fold, training_accuracy, model)
