"""One training: the best epoch of a network on some examples, resumable after each epoch."""

from __future__ import annotations

import csv
import io
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.keras_runtime import load_keras, seed_everything
from audit.rundir import RunDir
from audit.training.checkpoint import Standing, restore, save
from audit.training.compare import log_loss
from audit.training.events import EventLog
from audit.training.examples import training_batches
from audit.training.learning_rate import averaged_over, make_optimizer, warm_up_and_cosine
from audit.training.losses import Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.training.examples import Examples
    from audit.training.settings import TrainingSettings

    Floats = NDArray[np.float32]

CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class Task:
    """What is learned from.

    Attributes:
        training: to learn from.
        validation: to choose the epoch by.
        seed: of the order of the images, their changes and dropout.
        shares: `(classes,)` of the classes, to learn as if they were of one size; None for as they
            are.
    """

    training: Examples
    validation: Examples
    seed: int
    shares: NDArray[np.floating] | None = None


class Trainer:
    """One compiled network, trained again and again from where it is told to begin."""

    def __init__(self, network: Any, settings: TrainingSettings, updates_an_epoch: int,
                 learning_rate: float) -> None:
        """Compile the network.

        Args:
            network: from what the source of the examples gives to logits.
            settings: the same for all trainings that are compared.
            updates_an_epoch: after which the network is validated.
            learning_rate: the highest.
        """
        self.network = network
        self._settings = settings
        self._updates = updates_an_epoch
        self._classes = network.output_shape[1]
        self._loss = Loss(settings.loss, settings.label_smoothing, self._classes)
        updates = settings.epochs * updates_an_epoch
        network.compile(make_optimizer(settings, warm_up_and_cosine(learning_rate, updates),
                                       averaged_over(updates)), self._loss)
        network.optimizer.build(network.trainable_variables)
        self._variables = [*network.variables, *network.optimizer.variables]
        self._beginning = [variable.numpy() for variable in self._variables]

    def fit(self, task: Task, folder: Path, weights: Sequence[NDArray[np.floating]] | None = None,
            advance: Callable[[int], None] = lambda _: None) -> Standing:
        """Train until the epochs are over or the validation loss falls no more; take the best.

        A training whose checkpoint lies in `folder` goes on from there, and ends with the weights
        that it would have had.

        Args:
            task: what is learned from.
            folder: for the checkpoint and the logs; exists.
            weights: of the network, to begin with; None for those it was given with.
            advance: told of updates done since the last call, epochs times updates in all.
        """
        seed_everything(task.seed)
        for variable, value in zip(self._variables, self._beginning, strict=True):
            variable.assign(value)
        if weights is not None:
            self.network.set_weights(weights)
        self._seed_dropout(task.seed)
        self._loss.favour_none(task.shares)
        path = folder / CHECKPOINT
        standing = restore(path, self._variables)
        advance(standing.epoch * self._updates)
        if not standing.is_over:
            watch = _Watch(task, self._settings, standing, path, self._variables)
            self._go_on(task, standing.epoch, watch, advance)
            advance((self._settings.epochs - standing.epoch) * self._updates)
        self.network.set_weights(standing.best)
        return standing

    def _seed_dropout(self, seed: int) -> None:
        """Let what the network itself draws depend on the seed."""
        layers = list(self.network.layers)
        while layers:
            layer = layers.pop()
            layers.extend(getattr(layer, "layers", ()))
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign([seed, 0])

    def _go_on(self, task: Task, begin: int, watch: _Watch, advance: Callable[[int], None],
               ) -> None:
        keras = load_keras()
        network, end = self.network, self._settings.epochs
        batches = training_batches(
            task.training, self._classes, self._settings.batch_size, task.seed,
            begin * self._updates, end * self._updates)

        class Each(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            """Calls back to what knows the training."""

            def on_train_batch_end(self, _batch: int, logs: object = None) -> None:  # noqa: ARG002
                advance(1)

            def on_epoch_end(self, _epoch: int, logs: Any = None) -> None:
                if watch.is_last(network, float((logs or {}).get("loss", np.nan))):
                    network.stop_training = True

        network.fit(batches, epochs=end, initial_epoch=begin, steps_per_epoch=self._updates,
                    callbacks=[Each()], shuffle=False, verbose=0)


def predict(network: Any, examples: Examples, batch_size: int) -> Floats:
    """Logits `(n, classes)`, the mean of those of an image and of its mirror image."""
    rows = examples.rows
    parts = [np.mean([network.predict_on_batch(
        examples.source.plain(rows[start:start + batch_size], mirrored=mirrored))
        for mirrored in (False, True)], axis=0) for start in range(0, len(rows), batch_size)]
    return np.concatenate(parts).astype(np.float32)


@contextmanager
def averaged(network: Any) -> Iterator[None]:
    """The network with the average of its last weights; with the last ones again on leaving."""
    last = [variable.numpy() for variable in network.trainable_variables]
    network.optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(network.trainable_variables, last, strict=True):
            variable.assign(value)


class _Watch:
    """Validates after each epoch, keeps the best weights, and writes where the training stands."""

    def __init__(self, task: Task, settings: TrainingSettings, standing: Standing,
                 path: Path, variables: list[Any]) -> None:
        self._validation = task.validation
        self._shift = 0.0 if task.shares is None else np.log(task.shares)
        self._settings = settings
        self._standing = standing
        self._path = path
        self._variables = variables
        self._events = EventLog(path.parent / "tensorboard")
        self._begun = time.perf_counter()

    def is_last(self, network: Any, training_loss: float) -> bool:
        """Take note of an epoch that has ended; whether none is to follow."""
        standing = self._standing
        labels, weights = self._validation.labels, self._validation.weights
        with averaged(network):
            logits = predict(network, self._validation, self._settings.batch_size)
            weights_now = network.get_weights()
        loss = log_loss(logits + self._shift, labels, weights)  # as common as they are there
        standing.epoch += 1
        standing.history.append({
            "epoch": standing.epoch, "training_loss": training_loss, "validation_loss": loss,
            "validation_accuracy": float(np.average(logits.argmax(axis=1) == labels,
                                                    weights=weights)),
            "seconds": round(time.perf_counter() - self._begun, 3)})
        self._begun = time.perf_counter()
        # A loss that is no number is no better than none, but something has to be the best.
        if loss < standing.best_loss or not standing.best:
            standing.best_loss, standing.best_epoch = loss, standing.epoch
            standing.best = weights_now
        has_stalled = standing.epoch - standing.best_epoch >= self._settings.patience
        standing.is_over = has_stalled or standing.epoch >= self._settings.epochs
        _write_history(self._path.with_name("history.csv"), standing)
        self._events.write(standing.history[-1])
        save(self._path, standing, self._variables)
        return standing.is_over


def _write_history(path: Path, standing: Standing) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(standing.history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(standing.history)
    RunDir(path.parent).write(path.name, text.getvalue().encode())
