"""Many layers in a row, and nothing that keeps what passes through at its size.

Without normalisation or paths around, gradients of deep models vanish or explode (He et al., "Deep
residual learning", 2016; Ioffe & Szegedy, 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.anatomy import kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_normalisation

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "depth"
DEEP = 7


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect seven hidden layers or more without normalisation and without paths around."""
    layers = case.anatomy.layers
    hidden = len(case.anatomy.weighted) - 1
    if case.anatomy.is_normalised or any(kind(one) in {"Add", "Concatenate"} for one in layers):
        return
    if hidden < DEEP:
        return
    yield Suspicion(
        CAUSE, min(0.85, 0.4 + 0.05 * (hidden - DEEP)),
        f"{hidden} hidden layers follow one another without normalisation.",
        "Put keras.layers.BatchNormalization() after each hidden layer, or take fewer.",
        case.subject.edited(with_normalisation()))
