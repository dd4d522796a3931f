"""What the curves of a training say: no number, no movement, swings, not finished, overtrained.

Curves are those of `keras.callbacks.History`: a mean of each epoch, of the images learned from and
of images held out.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_EPOCHS = 4
"""Of fewer no shape can be told."""

MOVED = 0.03
"""Share of its first value that a loss must fall by to have moved."""

TWICE = 2.0
"""Times the share of right answers of one that knows nothing, which is beyond chance."""

GAINED = 0.02
"""Share of the loss that as many epochs again must be expected to take off to be worth it."""

OVERTRAINED = 0.1
"""Share that the loss of held-out images must end above its lowest value."""

RISES, ROSE = 0.3, 0.1
"""Share of the epochs in which the loss rises, and by which share of itself, to be swings."""

GAP = 0.15
"""Accuracy on images learned from minus that on others."""

RUNS_AWAY = 3.0
"""Times its lowest value."""

_FAULTS = {"no_number", "runs_away", "stands_still", "swings"}


@dataclass(frozen=True)
class Curves:
    """A training by epoch. All that is there is of one length, `(epochs,)`.

    Attributes:
        loss: of the images learned from; NaN where it was no number.
        held_out_loss: of others; empty if there were none.
        score: accuracy or another share of right answers, 0 to 1; empty if it was not measured.
        held_out_score: the same of held-out images.
        numbers: of the epochs, from 1 on, rising; empty where all are there.
        chance: loss of a model that knows nothing; NaN where that is not known.
    """

    loss: tuple[float, ...]
    held_out_loss: tuple[float, ...] = ()
    score: tuple[float, ...] = ()
    held_out_score: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()
    chance: float = float("nan")

    @property
    def epochs(self) -> NDArray[np.int64]:
        """Numbers of the epochs, `(epochs,)`."""
        return np.array(self.numbers or range(1, len(self.loss) + 1), np.int64)


@dataclass(frozen=True)
class Observation:
    """Something that curves say.

    Attributes:
        key: `no_number`, `runs_away`, `stands_still`, `swings`, `not_finished`, `overtrained`,
            `plateau`, `gap` or `nothing_held_out`.
        text: a sentence with its figures.
        fix: what to do, a sentence.
    """

    key: str
    text: str
    fix: str

    @property
    def is_fault(self) -> bool:
        """Whether it keeps the model from learning; the others are only good to know."""
        return self.key in _FAULTS


def read_history(path: Path) -> Curves:
    """Read `History.history` as JSON, or the table of `keras.callbacks.CSVLogger`.

    Raises:
        UsageError: it cannot be read, or has no losses.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            told = json.loads(text)
            columns = told.get("history", told)
        else:
            rows = list(csv.DictReader(text.splitlines()))
            columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
        return curves_of(columns)
    except UsageError as error:
        raise UsageError(f"--history {path}: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"--history {path} cannot be read ({' '.join(str(error).split())[:120]}). Give "
            "json.dump(history.history, file), the file of keras.callbacks.CSVLogger, or that of "
            "audit.training.Watch.") from error


def curves_of(columns: Mapping[str, Sequence[object]]) -> Curves:
    """Curves by the names Keras gives them: `loss`, `val_loss`, and the first accuracy.

    Raises:
        UsageError: there is no loss, or a column is of another length.
    """
    def numbers(name: str) -> tuple[float, ...]:
        return tuple(float(one) if one not in (None, "") else float("nan")  # type: ignore[arg-type]
                     for one in columns.get(name, ()))

    loss = numbers("loss")
    if not loss:
        raise UsageError(f'there is no "loss" in it (found: {", ".join(columns) or "nothing"}).')
    score = next((name for name in columns if not name.startswith("val_")
                  and ("acc" in name or "recall" in name)), "")
    held_out_loss, right, held_out_right = (
        _by_epoch(numbers(name), len(loss), name) for name in ("val_loss", score, f"val_{score}"))
    return Curves(loss, held_out_loss, right, held_out_right)


