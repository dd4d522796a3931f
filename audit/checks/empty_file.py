"""Files with no bytes: an interrupted copy or a full disk.

A training pipeline stops at such a file, or trains without it and does not say so. Where one is
found, others of the same copy may have been cut short: see `damaged_file`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="empty_file", title="Empty files", about="image", cause="broken_files",
    needs=("problem_kind",),
    fix="Copy the image again from its source, or take it out of the dataset.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag files of zero bytes."""
    flagged = (evidence.images["problem_kind"] == "empty").to_numpy()
    return flag_kind(META, evidence, flagged, lambda _: "the file has 0 bytes", "without any bytes")
