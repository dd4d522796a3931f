"""The last blocks are trained for each fold, begin anew each time, and see nothing of the fold."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from audit.imagestore import TensorStore
from audit.keras_runtime import load_keras
from audit.network_cut import cut_network
from audit.representations.fine_tune import PHOTO_SIDE, SMALL_SIDE, FineTuner
from audit.representations.progress import STEPS

COUNT, CLASSES, FOLDS, SIDE = 180, 3, 3, 32


def residual_network(side=SIDE, *, pooled=True):
    """Shrinks to a sixteenth, and has a residual connection on the last scale."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = inputs = keras.Input((side, side, 3))
    for filters in (8, 16, 16, 24):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
    narrow = layers.Conv2D(8, 1)(x)
    wide = layers.Conv2D(8, 3, padding="same", activation="relu")(narrow)
    x = layers.Conv2D(32, 1, activation="relu")(layers.Add()([narrow, wide]))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x) if pooled else x)


@pytest.fixture(autouse=True)
def few_updates(monkeypatch):
    monkeypatch.setattr("audit.representations.fine_tune.LEAST_UPDATES", 10)
    monkeypatch.setattr("audit.representations.fine_tune.LEAST_HEAD_UPDATES", 10)


def scaled(pictures):
    return pictures / 127.5 - 1


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    pictures, labels = load_digits(n_class=CLASSES, return_X_y=True)
    grey = np.kron(pictures[:COUNT].reshape(-1, 8, 8), np.ones((4, 4))) * 255 / 16
    store = TensorStore.create(tmp_path_factory.mktemp("store") / "tensors", COUNT, SIDE)
    tints = 0.3 + 0.7 * np.eye(CLASSES)[labels[:COUNT]]  # learned within a few updates
    for row, picture in enumerate((grey[..., None] * tints[:, None, None]).astype(np.uint8)):
        store.write(row, picture)
    return store, labels[:COUNT].astype(np.int64)


@pytest.fixture(scope="module")
def folds():
    return np.random.default_rng(1).permutation(np.arange(COUNT) % FOLDS)


def cross_validated(store, labels, folds, advance=lambda _: None):
    tuner = FineTuner(residual_network(), scaled, SIDE)
    return tuner.cross_validate(store, np.arange(COUNT), labels, folds, CLASSES, 0, advance)


def test_tinted_digits_are_told_apart_by_networks_that_did_not_see_them(digits, folds, monkeypatch):
    monkeypatch.setattr("audit.representations.fine_tune.LEAST_UPDATES", 60)
    monkeypatch.setattr("audit.representations.fine_tune.LEARNING_RATE", 0.03)  # from random
    told = []
    logits = cross_validated(*digits, folds, told.append)
    assert logits.shape == (COUNT, CLASSES)
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) == digits[1]).mean() > 0.9
    assert sum(told) == STEPS
    assert sorted(path.name for path in digits[0].path.parent.iterdir()) == ["tensors"]
    np.testing.assert_array_equal(cross_validated(*digits, folds), logits)


def test_a_changed_label_moves_no_prediction_of_its_own_fold(digits, folds):
    store, labels = digits
    changed = labels.copy()
    one = int(np.flatnonzero(folds == 1)[0])
    changed[one] = (labels[one] + 1) % CLASSES
    before, after = (cross_validated(store, some, folds) for some in (labels, changed))
    np.testing.assert_array_equal(after[folds == 1], before[folds == 1])
    assert (after[folds != 1] != before[folds != 1]).any(), "the other folds learn from it"


@pytest.mark.parametrize("pooled", [True, False])
def test_both_parts_of_a_cut_network_are_the_network(pooled):
    network = residual_network(pooled=pooled)
    begin, blocks = cut_network(network, SIDE)
    pictures = np.random.default_rng(0).normal(size=(4, SIDE, SIDE, 3)).astype(np.float32)
    features = network.predict_on_batch(pictures)
    np.testing.assert_allclose(blocks.predict_on_batch(begin.predict_on_batch(pictures)),
                               features if pooled else features.mean(axis=(1, 2)), atol=1e-5)
    assert begin.output_shape[-1] == 8, "the narrowest tensor that all passes through is kept"
    assert blocks.trainable_weights


def test_a_network_with_nothing_to_train_after_the_cut_is_left(digits, folds):
    keras = load_keras()
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, strides=16)(inputs)
    network = keras.Model(inputs, keras.layers.ReLU()(x))
    told = []
    tuner = FineTuner(network, scaled, SIDE)
    assert tuner.cross_validate(digits[0], np.arange(COUNT), digits[1], folds, CLASSES, 0,
                                told.append) is None
    assert sum(told) == STEPS


@pytest.mark.parametrize(("kept", "shown"), [(SIDE, SMALL_SIDE), (120, PHOTO_SIDE)])
def test_small_pictures_are_not_enlarged_as_far_as_photos(kept, shown, tmp_path):
    store = TensorStore.create(tmp_path / "tensors", 6, 160)
    for row in range(6):
        store.write(row, np.full((kept, kept, 3), 40 * row, np.uint8))
    network = residual_network(side=None)
    seen = []

    def preprocess(pictures):
        seen.append(pictures.shape[1:])
        return scaled(pictures)

    FineTuner(network, preprocess).cross_validate(
        store, np.arange(6), np.array([0, 1] * 3), np.array([0, 0, 1, 1, 2, 2]), 2, 0)
    assert set(seen) == {(shown, shown, 3)}
