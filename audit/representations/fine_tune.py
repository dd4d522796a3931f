"""Fine-tuning: the last blocks of a pretrained network, trained anew for each fold.

What the network computes before those blocks is computed once for all folds and kept, as half
floats, with the same of the mirror image. A classifier is fitted to the frozen network first and
the blocks are trained from there, so that a random classifier does not spoil them (Kumar et al.,
"Fine-tuning can distort pretrained features and underperform out-of-distribution", 2022). Layers of
batch normalisation stay as they are. One compiled model serves all folds: its weights and those
of its optimizer are put back to where they began.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.half_floats import HalfFloats
from audit.keras_runtime import load_keras, seed_everything
from audit.network_cut import cut_network
from audit.representations.networks import SMALL_PICTURE
from audit.representations.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

EPOCHS = 3
BATCH = 64
LEARNING_RATE = 1e-3
WARM_UP = 0.1
"""Share of the updates in which the learning rate rises, before it falls by a cosine."""

WEIGHT_DECAY = 1e-2
LABEL_SMOOTHING = 0.1
DROPOUT = 0.2

LEAST_UPDATES = 100
"""A few hundred images are gone through more often than `EPOCHS` times."""

HEAD_EPOCHS = 10
LEAST_HEAD_UPDATES = 200
HEAD_BATCH = 256
HEAD_LEARNING_RATE = 2e-3

SMALL_SIDE, PHOTO_SIDE = 96, 160
"""Sides at which the network is shown small pictures and others."""

_SHARE_KEPT, _SHARE_FROZEN = 0.06, 0.09


class FineTuner:
    """Cross-validates a network whose last blocks are trained on what is outside a fold."""

    def __init__(self, network: Any, preprocess: Callable[[Any], Any], side: int | None = None,
                 ) -> None:
        """Take a built network; of its top, if it has one, nothing is used.

        Args:
            network: a Keras functional model of pictures.
            preprocess: from uint8 values as floats to what the network wants.
            side: in pixels, if it takes only one.
        """
        self._network = network
        self._preprocess = preprocess
        self._side = side

    def cross_validate(self, tensors: TensorStore, rows: Rows, labels: Rows, folds: Rows,
                       classes: int, seed: int,
                       advance: Callable[[int], None] = lambda _: None) -> Floats | None:
        """Logits `(len(rows), classes)` of networks that did not see the image.

        Args:
            tensors: where the pictures are.
            rows: images that take part.
            labels: `(len(rows),)` from 0 to `classes` - 1.
            folds: `(len(rows),)` from 0 on.
            classes: number of classes.
            seed: of the order of the images.
            advance: told of progress since the last call, `STEPS` in all.

        Returns:
            None if the network has no blocks that can be trained apart from the rest.
        """
        progress = Progress(advance)
        side = self._side or (
            SMALL_SIDE if tensors.typical_side(rows) <= SMALL_PICTURE else PHOTO_SIDE)
        cut = cut_network(self._network, side)
        if cut is None:
            progress.reach(1)
            return None
        begin, last_blocks = cut
        training = _Training(last_blocks, classes, _updates(len(rows), folds))
        with tempfile.TemporaryFile(dir=tensors.path.parent) as file:
            kept = _Activations(HalfFloats(file.fileno(), last_blocks.input_shape[1:]), len(rows))
            for start in range(0, len(rows), BATCH):
                pictures = self._preprocess(
                    tensors.read(rows[start:start + BATCH], side).astype(np.float32))
                kept.write(start, begin.predict_on_batch(pictures),
                           begin.predict_on_batch(pictures[:, :, ::-1]))
                progress.reach(_SHARE_KEPT * start / len(rows))
            training.look_at(kept)
            progress.reach(_SHARE_FROZEN)
            targets = np.eye(classes, dtype=np.float32)[labels]
            logits = np.empty((len(rows), classes), np.float32)
            numbers = np.unique(folds)
            for done, fold in enumerate(numbers):
                def reach(share: float, done: int = done) -> None:
                    progress.reach(_SHARE_FROZEN
                                   + (1 - _SHARE_FROZEN) * (done + share) / len(numbers))

                held_out = np.flatnonzero(folds == fold)
                training.fit(np.flatnonzero(folds != fold), targets, seed + int(fold), reach)
                logits[held_out] = training.predict(held_out)
        return logits


def _updates(images: int, folds: Rows) -> int:
    """Updates for a fold, from the images outside a fold of mean size."""
    outside = images * (1 - 1 / max(len(np.unique(folds)), 1))
    return max(LEAST_UPDATES, round(EPOCHS * outside / BATCH))


class _Activations:
    """What passes the cut, of each image and of its mirror image."""

    def __init__(self, kept: HalfFloats, count: int) -> None:
        self._kept = kept
        self.count = count

    def write(self, start: int, plain: Floats, mirrored: Floats) -> None:
        """Keep those of images `start` and following."""
        self._kept.write(start, plain)
        self._kept.write(self.count + start, mirrored)

    def read(self, rows: Rows, mirrored: NDArray[np.bool_]) -> Floats:
        """Those of images `rows`, `(len(rows), y, x, channels)`."""
        return self._kept.read(rows + self.count * mirrored)


class _Training:
    """The last blocks and a classifier on them, which begin anew each time they are fitted."""

    def __init__(self, blocks: Any, classes: int, updates: int) -> None:
        keras = load_keras()
        self._blocks = blocks
        self._updates = updates
        self._head = keras.Sequential([
            keras.Input(blocks.output_shape[1:]), keras.layers.Dropout(DROPOUT, seed=0),
            keras.layers.Dense(classes, kernel_initializer="zeros")])
        self._whole = keras.Model(blocks.inputs, self._head(blocks.outputs[0]))
        warm_up = round(WARM_UP * updates)
        for model, rate in (
                (self._head, HEAD_LEARNING_RATE),
                (self._whole, keras.optimizers.schedules.CosineDecay(
                    0.0, updates - warm_up, warmup_target=LEARNING_RATE,
                    warmup_steps=warm_up))):
            model.compile(
                keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
                keras.losses.CategoricalCrossentropy(from_logits=True,
                                                     label_smoothing=LABEL_SMOOTHING))
            model.optimizer.build(model.trainable_variables)
        self._variables = [*self._whole.weights, *self._head.optimizer.variables,
                           *self._whole.optimizer.variables]
        self._beginning = [variable.numpy() for variable in self._variables]

    def look_at(self, kept: _Activations) -> None:
        """Describe each image, and its mirror image, by the blocks as they are at the beginning."""
        self._kept = kept
        self._frozen = np.stack([
            np.concatenate([self._blocks.predict_on_batch(kept.read(
                rows, np.full(len(rows), mirrored))) for rows in _batches(np.arange(kept.count))])
            for mirrored in (False, True)])

    def fit(self, rows: Rows, targets: Floats, seed: int, reach: Callable[[float], None]) -> None:
        """Train from the beginning on images `rows`; `reach` is told the share that is done."""
        for variable, value in zip(self._variables, self._beginning, strict=True):
            variable.assign(value)
        seed_everything(seed)
        epoch = -(-2 * len(rows) // HEAD_BATCH)
        self._head.fit(np.concatenate(self._frozen[:, rows]), np.concatenate([targets[rows]] * 2),
                       batch_size=HEAD_BATCH, verbose=0,
                       epochs=max(HEAD_EPOCHS, -(-LEAST_HEAD_UPDATES // epoch)))
        random = np.random.default_rng(seed)
        waiting = np.empty(0, np.int64)
        for number in range(self._updates):
            if len(waiting) < BATCH:
                waiting = np.concatenate([waiting, random.permutation(rows)])
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            mirrored = random.random(len(batch)) < 0.5  # noqa: PLR2004 - every second
            self._whole.train_on_batch(self._kept.read(batch, mirrored), targets[batch])
            reach((number + 1) / self._updates)

    def predict(self, rows: Rows) -> Floats:
        """Logits, the mean of those of an image and of its mirror image."""
        return np.concatenate([
            np.mean([self._whole.predict_on_batch(self._kept.read(
                batch, np.full(len(batch), mirrored))) for mirrored in (False, True)], axis=0)
            for batch in _batches(rows)])


def _batches(rows: Rows) -> list[Rows]:
    return [rows[start:start + BATCH] for start in range(0, len(rows), BATCH)]
