"""From the results of checks to the tables and the summary that a run writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit import tables
from audit.causes import Cause, found_well, not_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.types import CheckResult, Evidence, Gain, Ingested

_ROWS = 65_536


def images_table(evidence: Evidence, results: Sequence[CheckResult]) -> pd.DataFrame:
    """One row an image: labels first, then a flag and a score for each image check.

    A check that did not run leaves its columns null: it is not a pass.
    """
    images = evidence.images
    columns: dict[str, object] = {
        "image_id": images["image_id"], "split": images["split"],
        "given_label": images["given_label"], "predicted_label": predicted_labels(evidence)}
    image_checks = [one for one in results if one.meta.about == "image"]
    image_checks.sort(key=lambda one: (one.meta.code != "label", one.meta.code))
    for one in image_checks:
        scores = one.outcome.scores if one.outcome else None
        score_name, flag_name = f"{one.meta.code}_score", f"is_{one.meta.code}_issue"
        flags = (pd.Series(pd.NA, images.index, "boolean") if scores is None
                 else scores["is_issue"].astype("boolean").set_axis(images.index))
        score = np.full(len(images), np.nan) if scores is None else scores["score"].to_numpy()
        pair = {score_name: score, flag_name: flags}
        first = score_name if one.meta.code == "label" else flag_name
        columns[first] = pair.pop(first)
        columns.update(pair)
    return pd.DataFrame(columns)


def predicted_labels(evidence: Evidence) -> list[str]:
    """The most probable class of each image out of fold; empty where it was not predicted."""
    if evidence.cross_validation is None:
        return [""] * len(evidence.images)
    probabilities = evidence.cross_validation.probabilities
    names = np.array([*evidence.classes, ""], object)
    predicted: list[str] = []
    for start in range(0, len(probabilities), _ROWS):
        part = probabilities[start:start + _ROWS]
        known = np.isfinite(part).all(axis=1)
        best = np.where(known, np.nan_to_num(part, nan=-1.0).argmax(axis=1), -1)
        predicted += names[best].tolist()
    return predicted


def findings_table(results: Sequence[CheckResult], causes: Sequence[Cause] = ()) -> pd.DataFrame:
    """All findings: flagged ones first, by the rank of their cause, then by check, worst first.

    A picture under two classes stands before all: one of its labels is wrong whatever that costs.
    """
    ranked = ["label_conflict", *(code for cause in causes for code in cause.checks)]
    order = sorted((one for one in results if one.outcome is not None),
                   key=lambda one: ranked.index(one.meta.code) if one.meta.code in ranked
                   else len(ranked))
    parts = [one.outcome.findings for one in order if one.outcome is not None]
    if not parts:
        return tables.make(tables.FINDINGS, [])
    return pd.concat(parts, ignore_index=True).sort_values(
        "is_flagged", ascending=False, kind="stable", ignore_index=True)


def summarise(ingested: Ingested, evidence: Evidence, results: Sequence[CheckResult],
              causes: Sequence[Cause], notes: Sequence[str], digest: str) -> dict[str, object]:
    """The contents of summary.json."""
    images = evidence.images
    validation = evidence.cross_validation
    return {
        "dataset": {
            "digest": digest, "images": len(images), "classes": list(evidence.classes),
            "readable": int((images["status"] != "unreadable").sum()),
            "splits": {str(name): int(count) for name, count
                       in images["split"].value_counts().sort_index().items() if name},
            "empty_classes": list(ingested.empty_classes),
            "files_not_counted": len(ingested.not_counted),
        },
        "model": {
            "description": validation.model if validation else None,
            "out_of_fold_accuracy": out_of_fold_accuracy(evidence),
            "training_accuracy": validation.training_accuracy if validation else None,
        },
        "causes": [{"rank": rank, "cause": one.key, "title": one.title, "summary": one.summary,
                    "share_touched": one.share, "checks": list(one.checks),
                    "gain": _gain(one.gain)}
                   for rank, one in enumerate(causes, 1)],
        "found_well": found_well(results),
        "not_checked": [{"check": title, "reason": reason}
                        for title, reason in not_checked(results)],
        "checks": [{"code": one.meta.code, "title": one.meta.title, "status": one.status,
                    "reason": one.reason,
                    "summary": one.outcome.summary if one.outcome else None,
                    "flagged": int(one.outcome.findings["is_flagged"].sum())
                    if one.outcome else None,
                    "metrics": dict(one.outcome.metrics) if one.outcome else None}
                   for one in results],
        "notes": list(notes),
        "not_counted": dict(list(ingested.not_counted.items())[:1000]),
    }


def _gain(gain: Gain | None) -> dict[str, object] | None:
    """Change of the mean recall on images whose labels are believed, as a share of 1."""
    if gain is None:
        return None
    found = gain.difference
    return {"mean": found.change, "low": found.low, "high": found.high, "before": found.before,
            "after": found.after, "action": gain.action, "is_measurable": gain.is_measurable}


def out_of_fold_accuracy(evidence: Evidence) -> float | None:
    """Share of predicted images whose most probable class is the given one."""
    predicted = np.array(predicted_labels(evidence), object)
    known = predicted != ""
    if not known.any():
        return None
    return float((predicted[known] == evidence.images["given_label"].to_numpy()[known]).mean())
