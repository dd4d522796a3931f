"""Activations: none between layers, so that many are as good as one; or such that stand still.

Without a non-linear function between them, layers of weights are one. Sigmoid and tanh flatten away
from zero, and each layer of sigmoid shrinks the gradient to a quarter at most (Glorot & Bengio,
"Understanding the difficulty of training deep feedforward neural networks", 2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import activation_of, has_activation, is_weighted, kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "activation"
_SATURATING = {"sigmoid": 0.5, "hard_sigmoid": 0.5, "softmax": 0.8, "tanh": 0.2, "softsign": 0.2,
               "exponential": 0.8, "hard_tanh": 0.2}
_DROPPED = ("Dropout", "Flatten", "Pooling", "Normalization", "Padding", "Add", "Concatenate")


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect hidden layers without a function that bends, or with one that saturates."""
    layers = list(case.anatomy.layers)
    weighted = [place for place, one in enumerate(layers) if is_weighted(one)]
    hidden = weighted[:-1]
    if not hidden:
        return
    names = {place: _applied(layers, place, after) for place, after in
             zip(hidden, weighted[1:], strict=True)}
    straight = [place for place, name in names.items() if name == "linear"]
    saturating = [place for place, name in names.items() if name in _SATURATING]

    def change(place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        if place in straight or place in saturating:
            config = config | {"activation": "relu"}
            if "kernel_initializer" in config:
                config |= {"kernel_initializer": "he_normal"}
        elif kind(layer) == "Activation" and activation_of(layer) in _SATURATING and (
                place < weighted[-1]):
            config = config | {"activation": "relu"}
        return config

    remedy = case.subject.edited(with_layers(change))
    if len(straight) * 2 >= len(hidden):
        yield Suspicion(
            CAUSE, 0.4 + 0.4 * len(straight) / len(hidden),
            f"{len(straight)} of {len(hidden)} hidden layers have no activation: together they "
            "are one.", 'Give each hidden layer activation="relu".', remedy)
    elif saturating:
        worst = max(_SATURATING[names[place]] for place in saturating)
        kinds = ", ".join(sorted({names[place] for place in saturating}))
        deep = min(0.3, 0.1 * (len(saturating) - 1))
        yield Suspicion(
            CAUSE, min(0.9, worst + deep),
            f"{len(saturating)} of {len(hidden)} hidden layers have {kinds}, which stands still "
            "away from zero.", 'Use activation="relu" with kernel_initializer="he_normal".',
            remedy)


def _applied(layers: list[Any], place: int, until: int) -> str:
    """What is applied between two layers with weights."""
    found = [activation_of(one) for one in layers[place:until] if has_activation(one)]
    return next((one for one in found if one != "linear"), "linear")
