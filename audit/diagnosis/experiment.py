"""One training of a model, watched: how far it gets on images that it has not learned from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.curves import Curves
from audit.diagnosis.anatomy import BINARY, INTEGERS, anatomy
from audit.diagnosis.dataset import shape_inputs
from audit.errors import in_one_line
from audit.keras_runtime import load_keras, seed_everything
from audit.mean_recall import mean_recall

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

KEPT = 3
"""Last epochs of which the best counts, as whoever keeps the best of them has it: one epoch alone
swings by several points."""

MOST_JUDGED_AT = 20
"""Epochs after which a training is judged: of few images there are many, and judging takes longer
than learning."""

_MOST_WATCHED = 600
_PREDICTED_AT_ONCE = 256


@dataclass(frozen=True)
class Limits:
    """When a training is ended before its epochs are over: after so many updates, or seconds."""

    updates: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """Where a training stood.

    Attributes:
        number: from 1 on; of many epochs not all are kept.
        updates: done by then.
        loss: mean of the epoch, of the images learned from; not finite where it diverged.
        held_out_loss: of the images judged by.
        recall: mean recall of the classes on these.
    """

    number: int
    updates: int
    loss: float
    held_out_loss: float
    recall: float


@dataclass(frozen=True)
class Training:
    """What came of a training.

    Attributes:
        epochs: in their order.
        recall: mean recall of the classes on the images judged by, the best of the last `KEPT`
            epochs; chance if it failed.
        learned: the same on images learned from.
        failure: what Keras raised, in one line; empty if nothing.
        was_cut: ended by the limits before its own end.
        seconds: that it took.
    """

    epochs: tuple[Epoch, ...]
    recall: float
    learned: float
    failure: str = ""
    was_cut: bool = False
    seconds: float = 0.0

    @property
    def updates(self) -> int:
        """Updates done."""
        return self.epochs[-1].updates if self.epochs else 0

    @property
    def curves(self) -> Curves:
        """Its curves by epoch; no loss of held-out images where one of them was no number."""
        held_out = tuple(one.held_out_loss for one in self.epochs)
        return Curves(tuple(one.loss for one in self.epochs),
                      held_out if np.isfinite(held_out).all() else (),
                      held_out_score=tuple(one.recall for one in self.epochs),
                      numbers=tuple(one.number for one in self.epochs))

    @property
    def has_diverged(self) -> bool:
        """Whether the loss was no number, or ended far above where it began."""
        losses = [one.loss for one in self.epochs]
        return any(not np.isfinite(one) for one in losses) or (
            len(losses) > 1 and losses[-1] > 3 * min(losses) and losses[-1] > losses[0])

    @property
    def is_improving(self) -> bool:
        """Whether it still got better at the end: of the last third of the epochs, in the loss."""
        losses = [one.loss for one in self.epochs]
        if len(losses) < 3:  # noqa: PLR2004 - of fewer epochs there is no third; they are few
            return not self.has_diverged
        third = losses[-max(1, len(losses) // 3) - 1]
        return bool(np.isfinite(losses[-1]) and losses[-1] < 0.95 * third)


def targets_of(labels: NDArray[np.int64], encoding: str, units: int) -> NDArray[np.generic]:
    """Labels as a loss takes them: `(n,)` integers, `(n, units)` ones and zeros, or `(n, 1)`."""
    if encoding == INTEGERS:
        return labels
    if encoding == BINARY:
        return labels.astype(np.float32)[:, None]
    found = np.zeros((len(labels), units), np.float32)
    known = labels < units
    found[np.flatnonzero(known), labels[known]] = 1
    return found


def predicted(scores: NDArray[np.floating], last_activation: str, classes: int,
              ) -> NDArray[np.int64]:
    """The class of each row of scores; a single score is compared with the middle of its range."""
    if scores.shape[1] > 1:
        found = np.nan_to_num(scores[:, :max(classes, 1)], nan=-np.inf).argmax(axis=1)
    else:
        one = np.nan_to_num(scores[:, 0])
        middle = 0.5 if last_activation == "sigmoid" else 0.0
        found = np.clip(np.rint(one), 0, classes - 1) if classes > 2 else one > middle  # noqa: PLR2004
    return np.asarray(found, np.int64)


def planned(subject: Subject, images: Images, limits: Limits) -> int:
    """Updates that a training makes if it is not ended for its time."""
    batches = -(-len(images.learned) // subject.regime.batch_size)
    return min(limits.updates, batches * subject.regime.epochs)


def train(subject: Subject, images: Images, seed: int, limits: Limits,
          advance: Callable[[int], None] = lambda _: None) -> Training:
    """Train a model as its regime says, within limits.

    What Keras raises is no error here, but what came of it.

    Args:
        subject: what is trained; built anew.
        images: to learn from and to judge by.
        seed: of its weights and of the order of the images.
        limits: for updates and seconds.
        advance: told of each update, with 1.
    """
    begun = time.perf_counter()
    try:
        return _train(subject, images, seed, limits, begun, advance)
    except Exception as error:  # noqa: BLE001 - whatever a model raises when it is trained
        return Training((), images.chance, images.chance, in_one_line(error),
                        seconds=time.perf_counter() - begun)


def _train(subject: Subject, images: Images, seed: int, limits: Limits, begun: float,
           advance: Callable[[int], None]) -> Training:
    keras = load_keras()
    model = subject.build(seed)
    regime = subject.regime
    about = anatomy(model)
    inputs = shape_inputs(images.pictures, model, regime.scale)
    targets = targets_of(images.labels[images.learned], about.encoding, about.units)
    random = np.random.default_rng(seed)
    watched = np.sort(random.permutation(images.learned)[:_MOST_WATCHED])
    history: list[Epoch] = []
    done = [0, False]
    step = -(-regime.epochs // MOST_JUDGED_AT)

    def scores(rows: NDArray[np.int64]) -> NDArray[np.floating]:
        return np.concatenate([
            model.predict_on_batch(inputs[rows[start:start + _PREDICTED_AT_ONCE]])
            for start in range(0, len(rows), _PREDICTED_AT_ONCE)])

    def recall(rows: NDArray[np.int64], given: NDArray[np.floating]) -> float:
        told = predicted(given, about.last_activation, len(images.classes))
        return mean_recall(images.labels[rows], told == images.labels[rows])

    def judged(number: int, updates: int, loss: float) -> Epoch:
        rows = images.judged
        if not len(rows):
            return Epoch(number, updates, loss, np.nan, images.chance)
        given = scores(rows)
        wanted = targets_of(images.labels[rows], about.encoding, about.units)
        return Epoch(number, updates, loss, _loss_of(model, inputs[rows], wanted, given),
                     recall(rows, given))

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Looks after each epoch, and ends what takes too long."""

        def on_train_batch_end(self, _batch: int, logs: object = None) -> None:  # noqa: ARG002
            done[0] += 1
            advance(1)
            if done[0] >= limits.updates or time.perf_counter() - begun > limits.seconds:
                done[1] = True
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            loss = float((logs or {}).get("loss", np.nan))
            if not np.isfinite(loss):
                self.model.stop_training = True
            if self.model.stop_training or epoch >= regime.epochs - KEPT or epoch % step == 0:
                history.append(judged(epoch + 1, done[0], loss))

    seed_everything(seed)
    model.fit(inputs[images.learned], targets, batch_size=min(regime.batch_size, len(targets)),
              epochs=regime.epochs, class_weight=regime.class_weight, verbose=0,
              callbacks=[Watcher()])
    own = history[-1].number >= regime.epochs
    return Training(tuple(history), max(one.recall for one in history[-KEPT:]),
                    recall(watched, scores(watched)), was_cut=bool(done[1]) and not own,
                    seconds=time.perf_counter() - begun)


def _loss_of(model: Any, inputs: NDArray[np.float32], targets: NDArray[np.generic],
             scores: NDArray[np.floating]) -> float:
    """The model's loss of scores that it gave; NaN if it computes its own another way."""
    keras = load_keras()
    try:
        return float(model.compute_loss(
            x=inputs, y=keras.ops.convert_to_tensor(targets),
            y_pred=keras.ops.convert_to_tensor(scores), training=False))
    except Exception:  # noqa: BLE001 - a method of the user's; its training goes on
        return float("nan")
