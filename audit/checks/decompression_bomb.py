"""Images too large to decode: above 89 megapixels (Pillow's limit for a decompression bomb).

A few kilobytes can announce an image of gigabytes. Such a file is not decoded here, and it may
exhaust the memory of a training job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="decompression_bomb", title="Decompression bombs", about="image", cause="broken_files",
    needs=("problem_kind", "problem"),
    fix="Shrink the image outside the training pipeline, or take it out of the dataset.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag files that announce more pixels than are decoded."""
    images = evidence.images
    return flag_kind(META, evidence, (images["problem_kind"] == "bomb").to_numpy(),
                     lambda row: images["problem"].iloc[row], "too large to decode")
