"""Networks before and after a remedy, measured on images that nothing saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from audit.intervals import DEVIATIONS_90, wilson
from audit.mean_recall import mean_recall, paired_difference
from audit.types import Difference

if TYPE_CHECKING:
    from numpy.typing import NDArray


    Floats = NDArray[np.floating]
    Labels = NDArray[np.int64]

_TINY = 1e-12

BINS = 15
"""Of confidence, as usual for the calibration error."""


@dataclass(frozen=True)
class Score:
    """How networks of one arm do on the test images; means over their seeds.

    Attributes:
        accuracy: share told right.
        balanced_accuracy: mean recall of the classes.
        calibration_error: expected calibration error, 0 to 1.
        log_loss: mean cross-entropy in nats.
        recalls: class number → recall, and its 90 % Wilson interval; of classes with test images.
        by_seed: accuracy and balanced accuracy of each seed.
    """

    accuracy: float
    balanced_accuracy: float
    calibration_error: float
    log_loss: float
    recalls: dict[int, tuple[float, float, float]]
    by_seed: tuple[tuple[float, float], ...]


def score(logits: Floats, labels: Labels) -> Score:
    """Score an arm.

    Args:
        logits: `(seeds, n, classes)`.
        labels: `(n,)` from 0 on.
    """
    right = logits.argmax(axis=2) == labels
    probabilities = [softmax(one) for one in logits]
    counts = np.bincount(labels)
    told = np.bincount(labels, right.mean(axis=0))
    recalls = {int(label): (float(told[label] / counts[label]),
                            *wilson(float(told[label]), int(counts[label]), DEVIATIONS_90))
               for label in np.flatnonzero(counts)}
    return Score(
        float(right.mean()), mean_recall(labels, right),
        float(np.mean([calibration_error(one, labels) for one in probabilities])),
        float(np.mean([log_loss(one, labels) for one in logits])), recalls,
        tuple((float(one.mean()), mean_recall(labels, one)) for one in right))


def differences(before: Floats, after: Floats, labels: Labels) -> tuple[Difference, Difference]:
    """Accuracy and balanced accuracy before and after, each with a 90 % interval.

    The variance is that of the change of an image (see `audit.mean_recall.paired_difference`) and
    that between seeds, with Student's t for their small number. Of one seed nothing is known of
    the latter, and the interval is too narrow.

    Args:
        before: `(seeds, n, classes)` logits.
        after: the same, of the same seeds.
        labels: `(n,)` from 0 on.
    """
    first = before.argmax(axis=2) == labels
    second = after.argmax(axis=2) == labels
    # Of one class alone the mean recall is the accuracy.
    return (_difference(first, second, np.zeros(len(labels), np.int64)),
            _difference(first, second, labels))


def _difference(before: NDArray[np.bool_], after: NDArray[np.bool_], labels: Labels) -> Difference:
    found = paired_difference(labels, before, after)
    seeds = len(before)
    if seeds == 1:
        return found
    by_seed = [mean_recall(labels, second) - mean_recall(labels, first)
               for first, second in zip(before, after, strict=True)]
    error = float(np.var(by_seed, ddof=1)) / seeds
    wider = float(stdtrit(seeds - 1, 0.95)) ** 2 - DEVIATIONS_90**2
    reach = (((found.high - found.low) / 2) ** 2 + wider * error) ** 0.5
    return Difference(found.before, found.after, found.change - reach, found.change + reach)


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Expected calibration error: how far confidence is from accuracy, over bins of confidence.

    Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    2015; Guo et al., "On calibration of modern neural networks", 2017, equation 3.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.abs(np.bincount(place, right, BINS) - np.bincount(place, confidence, BINS))
    return float(gaps.sum() / len(labels))


def log_loss(logits: NDArray[np.floating], labels: NDArray[np.int64],
             weights: NDArray[np.floating] | None = None) -> float:
    """Mean cross-entropy of labels in nats, each counted as often as its weight says."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1) + _TINY)
    return float(-np.average(own, weights=weights))


def softmax(logits: Floats) -> Floats:
    """Probabilities `(n, classes)`."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
