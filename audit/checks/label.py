"""Labels that a model trained on the other images does not believe.

A model of the label noise (`audit.noise`) turns out-of-fold probabilities and given labels into the
probability of each class of each image; cleanlab flags an image where another class is more
probable than the given one (`predicted_neq_given`) and ranks by the probability of the given one
(`self_confidence`). Against cleanlab's filters on the bare probabilities (`prune_by_noise_rate` and
five others), measured on two sets of photos with planted errors of 5 % to 20 %: of the flags 87 %
were wrong labels against 50 % to 81 %, and 68 % of the wrong labels were flagged against 69 % to
95 %. Of labels as they came 0.1 % to 0.4 % are flagged, against 1 % to 16 %.

The share of wrong labels is the mean probability of being wrong. It is too low where wrong labels
are on hard images or follow a pattern, for that looks like a hard class. Confident learning's
estimate (Northcutt, Jiang & Chuang, 2021) is too high where the model is weak, for that looks like
wrong labels. The interval reaches from the 5th percentile of the one to the 95th of the other.
Skipped where the model does no better than chance.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from audit.checks._confident_joint import ConfidentJoint
from audit.checks._findings import finding, findings_table, images_word, score_table
from audit.checks._signal import NEEDS_SIGNAL, measure_signal, require_signal, scored_labels
from audit.intervals import DEVIATIONS_90
from audit.noise import LabelNoise, fit_label_noise
from audit.types import CheckMeta, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from audit.types import Evidence

META = CheckMeta(
    code="label", title="Label issues", about="image", cause="wrong_labels",
    needs=("cross_validation", "given_label"),
    fix="Review them: many are right after all. Keep is as good an answer as change.",
    thresholds={
        "p_value": NEEDS_SIGNAL,
        "class_noise": Threshold(0.1, "flag a class with this share of wrong labels or more",
                                 "our choice", 0, 1),
    },
)

BOOTSTRAPS = 100
CUT_OFFS = (1, 2, 5, 10, 20)
_TINY = 1e-12


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images whose label is more probably wrong than right, and estimate how many are."""
    rows, labels, probabilities, classes = scored_labels(evidence)
    signal = measure_signal(labels, probabilities, evidence.seed)
    require_signal(signal, thresholds["p_value"])
    noise = _fit(probabilities, labels)
    is_issue, quality = _issues(noise, labels)
    repeats = _repeats(evidence, classes, rows, labels)
    recurred = np.sum(repeats, axis=0) if repeats else np.zeros(len(rows))

    score = np.full(len(evidence.images), np.nan)
    flagged = np.zeros(len(evidence.images), bool)
    score[rows], flagged[rows] = quality, is_issue
    names = evidence.images["image_id"].to_numpy()
    findings = []
    for index in np.flatnonzero(is_issue):
        given, likely = labels[index], noise.posterior[index].argmax()
        own = probabilities[index]
        again = f"; flagged in {recurred[index]:.0f} of {len(repeats)} repeats" if repeats else ""
        findings.append(finding(
            META, names[rows[index]], quality[index],
            f'given "{classes[given]}" ({own[given]:.2f}), '
            f'predicted "{classes[likely]}" ({own[likely]:.2f}); '
            f"{100 * noise.is_wrong[index]:.0f} % sure that it is wrong{again}",
            suggestion=f'Look, and if it is wrong relabel it "{classes[likely]}".'))
    noise_by_class = {classes[index]: float(noise.is_wrong[labels == index].mean())
                      for index in np.unique(labels)}
    findings += [_class_finding(name, share, thresholds["class_noise"])
                 for name, share in noise_by_class.items()]
    low, _ = noise.share_interval(DEVIATIONS_90)
    high = max(_confident_learning_bound(labels, probabilities, evidence.seed), noise.share)
    recurrence = (float(recurred[is_issue].mean() / len(repeats))
                  if repeats and is_issue.any() else None)
    return _outcome(
        findings, score_table(score, flagged), (noise.share, low, high), len(rows),
        _expected_precision(noise.is_wrong, is_issue), recurrence, {
            "out_of_fold_accuracy": signal.accuracy,
            "noise_by_class": {name: round(share, 6) for name, share in noise_by_class.items()}})


