"""Pairs of classes that the model, and perhaps the labelers, cannot tell apart.

For each pair, cleanlab counts the images of one that confidently look like the other, both ways.
A pair is flagged if that is 10 % of the images of both or more: then the definitions overlap, the
images do not show the difference, or labelers were not told it. Skipped where the model does no
better than chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import finding, findings_table
from audit.checks._signal import NEEDS_SIGNAL, measure_signal, require_signal, scored_labels
from audit.types import CheckMeta, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="overlapping_classes", title="Classes that overlap", about="class",
    cause="wrong_labels", needs=("cross_validation", "given_label"),
    fix="Write down what tells the two apart, relabel by it, or merge them.",
    thresholds={
        "p_value": NEEDS_SIGNAL,
        "share": Threshold(0.1, "flag pairs with this share of their images or more",
                           "our choice", 0, 1),
    },
)

MOST_PAIRS = 20


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """List the pairs of classes that are mixed up most."""
    from cleanlab.dataset import find_overlapping_classes  # noqa: PLC0415 - slow to import

    _, labels, probabilities, classes = scored_labels(evidence)
    require_signal(measure_signal(labels, probabilities, evidence.seed), thresholds["p_value"])
    overlaps = find_overlapping_classes(labels=labels, pred_probs=probabilities,
                                        asymmetric=False)
    sizes = [(labels == index).sum() for index in range(len(classes))]
    rows: list[dict[str, object]] = []
    pairs: list[dict[str, object]] = []
    touched = 0
    for index_a, index_b, mixed in zip(overlaps["Class Index A"], overlaps["Class Index B"],
                                       overlaps["Num Overlapping Examples"], strict=True):
        share = float(mixed / max(sizes[index_a] + sizes[index_b], 1))
        if not mixed or len(rows) == MOST_PAIRS:
            continue
        first, second = sorted((classes[index_a], classes[index_b]))
        is_flagged = share >= thresholds["share"]
        touched += int(mixed) if is_flagged else 0
        rows.append(finding(
            META, f"{first} | {second}", 1 - share,
            f'{mixed:.0f} images of "{first}" and "{second}" look like the other '
            f"({100 * share:.1f} % of both)", is_flagged=is_flagged))
        pairs.append({"classes": [first, second], "images": int(mixed), "share": share})
    flagged = [row for row in rows if row["is_flagged"]]
    named = ", ".join(str(row["subject"]).replace(" | ", " and ") for row in flagged[:3])
    more = f" and {len(flagged) - 3} more pairs" if len(flagged) > 3 else ""  # noqa: PLR2004
    return Outcome(findings_table(rows), None,
                   f"mixed up: {named}{more}" if flagged else "none found",
                   {"count": len(flagged), "share": touched / len(labels),
                    "pairs": pairs})
