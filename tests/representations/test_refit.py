"""Refits: learning curves and trials on real digits."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.utils.class_weight import compute_sample_weight

from audit.representations.folds import assign_folds
from audit.representations.refit import CLOSE_RIDGE, Refits
from audit.types import Suspects, Trial

CHOSEN = {"columns": 64, "width": 0.25, "ridge": 0.1}


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    pixels = (data.data - data.data.mean(axis=0)).astype(np.float32)
    return pixels[:500], data.target[:500].astype(np.int64)


def folds_of(labels, repeats=2):
    return np.array([assign_folds(pd.Series(labels.astype(str)), np.arange(len(labels)),
                                  np.ones(len(labels), bool), 5, seed).fold
                     for seed in range(repeats)])


def refits(pixels, labels, folds=None, landmarks=1_000):
    return Refits(pixels, labels, folds_of(labels) if folds is None else folds, 10, CHOSEN,
                  landmarks, 0)


def with_noise(labels, share=0.2):
    random = np.random.default_rng(3)
    wrong = random.random(len(labels)) < share
    noisy = labels.copy()
    noisy[wrong] = (labels[wrong] + random.integers(1, 10, wrong.sum())) % 10
    return noisy, wrong


def everything(labels, **fix):
    return Trial("", "", np.ones(len(labels), bool), **fix)


def accuracy(hits, tested=slice(None)):
    return hits[..., tested].mean()


def test_more_images_are_learned_from_and_more_are_told_right(digits):
    pixels, labels = digits
    told = []
    curve = refits(pixels, labels).learning_curve(np.ones(len(labels), bool), told.append)
    assert sum(told) == 5
    assert (np.diff(curve.sizes) > 0).all()
    assert curve.shares[-1] == 1
    assert curve.sizes[-1] == pytest.approx(0.8 * len(labels), rel=0.01)
    rates = [accuracy(one[one >= 0]) for one in curve.hits]
    assert rates[-1] > 0.95
    assert rates[0] < rates[len(rates) // 2] < rates[-1]
    repeats = (curve.hits[:, :, 0] >= 0).sum(axis=1)
    assert (np.diff(repeats) <= 0).all()
    assert (repeats[0], repeats[-1]) == (6, 1)
    assert (curve.as_given == curve.hits[-1, 0]).all()


def test_a_curve_from_fewer_landmarks_than_images_ends_as_the_trial_does(digits):
    pixels, labels = digits
    some = refits(pixels, labels, landmarks=200)
    curve = some.learning_curve(np.ones(len(labels), bool))
    hits = some.hits([everything(labels)])
    assert (curve.hits[-1, 0] == hits[0, 0]).mean() > 0.99


def test_a_disbelieved_image_is_neither_learned_nor_tested(digits):
    pixels, labels = digits
    noisy, wrong = with_noise(labels)
    curve = refits(pixels, noisy).learning_curve(~wrong)
    assert (curve.hits[:, :, wrong] == -1).all()
    assert (curve.as_given[wrong] == -1).all()
    believed = curve.hits[-1, 0][~wrong]
    assert accuracy(believed) > accuracy(curve.as_given[~wrong]) + 0.02
    changed = noisy.copy()
    changed[wrong] = (changed[wrong] + 1) % 10
    # Which class a label that is not believed names has no part in the curve.
    again = Refits(pixels, changed, folds_of(noisy), 10, CHOSEN, 1_000, 0).learning_curve(~wrong)
    np.testing.assert_array_equal(again.hits, refits(pixels, noisy).learning_curve(~wrong).hits)


@pytest.mark.parametrize("fix", [Suspects.RELABEL, Suspects.DROP])
def test_fixing_planted_noise_wins_and_knows_nothing_of_the_tested_labels(fix, digits):
    pixels, labels = digits
    noisy, wrong = with_noise(labels)
    folds = folds_of(noisy)
    before, after = refits(pixels, noisy, folds).hits(
        [everything(noisy), everything(noisy, suspects=fix)])
    assert accuracy(after, ~wrong) > accuracy(before, ~wrong) + 0.02
    # Other labels in the tested fold change none of its predictions.
    tested = np.flatnonzero(folds[0] == 0)
    other = noisy.copy()
    other[tested] = (other[tested] + 1) % 10
    one, two = (Refits(pixels, some, folds[:1], 10, CHOSEN, 1_000, 0).hits(
        [everything(some, suspects=fix)])[0, 0, tested] for some in (noisy, other))
    assert not (one & two).any(), "the same prediction cannot be right for both labels"
    assert one.mean() > 0.7


@pytest.mark.parametrize("fix", [Suspects.RELABEL, Suspects.DROP])
def test_a_rare_class_is_not_corrected_away(fix, digits):
    pixels, labels = digits
    own = np.flatnonzero(labels == 1)
    kept = np.setdiff1d(np.arange(len(labels)), own[6:])
    pixels, labels = pixels[kept], labels[kept]
    # A judge as unsure as one that was chosen on noisy labels takes all six for wrong.
    unsure = Refits(pixels, labels, folds_of(labels), 10, {**CHOSEN, "ridge": 1}, 1_000, 0)
    before, after = unsure.hits([everything(labels), everything(labels, suspects=fix)])
    assert accuracy(before, labels == 1) > 0.9
    assert accuracy(after, labels == 1) >= accuracy(before, labels == 1)


def test_on_clean_labels_fixing_them_changes_next_to_nothing(digits):
    pixels, labels = digits
    before, *after = refits(pixels, labels).hits(
        [everything(labels), *(everything(labels, suspects=one) for one in Suspects)])
    for one in after:
        assert abs(accuracy(one) - accuracy(before)) < 0.01


def test_what_is_left_out_is_not_learned_from(digits):
    pixels, labels = digits
    keep = labels != 3
    before, after = refits(pixels, labels).hits(
        [everything(labels), Trial("", "", keep)])
    assert accuracy(before, ~keep) > 0.9
    assert accuracy(after, ~keep) == 0
    # Leaving out by subtraction is the same as never having had the images.
    alone = Trial("", "", np.arange(len(labels)) % 3 == 0)
    subtracted, = refits(pixels, labels).hits([alone])
    assert accuracy(subtracted) > 0.85


def test_balanced_classes_win_recall_for_a_rare_one(digits):
    pixels, labels = digits
    own = np.flatnonzero(labels == 8)
    kept = np.setdiff1d(np.arange(len(labels)), own[9:])
    pixels, labels = pixels[kept], labels[kept]
    before, after = refits(pixels, labels, landmarks=100).hits(
        [everything(labels), everything(labels, balanced=True)])
    assert accuracy(after, labels == 8) >= accuracy(before, labels == 8)
    assert (before != after).any()


def test_balancing_is_least_squares_with_class_weights(digits):
    pixels, labels = digits
    some = refits(pixels, labels, landmarks=50)
    rows = np.flatnonzero((labels != 8) | (np.arange(len(labels)) % 5 == 0))
    weights = compute_sample_weight("balanced", labels[rows])
    expected = Ridge(CLOSE_RIDGE, fit_intercept=False).fit(
        some._features[rows], some._targets[rows], sample_weight=weights).coef_.T
    np.testing.assert_allclose(
        some._learn_balanced(rows, some._targets), expected, atol=0.02 * np.abs(expected).max())


def test_the_same_seed_gives_the_same_answers(digits):
    pixels, labels = digits
    believed = np.ones(len(labels), bool)
    first, second = (refits(pixels, labels).learning_curve(believed) for _ in range(2))
    np.testing.assert_array_equal(first.hits, second.hits)


def test_sizes_with_less_than_two_images_a_class_are_left_out(digits):
    pixels, labels = digits
    some = np.arange(len(labels)) < 60
    curve = Refits(pixels[some], labels[some], folds_of(labels[some]), 10, CHOSEN, 1_000,
                   0).learning_curve(np.ones(60, bool))
    assert curve.shares[0] * 60 >= 20
