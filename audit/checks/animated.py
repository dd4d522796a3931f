"""Files with more than one frame (GIF, WebP, AVIF, APNG, multi-page TIFF).

Only the first frame is measured and trained on; what the label describes may be in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="animated", title="Animated or multi-page images", about="image", cause="odd_images",
    needs=("is_animated", "format"),
    fix="Save the frame that shows the class as an image of its own.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag files with more than one frame."""
    return flag_kind(META, evidence, evidence.images["is_animated"].to_numpy(),
                     lambda _: "the file holds more than one frame", "made of more than one frame",
                     known=(evidence.images["format"] != "").to_numpy())
