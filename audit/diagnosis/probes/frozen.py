"""Layers that are frozen, though nothing was learned into them before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "frozen"


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect frozen layers with weights."""
    layers = case.initial.layers
    frozen = [one for one in layers if not one.is_trainable]
    if not frozen:
        return

    def change(_place: int, _layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"trainable": True}

    yield Suspicion(
        CAUSE, 0.5 + 0.4 * len(frozen) / len(layers),
        f"{len(frozen)} of {len(layers)} layers with weights are frozen (trainable=False).",
        "Set trainable=True, unless the layers hold weights that were learned on other images.",
        case.subject.edited(with_layers(change)))
