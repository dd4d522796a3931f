"""Files cut short or with broken bytes, of which a part could be decoded.

Most readers return such an image without a word, half of it grey or shifted. It takes part in
the audit, since it takes part in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="damaged_file", title="Damaged files", about="image", cause="broken_files",
    needs=("status", "problem_kind", "problem"),
    fix="Get the image again from its source, or take it out of the dataset.",
)

_WORDS = {"truncated": "cut short", "corrupt": "broken bytes"}


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag what could be decoded in part only."""
    images = evidence.images

    def describe(row: int) -> str:
        kind = images["problem_kind"].iloc[row]
        return f"{_WORDS.get(kind, kind)}: {images['problem'].iloc[row]}"

    return flag_kind(META, evidence, (images["status"] == "damaged").to_numpy(), describe,
                     "cut short or damaged")
