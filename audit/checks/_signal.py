"""Whether out-of-fold predictions know anything of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import random_table

from audit.types import NotApplicableError, Threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.types import Evidence

PERMUTATIONS = 1_000
PERMUTED_TO = 100_000
"""Images up to which labels are permuted one by one, at 20 ns each; of more, how many of a class
are taken for each is drawn as a table, which has the same distribution."""

_CELLS = 10_000_000

NEEDS_SIGNAL = Threshold(0.05, "skip if permuted labels are as accurate this often",
                         "the usual 5 %", 0, 1)
"""Of the checks that read something out of where the model disagrees with a label."""


@dataclass(frozen=True)
class Signal:
    """Out-of-fold accuracy against the accuracy that chance gives these predictions.

    Attributes:
        accuracy: share of scored images whose predicted class is the given one.
        baseline: mean accuracy after the labels were permuted.
        p_value: share of permutations as accurate as the truth, at least 1/1001.
    """

    accuracy: float
    baseline: float
    p_value: float


def scored_labels(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64],
                                               NDArray[np.float64], tuple[str, ...]]:
    """What was predicted out of fold, in the order of image_id.

    Returns:
        Rows of the images `(m,)`, their given labels `(m,)` as columns of the probabilities,
        the probabilities `(m, c)`, and the names of the c classes that were scored.

    Raises:
        NotApplicableError: images of fewer than two classes were predicted.
    """
    validation = evidence.cross_validation
    if validation is None:
        message = "scored_labels needs out-of-fold probabilities"
        raise ValueError(message)
    keep = [index for index, name in enumerate(evidence.classes)
            if name not in evidence.not_scorable]
    classes = tuple(evidence.classes[index] for index in keep)
    codes = pd.Index(classes).get_indexer(  # -1 for a class that was not scored
        pd.Index(evidence.images["given_label"]))
    rows = np.flatnonzero(np.isfinite(validation.probabilities).all(axis=1) & (codes >= 0))
    if len(np.unique(codes[rows])) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        message = "images of fewer than 2 classes were predicted"
        raise NotApplicableError(message)
    rows = rows[np.argsort(evidence.images["image_id"].to_numpy()[rows], kind="stable")]
    probabilities = np.empty((len(rows), len(keep)), order="F")
    for place, column in enumerate(keep):  # without a copy on the way, which may be of a gigabyte
        probabilities[:, place] = validation.probabilities[rows, column]
    probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-12)
    return rows, codes[rows], probabilities, classes


def accuracy_of(evidence: Evidence) -> float:
    """Out-of-fold accuracy; NaN where nothing was predicted that could be right or wrong."""
    if evidence.cross_validation is None:
        return float("nan")
    try:
        _, labels, probabilities, _ = scored_labels(evidence)
    except NotApplicableError:
        return float("nan")
    return float((probabilities.argmax(axis=1) == labels).mean())


def measure_signal(labels: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int,
                   ) -> Signal:
    """Permutation test: permute the labels against the fixed out-of-fold predictions.

    Ojala & Garriga, "Permutation Tests for Studying Classifier Performance" (2010), test 1,
    without training again: each prediction was made without the image's label, so under no
    signal the labels can be exchanged.
    """
    predicted = probabilities.argmax(axis=1)
    accuracy = float((predicted == labels).mean())
    random = np.random.default_rng(seed)
    classes = probabilities.shape[1]
    if len(labels) > max(PERMUTED_TO, classes**2):
        permuted = _accuracies_by_table(np.bincount(labels, minlength=classes),
                                        np.bincount(predicted, minlength=classes), random)
    else:
        permuted = np.array([(predicted == random.permutation(labels)).mean()
                             for _ in range(PERMUTATIONS)])
    reached = int((permuted >= accuracy - 1e-12).sum())
    return Signal(accuracy, float(permuted.mean()), (1 + reached) / (1 + PERMUTATIONS))


def _accuracies_by_table(given: NDArray[np.int64], predicted: NDArray[np.int64],
                         random: np.random.Generator) -> NDArray[np.float64]:
    """Accuracies of permuted labels, from random tables with these sums.

    Permuted labels and predictions are such a table (Patefield, "An efficient method of generating
    random R x C tables with given row and column totals", 1981), of which the diagonal is right.

    Args:
        given: `(c,)` images of each class by their labels.
        predicted: `(c,)` images that are taken for each class.
        random: what to draw by.
    """
    tables = random_table(given, predicted)
    at_once = max(1, _CELLS // len(given) ** 2)
    right = [np.trace(tables.rvs(min(at_once, PERMUTATIONS - start), random_state=random),
                      axis1=1, axis2=2)
             for start in range(0, PERMUTATIONS, at_once)]
    return np.asarray(np.concatenate(right) / given.sum())


def require_signal(signal: Signal, least_p_value: float) -> None:
    """Refuse to read anything out of predictions that know nothing.

    Raises:
        NotApplicableError: permuted labels fit the predictions as well this often.
    """
    if signal.p_value >= least_p_value:
        message = ("the model predicts no better than chance, so its disagreement with a label "
                   "says nothing")
        raise NotApplicableError(message)
