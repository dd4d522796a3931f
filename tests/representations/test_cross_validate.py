"""Answers of several models, laid out over all images, each counting for what it knows."""

import numpy as np
import pandas as pd
import pytest

from audit.representations.cross_validate import cross_validate
from audit.representations.folds import Folds
from audit.representations.head import Choices, HeadAnswer

COUNT = 600
CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 3, COUNT)


def logits_of(labels, strength, seed):
    noise = np.random.default_rng(seed).normal(size=(len(labels), 3))
    return (noise + strength * np.eye(3)[labels]).astype(np.float32)


def validate(labels, first, second):
    powers = np.exp(first)
    answer = HeadAnswer(powers / powers.sum(axis=1, keepdims=True), 0.9, Choices(4, 0.5, 0.1, 0))
    folds = Folds(np.arange(COUNT) % 5, 5)
    return cross_validate(
        pd.Series([CLASSES[label] for label in labels]), CLASSES, [folds],
        lambda tasks: [answer] * len(tasks), "a model", lambda _task: second)


def test_a_second_model_that_knows_nothing_counts_for_nothing(labels):
    first = logits_of(labels, 2, seed=1)
    alone = validate(labels, first, None)
    beside = validate(labels, first, logits_of(labels, 0, seed=2))
    assert "second_weight" not in alone.chosen
    # One that is sure of nothing can be mixed in without harm.
    right = [(one.probabilities.argmax(axis=1) == labels).mean() for one in (alone, beside)]
    assert right[1] >= right[0] - 0.01
    assert beside.chosen["second_weight"] <= 0.25


def test_two_models_that_know_different_things_are_better_than_each(labels):
    first, second = logits_of(labels, 2, seed=1), logits_of(labels, 2, seed=2)
    both = validate(labels, first, second)
    assert 0 < both.chosen["second_weight"] < 1
    np.testing.assert_allclose(both.probabilities.sum(axis=1), 1)
    right = (both.probabilities.argmax(axis=1) == labels).mean()
    assert right > max((one.argmax(axis=1) == labels).mean() for one in (first, second))
    assert len(both.repeats) == 1
    np.testing.assert_allclose(  # a repeat is the first model alone
        both.repeats[0], np.exp(first) / np.exp(first).sum(axis=1, keepdims=True))


def test_a_much_better_second_model_is_followed(labels):
    both = validate(labels, logits_of(labels, 0, seed=1), logits_of(labels, 4, seed=2))
    assert both.chosen["second_weight"] >= 0.75
    assert (both.probabilities.argmax(axis=1) == labels).mean() > 0.9
