"""Classes with far fewer images than others, what that costs, and splits of other class shares.

A class is rare if it holds less than 0.1 / K of the images, K being the number of classes.
The effective number of classes is the exponential of the entropy of the class shares (the Hill
number of order 1): K if all are equal, near 1 if one class is nearly all there is.

What it costs is read from the out-of-fold predictions, where there are any: the recall of classes
below half an equal share against that of the others, and the balanced accuracy (the mean recall
of the classes) before and after predictions are adjusted for the class shares (Menon et al.,
"Long-tail learning via logit adjustment", 2021), with 90 % intervals. That remedy needs neither
images nor training; frequent classes pay for it with some of their recall.

A split whose class shares differ from those of the training split by 0.1 (total variation
distance) or more, and by more than sampling explains (chi-squared), is flagged: its accuracy is
that of another mixture of classes than the one learned from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.checks._findings import finding, findings_table, images_word
from audit.checks._imbalance import Shift, compare_recalls, shifts_of
from audit.checks._signal import scored_labels
from audit.mean_recall import adjust_for_shares
from audit.types import CheckMeta, Difference, NotApplicableError, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.types import Evidence

META = CheckMeta(
    code="class_imbalance", title="Class imbalance", about="class", cause="imbalance",
    needs=("given_label", "status"),
    fix="Collect more of it first; else weight the classes or repeat its images in training.",
    thresholds={
        "fraction": Threshold(0.1, "flag a class below this fraction of an equal share",
                              "cleanlab Datalab's default", 0, 1),
        "shift": Threshold(0.1, "flag a split whose class shares are this far from training's",
                           "our choice", 0, 1),
        "shift_p_value": Threshold(0.01, "and that sampling makes so different less often",
                                   "our choice", 0, 1),
    },
)

RARE = 0.5
"""Of an equal share: below it a class is counted among the rare ones whose recall is compared. More
classes than are flagged, for the recall of the few images of those says little."""

SPLIT_AGAIN = ("Split again with the class shares of the whole, or judge by balanced accuracy; if "
               "the classes will come so in use, adjust predictions for their shares.")


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag rare and empty classes, and splits with other class shares; say what imbalance costs."""
    images = evidence.images[evidence.images["status"] != "unreadable"]
    counts = images["given_label"].value_counts().reindex(evidence.classes, fill_value=0)
    if len(counts) + len(evidence.empty_classes) < 2:  # noqa: PLR2004
        message = "only one class"
        raise NotApplicableError(message)
    if not counts.sum():
        message = "no image could be read"
        raise NotApplicableError(message)
    of_equal = counts * len(counts) / counts.sum()
    rows = [finding(META, name, of_equal[name],
                    f"{images_word(int(counts[name]))}, {of_equal[name]:.2f} of an equal share",
                    is_flagged=bool(of_equal[name] < thresholds["fraction"]))
            for name in evidence.classes]
    rows += [finding(META, name, 0, "its folder holds no image") for name in evidence.empty_classes]
    flagged = [row for row in rows if row["is_flagged"]]
    by_split = pd.crosstab(images["split"], images["given_label"]).reindex(
        columns=evidence.classes, fill_value=0).drop(index="", errors="ignore")
    shifts = shifts_of(by_split)
    shifted = [_shift_finding(shift, thresholds) for shift in shifts]
    cost, details = _cost(evidence, of_equal)
    parts = [_named(flagged, len(rows), int(counts.max()))] if flagged else []
    parts += [str(row["evidence"]) for row in shifted if row["is_flagged"]]
    distances = [shift.distance for shift, row in zip(shifts, shifted, strict=True)
                 if row["is_flagged"]]
    return Outcome(
        findings_table([*rows, *shifted]), None, "; ".join(parts) or "none found",
        {"count": len(flagged) + len(distances),
         "share": max([len(flagged) / len(rows), *distances]), **_shares(counts, len(rows)),
         "images_by_split": {str(split): {str(name): int(count) for name, count in row.items()}
                             for split, row in by_split.iterrows()},
         "shifts": {shift.split: {"distance": shift.distance, "p_value": shift.p_value,
                                  "class": shift.label} for shift in shifts},
         **cost}, details)


