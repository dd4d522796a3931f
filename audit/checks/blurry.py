"""Blurred images: one more blur changes next to nothing in them.

The score is the share of the Laplacian's energy that a Gaussian blur of 1 px takes away, at a
longest side of at most 160 px. Neither low contrast nor a plain background counts as blur.
Measured on 500 images of each of three data sets: 99.5 % of the photos as they are score above
0.82; blurred with a deviation of 1 % of their side, 95 % score below 0.41 to 0.66.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_images
from audit.types import CheckMeta, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="blurry", title="Blurry images", about="image", cause="image_quality",
    needs=("sharpness",),
    fix="Take them out if the class cannot be told, or add blur augmentation if blurred images "
        "will be met in use.",
    thresholds={"score": Threshold(0.65, "flag below this share of energy lost to a re-blur",
                                   "our measurement, see above", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images that a re-blur hardly changes."""
    score = evidence.images["sharpness"].to_numpy()
    return flag_images(META, evidence, score, thresholds["score"],
                       lambda row: f"a blur of 1 px takes away only {100 * score[row]:.0f} % "
                                   "of its fine detail", "blurry")
