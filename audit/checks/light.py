"""Images that are light all over: even their darkest parts are nearly white.

The score is 1 minus the 5th percentile of perceived brightness (0 black, 1 white).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_images
from audit.types import CheckMeta, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="light", title="Overexposed images", about="image", cause="image_quality",
    needs=("brightness_p05",),
    fix="Look at them: take out what shows nothing, and mend the exposure at the source.",
    thresholds={"score": Threshold(0.05, "flag below this distance of the 5th percentile from "
                                   "white", "CleanVision's default", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images whose dark parts are nearly white."""
    score = 1 - evidence.images["brightness_p05"].to_numpy()
    return flag_images(META, evidence, score, thresholds["score"],
                       lambda row: f"95 % of its pixels are lighter than {1 - score[row]:.2f} of 1",
                       "overexposed")
