"""Very long or very tall images: resized to a square, their content is squeezed beyond use.

The score is the shorter side over the longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import flag_images
from audit.types import CheckMeta, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="odd_aspect_ratio", title="Odd aspect ratios", about="image", cause="odd_images",
    needs=("width", "height"),
    fix="Crop or pad them to the usual shape, or take out what is no photo of the class.",
    thresholds={"score": Threshold(0.35, "flag below this ratio of sides",
                                   "CleanVision's default", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images whose sides differ much."""
    width = evidence.images["width"].to_numpy(float)
    height = evidence.images["height"].to_numpy(float)
    longest = np.maximum(width, height)
    score = np.minimum(width, height) / np.where(longest > 0, longest, np.nan)
    return flag_images(META, evidence, score, thresholds["score"],
                       lambda row: f"{width[row]:.0f} x {height[row]:.0f} pixels",
                       "very long or very tall")
