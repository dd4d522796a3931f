"""Images much larger or smaller than the rest.

The size is the square root of the area. Usual is what lies within 3 interquartile ranges of the
quartiles, and in any case within a factor of 1.5 of them. The score is 0.5 at that border, less
beyond it.
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
    code="odd_size", title="Odd sizes", about="image", cause="odd_images",
    needs=("width", "height"),
    fix="Look at them: an odd size often comes from another source than the rest.",
    thresholds={
        "iqr_factor": Threshold(3.0, "interquartile ranges beyond the quartiles that are usual",
                                "CleanVision's default", 0),
        "least_ratio": Threshold(1.5, "factor to the quartiles that is usual in any case",
                                 "our choice: resizing by less changes little", 1),
    },
)

_BORDER = 0.5


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images far outside the quartiles of size."""
    images = evidence.images
    size = np.sqrt(images["width"].to_numpy(float) * images["height"].to_numpy(float))
    size[size == 0] = np.nan
    if np.isnan(size).all():
        return flag_images(META, evidence, size, _BORDER, str, "")
    first, third = np.nanpercentile(size, [25, 75])
    reach = thresholds["iqr_factor"] * (third - first)
    low = max(min(first - reach, first / thresholds["least_ratio"]), 0.0)
    high = max(third + reach, third * thresholds["least_ratio"])
    with np.errstate(divide="ignore"):
        ratio = np.minimum(size / low if low else np.full_like(size, np.inf), high / size)
    return flag_images(
        META, evidence, np.minimum(_BORDER * ratio, 1), _BORDER,
        lambda row: f"{images['width'].iloc[row]} x {images['height'].iloc[row]} pixels; usual is "
                    f"{low:.0f} to {high:.0f} (square root of the area)",
        "of an odd size", {"usual_from": float(low), "usual_to": float(high)})
