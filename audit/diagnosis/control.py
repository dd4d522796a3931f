"""The control: the same network on shuffled labels, which nothing can be learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
