"""What a diagnosis rests on, and what a probe may suspect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.diagnosis.anatomy import Anatomy
    from audit.diagnosis.dataset import Images
    from audit.diagnosis.experiment import Training
    from audit.diagnosis.initial import Initial
    from audit.diagnosis.rates import RateTest
    from audit.diagnosis.subject import Subject

CAUSES: Mapping[str, str] = {
    "loss": "The last layer and the loss do not fit",
    "input_scale": "The pictures are not scaled as the model wants them",
    "initialisation": "The weights begin badly",
    "activation": "The activations let nothing through, or nothing be learned",
    "learning_rate_high": "The learning rate is too high",
    "learning_rate_low": "The learning rate is too low",
    "optimizer": "The optimizer is slow here",
    "epochs": "Too few epochs",
    "batch_size": "The batch size does not fit the number of images",
    "frozen": "Layers are frozen that have nothing to keep",
    "regularisation": "Too much is held back by regularisation",
    "capacity": "The model is too small",
    "normalisation": "The averages of batch normalisation have not arrived",
    "depth": "The model is too deep without normalisation",
    "raises": "It cannot be trained",
    "no_number": "It gives no numbers",
    "architecture": "Another architecture learns these data",
    "label_noise": "Wrong labels",
    "too_few_images": "Too few images",
    "imbalance": "Imbalanced classes",
    "no_signal": "The labels carry no signal",
}
"""Key → the cause in words."""

@dataclass(frozen=True)
class Case:
    """All that is known before anything is tried.

    Attributes:
        subject: the user's model.
        anatomy: what it is made of.
        images: the user's.
        initial: the model before its first update.
        as_it_is: the user's model, trained as the user does.
        reference: a model of ours on the same images.
        rates: the loss by learning rate; None where it could not be measured.
    """

    subject: Subject
    anatomy: Anatomy
    images: Images
    initial: Initial
    as_it_is: Training
    reference: Training
    rates: RateTest | None


@dataclass(frozen=True)
class Suspicion:
    """What a probe suspects, and the experiment that would refute it.

    Attributes:
        cause: a key of `CAUSES`.
        prior: how strongly the evidence speaks before anything is tried, 0 to 1.
        evidence: what was seen, a sentence.
        fix: what to change, a sentence to the user.
        remedy: the user's model with that change.
    """

    cause: str
    prior: float
    evidence: str
    fix: str
    remedy: Subject = field(repr=False)
