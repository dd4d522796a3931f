"""Images whose files or pixels are identical.

Copies weigh in training as if the picture were that much more frequent, and a copy in another
fold or split is recognised, not predicted. Found by SHA-256 of the file and by a hash of the
decoded, upright pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word, score_table
from audit.checks._sets import HOW, SAME, image_sets
from audit.types import CheckMeta, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="exact_duplicates", title="Exact duplicates", about="image", cause="duplicates",
    needs=("pairs",),
    fix="Keep one of each set; if their classes differ, settle the class first.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag every member of a set of identical images."""
    sets = list(image_sets(evidence, SAME))
    flagged = np.zeros(len(evidence.images), bool)
    for one in sets:
        flagged[list(one.rows)] = True
    rows = [finding(META, one.names[0], 0.0, f"{images_word(len(one.rows))} with {HOW[one.kind]}",
                    about="set", related=one.names[1:]) for one in sets]
    surplus = int(flagged.sum()) - len(sets)
    return Outcome(
        findings_table(rows), score_table(np.where(flagged, 0.0, 1.0), flagged),
        f"{images_word(surplus)} could go: {len(sets):,} pictures are there more than once"
        if sets else "none found",
        {"sets": len(sets), "count": int(flagged.sum()), "surplus": surplus,
         "share": float(flagged.mean())})
