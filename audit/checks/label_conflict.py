"""The same picture under two classes: at least one of the labels is wrong.

For certain where files or pixels are the same, in all likelihood where they nearly are. A network
trained on both is told that one picture is two things; a person can settle each case by looking
once. The score is 0 for identical images and 1 minus the correlation for near duplicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, score_table
from audit.checks._sets import HOW, image_sets
from audit.types import CheckMeta, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="label_conflict", title="The same picture under two classes", about="image",
    cause="wrong_labels", needs=("pairs", "given_label"),
    fix="Look at the pair, decide on one class, and remove the copy from the other.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag sets of duplicates that carry more than one label."""
    labels = evidence.images["given_label"].to_numpy()
    score = np.ones(len(labels))
    rows = []
    for one in image_sets(evidence):
        given = sorted({labels[row] for row in one.rows})
        if len(given) == 1:
            continue
        value = 1 - one.similarity
        score[list(one.rows)] = value
        under = " and ".join(f'"{name}"' for name in given)
        rows.append(finding(META, one.names[0], value, f"{HOW[one.kind]} under {under}",
                            about="set", related=one.names[1:]))
    count = int((score < 1).sum())
    summary = f"{len(rows):,} picture{' is' if len(rows) == 1 else 's are'} under two classes"
    return Outcome(findings_table(rows), score_table(score, score < 1),
                   summary if rows else "none found",
                   {"sets": len(rows), "count": count, "share": count / len(score)})
