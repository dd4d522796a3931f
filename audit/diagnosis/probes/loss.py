"""The last layer and the loss do not fit.

Keras takes any last layer with any loss. Softmax twice leaves next to no difference between classes
(softmax under a loss with from_logits=True is no such thing: Keras 3 takes the logits before it). A
linear layer under one that takes probabilities is the logarithm of anything, one unit with softmax
is always 1, and an error of labels as numbers says that class 9 is far from class 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_softmax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.diagnosis.anatomy import Anatomy

CAUSE = "loss"

_SUM_TO_ONE = {"categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence",
               "categorical_focal_crossentropy"}
_NOT_FOR_CLASSES = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "hinge",
                    "squared_hinge", "categorical_hinge", "cosine_similarity", "poisson",
                    "mean_absolute_percentage_error", "mean_squared_logarithmic_error"}


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect a last layer that the loss cannot make sense of."""
    classes = len(case.images.classes)
    found = [*_units(case.anatomy, classes), *_outputs(case.anatomy)]
    if not found or case.anatomy.last is None:
        return
    prior, evidence = max(found)
    yield Suspicion(
        CAUSE, prior, f"The last layer and the loss do not fit: {evidence}.",
        f'Use {classes} units with softmax and loss="sparse_categorical_crossentropy".',
        case.subject.edited(with_softmax(classes)))


def _units(about: Anatomy, classes: int) -> Iterator[tuple[float, str]]:
    """Too few numbers, or too many, for the classes."""
    if about.units == 1 and classes > 2:  # noqa: PLR2004 - one number for two classes is enough
        yield 0.95, f"one number for {classes} classes"
    elif 1 < about.units < classes:
        yield 0.95, f"{about.units} units for {classes} classes"
    elif about.units > classes:
        yield 0.2, f"{about.units} units for {classes} classes"
    if about.units == 1 and about.last_activation == "softmax":
        yield 0.95, "softmax of a single unit, which is always 1"


def _outputs(about: Anatomy) -> Iterator[tuple[float, str]]:
    """Outputs that the loss takes for something else."""
    last, loss = about.last_activation, about.loss
    if about.softmaxes > 1:
        yield 0.7, f"softmax {about.softmaxes} times at the end"
    if about.from_logits is False and last not in {"softmax", "sigmoid"} and (
            loss in _SUM_TO_ONE or loss.startswith("binary")):
        yield 0.9, f"{last} outputs, which the loss takes for probabilities (from_logits=False)"
    if last in {"relu", "tanh", "elu", "selu", "softplus"} and about.from_logits:
        yield 0.8, f"{last} on the last layer cuts scores off"
    if last == "sigmoid" and loss in _SUM_TO_ONE and about.units > 1:
        yield 0.3, f"sigmoid under {loss}, which wants probabilities that sum to 1"
    if loss in _NOT_FOR_CLASSES:
        yield 0.6, f"{loss} is made for numbers, not for classes"
