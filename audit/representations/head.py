"""A linear Keras classifier on embeddings, all folds trained at once as one batched model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.representations.keras_runtime import load_keras, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BATCH = 256
STEPS = 400
"""Updates, whatever the number of images. Chosen by the out-of-fold likelihood of the given
labels on three data sets: fewer underfit 2,000 photos, more learn the noise of 10,000."""

LEARNING_RATE = 1e-3
DROPOUT = 0.3
PREDICTED_AT_ONCE = 1_024


def cross_validate_head(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    classes: int,
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[NDArray[np.float64], float]:
    """Train one softmax layer a fold on what is outside it, and predict what is inside.

    The folds are one kernel of shape `(d, folds, classes)`; an image has weight 0 in the loss of
    the fold it is held out in. So an epoch reads the embeddings once for all folds, and the
    folds cost little more than one training.

    Args:
        embeddings: `(n, d)`, finite.
        labels: `(n,)` from 0 to `classes` - 1.
        folds: `(n,)` from 0 on.
        classes: number of classes.
        seed: of the order of batches and the dropout.
        advance: told the number of updates done since the last call, of `STEPS`.

    Returns:
        Out-of-fold probabilities `(n, classes)` and the mean accuracy on trained images.
    """
    keras = load_keras()
    seed_everything(seed)
    count = int(folds.max()) + 1
    scaled = _standardise(embeddings)
    epochs = max(1, round(STEPS / -(-len(scaled) // BATCH)))
    steps = epochs * -(-len(scaled) // BATCH)

    inputs = keras.Input((scaled.shape[1],))
    outputs = keras.layers.EinsumDense(
        "bd,dkc->bkc", output_shape=(count, classes), bias_axes="kc",
        kernel_initializer="zeros")(keras.layers.Dropout(DROPOUT)(inputs))
    model = keras.Model(inputs, outputs)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(schedule),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    trained_on = folds[:, None] != np.arange(count)[None, :]
    random = np.random.default_rng(seed)
    for _ in range(epochs):  # `fit` spends 50 ms on each epoch, which is one step of a small set
        for rows in np.array_split(random.permutation(len(scaled)), steps // epochs):
            model.train_on_batch(scaled[rows], np.repeat(labels[rows, None], count, axis=1),
                                 sample_weight=trained_on[rows].astype(np.float32))
        advance(STEPS // epochs)

    held_out = np.empty((len(scaled), classes), np.float32)
    right = 0
    for start in range(0, len(scaled), PREDICTED_AT_ONCE):  # all folds of all images would not fit
        rows = np.arange(start, min(start + PREDICTED_AT_ONCE, len(scaled)))
        logits = np.asarray(model.predict_on_batch(scaled[rows]))
        held_out[rows] = logits[np.arange(len(rows)), folds[rows]]
        right += int(((logits.argmax(axis=2) == labels[rows, None]) & trained_on[rows]).sum())
    return softmax(held_out), right / max(int(trained_on.sum()), 1)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of logits → rows of probabilities, in double precision so that rows sum to 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _standardise(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    deviation = embeddings.std(axis=0)
    return np.asarray((embeddings - embeddings.mean(axis=0)) / (deviation + 1e-6), np.float32)
