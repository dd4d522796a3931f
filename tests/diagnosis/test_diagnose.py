"""Whole diagnoses on real digits: silent on what is healthy, right about what was spoiled."""

from dataclasses import replace

import numpy as np
import pytest
from diagnosis.small_models import CLASSES, digits, subject_of, training

from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.case import CAUSES, Suspicion
from audit.diagnosis.conclude import DATA, MODEL, NOTHING, SETTINGS, SEVERAL, conclude
from audit.diagnosis.data import DataCause, causes_in_data
from audit.diagnosis.diagnose import Budget, Diagnosis, Trial, diagnose, falls_short
from audit.diagnosis.edits import with_normalisation, with_rate
from audit.diagnosis.experiment import (
    KEPT,
    MOST_JUDGED_AT,
    Limits,
    predicted,
    targets_of,
    train,
)
from audit.diagnosis.initial import Initial, look
from audit.diagnosis.subject import Regime, Subject, combined
from audit.keras_runtime import load_keras

SMALL = Budget(updates=120, seconds=20, total=120)


@pytest.fixture(scope="module")
def images():
    return digits()


def test_a_healthy_model_is_left_alone(images):
    found = diagnose(subject_of(epochs=15), images, 0, SMALL)
    assert not found.is_poor
    assert found.trials == ()
    told = conclude(found, causes_in_data(images, found.reference, training(0.25), None, None))
    assert told.blame == NOTHING


@pytest.mark.parametrize(("spoiled", "cause", "blame"), [
    ({"initializer": "zeros"}, "initialisation", MODEL),
    pytest.param({"units": 1, "last": "softmax"}, "loss", MODEL, marks=pytest.mark.slow)])
def test_what_was_spoiled_is_named_and_its_fix_verified(images, spoiled, cause, blame):
    found = diagnose(subject_of(epochs=15, **spoiled), images, 0, SMALL)
    assert found.is_poor
    first = found.causes[0]
    assert first.suspicion.cause == cause
    assert first.training.recall > found.as_it_is.recall + 0.3
    told = conclude(found, [])
    assert told.blame == blame
    assert told.causes[0].key == cause
    assert told.causes[0].after > told.causes[0].before


@pytest.mark.slow
def test_a_rate_that_diverges_is_a_setting(images):
    subject = Subject("a test's", lambda: subject_of(
        optimizer=load_keras().optimizers.SGD(1_000.0)).make(), Regime(10, 32))
    found = diagnose(subject, images, 0, SMALL)
    assert found.causes[0].suspicion.cause == "learning_rate_high"
    assert conclude(found, []).blame == SETTINGS


@pytest.mark.slow
def test_labels_without_signal_are_the_data(images):
    shuffled = replace(images, labels=np.random.default_rng(0).permutation(images.labels))
    found = diagnose(subject_of(epochs=15), shuffled, 0, SMALL)
    data = causes_in_data(shuffled, found.reference, training(1 / CLASSES), None, None)
    told = conclude(found, data)
    assert told.blame == DATA
    assert told.causes[0].key == "no_signal"


def test_a_model_that_raises_is_told_and_stops_nothing(images):
    def broken():
        model = subject_of().make()
        model.layers[-1].call = None
        return model

    trained = train(Subject("broken", broken, Regime(1, 32)), images, 0, Limits(10, 10))
    assert trained.failure
    assert "\n" not in trained.failure
    assert trained.recall == images.chance
    assert falls_short(trained, training(0.9), images)


def test_limits_end_a_training(images):
    trained = train(subject_of(epochs=1_000), images, 0, Limits(7, 60))
    assert trained.was_cut
    assert trained.updates == 7


def test_shares_must_differ_by_more_than_chance(images):
    assert falls_short(training(0.5), training(0.95), images)
    assert not falls_short(training(0.9), training(0.93), images)
    assert not falls_short(training(0.95), training(0.6), images)


@pytest.mark.parametrize(("name", "counts", "cause"), [
    ("imbalance", (1_000, 10), "imbalance"), ("few", (9, 9), "too_few_images"),
    ("well", (400, 300), None)])
def test_causes_in_the_data(name, counts, cause):
    labels = np.repeat(np.arange(2), counts)
    images = replace(digits(2), labels=labels, classes=("a", "b"), learned=np.arange(len(labels)),
                     judged=np.arange(400) % len(labels))
    learned = replace(training(0.7), learned=1.0)
    halved = training(0.4) if name == "few" else None
    found = causes_in_data(images, learned, training(0.5), halved, None)
    assert [one.cause for one in found] == ([cause] if cause else []), name


@pytest.mark.parametrize(("interval", "accuracy", "per_class", "is_noise"), [
    ((0.2, 0.4), 0.6, 60, True), ((0.001, 0.1), 0.9, 60, False), ((0.06, 0.1), 0.9, 60, True),
    ((0.06, 0.3), 0.6, 60, False), ((0.6, 0.8), 0.3, 12, False)],
    ids=["much", "none", "some", "a classifier that sees little", "few images"])
