"""Mean recall of the classes, and intervals of what changes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.mean_recall import mean_recall, paired_difference


def test_it_is_the_mean_recall_of_classes_with_images():
    labels = np.array([0, 0, 0, 0, 2, 2])
    right = np.array([True, True, True, False, False, False])
    assert mean_recall(labels, right) == pytest.approx(0.375)
    assert mean_recall(labels, np.array([right, ~right])) == pytest.approx(0.5)


def answers(labels, before, change, repeats, random):
    """Answers right with chance `before`; `change` of the wrong ones become right."""
    hard = random.random(len(labels))
    noise = random.normal(0, 0.05, (repeats, 2, len(labels)))
    first = hard + noise[:, 0] < before
    return first, hard + noise[:, 1] < before + change


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_interval_covers_a_real_change(repeats):
    labels = np.repeat([0, 1, 2], [200, 100, 40])
    random = np.random.default_rng(0)
    found = [paired_difference(labels, *answers(labels, 0.7, 0.1, repeats, random))
             for _ in range(300)]
    truth = np.mean([one.change for one in found])
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.84
    assert np.mean([one.is_measurable for one in found]) > 0.9


def test_a_rare_class_that_does_not_change_hides_nothing():
    labels = np.repeat([0, 1, 2], [400, 400, 12])
    before = np.ones(len(labels), bool)
    before[:20] = before[400:420] = False
    gain = paired_difference(labels, before, np.ones(len(labels), bool))
    assert gain.is_measurable
    rare = np.ones(len(labels), bool)
    rare[-1] = False
    assert not paired_difference(labels, rare, np.ones(len(labels), bool)).is_measurable


def test_no_change_is_seldom_measurable():
    labels = np.repeat([0, 1, 2], [200, 100, 40])
    random = np.random.default_rng(1)
    found = [paired_difference(labels, *answers(labels, 0.7, 0, 2, random)) for _ in range(300)]
    assert np.mean([one.is_measurable for one in found]) <= 0.14


def test_what_one_classifier_does_to_a_whole_fold_is_no_gain():
    labels, folds = np.tile([0, 1], 250), np.repeat(np.arange(5), 100)
    random = np.random.default_rng(2)
    alone, together = [], []
    for _ in range(300):
        luck = random.normal(0, 0.03, 5)[folds]
        hard = random.random(len(labels))
        before, after = hard < 0.7, hard < 0.7 + luck
        alone.append(paired_difference(labels, before, after).is_measurable)
        together.append(paired_difference(labels, before, after, folds).is_measurable)
    assert np.mean(alone) > 0.2
    assert np.mean(together) <= 0.14


@given(st.integers(2, 5), st.integers(0, 2**16))
def test_folds_only_ever_widen_the_interval(count, seed):
    random = np.random.default_rng(seed)
    labels, folds = random.integers(0, 3, 60), random.integers(0, count, (2, 60))
    before, after = random.random((2, 2, 60)) < 0.6
    without = paired_difference(labels, before, after)
    told = paired_difference(labels, before, after, folds)
    assert told.low <= without.low < without.high <= told.high
    assert told.change == pytest.approx(without.change)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1,
                max_size=40))
def test_invariants(rows):
    labels, before, after = (np.array(column) for column in zip(*rows, strict=True))
    there = paired_difference(labels, before, after)
    back = paired_difference(labels, after, before)
    assert there.low < there.change < there.high
    assert there.change == pytest.approx(-back.change)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert 0 <= there.before <= 1
    assert 0 <= there.after <= 1
