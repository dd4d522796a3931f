"""Real digits of 16 px, networks that are trained in a second, and what is learned from."""

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_digits

from audit.imagestore import TensorStore
from audit.keras_runtime import load_keras
from audit.training import Examples, Pictures

CLASSES, SIDE = 3, 16


def examples_of(store, labels, rows, weights=None):
    """Examples of these rows of a store, by the labels of all."""
    rows = np.asarray(rows)
    return Examples(Pictures(store, SIDE), rows, labels[rows].astype(np.int64),
                    np.ones(len(rows), np.float32) if weights is None else weights)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Some 540 real digits of three classes, and their labels."""
    pictures, labels = load_digits(n_class=CLASSES, return_X_y=True)
    store = TensorStore.create(tmp_path_factory.mktemp("digits") / "tensors", len(labels), SIDE)
    large = np.kron(pictures.reshape(-1, 8, 8), np.ones((2, 2))) * 255 / 16
    for row, picture in enumerate(large.astype(np.uint8)):
        store.write(row, np.repeat(picture[..., None], 3, axis=2))
    return store, labels.astype(np.int64)


@pytest.fixture(scope="session")
def examples(digits):
    """Makes examples of rows of the digits."""
    return partial(examples_of, *digits)


@pytest.fixture(scope="session")
def small_network():
    """Makes a small network with all that has a state: statistics, and random numbers."""

    def build():
        keras = load_keras()
        keras.utils.set_random_seed(0)
        layers = keras.layers
        return keras.Sequential([
            keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=2, use_bias=False), layers.BatchNormalization(momentum=0.9),
            layers.ReLU(), layers.Flatten(), layers.Dropout(0.2, seed=0), layers.Dense(CLASSES)])

    return build
