"""Can the model learn a handful of images by heart? If not, it is not the data.

Karpathy, "A recipe for training neural networks", 2019: overfit one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.dataset import shape_inputs
from audit.diagnosis.experiment import targets_of
from audit.errors import in_one_line
from audit.keras_runtime import seed_everything

if TYPE_CHECKING:
    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

HANDFUL, UPDATES = 16, 150
BY_HEART = 0.3
"""Of the loss at the beginning, that must be left at most."""


@dataclass(frozen=True)
class OneBatch:
    """The loss of the same few images, trained on again and again.

    Attributes:
        images: how many.
        losses: `(updates,)`.
        failure: what Keras raised; empty if nothing.
    """

    images: int
    losses: tuple[float, ...]
    failure: str = ""

    @property
    def is_learned(self) -> bool:
        """Whether they were learned by heart."""
        return bool(self.losses) and float(np.mean(self.losses[-5:])) < BY_HEART * max(
            self.losses[0], 1e-12)


def learn_one_batch(subject: Subject, images: Images, seed: int) -> OneBatch:
    """Train on a handful of images alone, of all classes in turn, with the user's settings."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(images.learned)
    turn = np.zeros(len(shuffled), np.int64)
    for one in range(len(images.classes)):
        of_class = images.labels[shuffled] == one
        turn[of_class] = np.arange(int(of_class.sum()))
    rows = shuffled[np.argsort(turn, kind="stable")[:HANDFUL]]
    try:
        model = subject.build(seed)
        about = anatomy(model)
        inputs = shape_inputs(images.pictures[rows], model, subject.regime.scale)
        targets = targets_of(images.labels[rows], about.encoding, about.units)
        seed_everything(seed)
        losses = [float(np.asarray(model.train_on_batch(inputs, targets)).ravel()[0])
                  for _ in range(UPDATES)]
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        return OneBatch(len(rows), (), in_one_line(error))
    return OneBatch(len(rows), tuple(losses))
