"""What else would do: other optimizers at their best rates, the model half and twice as wide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import anatomy, is_weighted
from audit.diagnosis.edits import with_layers, with_optimizer
from audit.diagnosis.experiment import Limits, Training, train
from audit.diagnosis.rates import LOWEST, find_rates
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audit.diagnosis.anatomy import Anatomy
    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

USUAL = {"SGD with momentum": 0.02, "Adam": 1e-3, "RMSprop": 5e-4}
"""Compared, and the rate where a range test finds none."""

SIZES = {"half as wide": 0.5, "twice as wide": 2.0}
_WIDTHS = ("units", "filters")


@dataclass(frozen=True)
class Alternative:
    """The user's model with one thing changed.

    Attributes:
        what: was changed.
        rate: learning rate it was trained with; None where it is the user's.
        parameters: numbers of the model.
        training: what came of it.
    """

    what: str
    rate: float | None
    parameters: int
    training: Training


def optimizers(subject: Subject, images: Images, seed: int, limits: Limits,
               advance: Callable[[int], None]) -> Iterator[Alternative]:
    """SGD with momentum, Adam and RMSprop, each at the rate that its own range test recommends.

    Schmidt et al., "Descending through a crowded valley", 2021: an optimizer is compared at its
    best rate, or the rate is compared.
    """
    count = anatomy(subject.build(seed)).parameters
    for name, usual in USUAL.items():
        rates = find_rates(subject.edited(_with(name, LOWEST)), images, seed)
        rate = usual if rates is None else rates.recommended
        yield Alternative(name, rate, count, train(
            subject.edited(_with(name, rate)), images, seed, limits, advance))


def _with(name: str, rate: float) -> Callable[[Any], Any]:
    keras = load_keras().optimizers
    if name == "SGD with momentum":
        return with_optimizer(lambda _: keras.SGD(rate, momentum=0.9))
    return with_optimizer(lambda _: getattr(keras, name)(rate))


def sizes(subject: Subject, images: Images, seed: int, limits: Limits,
          advance: Callable[[int], None]) -> Iterator[Alternative]:
    """The model with all hidden layers half as wide, and twice."""
    about = anatomy(subject.build(seed))
    for what, factor in SIZES.items():
        other = subject.edited(with_layers(_times(about, factor)))
        trained = train(other, images, seed, limits, advance)
        if trained.failure:
            yield Alternative(what, None, 0, replace(trained, recall=images.chance))
            continue
        yield Alternative(what, None, anatomy(other.build(seed)).parameters, trained)


def _times(about: Anatomy, factor: float) -> Callable[[int, Any, dict[str, Any]], dict[str, Any]]:
    last = max((place for place, one in enumerate(about.layers) if is_weighted(one)), default=-1)

    def change(place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        if is_weighted(layer) and place != last:
            for name in _WIDTHS:
                if name in config:
                    config = config | {name: max(1, round(factor * int(config[name])))}
        return config

    return change
