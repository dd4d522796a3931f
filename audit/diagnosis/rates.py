"""The learning-rate range test on the user's model, with the user's optimizer and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.dataset import shape_inputs
from audit.diagnosis.edits import with_rate
from audit.diagnosis.experiment import targets_of
from audit.keras_runtime import seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

LOWEST, HIGHEST, TRIED = 1e-6, 10.0, 140
BEGINNING = 20
"""Rates at the lower end, too low to learn by: the median of their losses is where it begins."""

BEYOND_NOISE = 4.0
"""Standard deviations of the losses at the beginning, that the fall must be larger than."""

FALLEN, SHARE = 0.02, 0.5
"""Least share that the loss must fall by, and the share of its fall at which the rate is taken:
that of the lowest loss, or a tenth of it, hangs on where smoothing and luck put the minimum. On 10
networks that learn well it lay within a factor 6 of their own rates, a fifth of that of the minimum
within 26."""

SMOOTHING = 0.85
DIVERGED = 3.0

USUAL = {
    "Adam": (2e-4, 5e-3), "AdamW": (2e-4, 5e-3), "Nadam": (2e-4, 5e-3), "Adamax": (3e-4, 1e-2),
    "RMSprop": (1e-4, 3e-3), "SGD": (3e-3, 0.3), "Adagrad": (3e-3, 0.3), "Adadelta": (0.1, 2.0),
    "Ftrl": (3e-3, 0.3), "Lion": (2e-5, 1e-3)}
"""From and to: the defaults of Keras and of the papers, with room to both sides."""

DEFAULT = {"Adam": 1e-3, "AdamW": 1e-3, "Nadam": 1e-3, "Adamax": 2e-3, "RMSprop": 5e-4,
           "SGD": 0.02, "Adagrad": 0.05, "Adadelta": 1.0, "Ftrl": 0.05, "Lion": 1e-4}

ANY = (1e-4, 0.1)
"""The same of another optimizer."""


@dataclass(frozen=True)
class RateTest:
    """Smoothed loss by learning rate.

    `rates` and `losses` are of one length, rates ascending; `own` is the user's. What is
    recommended lies within the usual rates of the optimizer: where the loss stands still at first,
    a sweep ends before it has begun to learn, and only the highest rates show.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    recommended: float
    own: float


def find_rates(subject: Subject, images: Images, seed: int,
               advance: Callable[[int], None] = lambda _: None) -> RateTest | None:
    """Raise the learning rate from update to update, and see where the loss falls and rises.

    Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.

    Returns:
        None where the loss never falls, or the model cannot be trained at all.
    """
    try:
        model = subject.edited(with_rate(LOWEST)).build(seed)
        about = anatomy(model)
        own = anatomy(subject.build(seed)).rate
        low, high = USUAL.get(about.optimizer, ANY)
        random = np.random.default_rng(seed)
        size = min(max(16, subject.regime.batch_size), 64, len(images.learned))
        rates = np.geomspace(LOWEST, HIGHEST, TRIED)
        seed_everything(seed)
        found: list[float] = []
        smoothed = 0.0
        for number, rate in enumerate(rates):
            rows = random.choice(images.learned, size, replace=False)
            model.optimizer.learning_rate = float(rate)
            loss = float(np.asarray(model.train_on_batch(
                shape_inputs(images.pictures[rows], model, subject.regime.scale),
                targets_of(images.labels[rows], about.encoding, about.units))).ravel()[0])
            advance(1)
            smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * loss
            found.append(smoothed / (1 - SMOOTHING ** (number + 1)))
            if not np.isfinite(loss) or found[-1] > DIVERGED * min(found):
                break
    except Exception:  # noqa: BLE001 - what a model raises is told by its training
        return None
    finite = np.nan_to_num(found, nan=np.inf)
    begin = float(np.median(finite[:BEGINNING]))
    lowest = float(finite[BEGINNING:].min(initial=np.inf))
    least = max(FALLEN * begin, BEYOND_NOISE * float(np.std(finite[BEGINNING // 2:BEGINNING])))
    if not np.isfinite(begin) or not begin - lowest > least:
        return None
    fell = np.flatnonzero(finite[BEGINNING:] <= begin - SHARE * (begin - lowest))[0] + BEGINNING
    return RateTest(tuple(rates[:len(found)].tolist()), tuple(finite.tolist()),
                    float(min(max(rates[fell], low), high)), own)
