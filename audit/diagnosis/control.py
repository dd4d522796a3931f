"""Controls of the data: our network on shuffled labels, and on half of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.dataset import FEW_A_CLASS, typical_class
from audit.diagnosis.diagnose import standard_error
from audit.diagnosis.experiment import Limits, Training, train
from audit.diagnosis.reference import reference

if TYPE_CHECKING:
    from audit.diagnosis.dataset import Images
    from audit.diagnosis.diagnose import Budget

BEYOND_DOUBT = 8.0
"""Standard errors above chance from which no control is needed: of mean recall chance is known."""


def shuffled_control(images: Images, best: Training, seed: int, budget: Budget) -> Training | None:
    """Train a model of ours on shuffled labels, where it is in doubt that the true ones are better.

    Zhang et al., "Understanding deep learning requires rethinking generalization", 2017.

    Args:
        images: of the user.
        best: the same model on the labels as they are.
        seed: of the order and of the weights.
        budget: of one training.

    Returns:
        None where the labels as they are were learned beyond doubt.
    """
    error = standard_error(best.recall, images.chance, images)
    if best.recall > images.chance + BEYOND_DOUBT * error:
        return None
    updates = max(1, best.updates)
    return train(reference(len(images.classes), len(images.learned), updates),
                 images.shuffled(seed), seed, Limits(updates, budget.seconds))


def halved_control(images: Images, best: Training, seed: int, budget: Budget) -> Training | None:
    """Train a model of ours on half of the images, where there are few: do more bring more?

    Args:
        images: of the user.
        best: the same model on all of them.
        seed: of the choice and of the weights.
        budget: of one training.

    Returns:
        None where there are more than `FEW_A_CLASS` images a class.
    """
    if typical_class(images) > FEW_A_CLASS:
        return None
    updates = max(1, best.updates)
    half = images.halved(seed)
    return train(reference(len(images.classes), len(half.learned), updates), half, seed,
                 Limits(updates, budget.seconds))
