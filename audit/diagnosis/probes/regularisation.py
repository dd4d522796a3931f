"""Dropout that leaves next to nothing, penalties and bounds of the weights that hold them down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers, with_optimizer

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "regularisation"
MOST_DROPPED = 0.6
MOST_PENALTY = 0.02
MOST_DECAY, USUAL_DECAY = 0.1, 1e-4
"""Keras' AdamW takes 0.004, its authors 0.01 to 0.1 at most (Loshchilov & Hutter, 2019)."""

_PENALTIES = ("kernel_regularizer", "bias_regularizer", "activity_regularizer")
_HOLDING = (*_PENALTIES, "kernel_constraint", "bias_constraint")


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect dropout above 0.6, penalties above 0.02, bounds of weights, and strong decay."""
    found = [*_of_layers(case), *_of_optimizer(case)]
    if not found:
        return

    def change(_place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        config = config | {name: None for name in _HOLDING if name in config}
        if "Dropout" in kind(layer):
            config |= {"rate": min(0.3, float(config["rate"]))}
        return config

    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 - a line
    yield Suspicion(
        CAUSE, min(0.9, max(prior for prior, _ in found)),
        f"{', '.join(words for _, words in found[:3])}{more}.",
        "Drop 30 % at most, take penalties and weight_decay of 1e-4 or none, and bind no weights.",
        case.subject.edited(with_optimizer(_decay_less), with_layers(change)))


def _of_layers(case: Case) -> Iterator[tuple[float, str]]:
    """How strongly each is suspected, and what of it."""
    for layer, one in zip(case.anatomy.names, case.anatomy.layers, strict=True):
        rate = float(getattr(one, "rate", 0.0) or 0.0) if "Dropout" in kind(one) else 0.0
        if rate > MOST_DROPPED:
            yield 0.3 + 1.5 * (rate - MOST_DROPPED), f"{layer} drops {100 * rate:.0f} %"
        for name in _PENALTIES:
            size = _penalty(getattr(one, name, None))
            if size > MOST_PENALTY:
                yield (0.5 if size < 10 * MOST_PENALTY else 0.75,
                       f"{layer} has a penalty of {size:g}")
        bound = getattr(one, "kernel_constraint", None)
        if bound is not None:
            yield 0.45, f"the weights of {layer} are bound by {kind(bound)}"


def _of_optimizer(case: Case) -> Iterator[tuple[float, str]]:
    decay = _decay(case.subject.build(0).optimizer)
    if decay > MOST_DECAY:
        yield (0.5 if decay < 10 * MOST_DECAY else 0.75,
               f"{case.anatomy.optimizer} takes weight_decay={decay:g}")


def _decay(optimizer: Any) -> float:
    return float(getattr(optimizer, "weight_decay", None) or 0.0)


def _decay_less(optimizer: Any) -> Any:
    config = optimizer.get_config()
    if _decay(optimizer) > MOST_DECAY:
        config |= {"weight_decay": USUAL_DECAY}
    return type(optimizer).from_config(config)


def _penalty(regularizer: Any) -> float:
    return max((float(getattr(regularizer, name, 0.0) or 0.0) for name in ("l1", "l2")),
               default=0.0)
