"""Dropout that leaves next to nothing, or weight penalties larger than what is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "regularisation"
MOST_DROPPED = 0.6
MOST_PENALTY = 0.02
_PENALTIES = ("kernel_regularizer", "bias_regularizer", "activity_regularizer")


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect dropout above 0.6 and penalties above 0.02."""
    found = []
    prior = 0.0
    for layer, one in zip(case.anatomy.names, case.anatomy.layers, strict=True):
        rate = float(getattr(one, "rate", 0.0) or 0.0) if "Dropout" in kind(one) else 0.0
        if rate > MOST_DROPPED:
            found.append(f"{layer} drops {100 * rate:.0f} %")
            prior = max(prior, 0.3 + 1.5 * (rate - MOST_DROPPED))
        for name in _PENALTIES:
            size = _penalty(getattr(one, name, None))
            if size > MOST_PENALTY:
                found.append(f"{layer} has a penalty of {size:g}")
                prior = max(prior, 0.5 if size < 10 * MOST_PENALTY else 0.75)
    if not found:
        return

    def change(_place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        config = config | {name: None for name in _PENALTIES if name in config}
        if "Dropout" in kind(layer):
            config |= {"rate": min(0.3, float(config["rate"]))}
        return config

    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 - a line
    yield Suspicion(CAUSE, min(0.9, prior), f"{', '.join(found[:3])}{more}.",
                    "Drop 30 % at most, and take penalties of 1e-4 or none.",
                    case.subject.edited(with_layers(change)))


def _penalty(regularizer: Any) -> float:
    return max((float(getattr(regularizer, name, 0.0) or 0.0) for name in ("l1", "l2")),
               default=0.0)
