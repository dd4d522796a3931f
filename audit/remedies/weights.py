"""How much each label counts in the loss, by how much it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit.remedies.case import Case
    from audit.remedies.rules import Ruling

LEAST = 1e-3
"""Else a class of which no label is believed would have no weight at all."""


def label_weights(case: Case, settled: Mapping[int, Ruling]) -> NDArray[np.float64]:
    """Weights `(n,)` of the images' labels, 0 for those that are dropped.

    A label counts what the model that did not see the image believes of it, the out-of-fold
    probability of the given class, which cleanlab calls self-confidence (Northcutt, Jiang &
    Chuang, "Confident learning", 2021). Labels that a reviewer decided on or that are corrected
    count as certain. The weights of a class are 1 on average, so that classes that are hard to tell
    do not count less than others; so are those of images that were not scored, and of images of
    evaluation splits.
    """
    count = len(case.images)
    dropped = np.array([row in settled and settled[row].action == "drop" for row in range(count)])
    certain = np.array([row in settled and (settled[row].action == "relabel"
                                            or settled[row].rule == "review")
                        for row in range(count)])
    labels = np.array([settled[row].label if row in settled else given
                       for row, given in enumerate(case.images["given_label"])], object)
    belief = np.where(certain, 1.0, case.images["own_probability"].to_numpy(float))
    weighed = case.editable & ~dropped & np.isfinite(belief)
    weights = np.where(dropped, 0.0, 1.0)
    for name in sorted(set(labels[weighed])):
        own = weighed & (labels == name)
        part = np.maximum(belief[own], LEAST)
        weights[own] = part / part.mean()
    return weights
