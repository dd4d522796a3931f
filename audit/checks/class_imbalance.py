"""Classes with far fewer images than others, and classes with none.

A class is rare if it holds less than 0.1 / K of the images, K being the number of classes.
The effective number of classes is the exponential of the entropy of the class shares (the Hill
number of order 1): K if all are equal, near 1 if one class is nearly all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word
from audit.types import CheckMeta, NotApplicableError, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="class_imbalance", title="Class imbalance", about="class", cause="imbalance",
    needs=("given_label", "status"),
    fix="Collect more of it first; else weight the classes or repeat its images in training.",
    thresholds={"fraction": Threshold(0.1, "flag a class below this fraction of an equal share",
                                      "cleanlab Datalab's default", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag rare and empty classes."""
    images = evidence.images[evidence.images["status"] != "unreadable"]
    counts = images["given_label"].value_counts().reindex(evidence.classes, fill_value=0)
    if len(counts) + len(evidence.empty_classes) < 2:  # noqa: PLR2004
        message = "only one class"
        raise NotApplicableError(message)
    if not counts.sum():
        message = "no image could be read"
        raise NotApplicableError(message)
    total = int(counts.sum())
    of_equal = counts.to_numpy() * len(counts) / total
    rows = [finding(META, name, share, f"{images_word(int(count))}, {share:.2f} of an equal share",
                    is_flagged=bool(share < thresholds["fraction"]))
            for name, count, share in zip(evidence.classes, counts, of_equal, strict=True)]
    rows += [finding(META, name, 0, "its folder holds no image") for name in evidence.empty_classes]
    flagged = [row for row in rows if row["is_flagged"]]
    shares = counts[counts > 0] / total
    ratio = float(counts.max() / max(counts.min(), 1))
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    rarest, largest = str(counts.idxmin()), str(counts.idxmax())
    by_split = {
        str(split): part["given_label"].value_counts().reindex(evidence.classes, fill_value=0)
        .astype(int).to_dict() for split, part in images.groupby("split") if split}
    named = ", ".join(f"{row['subject']} ({row['evidence'].split(',')[0]})" for row in flagged[:3])
    return Outcome(
        findings_table(rows), None,
        f"{len(flagged)} of {len(rows)} classes {'is' if len(flagged) == 1 else 'are'} rare: "
        f"{named}; the largest has {int(counts.max()):,}" if flagged else "none found",
        {"count": len(flagged), "share": len(flagged) / len(rows), "ratio": ratio,
         "effective_classes": effective, "classes": len(counts), "rarest": rarest,
         "largest": largest, "images_by_class": counts.astype(int).to_dict(),
         "images_by_split": by_split})