def _fit(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> LabelNoise:
    scores = np.asarray(probabilities, np.float64) + _TINY
    return fit_label_noise(np.log(scores, out=scores), labels)


def _issues(noise: LabelNoise, labels: NDArray[np.int64],
            ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Flags and quality scores by cleanlab, from the posterior of the true class."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - slow, and only needed here
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    with warnings.catch_warnings():  # that it leaves a class its only image is as it should be
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        is_issue = find_label_issues(labels, noise.posterior, filter_by="predicted_neq_given",
                                     n_jobs=1)
    return is_issue, get_label_quality_scores(labels, noise.posterior, method="self_confidence")


def _repeats(evidence: Evidence, classes: tuple[str, ...], rows: NDArray[np.int64],
             labels: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Flags of each cross-validation alone, where there was more than one."""
    validation = evidence.cross_validation
    if validation is None or len(validation.repeats) < 2:  # noqa: PLR2004 - no repeat of one
        return []
    used = [evidence.classes.index(name) for name in classes]
    return [_issues(_fit(probabilities[rows[:, None], used], labels), labels)[0]
            for probabilities in validation.repeats]


def _expected_precision(is_wrong: NDArray[np.float64], is_issue: NDArray[np.bool_],
                        ) -> dict[str, float | None]:
    """Share of wrong labels to expect among the flagged, and among those ranked first."""
    ranked = np.sort(is_wrong)[::-1]
    expected = {f"top {percent} %": float(ranked[:max(1, len(ranked) * percent // 100)].mean())
                for percent in CUT_OFFS}
    return {"flagged": float(is_wrong[is_issue].mean()) if is_issue.any() else None, **expected}


def _class_finding(name: str, noise: float, threshold: float) -> dict[str, object]:
    return finding(META, name, 1 - noise, f"about {100 * noise:.1f} % of its labels are wrong",
                   about="class", is_flagged=bool(noise >= threshold),
                   suggestion="Review its flagged images first, and its definition with labelers.")


def _outcome(findings: list[dict[str, object]], scores: pd.DataFrame,
             shares: tuple[float, float, float], scored: int,
             precision: Mapping[str, float | None], recurrence: float | None,
             metrics: Mapping[str, object]) -> Outcome:
    estimate, low, high = shares
    count = int(scores["is_issue"].sum())
    expected = precision["flagged"]
    is_flagged = any(row["is_flagged"] for row in findings)  # perhaps a class and no image of it
    wrong = round(estimate * scored)
    summary = (f"about {wrong:,} label{' is' if wrong == 1 else 's are'} wrong "
               f"({100 * estimate:.1f} %, 90 % interval "
               f"{100 * low:.1f}–{100 * high:.1f}); {images_word(count)} to review"
               + (f", of which about {100 * expected:.0f} % are wrong" if expected else ""))
    return Outcome(findings_table(findings), scores, summary if is_flagged else "none found", {
        "expected_precision": dict(precision), "recurrence": recurrence,
        "count": count, "scored": scored, "share": estimate if is_flagged else 0.0,
        "estimated_share": estimate, "estimated_share_interval_90": [low, high], **metrics},
        _details(precision, recurrence) if count else ())


def _details(precision: Mapping[str, float | None], recurrence: float | None) -> tuple[str, ...]:
    tops = ", ".join(f"{name.removeprefix('top ')}: {100 * share:.0f} %"
                     for name, share in precision.items()
                     if name != "flagged" and share is not None)
    ranking = ("Labels to expect wrong among the first of the whole ranking (images.csv, by "
               f"label_score): {tops}.")
    again = (f"A flag came up again in {100 * (recurrence or 0):.0f} % of the cross-validations, "
             "each with other folds.")
    return (ranking,) if recurrence is None else (ranking, again)


def _confident_learning_bound(labels: NDArray[np.int64], probabilities: NDArray[np.float64],
                              seed: int) -> float:
    """95th percentile of confident learning's share of wrong labels, over bootstrap samples."""
    random = np.random.default_rng(seed)
    joint = ConfidentJoint(labels, probabilities)
    return float(np.percentile([
        joint.off_diagonal(random.integers(0, len(labels), len(labels)))
        for _ in range(BOOTSTRAPS)], 95))
