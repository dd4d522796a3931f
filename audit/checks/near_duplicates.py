"""Images that are nearly the same: resized, recompressed, a little cropped or brightened.

Candidates are pairs whose 64-bit perceptual hashes differ in at most 8 bits, or whose embeddings
are closer than 0.13 times the median distance to neighbours. They count if the pictures at
32 x 32 correlate by at least 0.95 (0.80 for candidates of the embedding) and, for candidates of
the hash, are eight times closer to each other than an image of this dataset usually is to the
tenth most like it. Near duplicates always share a fold. The score is 1 minus the lowest such
correlation of the set.

Where pictures look so much alike that the hashes of more than ten million pairs are that close,
hashes say little: each is then compared with the ten nearest others only, and of images with one
hash each with the next four. If comparing would still take minutes, fewer bits may differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word, score_table
from audit.checks._sets import image_sets
from audit.types import CheckMeta, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="near_duplicates", title="Near duplicates", about="image", cause="duplicates",
    needs=("pairs",),
    fix="Keep one of each set, or at least keep each set within one split.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag members of sets that are linked by a near-duplicate pair."""
    score = np.ones(len(evidence.images))
    flagged = np.zeros(len(score), bool)
    sets = [one for one in image_sets(evidence) if one.kind == "near"]
    for one in sets:  # with the exact copies of its members, which stand in no near pair
        score[list(one.rows)] = 1 - one.similarity
        flagged[list(one.rows)] = True
    rows = [finding(META, one.names[0], 1 - one.similarity,
                    f"{images_word(len(one.rows))} nearly the same "
                    f"(correlation {one.similarity:.3f})",
                    about="set", related=one.names[1:]) for one in sets]
    count = int(flagged.sum())
    return Outcome(findings_table(rows), score_table(score, flagged),
                   f"{images_word(count)} in {len(sets):,} sets are nearly the same"
                   if sets else "none found",
                   {"sets": len(sets), "count": count, "share": count / len(score)})
