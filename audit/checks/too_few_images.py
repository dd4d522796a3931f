"""Too few images: classes below a floor, and a network that knows its own images much better.

The floor of 50 images a class is where the accuracy of a class can be told to about 14 points
(95 % interval of a share of one half). A gap between the accuracy on trained images and the
out-of-fold accuracy of 0.25 or more says that more images, or stronger regularisation, should
help. Both are first indications; how many more images would bring how much is not estimated yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word
from audit.checks._signal import accuracy_of
from audit.types import CheckMeta, NotApplicableError, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="too_few_images", title="Very small classes", about="class", cause="too_few_images",
    needs=("given_label", "status"),
    fix="Collect more images of these classes.",
    thresholds={
        "floor": Threshold(50, "flag a class with fewer readable images",
                           "width of a binomial interval, see above", 0),
        "gap": Threshold(0.25, "flag a gap of this size between training and out-of-fold accuracy",
                         "our choice", 0, 1),
    },
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag classes below the floor, and the dataset if the network learns it by heart."""
    images = evidence.images[evidence.images["status"] != "unreadable"]
    if images.empty:
        message = "no image could be read"
        raise NotApplicableError(message)
    counts = images["given_label"].value_counts().reindex(evidence.classes, fill_value=0)
    floor = thresholds["floor"]
    rows = [finding(META, name, count / floor if floor else 1.0,
                    f"{images_word(int(count))}; below {floor:.0f} not even its accuracy can be "
                    f"told to {_half_width(floor):.0f} points" if count < floor
                    else images_word(int(count)), is_flagged=bool(count < floor))
            for name, count in zip(evidence.classes, counts, strict=True)]
    small = counts[counts < floor].sort_values(kind="stable")
    parts = [f"{len(small)} of {len(rows)} classes "
             f"{'has' if len(small) == 1 else 'have'} fewer than {floor:.0f} images: "
             + ", ".join(f"{name} ({count})" for name, count in small[:3].items())
             ] if len(small) else []
    metrics: dict[str, float] = {"count": len(small), "share": len(small) / max(len(rows), 1)}
    validation = evidence.cross_validation
    accuracy = accuracy_of(evidence)
    if validation is not None and np.isfinite([validation.training_accuracy, accuracy]).all():
        gap = validation.training_accuracy - accuracy
        metrics |= {"training_accuracy": validation.training_accuracy,
                    "out_of_fold_accuracy": accuracy, "gap": gap}
        text = (f"accuracy {validation.training_accuracy:.2f} on trained images, "
                f"{accuracy:.2f} on images not seen")
        is_flagged = gap >= thresholds["gap"]
        rows.append(finding(META, "", 1 - max(gap, 0), text, about="dataset",
                            is_flagged=bool(is_flagged),
                            suggestion="Collect more images or regularise more."))
        parts += [text] if is_flagged else []
    return Outcome(findings_table(rows), None, "; ".join(parts) or "none found", metrics)


def _half_width(count: float) -> float:
    """Half of the 95 % interval, in points, of an accuracy of one half over `count` images."""
    return float(100 * 1.96 * 0.5 / max(count, 1) ** 0.5)
