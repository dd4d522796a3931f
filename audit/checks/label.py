"""Labels that a model trained on the other images does not believe.

Confident learning (Northcutt, Jiang & Chuang, 2021) by cleanlab on out-of-fold probabilities:
`prune_by_noise_rate` flags, the probability of the given label (self-confidence) ranks. The share
of wrong labels is the mass off the diagonal of the estimated joint of given and true labels; its
interval is the 5th to 95th percentile over bootstrap samples of the images. It says how far the
estimate would move with other images, not how far the model can be trusted: a weak model takes
hard images for wrong labels. Skipped where the model does no better than chance.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table, images_word, score_table
from audit.checks._signal import NEEDS_SIGNAL, measure_signal, require_signal, scored_labels
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
INTERVAL = (5, 95)
_TOLERANCE = 1e-6
_LEAST_THRESHOLD = 2e-6
"""Both as in `cleanlab.count`, so that the estimate and the flags agree."""


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag images by confident learning, and estimate the noise of the dataset and each class."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - slow, and only needed here
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    rows, labels, probabilities, classes = scored_labels(evidence)
    signal = measure_signal(labels, probabilities, evidence.seed)
    require_signal(signal, thresholds["p_value"])
    with warnings.catch_warnings():  # that it leaves a class its only image is as it should be
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        is_issue = find_label_issues(labels, probabilities, filter_by="prune_by_noise_rate",
                                     n_jobs=1)
    quality = get_label_quality_scores(labels, probabilities, method="self_confidence")

    score = np.full(len(evidence.images), np.nan)
    flagged = np.zeros(len(evidence.images), bool)
    score[rows], flagged[rows] = quality, is_issue
    names = evidence.images["image_id"].to_numpy()
    findings = [
        finding(META, names[row], own[label],
                f'given "{classes[label]}" ({own[label]:.2f}), '
                f'predicted "{classes[own.argmax()]}" ({own.max():.2f})',
                suggestion=f'Look, and if it is wrong relabel it "{classes[own.argmax()]}".')
        for row, label, own, wrong in zip(rows, labels, probabilities, is_issue, strict=True)
        if wrong]
    shares, class_noise = _noise(labels, probabilities, evidence.seed)
    noise_by_class = {classes[index]: float(class_noise[index]) for index in np.unique(labels)}
    findings += [_class_finding(name, noise, thresholds["class_noise"])
                 for name, noise in noise_by_class.items()]
    return _outcome(findings, score_table(score, flagged), shares, len(rows), {
        "out_of_fold_accuracy": signal.accuracy,
        "noise_by_class": {name: round(noise, 6) for name, noise in noise_by_class.items()}})


def _class_finding(name: str, noise: float, threshold: float) -> dict[str, object]:
    return finding(META, name, 1 - noise, f"about {100 * noise:.1f} % of its labels are wrong",
                   about="class", is_flagged=bool(noise >= threshold),
                   suggestion="Review its flagged images first, and its definition with labelers.")


def _outcome(findings: list[dict[str, object]], scores: pd.DataFrame,
             shares: tuple[float, float, float], scored: int,
             metrics: Mapping[str, object]) -> Outcome:
    estimate, low, high = shares
    count = int(scores["is_issue"].sum())
    is_flagged = any(row["is_flagged"] for row in findings)  # perhaps a class and no image of it
    wrong = round(estimate * scored)
    summary = (f"about {wrong:,} label{' is' if wrong == 1 else 's are'} wrong "
               f"({100 * estimate:.1f} %, 90 % interval "
               f"{100 * low:.1f}–{100 * high:.1f}); {images_word(count)} to review")
    return Outcome(findings_table(findings), scores, summary if is_flagged else "none found", {
        "count": count, "scored": scored, "share": estimate if is_flagged else 0.0,
        "estimated_share": estimate, "estimated_share_interval_90": [low, high], **metrics})


def _noise(labels: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int,
           ) -> tuple[tuple[float, float, float], NDArray[np.float64]]:
    """Share of wrong labels with its interval, and the share in each class `(c,)`."""
    random = np.random.default_rng(seed)
    estimate, by_class = _off_diagonal(labels, probabilities)
    samples = []
    for _ in range(BOOTSTRAPS):
        chosen = random.integers(0, len(labels), len(labels))
        samples.append(_off_diagonal(labels[chosen], probabilities[chosen])[0])
    low, high = np.percentile(samples, INTERVAL)
    return (estimate, min(float(low), estimate), max(float(high), estimate)), by_class


def _off_diagonal(labels: NDArray[np.int64], probabilities: NDArray[np.float64],
                  ) -> tuple[float, NDArray[np.float64]]:
    """Off-diagonal mass of the joint of given and true label, of all and of each given class.

    The confident joint of the paper's equation 1, with rows scaled to the number of given labels
    (equation 2), as `cleanlab.count.estimate_joint` has it but for its rounding to whole images:
    an image that is confident of several classes counts for its most probable one, and each class
    has at least one image on the diagonal. cleanlab is 50 times slower, which a bootstrap feels.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = np.bincount(labels, own, minlength=classes) / np.maximum(counts, 1)
    thresholds[counts == 0] = np.inf
    confident = probabilities >= np.maximum(thresholds, _LEAST_THRESHOLD) - _TOLERANCE
    times = confident.sum(axis=1)
    guess = np.where(times > 1, probabilities.argmax(axis=1), confident.argmax(axis=1))
    cells = labels * classes + guess
    joint = np.bincount(cells[times > 0], minlength=classes**2).reshape(classes, classes)
    right = np.maximum(np.diag(joint), 1)
    wrong = 1 - right / (joint.sum(axis=1) - np.diag(joint) + right)
    return float((wrong * counts).sum() / counts.sum()), wrong
