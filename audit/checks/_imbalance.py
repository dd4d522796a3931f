"""What imbalance costs, and what adjusting predictions for the class shares brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2_contingency

from audit.learning_curve import wilson

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

DEVIATIONS_90 = 1.645
STRENGTHS = (1.0, 0.5)
"""Of the adjustment: 1 is right for true probabilities, 0.5 at times for a model that is unsure."""

_TINY = 1e-12


@dataclass(frozen=True)
class Difference:
    """Two shares, and the second minus the first with its 90 % interval."""

    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """The second share minus the first."""
        return self.after - self.before

    @property
    def is_measurable(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low > 0 or self.high < 0

    def in_points(self) -> str:
        """The change in percentage points, as in `+7.1 points, 90 % interval 4.0 to 10.2`."""
        return (f"{100 * self.change:+.1f} points, 90 % interval "
                f"{100 * self.low:.1f} to {100 * self.high:.1f}")


@dataclass(frozen=True)
class Shift:
    """How the class shares of a split differ from those of the training split.

    Attributes:
        split: its name.
        distance: total variation distance, half the summed absolute differences, 0 to 1.
        p_value: how often sampling alone makes class shares as different, by chi-squared.
        label: the class that differs most.
        share: of that class in the split.
        trained_share: of that class in the training split.
    """

    split: str
    distance: float
    p_value: float
    label: str
    share: float
    trained_share: float


def balanced_accuracy(labels: NDArray[np.int64], right: NDArray[np.bool_]) -> float:
    """Mean of the recalls of the classes that have images."""
    counts = np.bincount(labels)
    recalls = np.bincount(labels, right)[counts > 0] / counts[counts > 0]
    return float(recalls.mean())


def compare_recalls(right: NDArray[np.bool_], is_second: NDArray[np.bool_]) -> Difference:
    """Share answered right of two groups of images, neither empty.

    The interval is method 10 of Newcombe, "Interval estimation for the difference between
    independent proportions" (1998), which holds for a handful of images too.
    """
    first, second = right[~is_second], right[is_second]
    before, after = float(first.mean()), float(second.mean())
    first_low, first_high = wilson(int(first.sum()), len(first), DEVIATIONS_90)
    low, high = wilson(int(second.sum()), len(second), DEVIATIONS_90)
    return Difference(
        before, after,
        after - before - float(np.hypot(after - low, first_high - before)),
        after - before + float(np.hypot(high - after, before - first_low)))


def adjust_for_shares(labels: NDArray[np.int64], probabilities: NDArray[np.float64],
                      ) -> tuple[Difference, float]:
    """Balanced accuracy before and after adjusting predictions for the class shares.

    Menon et al., "Long-tail learning via logit adjustment" (2021), equation 9: the class with
    the highest log-probability minus strength times the logarithm of its share. The difference is
    that of strength 1: chosen by the same images, the better strength would flatter itself.

    Args:
        labels: `(n,)` given labels.
        probabilities: `(n, c)` of models that did not see the image.

    Returns:
        The difference, and which strength of `STRENGTHS` has the higher balanced accuracy here.
    """
    log_share = np.log(np.maximum(np.bincount(labels, minlength=probabilities.shape[1]), 1)
                       / len(labels))
    scores = np.log(probabilities + _TINY)
    adjusted = [(scores - strength * log_share).argmax(axis=1) == labels for strength in STRENGTHS]
    best = int(np.argmax([balanced_accuracy(labels, right) for right in adjusted]))
    before = probabilities.argmax(axis=1) == labels
    return _paired_difference(labels, before, adjusted[0]), STRENGTHS[best]


def _paired_difference(labels: NDArray[np.int64], before: NDArray[np.bool_],
                       after: NDArray[np.bool_]) -> Difference:
    """Balanced accuracy of two answers to the same images.

    The variance of the mean change within each class is counted with half an image more in each
    of the four cells (Agresti & Min, "Simple improved confidence intervals for comparing matched
    proportions", 2005): else a class of two images that both change would be beyond doubt.
    """
    change = after.astype(float) - before
    counts = np.bincount(labels)
    present = counts > 0
    images = counts[present] + 2
    mean = np.bincount(labels, change)[present] / images
    square = (np.bincount(labels, change**2)[present] + 1) / images
    reach = DEVIATIONS_90 * float(((square - mean**2) / images).sum() ** 0.5) / int(present.sum())
    first, second = balanced_accuracy(labels, before), balanced_accuracy(labels, after)
    return Difference(first, second, second - first - reach, second - first + reach)


def shifts_of(counts: pd.DataFrame) -> list[Shift]:
    """How far each split is from the one called train; none if there is no such split.

    Args:
        counts: images, one row a split and one column a class.
    """
    if "train" not in counts.index:
        return []
    shifts = []
    for name in counts.index.drop("train"):
        both = np.array([counts.loc["train"], counts.loc[name]])
        shares = both / both.sum(axis=1, keepdims=True)
        difference = np.abs(shares[1] - shares[0])
        most = int(difference.argmax())
        shifts.append(Shift(
            str(name), float(difference.sum() / 2),
            float(chi2_contingency(both[:, both.sum(axis=0) > 0], correction=False).pvalue),
            str(counts.columns[most]), float(shares[1, most]), float(shares[0, most])))
    return shifts
