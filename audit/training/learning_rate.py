"""Which learning rate suits a network and its data: the range test, and the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.keras_runtime import load_keras, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from audit.training.settings import TrainingSettings

RANGE = {"adamw": (1e-5, 1e-1), "adam": (1e-5, 1e-1), "sgd": (1e-4, 10.0)}
"""Rates tried, by optimizer."""

TRIED = 60
"""Updates of a range test, each at a higher rate than the one before."""

DIVERGED = 3.0
"""Times the lowest loss, at which the test ends."""

SMOOTHING = 0.9
"""Of the loss from update to update."""

BELOW_LOWEST = 10.0
"""The rate recommended is that of the lowest loss divided by this, as is usual."""

AVERAGED_OVER, AVERAGED_SHARE = 100, 0.1
"""Updates, at most, and share of a training, over which weights are averaged."""

WARM_UP = 0.1
"""Share of the updates in which the rate rises, before it falls by a cosine."""


@dataclass(frozen=True)
class RangeTest:
    """Smoothed loss by learning rate, and the rate recommended.

    `rates` and `losses` are of the same length, rates ascending.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    recommended: float


def find_range(network: Any, batches: Iterable[Any], loss: Callable[[Any, Any], Any],
               settings: TrainingSettings, seed: int,
               advance: Callable[[int], None] = lambda _: None) -> RangeTest:
    """Raise the learning rate from update to update, and see where the loss falls and rises.

    Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. The network
    is left as it was.

    Args:
        network: to be trained.
        batches: at least `TRIED` of pictures, labels and weights.
        loss: of labels and logits.
        settings: the optimizer.
        seed: of what is random in the network.
        advance: told of updates done, `TRIED` in all.
    """
    beginning = [variable.numpy() for variable in network.variables]
    low, high = RANGE[settings.optimizer]
    rates = np.geomspace(low, high, TRIED)
    seed_everything(seed)
    network.compile(make_optimizer(settings, low), loss)
    found: list[float] = []
    smoothed = 0.0
    for number, (pictures, labels, weights) in zip(range(TRIED), batches, strict=False):
        network.optimizer.learning_rate = float(rates[number])
        now = float(network.train_on_batch(pictures, labels, weights))
        advance(1)
        smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * now
        found.append(smoothed / (1 - SMOOTHING ** (number + 1)))
        if not np.isfinite(now) or found[-1] > DIVERGED * min(found):
            advance(TRIED - number - 1)
            break
    for variable, value in zip(network.variables, beginning, strict=True):
        variable.assign(value)
    finite = np.nan_to_num(found, nan=np.inf)
    recommended = float(rates[int(finite.argmin())] / BELOW_LOWEST)
    return RangeTest(tuple(rates[:len(found)].tolist()), tuple(finite.tolist()),
                     max(recommended, low))


def make_optimizer(settings: TrainingSettings, rate: Any, average_over: int = 0) -> Any:
    """An optimizer at a rate, or a schedule of rates.

    Args:
        settings: which.
        rate: of learning.
        average_over: updates over which it averages the weights beside the last ones; 0 for none.
    """
    optimizers = load_keras().optimizers
    average = {"use_ema": True, "ema_momentum": 1 - 1 / average_over} if average_over else {}
    if settings.optimizer == "adamw":
        return optimizers.AdamW(rate, weight_decay=settings.weight_decay, **average)
    if settings.optimizer == "adam":
        return optimizers.Adam(rate, **average)
    return optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)


def averaged_over(updates: int) -> int:
    """Updates over which weights are averaged, in a training of so many.

    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992; as an
    exponential moving average, usual since Szegedy et al., 2016. What is validated and kept is the
    average: in the middle of a schedule, where a training on wrong labels is at its best, the last
    weights are noisier by several points of accuracy.
    """
    return max(1, min(AVERAGED_OVER, round(AVERAGED_SHARE * updates)))


def warm_up_and_cosine(highest: float, updates: int) -> Any:
    """Up in the first tenth of the updates, then to 0 by a cosine (Loshchilov & Hutter, 2017)."""
    warm_up = max(1, round(WARM_UP * updates))
    return load_keras().optimizers.schedules.CosineDecay(
        0.0, max(1, updates - warm_up), warmup_target=highest, warmup_steps=warm_up)
