"""Each probe suspects what was spoiled, and nothing of a healthy model; what it edits is right."""

from dataclasses import replace

import numpy as np
import pytest
from diagnosis.small_models import CLASSES, case_of, dense, digits, subject_of, training

from audit.diagnosis.anatomy import anatomy, kind
from audit.diagnosis.case import CAUSES
from audit.diagnosis.diagnose import all_probes, suspicions
from audit.diagnosis.probes import (
    activation,
    batch_size,
    capacity,
    depth,
    epochs,
    frozen,
    initialisation,
    input_scale,
    learning_rate,
    loss,
    normalisation,
    optimizer,
    regularisation,
)
from audit.diagnosis.subject import Regime, Subject
from audit.keras_runtime import load_keras

DONE = training(0.95, losses=(1.4, 0.2, 0.1, 0.1, 0.1, 0.1), updates=600)


def only(found):
    found = list(found)
    assert len(found) == 1
    return found[0]


def built(suspicion):
    return suspicion.remedy.build(0)


def test_every_probe_is_found_and_names_causes():
    assert len(all_probes()) == 13
    found = suspicions(case_of(subject_of(scale=None, depth=8, activation=None, last=None)))
    assert {one.cause for one in found} <= set(CAUSES)
    assert [one.prior for one in found] == sorted((one.prior for one in found), reverse=True)
    assert all(0 < one.prior <= 1 and one.evidence.endswith(".") and one.fix.endswith(".")
               for one in found)


def test_nothing_strong_is_suspected_of_a_healthy_model():
    found = suspicions(case_of(subject_of(), as_it_is=DONE))
    assert [one.cause for one in found if one.prior > 0.2] == []


@pytest.mark.parametrize(("spoiled", "said"), [
    ({"last": "softmax", "units": 1}, "softmax of a single unit"),
    ({"last": "sigmoid", "units": 1, "loss": "binary_crossentropy"}, "one number for 4 classes"),
    ({"units": 2}, "2 units for 4 classes"),
    ({"last": None}, "takes for probabilities"),
    ({"last": "relu"}, "takes for probabilities"),
    ({"loss": "mean_squared_error"}, "made for numbers"),
    ({"last": "sigmoid"}, "want")])
def test_a_last_layer_that_does_not_fit_its_loss(spoiled, said):
    found = only(loss.suspect(case_of(subject_of(**spoiled))))
    assert said in found.evidence
    mended = anatomy(built(found))
    assert (mended.units, mended.last_activation, mended.from_logits) == (CLASSES, "softmax", False)
    assert mended.loss == "sparse_categorical_crossentropy"


@pytest.mark.parametrize(("last", "from_logits"), [
    ("softmax", True), (None, True), ("softmax", False)])
def test_softmax_once_is_well_also_where_the_loss_takes_logits(last, from_logits):
    """Keras 3 takes the logits before a softmax at the end: it is no fault there."""
    taken = load_keras().losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    assert list(loss.suspect(case_of(subject_of(last=last, loss=taken)))) == []


def test_softmax_twice():
    def twice():
        model = dense()
        model.add(load_keras().layers.Softmax())
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    found = only(loss.suspect(case_of(Subject("a test's", twice, Regime()))))
    assert "softmax 2 times" in found.evidence
    assert anatomy(built(found)).softmaxes == 1


@pytest.mark.parametrize(("scale", "is_suspected"), [
    (None, True), (1 / 255, False), (1 / 127.5, False), (1 / 255 / 255, True)])
def test_pictures_that_are_not_scaled_or_scaled_twice(scale, is_suspected):
    case = case_of(subject_of(scale=scale))
    found = list(input_scale.suspect(case))
    assert bool(found) == is_suspected
    for one in found:
        again = case_of(one.remedy)
        assert again.initial.highest == pytest.approx(1)


