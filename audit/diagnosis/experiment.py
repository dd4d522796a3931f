"""One training of a model, watched: how far it gets on images that it has not learned from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.anatomy import BINARY, INTEGERS, anatomy
from audit.diagnosis.dataset import shape_inputs
from audit.keras_runtime import load_keras, seed_everything
from audit.mean_recall import mean_recall

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

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
        updates: done by then.
        loss: mean of the epoch, of the images learned from; not finite where it diverged.
        recall: mean recall of the classes on the images judged by.
    """

    updates: int
    loss: float
    recall: float


@dataclass(frozen=True)
class Training:
    """What came of a training.

    Attributes:
        epochs: in their order.
        recall: mean recall of the classes on the images judged by, at the end; chance if it failed.
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


def train(subject: Subject, images: Images, seed: int, limits: Limits,
          advance: Callable[[float], None] = lambda _: None) -> Training:
    """Train a model as its regime says, within limits.

    What Keras raises is no error here, but what came of it.

    Args:
        subject: what is trained; built anew.
        images: to learn from and to judge by.
        seed: of its weights and of the order of the images.
        limits: for updates and seconds.
        advance: told of the share of the training done, 0 to 1.
    """
    begun = time.perf_counter()
    try:
        return _train(subject, images, seed, limits, begun, advance)
    except Exception as error:  # noqa: BLE001 - whatever a model raises when it is trained
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Training((), images.chance, images.chance, reason,
                        seconds=time.perf_counter() - begun)


def _train(subject: Subject, images: Images, seed: int, limits: Limits, begun: float,
           advance: Callable[[float], None]) -> Training:
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

    def recall(rows: NDArray[np.int64]) -> float:
        if not len(rows):
            return images.chance
        scores = np.concatenate([
            model.predict_on_batch(inputs[rows[start:start + _PREDICTED_AT_ONCE]])
            for start in range(0, len(rows), _PREDICTED_AT_ONCE)])
        told = predicted(scores, about.last_activation, len(images.classes))
        return mean_recall(images.labels[rows], told == images.labels[rows])

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Looks after each epoch, and ends what takes too long."""

        def on_train_batch_end(self, _batch: int, logs: object = None) -> None:  # noqa: ARG002
            done[0] += 1
            if done[0] >= limits.updates or time.perf_counter() - begun > limits.seconds:
                done[1] = True
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            loss = float((logs or {}).get("loss", np.nan))
            history.append(Epoch(done[0], loss, recall(images.judged)))
            advance(min(1.0, (epoch + 1) / regime.epochs))
            if not np.isfinite(loss):
                self.model.stop_training = True

    seed_everything(seed)
    model.fit(inputs[images.learned], targets, batch_size=min(regime.batch_size, len(targets)),
              epochs=regime.epochs, class_weight=regime.class_weight, verbose=0,
              callbacks=[Watcher()])
    own = len(history) >= regime.epochs
    return Training(tuple(history), history[-1].recall, recall(watched),
                    was_cut=bool(done[1]) and not own, seconds=time.perf_counter() - begun)
