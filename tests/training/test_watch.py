"""`Watch` in live trainings of scikit-learn's digits: silent where they learn, clear where not."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from audit.curves import read_history
from audit.keras_runtime import load_keras
from audit.training import Watch

EPOCHS, BATCH = 5, 32
FAULTS = {"no_number", "runs_away", "stands_still", "swings"}


@pytest.fixture(scope="module")
def pictures():
    """600 real digits of 8 px from 0 to 1, and their labels."""
    data = load_digits()
    return (data.images[:600, ..., None] / 16).astype(np.float32), data.target[:600]


def dense(optimizer, *, width=32, normalised=False, **arguments):
    layers = load_keras().layers
    row = [layers.Flatten(), layers.Dense(width, activation="relu", **arguments)]
    if normalised:
        row.append(layers.BatchNormalization())
    return compiled([*row, layers.Dense(10, activation="softmax", kernel_initializer=arguments.get(
        "kernel_initializer", "glorot_uniform"))], optimizer)


def convolutional(optimizer):
    layers = load_keras().layers
    return compiled([layers.Conv2D(8, 3, activation="relu"), layers.Flatten(),
                     layers.Dense(10, activation="softmax")], optimizer)


def nested(optimizer):
    keras = load_keras()
    inside = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
                               keras.layers.Dense(32, activation="relu")])
    return compiled([inside, keras.layers.Dense(10, activation="softmax")], optimizer)


def regression(optimizer):
    """Of one number by squares: above a rate it is known to run away."""
    layers = load_keras().layers
    model = compiled([layers.Flatten(), layers.Dense(1)], optimizer)
    model.compile(optimizer, "mean_squared_error")
    return model


def compiled(row, optimizer):
    keras = load_keras()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), *row])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def sgd(rate, **more):
    return load_keras().optimizers.SGD(rate, **more)


def adam(rate):
    return load_keras().optimizers.Adam(rate)


def watched(model, pictures, *, epochs=EPOCHS, inputs=None, **arguments):
    """What a watch said of a training, the watch, and Keras' own history."""
    said = []
    watch = Watch(say=said.append, **arguments)
    images, labels = pictures
    learned = images[:480] if inputs is None else inputs
    history = model.fit(learned, labels[:480], validation_data=(images[480:], labels[480:]),
                        epochs=epochs, batch_size=BATCH, verbose=0, callbacks=[watch])
    return said, watch, history.history


@pytest.mark.parametrize("make", [
    lambda: dense(adam(3e-3)), lambda: dense(sgd(0.1, momentum=0.9)), lambda: dense(sgd(0.2)),
    lambda: dense(load_keras().optimizers.RMSprop(1e-3)),
    lambda: dense(load_keras().optimizers.AdamW(5e-3), normalised=True),
    lambda: convolutional(adam(1e-3)), lambda: nested(adam(3e-3))],
    ids=["Adam", "momentum", "SGD", "RMSprop", "AdamW normalised", "convolutional", "nested"])
def test_it_is_silent_where_a_model_learns(pictures, make):
    said, watch, history = watched(make(), pictures, images=pictures[0][:64])
    assert history["val_accuracy"][-1] > 0.6, "a healthy training"
    assert said == []
    assert not FAULTS & set(watch.told)
    assert watch.history == {name: pytest.approx(values) for name, values in history.items()}


def test_no_number_is_said_once_and_ends_the_training(pictures):
    said, watch, history = watched(regression(sgd(1e3)), pictures)
    assert len(said) == 1
    assert "no number in batch" in said[0]
    assert "of its size; a thousandth is usual" in said[0]
    assert "\n" not in said[0]
    assert set(watch.told) == {"no_number"}
    assert len(history["loss"]) == 1


def test_it_goes_on_where_it_is_told_not_to_stop(pictures, tmp_path):
    said, watch, history = watched(regression(sgd(1e3)), pictures, stops=False, epochs=3,
                                   file=tmp_path / "watch.json")
    assert len(said) == 1
    assert len(history["loss"]) == len(watch.history["loss"]) == 3
    read = read_history(tmp_path / "watch.json").loss
    assert len(read) == 3
    assert not np.isfinite(read).any()


def test_numbers_that_are_none_and_that_relu_hides_are_seen_in_the_weights(pictures):
    """Of NaN ReLU makes 0 here: the loss stays a number, and nothing is learned."""
    said, watch, _ = watched(dense(adam(1e-3)), pictures, epochs=4,
                             inputs=np.full_like(pictures[0][:480], np.nan))
    assert len(said) == len(watch.told) == 1
    assert "to no number" in said[0] or "no_number" in watch.told


