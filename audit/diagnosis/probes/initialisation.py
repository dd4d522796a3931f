"""Weights that begin all alike, at zero, or at the wrong size.

Units that begin alike stay alike. A kernel that is k times He's or Glorot's makes activations, and
gradients, k to the number of layers times what they should be (Glorot & Bengio, 2010; He et al.,
"Delving deep into rectifiers", 2015).
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import is_weighted
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "initialisation"
TOO_LARGE, TOO_SMALL = 3.0, 1 / 3
"""Times He's. Glorot's for as many inputs as outputs is 0.7 of it, LeCun's as well; of a last layer
of few units Glorot's comes to 1."""


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect kernels that are constant, or far from the usual size."""
    layers = case.initial.layers
    alike = [one for one in layers if one.is_constant]
    large = [one for one in layers if not one.is_constant and one.spread > TOO_LARGE]
    small = [one for one in layers if not one.is_constant and one.spread < TOO_SMALL]
    if not alike and not large and not small:
        return
    if alike:
        prior, evidence = 0.95, (f"All units of {_named(alike)} begin alike, so they stay alike.")
    else:
        off = [*large, *small]
        worst = max(abs(log(one.spread)) for one in off)
        prior = min(0.85, 0.25 + 0.2 * worst) * (0.5 if case.anatomy.is_normalised else 1)
        ratio = max(off, key=lambda one: abs(log(one.spread))).spread
        evidence = (f"The weights of {_named(off)} begin at up to {ratio:.2g} times the size that "
                    "keeps activations as they are (He's).")

    def change(_place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        if is_weighted(layer) and "kernel_initializer" in config:
            config = config | {"kernel_initializer": "he_normal", "bias_initializer": "zeros"}
        return config

    yield Suspicion(
        CAUSE, prior, evidence,
        'Leave kernel_initializer out (Glorot\'s), or give "he_normal" before relu.',
        case.subject.edited(with_layers(change)))


def _named(layers: list[Any]) -> str:
    names = [one.name for one in layers]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004 - a line
