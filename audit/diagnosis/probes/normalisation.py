"""Batch normalisation whose averages have not arrived: it trains well, and tells nothing.

In use it takes running averages, which follow at 1 - momentum an update; with Keras' 0.99 a tenth
of what they began with is left after 230 updates (Ioffe & Szegedy, "Batch normalization", 2015).
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.anatomy import kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "normalisation"
QUICK_MOMENTUM = 0.9
LEFT = 0.05
"""Of what the averages began with: below it they have arrived."""

LEARNED = 0.7
"""Of the loss of a model that knows nothing: below it a training has learned something."""


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect slow averages where a training that went well tells its own images badly."""
    momentum = max((float(one.momentum) for one in case.anatomy.layers
                    if kind(one) == "BatchNormalization"), default=0.0)
    seen = case.as_it_is
    if momentum <= QUICK_MOMENTUM or not seen.epochs or momentum ** seen.updates < LEFT:
        return

    def change(_place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"momentum": QUICK_MOMENTUM} if kind(
            layer) == "BatchNormalization" else config

    learns = seen.epochs[-1].loss < LEARNED * log(max(2, len(case.images.classes)))
    tells = seen.learned > case.images.chance + 0.5 * (1 - case.images.chance)
    left = f"{100 * momentum ** seen.updates:.0f} %"
    yield Suspicion(
        CAUSE, 0.8 if learns and not tells else 0.15,
        f"The averages of BatchNormalization (momentum {momentum:g}) still hold {left} of what "
        f"they began with after {seen.updates:,} updates" + (
            f": the loss fell to {seen.epochs[-1].loss:.2g}, and it tells "
            f"{100 * seen.learned:.0f} % of its own images." if np.isfinite(seen.learned) else "."),
        f"Use BatchNormalization(momentum={QUICK_MOMENTUM}), or train for more updates.",
        case.subject.edited(with_layers(change)))