def test_a_loss_that_runs_away_is_told_with_what_it_does_to_the_weights(pictures):
    model = regression(sgd(0.13))
    said, watch, history = watched(model, pictures, epochs=3)
    assert history["loss"][-1] > 1e3 * history["loss"][0]
    assert list(watch.told) == ["runs_away"]
    assert len(said) == 1
    assert f"An update changes {model.layers[-1].name} by" in said[0]


def test_a_rate_that_spoils_the_first_epoch_is_told(pictures):
    said, _, history = watched(dense(adam(3.0)), pictures)
    assert history["val_accuracy"][-1] < 0.2, "chance"
    assert said


def test_weights_of_zero_stand_still(pictures):
    model = dense(adam(1e-3), kernel_initializer="zeros")
    said, watch, _ = watched(model, pictures, epochs=6)
    assert list(watch.told) == ["stands_still"]
    assert len(said) == 1
    hidden = model.layers[1].name
    assert f"Updates hardly change {hidden}" in said[0]


@pytest.mark.parametrize(("bias", "are_dead"), [(-100.0, True), (0.0, False)])
def test_dead_units_are_counted_with_images_only(pictures, bias, are_dead):
    """A rate next to nothing keeps both from moving; one of them is dead besides."""
    def make():
        return dense(sgd(1e-9), bias_initializer=load_keras().initializers.Constant(bias))

    model = make()
    (said,), _, _ = watched(model, pictures, epochs=4, images=pictures[0][:64])
    assert (f"{model.layers[1].name} 100 %" in said) == are_dead
    assert ("Units that give 0 for every image" in said) == are_dead
    if are_dead:
        (without,), _, _ = watched(make(), pictures, epochs=4)
        assert "Units that give 0" not in without


def test_the_file_is_whole_after_each_epoch(pictures, tmp_path):
    path = tmp_path / "watch.json"
    seen = []

    class After(load_keras().callbacks.Callback):
        """Reads as anybody might while it trains."""

        def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
            seen.append(json.loads(path.read_text(), parse_constant=pytest.fail))

    images, labels = pictures
    watch = Watch(str(path), say=pytest.fail)
    history = dense(adam(3e-3)).fit(
        images, labels, validation_split=0.2, epochs=EPOCHS, verbose=0,
        callbacks=[watch, After()]).history
    assert [len(one["history"]["loss"]) for one in seen] == [1, 2, 3, 4, 5]
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"
    read = read_history(path)
    assert read.loss == pytest.approx(history["loss"])
    assert read.held_out_loss == pytest.approx(history["val_loss"])
    assert read.score == pytest.approx(history["accuracy"])
    assert json.loads(path.read_text())["told"] == watch.told


def test_a_second_training_is_watched_anew(pictures):
    images, labels = pictures
    said = []
    watch = Watch(say=said.append)
    for rate, times in ((1e3, 1), (1e-3, 1), (1e3, 2)):
        regression(sgd(rate)).fit(images, labels, epochs=2, verbose=0, callbacks=[watch])
        assert len(said) == times
        assert ("no_number" in watch.told) == (rate > 1)
        assert len(watch.history["loss"]) == (1 if rate > 1 else 2)


def test_it_does_not_end_a_training_that_validates_now_and_then(pictures):
    images, labels = pictures
    said = []
    dense(adam(3e-3)).fit(images, labels, validation_split=0.2, validation_freq=2, epochs=3,
                          verbose=0, callbacks=[Watch(say=said.append)])
    assert said == []


def test_it_does_not_end_a_training_with_a_metric_of_several_numbers(pictures):
    keras = load_keras()
    images, labels = pictures
    model = dense(adam(3e-3))
    model.compile("adam", "categorical_crossentropy", metrics=[keras.metrics.F1Score(average=None)])
    said = []
    model.fit(images, np.eye(10, dtype=np.float32)[labels], validation_split=0.2, epochs=1,
              verbose=0, callbacks=[Watch(say=said.append)])
    assert said == []


def test_it_is_one_class_and_importing_it_waits_for_keras():
    script = ("import sys, audit.training\n"
              "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
              "from audit.training import Watch\n"
              "print(Watch is audit.training.Watch, 'keras' in sys.modules)\n"
              "import keras\nprint(issubclass(Watch, keras.callbacks.Callback))")
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                             check=True).stdout
    assert printed.splitlines() == ["[]", "True True", "True"]


def test_what_audit_training_has_not_is_an_attribute_error():
    import audit.training  # noqa: PLC0415

    with pytest.raises(AttributeError, match="Wach"):
        _ = audit.training.Wach
