"""Many layers in a row, and nothing that keeps what passes through at its size.

Without normalisation or paths around, gradients of deep models vanish or explode (He et al., "Deep
residual learning", 2016; Ioffe & Szegedy, 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.anatomy import kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_normalisation, without_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "depth"
DEEP, FEW = 7, 4
SECOND = 0.01
"""By which the prior of a second fix of the same cause is lower, so that it is tried after it."""


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect seven hidden layers or more without normalisation and without paths around."""
    layers = case.anatomy.layers
    hidden = len(case.anatomy.weighted) - 1
    if case.anatomy.is_normalised or any(kind(one) in {"Add", "Concatenate"} for one in layers):
        return
    if hidden < DEEP:
        return
    prior = min(0.85, 0.4 + 0.05 * (hidden - DEEP))
    evidence = f"{hidden} hidden layers follow one another without normalisation."
    yield Suspicion(
        CAUSE, prior, evidence,
        "Put keras.layers.BatchNormalization(momentum=0.9) after each hidden layer, and add what "
        "goes into a layer to what comes out (keras.layers.Add).",
        case.subject.edited(with_normalisation()))
    yield Suspicion(CAUSE, prior - SECOND, evidence, f"Take {FEW} hidden layers.",
                    case.subject.edited(without_layers(FEW)))
