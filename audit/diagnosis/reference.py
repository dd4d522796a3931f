"""A model of ours that learns whatever a small network can learn of small pictures: the measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.subject import Regime, Subject
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 32
WIDTHS = (32, 64, 128)
HIGHEST_RATE = 2e-3
LEAST_UPDATES, MOST_UPDATES = 400, 1_000
BATCH = 32


def reference(classes: int, images: int, updates: int) -> Subject:
    """A small convolutional network with batch normalisation, Adam and a cosine schedule.

    Args:
        classes: of the data.
        images: to learn from.
        updates: of the user's training; it gets as many, within `LEAST_UPDATES` and
            `MOST_UPDATES`.
    """
    wanted = min(MOST_UPDATES, max(LEAST_UPDATES, updates))
    batch = min(BATCH, max(1, images))
    epochs = max(1, round(wanted * batch / max(1, images)))
    return Subject("reference", _make(classes, epochs * -(-images // batch)),
                   Regime(epochs=epochs, batch_size=batch))


def _make(classes: int, updates: int) -> Callable[[], Any]:
    def make() -> Any:
        keras = load_keras()
        layers = keras.layers
        row = [keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 127.5, offset=-1)]
        for width in WIDTHS:
            row += [layers.Conv2D(width, 3, padding="same", use_bias=False,
                                  kernel_initializer="he_normal"),
                    layers.BatchNormalization(momentum=0.9), layers.ReLU(),
                    layers.MaxPooling2D()]
        row += [layers.Flatten(), layers.Dropout(0.3), layers.Dense(classes)]
        model = keras.Sequential(row)
        model.compile(
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(
                HIGHEST_RATE, updates)),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    return make
