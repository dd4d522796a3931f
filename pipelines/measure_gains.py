"""How the classifier does with fewer images and after each fix: learning curves and gains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audit.gains import (
    believed_labels,
    best_gains,
    gain_of_adjustment,
    gain_of_more_images,
    gain_of_trial,
    without_the_unseen,
)
from audit.representations import Refits, rows_of
from audit.types import NOT_MEASURED, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from audit.representations import Effort, Folds
    from audit.types import CheckResult, Evidence, Gain, MeasuredCurve

ASSIGNMENTS = 2
"""Assignments to folds that each fix is tried with, at any effort: of one it cannot be told how
much of a change is owed to it."""

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Experiments:
    """The images that took part in the cross-validation, ready to be learned from again.

    Attributes:
        refits: of those images.
        rows: `(m,)` which of all images they are.
        labels: `(m,)` numbers of their classes.
        believed: `(n,)` of all images, those whose labels are believed.
        folds: `(assignments, m)` fold of each in each assignment.
    """

    refits: Refits
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    believed: NDArray[np.bool_]
    folds: NDArray[np.int64]

    @classmethod
    def prepare(cls, evidence: Evidence, embeddings: NDArray[np.float32], folds: Sequence[Folds],
                effort: Effort) -> Experiments | None:
        """Take up where the cross-validation ended; None if there was none of ours."""
        validation = evidence.cross_validation
        if validation is None or not validation.chosen:
            return None
        rows = np.flatnonzero(validation.folds >= 0)
        names = evidence.images["given_label"].to_numpy()[rows]
        classes, labels = np.unique(names, return_inverse=True)
        assigned = np.array([one.fold[rows] for one in folds[:ASSIGNMENTS]])
        refits = Refits(rows_of(embeddings, rows), labels, assigned, len(classes),
                        validation.chosen, effort.trial_landmarks, evidence.seed)
        return cls(refits, rows, labels, believed_labels(evidence), assigned)

    def learning_curve(self, advance: Callable[[int], None]) -> MeasuredCurve:
        """The curve, laid out over all images."""
        curve = self.refits.learning_curve(self.believed[self.rows], advance)
        hits = np.full((*curve.hits.shape[:2], len(self.believed)), NOT_MEASURED, np.int8)
        hits[:, :, self.rows] = curve.hits
        as_given = np.full(len(self.believed), NOT_MEASURED, np.int8)
        as_given[self.rows] = curve.as_given
        return replace(curve, hits=hits, as_given=as_given)

    def gains(self, wanted: Sequence[Trial], results: Sequence[CheckResult], evidence: Evidence,
              advance: Callable[[int], None]) -> Mapping[str, Gain]:
        """Cause → the gain of its best fix, for the causes that a fix can be tried for."""
        found = []
        more_images = gain_of_more_images(results)
        if more_images is not None:
            found.append(("too_few_images", more_images))
        tested = self.believed[self.rows]
        by_class = evidence.images["given_label"][self.believed].value_counts().reindex(
            list(evidence.classes), fill_value=0).to_numpy().astype(np.int64)
        if not wanted or not tested.any():
            return without_the_unseen(best_gains(found), by_class)
        before, *answers = self.refits.hits([
            Trial("", AS_IT_IS, np.ones(len(self.rows), bool)),
            *(replace(one, keep=one.keep[self.rows]) for one in wanted)], advance)
        found += [(trial.cause, gain_of_trial(trial, self.labels, tested, before, after,
                                              self.folds))
                  for trial, after in zip(wanted, answers, strict=True)]
        adjusted = gain_of_adjustment(evidence, self.believed)
        if adjusted is not None and any(one.cause == "imbalance" for one in wanted):
            found.append(("imbalance", adjusted))
        return without_the_unseen(best_gains(found), by_class)
