"""Files that give no pixels: not an image, an unknown format, or broken beyond use.

A training pipeline either stops at such a file or silently trains without it. JPEG is decoded
strictly, everything else by Pillow; a file that decodes in part is `damaged_file`, one with no
bytes is `empty_file`, one that is too large to decode is `decompression_bomb`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="unreadable_file", title="Unreadable files", about="image", cause="broken_files",
    needs=("status", "problem_kind", "problem"),
    fix="Get the image again from its source, or take it out of the dataset.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag what could not be decoded at all."""
    images = evidence.images
    flagged = (images["status"] == "unreadable") & ~images["problem_kind"].isin(["empty", "bomb"])
    return flag_kind(META, evidence, flagged.to_numpy(),
                     lambda row: images["problem"].iloc[row], "unreadable")
