"""The mean recall of the classes (balanced accuracy), and what changes it.

Where classes are of one size it is the accuracy; a rare class counts as much as any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from audit.intervals import DEVIATIONS_90
from audit.types import Difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = (1.0, 0.5)
"""Of the adjustment: 1 is right for true probabilities, 0.5 at times for a model that is unsure."""

_TINY = 1e-12


def mean_recall(labels: NDArray[np.int64], right: NDArray[np.bool_]) -> float:
    """Mean of the recalls of the classes that have images.

    Args:
        labels: `(n,)` given labels from 0 on.
        right: `(n,)` or `(repeats, n)` images that were told right.
    """
    counts = np.bincount(labels)
    recalls = np.bincount(labels, np.atleast_2d(right).mean(axis=0))[counts > 0]
    return float((recalls / counts[counts > 0]).mean())


def paired_difference(labels: NDArray[np.int64], before: NDArray[np.bool_],
                      after: NDArray[np.bool_], folds: NDArray[np.int64] | None = None,
                      ) -> Difference:
    """Mean recall of two answers to the same images, and the difference with a 90 % interval.

    The variance is that of the mean change within each class, plus that between repeats. Half an
    image more is counted in each of the four cells (Agresti & Min, "Simple improved confidence
    intervals for comparing matched proportions", 2005): else a class of two images that both
    change would be beyond doubt. In a class these two images are as likely to change as those of
    all classes together, so that a rare one, in which nothing changes, does not hide what does.
    Of simulated changes the interval held 86 % to 90 % (tests/test_mean_recall.py).

    Images of a fold were answered by one classifier, and change together: the variance of the
    changes of folds is taken as well, with Student's t for their small number, and the wider
    interval holds (docs/adr/0003-measured-gains.md).

    Args:
        labels: `(n,)` given labels from 0 on, n at least 1.
        before: `(n,)` or `(repeats, n)` images that were told right.
        after: the same, of the second answer.
        folds: the same, from 0 on: fold that each image was answered in, where that is known.
    """
    changes = np.atleast_2d(after).astype(float) - np.atleast_2d(before)
    change = changes.mean(axis=0)
    counts = np.bincount(labels)
    present = counts > 0
    images = counts[present] + 2
    mean = np.bincount(labels, change)[present] / images
    rate = (float((change**2).sum()) + 1) / (len(labels) + 2)
    square = (np.bincount(labels, change**2)[present] + 2 * rate) / images
    variance = float(((square - mean**2) / images).sum()) / int(present.sum()) ** 2
    if len(changes) > 1:
        by_repeat = [mean_recall(labels, one) for one in changes]
        variance += float(np.var(by_repeat, ddof=1)) / len(by_repeat)
    reach = DEVIATIONS_90 * variance**0.5
    if folds is not None:
        reach = max(reach, _reach_between_folds(labels, changes, np.atleast_2d(folds)))
    first, second = mean_recall(labels, before), mean_recall(labels, after)
    return Difference(first, second, second - first - reach, second - first + reach)


def _reach_between_folds(labels: NDArray[np.int64], changes: NDArray[np.float64],
                         folds: NDArray[np.int64]) -> float:
    """Half a 90 % interval of the change of the mean recall, by how much folds differ in it.

    The change is the sum of what each fold adds. The variance of the sum is not divided by the
    repeats: they are of the same images.
    """
    counts = np.bincount(labels)
    weight = 1 / counts[labels] / np.count_nonzero(counts)
    variances, freedom = [], 0
    for change, fold in zip(changes, folds, strict=True):
        added = np.bincount(fold, weight * change)[np.unique(fold)]
        if len(added) > 1:
            variances.append(len(added) * float(np.var(added, ddof=1)))
            freedom += len(added) - 1
    return float(stdtrit(freedom, 0.95) * np.mean(variances) ** 0.5) if variances else 0.0


def adjust_for_shares(labels: NDArray[np.int64], probabilities: NDArray[np.float64],
                      ) -> tuple[Difference, float]:
    """Mean recall before and after adjusting predictions for the class shares.

    Menon et al., "Long-tail learning via logit adjustment" (2021), equation 9: the class with
    the highest log-probability minus strength times the logarithm of its share. The difference is
    that of strength 1: chosen by the same images, the better strength would flatter itself.

    Args:
        labels: `(n,)` given labels.
        probabilities: `(n, c)` of models that did not see the image.

    Returns:
        The difference, and which strength of `STRENGTHS` has the higher mean recall here.
    """
    log_share = np.log(np.maximum(np.bincount(labels, minlength=probabilities.shape[1]), 1)
                       / len(labels))
    scores = np.log(probabilities + _TINY)
    adjusted = [(scores - strength * log_share).argmax(axis=1) == labels for strength in STRENGTHS]
    best = int(np.argmax([mean_recall(labels, right) for right in adjusted]))
    before = probabilities.argmax(axis=1) == labels
    return paired_difference(labels, before, adjusted[0]), STRENGTHS[best]
