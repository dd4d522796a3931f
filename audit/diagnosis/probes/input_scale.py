"""The pictures reach the first weights in another range than these are made for.

Initialisations count on inputs of about unit size. 0 to 255 makes the first steps a hundred times
too large; scaled twice, they are a hundredth. Models of `keras.applications` such as EfficientNet
scale inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import is_weighted, kind
from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "input_scale"
LEAST_SPREAD = 0.12
"""From the lowest to the highest input; pictures of 0 to 1 have 1."""

TOO_LARGE, TOO_SMALL = 8.0, 0.06
"""Largest input after scaling. Pictures standardised by mean and deviation reach about 3."""


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect inputs that are far from unit size, or scaled until all are alike."""
    yield from _scaled_again(case)
    largest = max(abs(case.initial.lowest), abs(case.initial.highest))
    if not largest or TOO_SMALL <= largest <= TOO_LARGE:
        return
    first = next((place for place, one in enumerate(case.anatomy.layers) if is_weighted(one)), 0)
    normalised = any("Normalization" in kind(one) for one in case.anatomy.layers[:first + 2])
    prior = 0.15 if normalised else 0.6
    scale = case.subject.regime.scale / largest
    advice = ("Put keras.layers.Rescaling(1/255) first in the model, for training and use alike."
              if largest > 1 else "Scale the pictures once: take one of the two scalings out.")
    yield Suspicion(
        CAUSE, prior,
        f"The first weights get values up to {largest:.3g}; they are made for about 1.", advice,
        case.subject.edited(scale=scale))


def _scaled_again(case: Case) -> Iterator[Suspicion]:
    """Layers that scale what an earlier one has scaled."""
    places = [place for place, one in enumerate(case.anatomy.layers) if kind(one) == "Rescaling"]
    spread = case.initial.highest - case.initial.lowest
    if len(places) < 2 or not 0 < spread < LEAST_SPREAD:  # noqa: PLR2004 - once and again
        return

    def change(place: int, _layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"scale": 1.0, "offset": 0.0} if place in places[1:] else config

    yield Suspicion(
        CAUSE, 0.8,
        f"{len(places)} layers scale the pictures one after the other: the first weights get "
        f"values from {case.initial.lowest:.3g} to {case.initial.highest:.3g}, all but alike.",
        "Keep one Rescaling layer.", case.subject.edited(with_layers(change)))