def _named(flagged: Sequence[Mapping[str, object]], classes: int, largest: int) -> str:
    named = ", ".join(f"{row['subject']} ({str(row['evidence']).split(',')[0]})"
                      for row in flagged[:3])
    return (f"{len(flagged)} of {classes} classes {'is' if len(flagged) == 1 else 'are'} rare: "
            f"{named}; the largest has {largest:,}")


def _shares(counts: pd.Series[int], classes: int) -> dict[str, object]:
    """Figures of the class shares; `classes` counts the empty ones too."""
    shares = counts[counts > 0] / counts.sum()
    entropy = float(-(shares * np.log(shares)).sum())
    return {"ratio": float(counts.max() / max(counts.min(), 1)),
            "effective_classes": float(np.exp(entropy)),
            "normalised_entropy": abs(entropy) / float(np.log(classes)), "classes": len(counts),
            "rarest": str(counts.idxmin()), "largest": str(counts.idxmax()),
            "images_by_class": counts.astype(int).to_dict()}


def _shift_finding(shift: Shift, thresholds: Mapping[str, float]) -> dict[str, object]:
    is_flagged = (shift.distance >= thresholds["shift"]
                  and shift.p_value < thresholds["shift_p_value"])
    chance = (f"p = {shift.p_value:.3f}" if shift.p_value >= 0.001  # noqa: PLR2004 - three digits
              else "p < 0.001")
    return finding(
        META, "", 1 - shift.distance,
        f"class shares of {shift.split} and train differ by {shift.distance:.2f} "
        f"(total variation distance, {chance}), most in {shift.label}: "
        f"{100 * shift.share:.1f} % of {shift.split}, {100 * shift.trained_share:.1f} % of train",
        about="dataset", is_flagged=is_flagged, suggestion=SPLIT_AGAIN)


def _cost(evidence: Evidence, of_equal: pd.Series[float],
          ) -> tuple[dict[str, object], tuple[str, ...]]:
    """What imbalance costs, and what adjusting predictions brings; nothing if none were made."""
    if evidence.cross_validation is None:
        return {}, ()
    try:
        _, labels, probabilities, classes = scored_labels(evidence)
    except NotApplicableError:
        return {}, ()
    right = probabilities.argmax(axis=1) == labels
    remedy, strength = adjust_for_shares(labels, probabilities)
    metrics: dict[str, object] = {
        "out_of_fold_accuracy": float(right.mean()),
        "balanced_accuracy": remedy.before,
        "balanced_accuracy_adjusted": remedy.after,
        "adjustment_interval_90": [remedy.low, remedy.high], "best_adjustment_strength": strength}
    details = [("Balanced accuracy, the mean recall of the classes, is "
                f"{remedy.before:.2f} out of fold; accuracy is {right.mean():.2f}.")]
    is_rare = (of_equal.reindex(list(classes)).to_numpy() < RARE)[labels]
    if is_rare.any() and not is_rare.all():
        gap = compare_recalls(right, is_rare)
        metrics |= {"recall_frequent": gap.before, "recall_rare": gap.after,
                    "recall_difference_interval_90": [gap.low, gap.high]}
        details.append(_gap_sentence(gap, int(is_rare.sum())))
    return metrics, (*details, _remedy_sentence(remedy))


def _gap_sentence(gap: Difference, images: int) -> str:
    verdict = "" if gap.is_measurable else "; no measurable difference"
    return (f"Recall is {gap.after:.2f} in classes below half an equal share "
            f"({images_word(images)}) and {gap.before:.2f} in the others "
            f"({gap.in_points()}{verdict}).")


def _remedy_sentence(remedy: Difference) -> str:
    figures = (f"balanced accuracy {remedy.before:.2f} → {remedy.after:.2f} "
               f"({remedy.in_points()})")
    how = "if predictions are adjusted for the class shares (logit adjustment)"
    if remedy.low > 0:
        return f"Expected remedy: {figures} {how}: no image and no training needed."
    verdict = "it makes things worse" if remedy.high < 0 else "no measurable effect"
    return f"No remedy: {figures} {how}: {verdict}."
