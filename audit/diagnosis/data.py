"""What is wrong with the images and labels, as far as a diagnosis asks: from an audit's summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.dataset import FEW_A_CLASS, typical_class
from audit.diagnosis.diagnose import DEVIATIONS, standard_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.experiment import Training

NOISE = ((0.05, 0.55), (0.15, 0.85), (0.3, 0.95))
"""Lower bounds of the share of wrong labels, and how sure it then is that they are a cause."""

SEEING, NOISE_UNSEEN = 0.8, 0.15
"""Out-of-fold accuracy of the audit below which a lower bound must be that high: a classifier that
sees little takes hard images for wrong labels (measured on 1,500 small photos of 10 classes, true
labels: accuracy 0.62, lower bound 0.056)."""


VERY_FEW = 15
"""Images a class, of which no network learns well from scratch what is not very easy."""

MEMORISED = 0.25
"""Mean recall on images learned from minus that on others, from which a network has learned by
heart."""

UNEQUAL = 10.0
"""Images of the largest class over those of the smallest, above which imbalance is a cause."""


@dataclass(frozen=True)
class DataCause:
    """A cause in the data.

    Attributes:
        cause: a key of `case.CAUSES`.
        strength: how sure it is, 0 to 1.
        evidence: what was seen, a sentence.
        fix: what to do, a sentence.
        refuted_by: the experiment that would refute it.
    """

    cause: str
    strength: float
    evidence: str
    fix: str
    refuted_by: str


def causes_in_data(images: Images, reference: Training, shuffled: Training | None,
                   halved: Training | None, summary: Mapping[str, Any] | None,
                   ) -> list[DataCause]:
    """Causes in the data, the surest first.

    Args:
        images: of the user.
        reference: a model of ours trained on them.
        shuffled: the same with labels in another order, where nothing can be learned; None where
            the labels as they are were learned beyond doubt.
        halved: the same on half of the images; None where there are many.
        summary: summary.json of an audit of the data; None where there is none.
    """
    found = [*_no_signal(images, reference, shuffled), *_imbalance(images),
             *_noise(images, summary), *_too_few(images, reference, halved, summary)]
    return sorted(found, key=lambda one: -one.strength)


def _no_signal(images: Images, reference: Training, shuffled: Training | None,
               ) -> list[DataCause]:
    """Learning from the labels is no better than learning from shuffled ones."""
    if shuffled is None:
        return []
    floor = max(shuffled.recall, images.chance)
    error = standard_error(reference.recall, floor, images)
    if reference.recall > floor + DEVIATIONS * error:
        return []
    return [DataCause(
        "no_signal", 0.9,
        f"A model of ours tells the classes no better than chance (mean recall "
        f"{100 * reference.recall:.0f} %, with the labels shuffled {100 * shuffled.recall:.0f} %).",
        "See whether files and labels belong together: an order that was lost, a join that failed.",
        "Any model that tells held-out images better than shuffled labels let it.")]


def _too_few(images: Images, reference: Training, halved: Training | None,
             summary: Mapping[str, Any] | None) -> list[DataCause]:
    """There are few, and half of them gives less or the network learns them by heart."""
    if halved is None:
        return []
    typical = typical_class(images)
    gap = reference.learned - reference.recall
    climb = reference.recall - halved.recall
    climbs = climb > DEVIATIONS * standard_error(reference.recall, halved.recall, images)
    if gap < MEMORISED and not climbs:
        return []
    more = ""
    for one in (summary or {}).get("causes", []):
        if one["cause"] == "too_few_images":
            more = f" {one['summary'][:1].upper()}{one['summary'][1:]}."
    seen = (f"of half of them {100 * halved.recall:.0f} % of others, of all "
            f"{100 * reference.recall:.0f} %" if climbs else
            f"{100 * reference.learned:.0f} % of those it learned from, and "
            f"{100 * reference.recall:.0f} % of others. It memorises")
    return [DataCause(
        "too_few_images", 0.95 if typical <= VERY_FEW else 0.7,
        f"{typical:.0f} images a class: a model of ours tells {seen}.{more}",
        "Collect more, or begin with a network that was trained on other images.",
        "A learning curve that is flat: the half of the images gives the same.")]


def _imbalance(images: Images) -> list[DataCause]:
    counts = np.bincount(images.labels[images.learned], minlength=len(images.classes))
    counts = counts[counts > 0]
    if len(counts) < 2 or counts.max() < UNEQUAL * counts.min():  # noqa: PLR2004 - two sizes
        return []
    ratio = counts.max() / counts.min()
    return [DataCause(
        "imbalance", min(0.9, 0.4 + 0.05 * ratio / UNEQUAL * 5),
        f"The largest class has {ratio:.0f} times the images of the smallest ({counts.max():,} and "
        f"{counts.min():,}).",
        "Collect more of the rare classes, or audit fix --balance auto.",
        "The recall of the rare classes does not rise when all classes count the same.")]


def _noise(images: Images, summary: Mapping[str, Any] | None) -> list[DataCause]:
    """Wrong labels, by the lower bound of their share; of few images it cannot be told."""
    if typical_class(images) <= FEW_A_CLASS:
        return []
    for one in (summary or {}).get("checks", []):
        if one["code"] != "label" or not one["metrics"]:
            continue
        share = one["metrics"].get("estimated_share")
        low, high = one["metrics"].get("estimated_share_interval_90") or (0.0, 1.0)
        accuracy = one["metrics"].get("out_of_fold_accuracy") or 0.0
        sure = [strength for bound, strength in NOISE if low >= bound and (
            accuracy >= SEEING or low >= NOISE_UNSEEN)]
        if share is None or not sure:
            return []
        return [DataCause(
            "label_noise", sure[-1],
            f"About {100 * share:.0f} % of the labels are wrong (90 % interval {100 * low:.0f} to "
            f"{100 * high:.0f}).", "audit review RUN, then audit fix RUN.",
            "People who look at the flagged labels find them right.")]
    return []
