"""Whole diagnoses on real digits: silent on what is healthy, right about what was spoiled."""

from dataclasses import replace

import numpy as np
import pytest
from diagnosis.small_models import CLASSES, digits, subject_of, training

from audit.diagnosis.conclude import DATA, MODEL, NOTHING, SETTINGS, conclude
from audit.diagnosis.data import causes_in_data
from audit.diagnosis.diagnose import Budget, diagnose, falls_short
from audit.diagnosis.experiment import Limits, predicted, targets_of, train
from audit.diagnosis.subject import Regime, Subject
from audit.keras_runtime import load_keras

SMALL = Budget(updates=120, seconds=20, total=120)


@pytest.fixture(scope="module")
def images():
    return digits()


def test_a_healthy_model_is_left_alone(images):
    found = diagnose(subject_of(epochs=15), images, 0, SMALL)
    assert not found.is_poor
    assert found.trials == ()
    told = conclude(found, causes_in_data(images, found.reference, training(0.25), None))
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
    data = causes_in_data(shuffled, found.reference, training(1 / CLASSES), None)
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
    found = causes_in_data(images, learned, training(0.5), None)
    assert [one.cause for one in found] == ([cause] if cause else []), name


@pytest.mark.parametrize(("interval", "is_noise"), [((0.2, 0.4), True), ((0.001, 0.1), False)])
def test_wrong_labels_by_an_audit(interval, is_noise):
    summary = {"causes": [], "checks": [{"code": "label", "metrics": {
        "estimated_share": sum(interval) / 2, "estimated_share_interval_90": list(interval)}}]}
    found = causes_in_data(digits(50), training(0.9), training(0.25), summary)
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