def test_pictures_that_are_scaled_again_until_all_are_alike():
    def model():
        keras = load_keras()
        layers = keras.layers
        made = keras.Sequential([
            keras.Input((16, 16, 3)), layers.Rescaling(1 / 127.5, offset=-1),
            layers.Rescaling(1 / 127.5, offset=-1), layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax")])
        made.compile("adam", "sparse_categorical_crossentropy")
        return made

    found = only(input_scale.suspect(case_of(Subject("twice", model, Regime()))))
    again = case_of(found.remedy).initial
    assert (again.lowest, again.highest) == pytest.approx((-1, 1))
    assert list(input_scale.suspect(case_of(found.remedy))) == []


def test_layers_without_activation_are_one():
    found = only(activation.suspect(case_of(subject_of(depth=3, activation=None))))
    assert found.prior > 0.5
    hidden = anatomy(built(found)).weighted[:-1]
    assert [one.activation.__name__ for one in hidden] == ["relu"] * 3
    assert anatomy(built(found)).last_activation == "softmax"


@pytest.mark.parametrize(("name", "deep", "least"), [("sigmoid", 4, 0.7), ("tanh", 1, 0.1)])
def test_activations_that_saturate(name, deep, least):
    found = only(activation.suspect(case_of(subject_of(depth=deep, activation=name))))
    assert found.prior >= least
    assert (found.prior > 0.5) == (name == "sigmoid")


@pytest.mark.parametrize(("initializer", "is_suspected"), [
    ("zeros", True), ("ones", True), (("normal", 1.0), True), (("normal", 1e-4), True),
    ("he_normal", False), ("glorot_uniform", False), ("lecun_normal", False)])
def test_weights_that_begin_badly(initializer, is_suspected):
    if isinstance(initializer, tuple):
        initializer = load_keras().initializers.RandomNormal(stddev=initializer[1])
    found = list(initialisation.suspect(case_of(subject_of(initializer=initializer, depth=2))))
    assert bool(found) == is_suspected
    for one in found:
        assert list(initialisation.suspect(case_of(one.remedy))) == []


@pytest.mark.parametrize(("name", "rate", "cause"), [
    ("Adam", 1.0, "learning_rate_high"), ("Adam", 1e-6, "learning_rate_low"),
    ("SGD", 10.0, "learning_rate_high"), ("SGD", 1e-5, "learning_rate_low"),
    ("RMSprop", 0.1, "learning_rate_high")])
def find_rates_outside_of_the_usual(name, rate, cause):
    subject = Subject("a test's", lambda: dense(
        optimizer=getattr(load_keras().optimizers, name)(rate)), Regime())
    found = list(learning_rate.suspect(case_of(subject, as_it_is=training())))
    assert {one.cause for one in found} == {cause}
    for one in found:
        other = anatomy(built(one))
        assert other.optimizer == name
        assert (other.rate < rate) == (cause == "learning_rate_high")


def test_a_loss_that_runs_away_means_a_rate_that_is_too_high():
    found = list(learning_rate.suspect(case_of(
        subject_of(), as_it_is=training(losses=(1.4, 9.0, float("nan"))))))
    assert {one.cause for one in found} == {"learning_rate_high"}


@pytest.mark.parametrize(("name", "least"), [("Adadelta", 0.5), ("Adagrad", 0.5), ("SGD", 0.3)])
def test_slow_optimizers(name, least):
    subject = Subject("a test's", lambda: dense(
        optimizer=getattr(load_keras().optimizers, name)()), Regime())
    found = only(optimizer.suspect(case_of(subject)))
    assert found.prior >= least
    assert anatomy(built(found)).optimizer == "Adam"
    assert list(optimizer.suspect(case_of(subject_of()))) == []


def test_a_training_that_was_ended_early():
    short = training(losses=(1.4,), updates=6)
    found = only(epochs.suspect(case_of(subject_of(epochs=1), as_it_is=short)))
    assert found.remedy.regime.epochs >= 3
    assert found.prior > 0.5
    assert list(epochs.suspect(case_of(subject_of(), as_it_is=DONE))) == []
    failed = training(losses=(), failure="ValueError")
    assert list(epochs.suspect(case_of(subject_of(), as_it_is=failed))) == []


@pytest.mark.parametrize(("size", "is_suspected"), [
    (1, True), (2, True), (8, False), (32, False), (180, True), (5_000, True)])
def test_batches_of_most_images_or_of_one(size, is_suspected):
    found = list(batch_size.suspect(case_of(subject_of(batch_size=size))))
    assert bool(found) == is_suspected
    assert all(one.remedy.regime.batch_size == 32 for one in found)


def test_frozen_layers():
    found = only(frozen.suspect(case_of(subject_of(trainable=False, depth=2))))
    assert "2 of 3" in found.evidence
    assert all(one.trainable for one in built(found).layers)
    assert list(frozen.suspect(case_of(subject_of()))) == []


@pytest.mark.parametrize(("spoiled", "is_suspected"), [
    ({"dropout": 0.95}, True), ({"dropout": 0.3}, False), ({"penalty": 1.0}, True),
    ({"penalty": 1e-4}, False)])
def test_too_much_regularisation(spoiled, is_suspected):
    found = list(regularisation.suspect(case_of(subject_of(**spoiled))))
    assert bool(found) == is_suspected
    for one in found:
        assert list(regularisation.suspect(case_of(one.remedy))) == []


def test_a_model_that_is_too_narrow():
    found = only(capacity.suspect(case_of(subject_of(width=1))))
    widths = [one.kernel.shape[-1] for one in anatomy(built(found)).weighted]
    assert widths == [capacity.LEAST, CLASSES]
    assert list(capacity.suspect(case_of(subject_of(width=64)))) == []


def test_many_layers_without_normalisation():
    around, fewer = depth.suspect(case_of(subject_of(depth=12)))
    mended = anatomy(built(around))
    assert mended.is_normalised
    assert len(mended.weighted) == 13
    assert sum(kind(one) == "Add" for one in mended.layers) == 11, "all but the first keep shape"
    assert len(anatomy(built(fewer)).weighted) == depth.FEW + 1
    assert fewer.prior < around.prior
    assert list(depth.suspect(case_of(subject_of(depth=12, normalised=0.99)))) == []
    assert list(depth.suspect(case_of(subject_of(depth=2)))) == []


def test_layers_inside_a_model_are_normalised_and_left_out_too():
    def nested():
        layers = load_keras().layers
        inner = load_keras().Sequential([load_keras().Input((16, 16, 3)), layers.Flatten(), *(
            layers.Dense(8, activation="relu") for _ in range(9))])
        model = load_keras().Sequential([load_keras().Input((16, 16, 3)), inner,
                                         layers.Dense(CLASSES, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    around, fewer = depth.suspect(case_of(Subject("nested", nested, Regime())))
    assert anatomy(built(around)).is_normalised
    assert len(anatomy(built(fewer)).weighted) == depth.FEW + 1


@pytest.mark.parametrize(("spoiled", "said"), [
    ({"optimizer": lambda: load_keras().optimizers.AdamW(1e-3, weight_decay=50.0)},
     "weight_decay=50"),
    ({"constraint": lambda: load_keras().constraints.MaxNorm(0.01)}, "bound by MaxNorm")])
def test_what_holds_the_weights_down_is_taken_out(spoiled, said):
    subject = Subject("a test's", lambda: subject_of(
        **{name: make() for name, make in spoiled.items()}).make(), Regime())
    found = only(regularisation.suspect(case_of(subject)))
    assert said in found.evidence
    mended = built(found)
    assert (mended.optimizer.weight_decay or 0) <= regularisation.USUAL_DECAY
    assert all(getattr(one, "kernel_constraint", None) is None for one in mended.layers)


@pytest.mark.parametrize(("momentum", "updates", "learned", "strong"), [
    (0.99, 60, 0.25, True), (0.99, 60, 0.9, False), (0.99, 2_000, 0.25, None),
    (0.9, 60, 0.25, None)])
def test_averages_that_have_not_arrived(momentum, updates, learned, strong):
    subject = subject_of(normalised=momentum)
    seen = replace(training(0.25, losses=(1.4, 0.5, 0.2), updates=updates), learned=learned)
    found = list(normalisation.suspect(case_of(subject, as_it_is=seen)))
    assert [one.prior > 0.5 for one in found] == ([] if strong is None else [strong])
    for one in found:
        assert {layer.momentum for layer in built(one).layers
                if kind(layer) == "BatchNormalization"} == {normalisation.QUICK_MOMENTUM}


def test_a_layer_of_one_unit_is_not_said_to_have_units_that_begin_alike():
    found = list(initialisation.suspect(case_of(subject_of(width=1))))
    assert not [one for one in found if "alike" in one.evidence]


def test_edits_leave_the_optimizer_and_the_pictures_as_they_are():
    images = digits(10)
    for one in suspicions(case_of(subject_of(depth=8, activation=None, dropout=0.9),
                                  images=images)):
        model = built(one)
        assert model.optimizer is not None
        assert np.isfinite(model.predict_on_batch(
            images.pictures[:2].astype(np.float32) / 255)).all()