def _by_epoch(values: tuple[float, ...], epochs: int, name: str) -> tuple[float, ...]:
    """A value an epoch: those of `validation_freq` hold until the next.

    Raises:
        UsageError: there are as many as fit no frequency.
    """
    if not values or len(values) == epochs:
        return values
    every = epochs // len(values)
    if not every or epochs // every != len(values):
        raise UsageError(f'"loss" has {epochs} values and "{name}" {len(values)}.')
    return tuple(values[min(max(0, (epoch + 1) // every - 1), len(values) - 1)]
                 for epoch in range(epochs))


def observe(curves: Curves) -> list[Observation]:
    """What a training's curves say, faults first. A healthy one that is finished gives none."""
    loss = np.array(curves.loss, float)
    if not np.isfinite(loss).all() or not np.isfinite(np.array(curves.held_out_loss)).all():
        return [_no_number(loss, curves.epochs)]
    found = [*_of_training(loss, curves)]
    if len(loss) >= LEAST_EPOCHS:
        judged = np.array(curves.held_out_loss or curves.loss, float)
        if not found:
            found += _of_the_end(judged, curves.epochs, held_out=bool(curves.held_out_loss))
        found += _gap(curves)
    if not curves.held_out_loss and not curves.held_out_score:
        found.append(Observation(
            "nothing_held_out", "Nothing was held out: what it learned by heart cannot be "
            "told from what it understood.", "Give model.fit validation_data."))
    return found


def _no_number(loss: NDArray[np.float64], epochs: NDArray[np.int64]) -> Observation:
    bad = np.flatnonzero(~np.isfinite(loss))
    where = f"in epoch {epochs[bad[0]]}" if len(bad) else "on held-out images"
    return Observation("no_number", f"The loss was no number {where}.",
                       "Take a lower learning rate; see that no input is NaN and that the loss "
                       "gets what it wants (logits or probabilities).")


def _of_training(loss: NDArray[np.float64], curves: Curves) -> list[Observation]:
    count = int(curves.epochs[-1])
    if len(loss) > 1 and loss[-1] > RUNS_AWAY * max(loss.min(), 1e-12) and loss[-1] > loss[0]:
        return [Observation(
            "runs_away", f"The loss fell to {loss.min():.3g} and ended at {loss[-1]:.3g}.",
            "Take a lower learning rate.")]
    knows_nothing = loss[-1] > (1 - MOVED) * curves.chance and not (
        curves.score and curves.score[-1] > TWICE * np.exp(-curves.chance))
    if len(loss) >= LEAST_EPOCHS and (knows_nothing or loss.min() > (1 - MOVED) * loss[0]):
        return [Observation(
            "stands_still", f"In {count} epochs the loss went from {loss[0]:.3g} to no "
            f"less than {loss.min():.3g}" + (
                f"; a model that knows nothing has {curves.chance:.3g}." if knows_nothing else "."),
            "It does not learn: the learning rate, the first weights, the activations or the loss "
            "keep it.")]
    if len(loss) >= LEAST_EPOCHS:
        rises = np.mean(loss[1:] > (1 + ROSE) * loss[:-1])
        if rises >= RISES:
            return [Observation(
                "swings", f"In {100 * rises:.0f} % of the epochs the loss rose by more than "
                f"{100 * ROSE:.0f} %.", "Take a lower learning rate or larger batches.")]
    return []


def _of_the_end(loss: NDArray[np.float64], epochs: NDArray[np.int64], *, held_out: bool,
                ) -> list[Observation]:
    best = int(loss.argmin())
    last = len(loss) - 1
    if held_out and loss[last] > (1 + OVERTRAINED) * loss[best] and best < last:
        return [Observation(
            "overtrained", f"The loss of held-out images was lowest in epoch {epochs[best]} "
            f"({loss[best]:.3g}) and ended at {loss[last]:.3g}.",
            "Use keras.callbacks.EarlyStopping(restore_best_weights=True).")]
    gain = extrapolated_gain(loss, epochs)
    if gain > GAINED:
        return [Observation(
            "not_finished", f"It still got better at the end: as many epochs again would "
            f"take about {100 * gain:.0f} % off the loss{' of held-out images' * held_out}.",
            f"Train for {2 * epochs[-1]} epochs or more, with early stopping.")]
    flat = int(np.argmax(loss <= loss.min() + 0.01 * (loss[0] - loss.min())))
    if epochs[flat] < epochs[-1] // 2:
        return [Observation(
            "plateau", f"Since epoch {epochs[flat]} of {epochs[-1]} next to nothing was gained.",
            "More epochs bring nothing; a lower learning rate from there on may.")]
    return []


def extrapolated_gain(loss: NDArray[np.float64], epochs: NDArray[np.int64] | None = None) -> float:
    """Share that as many epochs again are expected to take off the loss; 0 if it is not falling.

    By least squares of a + b t^-c and a + b c^t on the second half, the least gain of three
    exponents and of the best exponential being taken, and none where the fall is not larger than
    what is left beside the curve
    (Domhan et al., "Speeding up automatic hyperparameter optimization by extrapolation of learning
    curves", 2015, who use such curves).
    """
    count = len(loss)
    if count < LEAST_EPOCHS or not np.isfinite(loss).all() or loss[-1] <= 0:
        return 0.0
    numbers = np.arange(1, count + 1) if epochs is None else epochs
    later = numbers[count // 2 - 1:].astype(float)
    seen = loss[count // 2 - 1:]
    gains = [_gain(later ** -exponent, (2 * later[-1]) ** -exponent, seen)[1]
             for exponent in (0.5, 1.0, 2.0)]
    # An exponential too, of the rate that fits best: most trainings end in one.
    gains.append(min(_gain(kept ** (later - later[0]), kept ** (2 * later[-1] - later[0]), seen)
                     for kept in 1 - np.geomspace(0.01, 0.7, 30))[1])
    return min(1.0, max(0.0, min(gains)))


def _gain(base: NDArray[np.float64], ahead: float, seen: NDArray[np.float64],
          ) -> tuple[float, float]:
    """What a fit of a + b base leaves, and the share that it takes off the loss further on."""
    slope, level = np.polyfit(base, seen, 1)
    rest = float(np.std(seen - (level + slope * base)))
    if not slope * (base[0] - base[-1]) > 2 * rest:
        return rest, 0.0
    return rest, float(slope * (base[-1] - ahead) / seen[-1])


def _gap(curves: Curves) -> list[Observation]:
    if not curves.score or not curves.held_out_score:
        return []
    gap = curves.score[-1] - curves.held_out_score[-1]
    if not gap > GAP:
        return []
    return [Observation(
        "gap", f"It tells {100 * curves.score[-1]:.0f} % of the images it learned from, and "
        f"{100 * curves.held_out_score[-1]:.0f} % of others.",
        "More images, augmentation, dropout, or a pretrained network.")]
