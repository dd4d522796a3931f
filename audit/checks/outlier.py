"""Images unlike all others: another kind of picture, a screenshot, a placeholder.

The mean cosine distance of an image's embedding to its 10 nearest neighbours, compared with the
median of all images. The score is median over distance, at most 1; below 0.37 an image is 2.7
times as far from its neighbours as usual.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import flag_images
from audit.types import CheckMeta, NotApplicableError, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="outlier", title="Outliers", about="image", cause="odd_images", needs=("neighbours",),
    fix="Look at them, and take out what does not belong to the dataset.",
    thresholds={"score": Threshold(0.37, "flag below this ratio of median to own distance",
                                   "cleanlab Datalab's default (0.37037)", 0, 1)},
)

_ROUNDING = 1e-6
"""Cosine distances below this are rounding errors of single precision."""


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images far from their neighbours."""
    if evidence.neighbours is None:
        message = "there are no neighbours"
        raise NotApplicableError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # images without an embedding: NaN
        distance = np.nanmean(evidence.neighbours.distances, axis=1)
    if not np.isfinite(distance).any():
        message = "fewer than 2 images have an embedding"
        raise NotApplicableError(message)
    usual = float(np.nanmedian(distance))
    # Where most images are copies the usual distance is rounding, and says nothing of the others.
    score = (np.minimum(usual / np.maximum(distance, _ROUNDING), 1) if usual > _ROUNDING
             else np.where(np.isfinite(distance), 1.0, np.nan))
    return flag_images(META, evidence, score, thresholds["score"],
                       lambda row: f"{distance[row] / usual:.1f} times as far from its "
                                   "neighbours as usual", "unlike all others",
                       {"median_distance": usual})
