"""How class shares differ between splits, and the recall of rare classes from that of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2_contingency

from audit.intervals import DEVIATIONS_90, wilson
from audit.types import Difference

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


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
