"""Figures of networks before and after, against what can be reckoned by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import stdtrit

from audit.training import differences, score
from audit.training.compare import calibration_error, softmax


def confident(shares):
    """Probabilities of two classes that are for class 0 with these confidences."""
    return np.stack([shares, 1 - np.asarray(shares)], axis=1)


def told(right, labels, classes=3):
    """Logits `(seeds, n, classes)` of networks that tell these images right."""
    answers = np.where(np.atleast_2d(right), labels, (labels + 1) % classes)
    return np.eye(classes)[answers] * 5


def reach_of(difference):
    return (difference.high - difference.low) / 2


def test_confidence_that_holds_is_calibrated():
    labels = np.array([0] * 7 + [1] * 3 + [0] * 9 + [1])
    shares = np.repeat([0.7, 0.9], 10)
    assert calibration_error(confident(shares), labels) == pytest.approx(0, abs=1e-9)


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    shares = np.repeat([0.9, 0.6], 4)
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 1])  # half right at 0.9, three quarters at 0.6
    assert calibration_error(confident(shares), labels) == pytest.approx(
        (0.4 * 4 + 0.15 * 4) / 8)
    assert calibration_error(confident(np.ones(4)), np.ones(4, int)) == pytest.approx(1)


@settings(deadline=None, max_examples=50)
@given(arrays(float, (7, 3), elements=st.floats(-1e3, 1e3)))
def test_probabilities_add_up_and_keep_their_order(logits):
    found = softmax(logits)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found, softmax(logits + 7), atol=1e-9)
    assert (found[np.arange(7), logits.argmax(axis=1)] == found.max(axis=1)).all()


def test_scores_are_means_over_classes_and_seeds():
    labels = np.array([0] * 6 + [1] * 2 + [2] * 2)  # of the fourth class there are no images
    right = np.array([[1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
                      [1, 1, 1, 0, 0, 0, 1, 1, 1, 0]], bool)
    found = score(told(right, labels, 4), labels)
    assert found.accuracy == pytest.approx((0.7 + 0.6) / 2)
    assert found.by_seed == (pytest.approx((0.7, (1 + 1 / 2 + 0) / 3)),
                             pytest.approx((0.6, (1 / 2 + 1 + 1 / 2) / 3)))
    assert found.balanced_accuracy == pytest.approx((0.5 + 2 / 3) / 2)
    assert set(found.recalls) == {0, 1, 2}
    assert [found.recalls[label][0] for label in range(3)] == pytest.approx([0.75, 0.75, 0.25])
    for recall, low, high in found.recalls.values():
        assert 0 <= low < recall < high <= 1
    widths = [high - low for _, low, high in found.recalls.values()]
    assert widths[0] < widths[1], "of more images more is known"


def test_the_log_loss_is_the_mean_over_seeds_of_the_cross_entropy():
    labels = np.array([0, 1])
    probabilities = np.array([[[0.8, 0.2], [0.5, 0.5]], [[0.1, 0.9], [0.25, 0.75]]])
    found = score(np.log(probabilities), labels)
    assert found.log_loss == pytest.approx(-np.log([0.8, 0.5, 0.1, 0.75]).mean())


LABELS = np.repeat([0, 1, 2], [120, 60, 20])
RIGHT = np.random.default_rng(0).random(200) < 0.6


def test_no_change_is_not_measurable():
    for difference in differences(told(RIGHT, LABELS), told(RIGHT, LABELS), LABELS):
        assert difference.change == 0
        assert not difference.is_measurable
        assert difference.low < 0 < difference.high, "as much is not known"


def test_a_large_change_is_measurable_with_any_number_of_seeds():
    for seeds in (1, 2, 3):
        before = told(np.tile(RIGHT, (seeds, 1)), LABELS)
        after = told(np.ones((seeds, 200), bool), LABELS)
        for difference in differences(before, after, LABELS):
            assert difference.after == 1
            assert difference.low > 0


def test_the_second_figure_counts_rare_classes_as_much_as_common_ones():
    right = np.where(LABELS == 2, True, RIGHT)
    recalls = [RIGHT[label == LABELS].mean() for label in range(3)]
    plain, balanced = differences(told(RIGHT, LABELS), told(right, LABELS), LABELS)
    assert plain.before == pytest.approx(RIGHT.mean())
    assert balanced.before == pytest.approx(np.mean(recalls))
    assert plain.change == pytest.approx((1 - recalls[2]) * 20 / 200)
    assert balanced.change == pytest.approx((1 - recalls[2]) / 3)


def seeds_with(gained):
    """Answers of which each seed tells so many more images right than before."""
    before = np.zeros((len(gained), 200), bool)
    before[:, :100] = True
    after = before.copy()
    for row, count in zip(after, gained, strict=True):
        row[100:100 + count] = True
    labels = np.zeros(200, np.int64)
    return differences(told(before, labels), told(after, labels), labels)[0]


def test_the_interval_grows_with_how_much_seeds_disagree():
    agreed, apart, far = (seeds_with(one) for one in ((20, 20, 20), (10, 20, 30), (0, 20, 40)))
    assert agreed.change == pytest.approx(apart.change) == pytest.approx(far.change)
    assert reach_of(agreed) < reach_of(apart) < reach_of(far)


def test_of_few_seeds_the_interval_is_as_wide_as_student_has_it():
    gained = np.array([0, 20, 40])
    students = stdtrit(2, 0.95) * (gained / 200).std(ddof=1) / 3**0.5
    between, images = reach_of(seeds_with(gained)), reach_of(seeds_with((20, 20, 20)))
    assert between >= students
    assert between <= (students**2 + images**2) ** 0.5 + 1e-9, "and no wider than both together"


@settings(deadline=None, max_examples=50)
@given(arrays(bool, (2, 3, 30)), arrays(np.int64, 30, elements=st.integers(0, 2)))
def test_swapped_arms_are_a_change_the_other_way(right, labels):
    before, after = told(right[0], labels), told(right[1], labels)
    for there, back in zip(differences(before, after, labels), differences(after, before, labels),
                           strict=True):
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
        assert (there.before, there.after) == (back.after, back.before)
        assert there.low <= there.change <= there.high
