"""What fixing a cause would gain, measured by learning without and with the fix.

A trial changes what is learned from, never what is tested: the images whose labels are believed,
each by classifiers that did not see it. Before and after are compared image by image, by the mean
recall of the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.mean_recall import adjust_for_shares, paired_difference
from audit.noise import fit_label_noise
from audit.types import Difference, Gain, Suspects, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from audit.types import CheckResult, Evidence

DISBELIEVED = 0.5
"""A label is believed if it is more probably right than wrong."""

LEAST_TESTED = 20
"""Images of a class below which what does it good may not be seen, as in `sufficiency`."""

_OF_RARE_CLASSES = {"imbalance", "too_few_images"}
_TINY = 1e-12
_LEFT_OUT = {
    "broken_files": "damaged files left out", "image_quality": "flagged images left out",
    "odd_images": "odd images left out"}


def believed_labels(evidence: Evidence) -> NDArray[np.bool_]:
    """`(n,)` images that were predicted and whose given label is more probably right than wrong."""
    believed = np.zeros(len(evidence.images), bool)
    if evidence.cross_validation is None:
        return believed
    rows, codes, probabilities = _predicted(evidence)
    if len(rows):
        noise = fit_label_noise(np.log(probabilities + _TINY), codes)
        believed[rows] = noise.is_wrong < DISBELIEVED
    return believed


def trials(results: Sequence[CheckResult], evidence: Evidence) -> list[Trial]:
    """The fixes to try: one or two for each cause that a check found something for.

    Causes of which nothing can be tried here are left out, as leaks. Where labels carry no signal
    nothing is tried: what is told right there is told by chance.
    """
    found = {one.meta.code: one for one in results
             if one.outcome is not None and one.outcome.findings["is_flagged"].any()}
    causes = {one.meta.cause for one in found.values()}
    if "no_signal" in causes:
        return []
    everything = np.ones(len(evidence.images), bool)
    tried = []
    if "wrong_labels" in causes:
        tried += [Trial("wrong_labels", "suspected labels corrected", everything,
                        suspects=Suspects.RELABEL),
                  Trial("wrong_labels", "suspected labels left out", everything,
                        suspects=Suspects.DROP)]
    if "imbalance" in causes:
        tried.append(Trial("imbalance", "classes weighted to count the same", everything,
                           balanced=True))
    if "duplicates" in causes and evidence.pairs is not None:
        tried.append(Trial("duplicates", "all but one of each set left out",
                           ~_later_copies(evidence)))
    for cause, action in _LEFT_OUT.items():
        flagged = ~everything
        for one in found.values():
            if one.meta.cause == cause and one.outcome and one.outcome.scores is not None:
                flagged = flagged | one.outcome.scores["is_issue"].to_numpy(bool)
        if flagged.any():
            tried.append(Trial(cause, action, ~flagged))
    return tried


def gain_of_trial(trial: Trial, labels: NDArray[np.int64], tested: NDArray[np.bool_],
                  before: NDArray[np.int8], after: NDArray[np.int8],
                  folds: NDArray[np.int64]) -> Gain:
    """What a trial brought.

    Args:
        trial: what was tried.
        labels: `(n,)` given labels from 0 on.
        tested: `(n,)` images that count, at least one.
        before: `(repeats, n)` 1 where an image was told right, else 0, of the data as they are.
        after: the same, of the trial.
        folds: `(repeats, n)` fold that each image was tested in, from 0 on.
    """
    return Gain(trial.action, paired_difference(
        labels[tested], before[:, tested] > 0, after[:, tested] > 0, folds[:, tested]))


def gain_of_adjustment(evidence: Evidence, believed: NDArray[np.bool_]) -> Gain | None:
    """What adjusting predictions for the class shares brings; None where nothing was predicted."""
    rows, codes, probabilities = _predicted(evidence)
    counted = believed[rows]
    if not counted.any():
        return None
    return Gain("predictions adjusted for the class shares",
                adjust_for_shares(codes[counted], probabilities[counted])[0])


def gain_of_more_images(results: Iterable[CheckResult]) -> Gain | None:
    """What the learning curve foretells of twice the images; None where it cannot."""
    for one in results:
        if one.meta.code == "sufficiency" and one.outcome is not None:
            told = one.outcome.metrics["doubling"]
            if isinstance(told, dict):
                return Gain("twice the images, by the learning curve", Difference(**told))
    return None


def without_the_unseen(gains: Mapping[str, Gain], images_by_class: NDArray[np.int64],
                       ) -> dict[str, Gain]:
    """Gains without those that a rare class has too few images to show.

    What is done for a rare class changes its own images most. With fewer than `LEAST_TESTED` of
    them, no effect that was seen is no sign of none.

    Args:
        gains: cause → gain.
        images_by_class: images tested on, of each class that was asked for, 0 where there is none.
    """
    is_blind = bool((images_by_class < LEAST_TESTED).any())
    return {cause: gain for cause, gain in gains.items()
            if gain.is_measurable or not (is_blind and cause in _OF_RARE_CLASSES)}


def best_gains(gains: Iterable[tuple[str, Gain]]) -> dict[str, Gain]:
    """Cause → the gain of the best of its fixes."""
    best: dict[str, Gain] = {}
    for cause, gain in gains:
        if cause not in best or gain.difference.change > best[cause].difference.change:
            best[cause] = gain
    return best


def _predicted(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64],
                                            NDArray[np.float64]]:
    """Rows `(m,)` that were predicted, their labels `(m,)` and probabilities `(m, c)`.

    Labels are numbered as the c classes that were scored.
    """
    if evidence.cross_validation is None:
        raise ValueError("gains need out-of-fold probabilities")
    probabilities = evidence.cross_validation.probabilities
    used = np.flatnonzero(np.isin(evidence.classes, evidence.not_scorable, invert=True))
    names = np.array(evidence.classes, object)[used]
    rows = np.flatnonzero(np.isfinite(probabilities).all(axis=1)
                          & evidence.images["given_label"].isin(names).to_numpy(bool))
    given = evidence.images["given_label"].to_numpy()[rows]
    return rows, np.searchsorted(names, given), probabilities[rows[:, None], used]


def _later_copies(evidence: Evidence) -> NDArray[np.bool_]:
    """Images of which an earlier one is a copy: by name, so that the order of rows is nothing."""
    later = np.zeros(len(evidence.images), bool)
    if evidence.pairs is None or evidence.pairs.empty:
        return later
    names = evidence.images["image_id"].to_numpy()
    first = evidence.pairs["row_a"].to_numpy()
    second = evidence.pairs["row_b"].to_numpy()
    later[np.where(names[first] < names[second], second, first)] = True
    return later
