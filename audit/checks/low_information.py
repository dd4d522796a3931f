"""Images with next to no content: blank, one colour, a lens cap.

The score is 0.1 times the entropy, in bits, of the three colour histograms taken as one.
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
    code="low_information", title="Images with little content", about="image",
    cause="image_quality", needs=("entropy",),
    fix="Look at them, and take out what shows nothing.",
    thresholds={"score": Threshold(0.3, "flag below this score, which is 3 bits of entropy",
                                   "CleanVision's default", 0, 1)},
)

BITS_TO_SCORE = 0.1


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images whose histogram holds few bits."""
    entropy = evidence.images["entropy"].to_numpy()
    return flag_images(META, evidence, np.minimum(BITS_TO_SCORE * entropy, 1),
                       thresholds["score"],
                       lambda row: f"its histogram holds {entropy[row]:.1f} bits",
                       "next to empty")