def test_wrong_labels_by_an_audit(interval, accuracy, per_class, is_noise):
    summary = {"causes": [], "checks": [{"code": "label", "metrics": {
        "estimated_share": sum(interval) / 2, "estimated_share_interval_90": list(interval),
        "out_of_fold_accuracy": accuracy}}]}
    found = causes_in_data(digits(per_class), training(0.9), training(0.25), None, summary)
    assert [one.cause for one in found] == (["label_noise"] if is_noise else [])


def test_labels_are_given_as_a_loss_takes_them():
    labels = np.array([2, 0])
    np.testing.assert_array_equal(targets_of(labels, "integers", 3), labels)
    np.testing.assert_array_equal(targets_of(labels, "one_hot", 3), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(targets_of(labels, "one_hot", 2), [[0, 0], [1, 0]])
    np.testing.assert_array_equal(targets_of(labels, "binary", 1), [[2], [0]])


@pytest.mark.parametrize(("scores", "last", "classes", "right"), [
    ([[0.1, 0.9], [0.8, 0.2]], "softmax", 2, [1, 0]), ([[0.7], [0.2]], "sigmoid", 2, [1, 0]),
    ([[0.4], [-0.2]], "linear", 2, [1, 0]), ([[2.2], [9.0]], "linear", 4, [2, 3]),
    ([[np.nan, np.nan]], "softmax", 2, [0])])
def test_the_class_of_scores(scores, last, classes, right):
    assert predicted(np.array(scores), last, classes).tolist() == right


@pytest.mark.slow
def test_two_faults_of_which_neither_fix_is_enough_are_mended_together(images):
    subject = subject_of(epochs=15, initializer="zeros", units=1, last="softmax")
    found = diagnose(subject, images, 0, SMALL)
    assert {one.suspicion.cause for one in found.causes} >= {"initialisation", "loss"}
    assert all(one.is_together for one in found.causes)
    told = conclude(found, [])
    assert "all these fixes" in told.causes[0].refuted_by


def test_changes_are_combined_and_those_that_add_layers_come_last():
    subject = subject_of()
    wider, deeper = subject.edited(with_rate(0.5), epochs=3), subject.edited(with_normalisation())
    both = combined(subject, [deeper, wider])
    assert both.edits == (*wider.edits, *deeper.edits)
    assert (both.regime.epochs, both.regime.batch_size) == (3, subject.regime.batch_size)
    model = both.build(0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5)
    assert anatomy(model).is_normalised


def diagnosis_of(recall, trials=(), failure="", loss=1.4):
    """A diagnosis of a model that ended at a recall, beside one of ours at 0.95."""
    own, ours = training(recall, failure=failure), training(0.95)
    initial = Initial(loss, 1.4, 0.0, 1.0, (), first_without_number="lambda")
    short = (0.95 - recall) / (0.95 - 1 / CLASSES)
    return Diagnosis(initial, own, ours, None, short > 0.12, short, trials)


@pytest.mark.parametrize(("found", "keys"), [
    (diagnosis_of(0.3), ["architecture"]), (diagnosis_of(0.8), []),
    (diagnosis_of(0.3, failure="ValueError: no"), ["raises"]),
    (diagnosis_of(0.25, loss=float("nan")), ["no_number"])])
def test_what_no_change_mends(found, keys):
    told = conclude(found, [])
    assert [one.key for one in told.causes] == keys
    assert (told.blame == MODEL) == bool(keys)
    for one in told.causes:
        assert one.after is None, "nothing was tried that helped"
    if keys == ["no_number"]:
        assert '"lambda"' in told.causes[0].evidence


@pytest.mark.parametrize(("strength", "order"), [
    (0.95, ["label_noise", "epochs"]), (0.7, ["epochs", "label_noise"]), (0.3, ["epochs"])])
def test_the_data_come_first_where_they_are_sure(strength, order):
    trial = Trial(Suspicion("epochs", 0.6, "It was short.", "Train.", subject_of()),
                  training(0.9), 0.9, True)
    data = DataCause("label_noise", strength, "Half are wrong.", "Look.", "They are right.")
    told = conclude(diagnosis_of(0.3, (trial,)), [data])
    assert [one.key for one in told.causes] == order
    assert told.blame == (SEVERAL if len(order) > 1 else SETTINGS)
    assert told.sentence.index(CAUSES[order[0]][1:8]) > 0


def test_the_layer_that_first_gives_no_number_is_found(images):
    def broken():
        keras = load_keras()
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
            layers.Dense(4, kernel_initializer=keras.initializers.Constant(float("nan"))),
            layers.Dense(CLASSES, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    subject = Subject("broken", broken, Regime(1, 32))
    found = look(subject, anatomy(subject.build(0)), images, 0)
    assert found.first_without_number == "dense"


def test_of_many_epochs_some_are_judged_and_the_last_ones_are(images):
    trained = train(subject_of(epochs=50, batch_size=len(images.learned)), images, 0,
                    Limits(1_000, 60))
    numbers = [one.number for one in trained.epochs]
    assert numbers[-3:] == [48, 49, 50]
    assert len(numbers) <= MOST_JUDGED_AT + KEPT
    assert numbers == sorted(set(numbers))
    assert trained.updates == 50
    assert trained.recall == max(one.recall for one in trained.epochs[-KEPT:])
