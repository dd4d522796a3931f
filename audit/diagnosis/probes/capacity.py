"""A model that is too small: a layer so narrow that what the classes are told by does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import is_weighted
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "capacity"
NARROW = 4
LEAST = 64
_WIDTHS = ("units", "filters")


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect narrow hidden layers, few parameters, or images learned no better than others."""
    if case.anatomy.last is None:
        return
    hidden = case.anatomy.weighted[:-1]
    widths = [int(one.kernel.shape[-1]) for one in hidden if "Depthwise" not in type(one).__name__]
    last = max(place for place, one in enumerate(case.anatomy.layers) if is_weighted(one))
    narrow = [one for one in widths if one <= max(NARROW, len(case.images.classes) // 3)]
    few = case.anatomy.parameters < 100 * len(case.images.classes)
    if not narrow and not few and widths:
        return

    def change(place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        if is_weighted(layer) and place != last:
            for name in _WIDTHS:
                if name in config:
                    config = config | {name: max(LEAST, 8 * int(config[name]))}
        return config

    evidence = (f"A hidden layer has {min(narrow)} units for {len(case.images.classes)} classes."
                if narrow else f"The model has {case.anatomy.parameters:,} numbers to learn.")
    yield Suspicion(CAUSE, 0.6 if narrow else 0.5, evidence,
                    f"Give each hidden layer {LEAST} units or filters, or more.",
                    case.subject.edited(with_layers(change)))
