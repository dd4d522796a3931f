"""The same or nearly the same picture in two splits.

A test image that was trained on is recognised, not predicted, so the test score is too high.
The estimate of by how much takes each leaked image for answered right: leaked share times one
minus the out-of-fold accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word, score_table
from audit.checks._sets import HOW, image_sets
from audit.checks._signal import accuracy_of
from audit.types import CheckMeta, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit.types import Evidence

META = CheckMeta(
    code="split_leak", title="Leaks between splits", about="image", cause="split_leak",
    needs=("pairs", "splits"),
    fix="Take the copies out of the training split, so that the test split stays what it was.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag sets of duplicates that lie in more than one split."""
    splits = evidence.images["split"].to_numpy()
    score = np.ones(len(splits))
    trained_on = np.zeros(len(splits), bool)
    rows = []
    for one in image_sets(evidence):
        touched = sorted({splits[row] for row in one.rows if splits[row]})
        if len(touched) < 2:  # noqa: PLR2004 - a leak is between two
            continue
        members = [row for row in one.rows if splits[row]]
        score[members] = 1 - one.similarity
        trained_on[members] = "train" in touched
        rows.append(finding(META, one.names[0], 1 - one.similarity,
                            f"{HOW[one.kind]} in {' and '.join(touched)}",
                            about="set", related=one.names[1:]))
    leaked = score < 1
    held_out = {name: int((leaked & (splits == name)).sum())
                for name in np.unique(splits[leaked]) if name != "train"}
    metrics = {"sets": len(rows), "count": int(leaked.sum()), "share": float(leaked.mean()),
               "leaked_by_split": held_out}
    if not rows:
        return Outcome(findings_table(rows), score_table(score, leaked), "none found", metrics)
    parts = [f"{images_word(count)} of {name} {'is' if count == 1 else 'are'} also in another split"
             for name, count in held_out.items()]
    gained = _points_gained(evidence, splits == "test", trained_on)
    if gained:
        metrics["test_score_too_high_by_points"] = gained
        parts.append(f"the test score is about {gained:.1f} points too high")
    return Outcome(findings_table(rows), score_table(score, leaked), "; ".join(parts), metrics)


def _points_gained(evidence: Evidence, tested: NDArray[np.bool_], trained_on: NDArray[np.bool_],
                   ) -> float:
    """Percentage points; 0 where nothing leaked or the accuracy is not known."""
    leaked = int((tested & trained_on).sum())
    accuracy = accuracy_of(evidence)
    if not leaked or np.isnan(accuracy):
        return 0.0
    return round(100 * (1 - accuracy) * leaked / int(tested.sum()), 2)
