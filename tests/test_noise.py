"""The model of label noise: planted errors are counted, whatever their pattern."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold, cross_val_predict

from audit.noise import fit_label_noise, temperature_scaled

SHARE = 0.15


def uniform(labels, random):
    chosen = random.permutation(len(labels))[:round(SHARE * len(labels))]
    given = labels.copy()
    given[chosen] = (labels[chosen] + random.integers(1, 10, len(chosen))) % 10
    return given


def in_pairs(labels, random):
    chosen = random.permutation(len(labels))[:round(SHARE * len(labels))]
    given = labels.copy()
    given[chosen] = (labels[chosen] + 1) % 10
    return given


def in_one_class(labels, random):
    own = random.permutation(np.flatnonzero(labels == 3))
    given = labels.copy()
    given[own[:len(own) // 3]] = 5
    return given


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def held_out_scores(pixels, labels):
    model = KernelRidge(alpha=0.1, kernel="rbf", gamma=0.5 / (2 * pixels.var(axis=0).sum()))
    return cross_val_predict(model, pixels, np.eye(10)[labels] - 0.1,
                             cv=KFold(5, shuffle=True, random_state=0))


@pytest.mark.parametrize(("plant", "within", "least_recall"), [
    (uniform, 0.15, 0.8), (in_pairs, 0.15, 0.8),
    (in_one_class, 0.45, 0.5),  # drawn towards the rate of the other classes, which is 0
])
def test_planted_errors_are_counted_and_named(plant, within, least_recall, digits):
    pixels, labels = digits
    given = plant(labels, np.random.default_rng(1))
    wrong = given != labels
    noise = fit_label_noise(held_out_scores(pixels, given), given)
    assert noise.share == pytest.approx(wrong.mean(), rel=within)
    flagged = noise.is_wrong > 0.5
    assert wrong[flagged].mean() > 0.9
    assert flagged[wrong].mean() > least_recall
    assert noise.is_wrong[flagged].mean() == pytest.approx(wrong[flagged].mean(), abs=0.12)
    assert (noise.posterior[wrong].argmax(axis=1) == labels[wrong]).mean() > least_recall


def test_clean_labels_are_left_alone(digits):
    pixels, labels = digits
    noise = fit_label_noise(held_out_scores(pixels, labels), labels)
    assert noise.share < 0.01
    assert (noise.is_wrong > 0.5).mean() < 0.005
    low, high = noise.share_interval(1.645)
    assert low <= noise.share <= high < 0.02


def test_the_interval_narrows_with_the_number_of_images():
    random = np.random.default_rng(0)
    widths = []
    for count in (200, 3_200):
        labels = random.integers(0, 3, count)
        scores = 3 * np.eye(3)[np.where(random.random(count) < 0.2, (labels + 1) % 3, labels)]
        low, high = fit_label_noise(scores, labels).share_interval(2)
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.3)


def test_a_sharper_or_softer_copy_of_the_scores_is_the_same(digits):
    pixels, labels = digits
    scores = held_out_scores(pixels, labels)
    given = uniform(labels, np.random.default_rng(2))
    reference = fit_label_noise(scores, given)
    for factor in (0.3, 3):
        other = fit_label_noise(factor * scores, given)
        np.testing.assert_allclose(other.is_wrong, reference.is_wrong, atol=0.02)
        assert other.log_likelihood == pytest.approx(reference.log_likelihood, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5).flatmap(lambda classes: st.integers(2, 40).flatmap(
    lambda count: st.tuples(
        arrays(np.float64, (count, classes), elements=st.floats(-50, 50)),
        arrays(np.int64, count, elements=st.integers(0, classes - 1))))))
def test_whatever_the_scores_the_answers_are_probabilities(case):
    scores, labels = case
    noise = fit_label_noise(scores, labels)
    np.testing.assert_allclose(noise.posterior.sum(axis=1), 1, atol=1e-6)
    assert ((noise.posterior >= 0) & (noise.posterior <= 1)).all()
    assert 0 <= noise.share <= 1
    low, high = noise.share_interval(2)
    assert 0 <= low <= noise.share <= high <= 1
    probabilities = temperature_scaled(scores, labels)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)


def test_the_temperature_is_that_of_the_truth():
    random = np.random.default_rng(0)
    true = random.dirichlet(np.full(4, 0.5), 4_000)
    labels = np.array([random.choice(4, p=row) for row in true])
    scaled = temperature_scaled(5 * np.log(true + 1e-12), labels)
    confident = scaled.max(axis=1) > 0.8
    right = scaled.argmax(axis=1) == labels
    assert scaled[confident].max(axis=1).mean() == pytest.approx(right[confident].mean(), abs=0.03)


def test_of_few_images_told_badly_not_all_doubt_is_wrong_labels():
    """Labels are drawn from the very probabilities, so that none is wrong."""
    shares = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        probabilities = 0.7 * random.dirichlet(np.full(10, 0.35), 80) + 0.03
        labels = np.array([random.choice(10, p=one) for one in probabilities])
        shares.append(fit_label_noise(np.log(probabilities), labels).share)
    doubt = 0.39  # what the transitions take for wrong labels where each class has a row of its own
    assert np.mean(shares) < 0.6 * doubt


def test_wrong_labels_are_counted_in_small_classes_too(digits):
    pixels, labels = digits
    random = np.random.default_rng(0)
    few = np.concatenate([random.permutation(np.flatnonzero(labels == one))[:20]
                          for one in range(10)])
    given = uniform(labels[few], random)
    is_wrong = given != labels[few]
    noise = fit_label_noise(held_out_scores(pixels[few], given), given)
    assert abs(noise.share - is_wrong.mean()) < 0.08
    assert noise.is_wrong[is_wrong].mean() > noise.is_wrong[~is_wrong].mean() + 0.5
