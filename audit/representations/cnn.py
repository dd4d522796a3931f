"""A compact convolutional network trained from scratch, for when there are no weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from audit.representations.head import softmax
from audit.representations.keras_runtime import load_keras, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

BATCH = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
PATIENCE = 3
EARLY_STOPPING_SHARE = 0.1
"""Share of the training images that decides when to stop: with wrong labels about, the loss on
them rises as soon as the network begins to learn labels by heart."""

EPOCHS = 10
LEAST_UPDATES = 200
"""A small dataset gets as many epochs as make these."""

EMBEDDING_SIDE = 16


class CompactCNN:
    """Three convolutions with batch normalisation and pooling, He-initialised."""

    name = "cnn"
    tensor_size = 32
    description = "a compact network trained from scratch on your images"

    def steps(self, images: int) -> int:
        """Steps of the bar of cross-validation: images predicted."""
        return images

    def embed(self, tensors: TensorStore, rows: NDArray[np.int64],
              advance: Callable[[int], None] = lambda _: None) -> NDArray[np.float32]:
        """Pixels at 16 x 16, centred, `(len(rows), 768)`.

        A network trained on the labels would give each fold an embedding of its own; these are
        the same for all and know nothing of the labels.
        """
        side = EMBEDDING_SIDE
        embeddings = np.empty((len(rows), side * side * 3), np.float32)
        for start in range(0, len(rows), 256):
            batch = tensors.read(rows[start:start + 256])
            for offset, tensor in enumerate(batch):
                small = cv2.resize(tensor, (side, side), interpolation=cv2.INTER_AREA)
                embeddings[start + offset] = small.ravel()
            advance(len(batch))
        embeddings -= embeddings.mean(axis=1, keepdims=True)
        return embeddings

    def cross_validate(
        self, tensors: TensorStore, rows: NDArray[np.int64], embeddings: NDArray[np.float32],
        labels: NDArray[np.int64], folds: NDArray[np.int64], classes: int, seed: int,
        advance: Callable[[int], None] = lambda _: None,
    ) -> tuple[NDArray[np.float64], float]:
        """Train one network a fold from the same initial weights. See `head` for the arguments.

        `advance` is told images predicted since the last call, of `len(rows)`.
        """
        del embeddings
        keras = load_keras()
        seed_everything(seed)
        count = int(folds.max()) + 1
        largest = len(rows) - int(np.bincount(folds).min())
        updates = -(-largest // BATCH)
        epochs = max(EPOCHS, -(-LEAST_UPDATES // updates))
        network = _network(keras, tensors.size, classes, epochs * updates)
        initial = [variable.numpy() for variable in _state(network)]
        batches = _batches(keras, tensors, rows, labels)
        probabilities = np.zeros((len(rows), classes))
        accuracies = []
        for fold in range(count):
            inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            # One compiled model for all folds: compiling anew costs more memory with each.
            for variable, value in zip(_state(network), initial, strict=True):
                variable.assign(value)
            _train(keras, network, batches, outside, epochs, seed + fold)
            probabilities[inside] = _predict(network, tensors, rows[inside])
            trained = _predict(network, tensors, rows[outside]).argmax(axis=1)
            accuracies.append(float((trained == labels[outside]).mean()))
            advance(len(inside))
        return probabilities, float(np.mean(accuracies))


def _network(keras: Any, size: int, classes: int, steps: int) -> Any:
    """The network, compiled; its learning rate falls to 0 over `steps` updates."""
    layers = keras.layers
    inputs = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False,
                          kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D()(x)  # before the cheap layers: they then see a quarter
        x = layers.BatchNormalization(momentum=0.9)(x)  # few updates: 0.99 would lag behind them
        x = layers.ReLU()(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dropout(0.4)(x)
    network = keras.Model(inputs, layers.Dense(classes, kernel_initializer="he_normal")(x))
    network.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps),
                               weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.optimizer.build(network.trainable_variables)
    return network


def _state(network: Any) -> list[Any]:
    """All that training changes: weights, running averages, the optimizer's moments and clock."""
    return [*network.variables, *network.optimizer.variables]


def _train(keras: Any, network: Any, batches: Any, outside: NDArray[np.int64], epochs: int,
           seed: int) -> None:
    """Train on images `outside` the fold, a tenth of which decides when to stop."""
    seed_everything(seed)
    shuffled = np.random.default_rng(seed).permutation(outside)
    held_back = int(len(shuffled) * EARLY_STOPPING_SHARE)
    stopping, training = shuffled[:held_back], shuffled[held_back:]
    early = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    network.fit(batches(training, shuffle_seed=seed), epochs=epochs, verbose=0,
                validation_data=batches(stopping) if held_back else None,
                callbacks=[early] if held_back else [])


def _batches(keras: Any, tensors: TensorStore, rows: NDArray[np.int64],
             labels: NDArray[np.int64]) -> Any:
    """A Keras dataset over some of the images that reads each batch from the store."""

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is imported lazily
        def __init__(self, chosen: NDArray[np.int64], shuffle_seed: int | None = None) -> None:
            super().__init__()
            self._chosen = chosen
            self._random = (None if shuffle_seed is None
                            else np.random.default_rng(shuffle_seed))

        def __len__(self) -> int:
            return math.ceil(len(self._chosen) / BATCH)

        def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
            chosen = self._chosen[index * BATCH:(index + 1) * BATCH]
            return tensors.read(rows[chosen]), labels[chosen]

        def on_epoch_end(self) -> None:
            if self._random is not None:
                self._random.shuffle(self._chosen)

    return Batches


def _predict(network: Any, tensors: TensorStore, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    logits = [network.predict_on_batch(tensors.read(rows[start:start + 256]))
              for start in range(0, len(rows), 256)]
    return softmax(np.concatenate(logits))
