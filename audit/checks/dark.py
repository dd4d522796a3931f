"""Images that are dark all over: even their brightest parts are dim.

The score is the 99th percentile of perceived brightness (0 black, 1 white).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_images
from audit.types import CheckMeta, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="dark", title="Dark images", about="image", cause="image_quality",
    needs=("brightness_p99",),
    fix="Look at them: take out what shows nothing, collect brighter ones, or add brightness "
        "augmentation if dark images will be met in use.",
    thresholds={"score": Threshold(0.32, "flag below this 99th percentile of brightness",
                                   "CleanVision's default", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images whose bright parts are dim."""
    score = evidence.images["brightness_p99"].to_numpy()
    return flag_images(META, evidence, score, thresholds["score"],
                       lambda row: f"99 % of its pixels are darker than {score[row]:.2f} of 1",
                       "dark")
