"""Learning curves: simulated ones are foretold within the interval, whatever their form."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from audit.learning_curve import fit_curve

SIZES = np.array([62, 125, 250, 500, 1_000])
LATER = 4_000
REPEATS = 3
TRIALS = 100


def power(random):
    asymptote, height, slope = random.uniform((0, 0.3, 0.15), (0.3, 0.65, 0.8))
    return lambda size: asymptote + height * (size / 50) ** -slope


def exponential(random):
    asymptote, height, scale = random.uniform((0, 0.3, 100), (0.3, 0.65, 800))
    return lambda size: asymptote + height * np.exp(-size / scale)


def logarithm(random):
    start, slope = random.uniform((0.5, 0.03), (0.8, 0.12))
    return lambda size: np.clip(start - slope * np.log(size / 50), 0.02, 1)


def mmf(random):
    asymptote, height, scale, slope = random.uniform((0, 0.4, 50, 0.5), (0.3, 0.7, 800, 1.8))
    return lambda size: asymptote + height / (1 + (size / scale) ** slope)


def of_no_form(random):
    asymptote, height, middle, width = random.uniform((0, 0.4, 4, 1.2), (0.3, 0.7, 6.5, 2.5))
    return lambda size: asymptote + height * norm.cdf((middle - np.log(size)) / width)


def measure(error, tested, random, sizes=SIZES):
    """Accuracies `(p, r)` on so many held-out images, with binomial noise."""
    right = random.binomial(tested, 1 - np.tile(error, (REPEATS, 1)).T, (len(sizes), REPEATS))
    return right / tested


def fit_error(error, tested=2_000, seed=0, sizes=SIZES):
    return fit_curve(sizes, measure(error, tested, np.random.default_rng(seed), sizes), tested, 0)


@pytest.mark.parametrize("family", [power, exponential, logarithm, mmf, of_no_form])
@pytest.mark.parametrize(("tested", "most_error"), [(100, 0.06), (2_000, 0.03)])
def test_four_times_the_images_are_foretold(family, tested, most_error):
    covered, errors = [], []
    for trial in range(TRIALS):
        random = np.random.default_rng(trial)
        error_at = family(random)
        curve = fit_curve(SIZES, measure(error_at(SIZES), tested, random), tested, trial)
        mean, low, high = curve.predict(LATER)
        truth = 1 - error_at(LATER)
        covered.append(low <= random.binomial(tested, truth) / tested <= high)
        errors.append(abs(mean - truth))
    assert np.mean(covered) >= 0.85
    assert np.mean(errors) <= most_error


@pytest.mark.parametrize("tested", [50, 2_000])
def test_a_flat_curve_reaches_nothing(tested):
    for seed in range(10):
        curve = fit_error(np.full(5, 0.9), tested, seed)
        assert curve.images_for(0.5) is None
        assert curve.probability_reachable(0.5) < 0.1
        assert curve.predict(LATER)[0] < 0.2


def test_only_targets_below_the_asymptote_have_a_number_of_images():
    curve = fit_error(0.25 + 0.5 * (SIZES / 62) ** -0.8)
    median, low, high = curve.images_for(0.7)
    assert low <= 62 * 10**1.25 <= high  # where 0.5 (n / 62)^-0.8 is 0.05
    assert low <= median <= high
    assert curve.probability_reachable(0.7) > 0.9
    assert curve.images_for(0.9) is None
    assert curve.probability_reachable(0.9) < 0.1
    assert 0.75 <= curve.asymptote_upper < 0.85


def test_the_upper_end_is_infinite_where_some_curves_do_not_reach_the_target():
    curve = fit_error(0.25 + 0.5 * (SIZES / 62) ** -0.8, tested=300)
    assert 0.5 < curve.probability_reachable(0.7) < 0.95
    assert curve.images_for(0.7)[2] == np.inf


def test_a_fall_is_told_from_noise():
    assert not fit_error(np.array([0.5, 0.4, 0.3, 0.35, 0.4])).is_monotone
    assert not fit_error(np.array([0.3, 0.32, 0.34, 0.36, 0.38])).is_monotone, "never in one step"
    assert all(fit_error(np.full(5, 0.5), 200, seed).is_monotone for seed in range(50))


def test_a_later_size_is_foretold_less_surely():
    curve = fit_error(0.1 + 0.5 * (SIZES / 62) ** -0.4)
    widths = [high - low for _, low, high in map(curve.predict, (1_000, 4_000, 64_000))]
    assert widths == sorted(widths)


def test_fewer_held_out_images_make_the_interval_wider():
    error = 0.1 + 0.5 * (SIZES / 62) ** -0.4
    (_, low, high), (_, lower, higher) = (fit_error(error, count).predict(LATER)
                                          for count in (2_000, 50))
    assert higher - lower > 2 * (high - low)


def test_trainings_that_differ_make_the_interval_wider():
    accuracy = np.array([[0.4], [0.5], [0.58], [0.64], [0.68]])
    around = np.array([-1, 0, 1])
    calm = fit_curve(SIZES, accuracy + 0.002 * around, 5_000, 0)
    shaky = fit_curve(SIZES, accuracy + 0.08 * around, 5_000, 0)
    assert calm.spread == 0, "no more than the noise of the measurement"
    assert shaky.spread == pytest.approx(0.08, rel=0.05)
    assert np.diff(shaky.predict(LATER)[1:]) > np.diff(calm.predict(LATER)[1:])


def test_repeats_that_are_missing_are_left_out():
    accuracy = measure(0.1 + 0.5 * (SIZES / 62) ** -0.4, 2_000, np.random.default_rng(0))
    blank = np.column_stack([accuracy, np.full(5, np.nan)])
    assert fit_curve(SIZES, blank, 2_000, 0).predict(LATER) == fit_curve(
        SIZES, accuracy, 2_000, 0).predict(LATER)
    blank[3] = np.nan
    kept = [0, 1, 2, 4]
    assert fit_curve(SIZES, blank, 2_000, 0).predict(LATER) == fit_curve(
        SIZES[kept], accuracy[kept], 2_000, 0).predict(LATER)


@pytest.mark.parametrize(("sizes", "accuracies", "tested", "words"), [
    ([1, 2], [[0.5], [0.6]], 9, "3 sizes or more"),
    ([1, 2, 3], [[0.5], [0.6], [np.nan]], 9, "3 sizes or more"),
    ([1, 3, 2], [[0.5]] * 3, 9, "ascend"),
    ([0, 1, 2], [[0.5]] * 3, 9, "above 0"),
    ([1, 2, 3], [0.5] * 3, 9, r"\(p, r\)"),
    ([1, 2, 3], [[0.5], [0.6], [1.2]], 9, r"\[0, 1\]"),
    ([1, 2, 3], [[0.5]] * 3, 0, "tested"),
])
def test_what_cannot_be_fitted_is_refused(sizes, accuracies, tested, words):
    with pytest.raises(ValueError, match=words):
        fit_curve(sizes, accuracies, tested, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 9).flatmap(lambda count: st.tuples(
    st.lists(st.integers(1, 10**6), min_size=count, max_size=count, unique=True),
    st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), min_size=count, max_size=count),
    st.integers(1, 10**5))))
def test_whatever_the_points_the_answers_are_in_order(case):
    sizes, accuracies, tested = case
    curve = fit_curve(sorted(sizes), accuracies, tested, 0)
    asked = [1, min(sizes), max(sizes), 3 * max(sizes), 10**9]
    found = [curve.predict(size) for size in sorted(asked)]
    assert all(0 <= low <= mean <= high <= 1 for mean, low, high in found)
    assert (np.diff([mean for mean, _, _ in found]) >= -1e-9).all()
    assert 0 <= curve.asymptote_upper <= 1
    reachable = [curve.probability_reachable(target) for target in (0.2, 0.5, 0.9)]
    assert reachable == sorted(reachable, reverse=True)
    needed = curve.images_for(0.5)
    assert (needed is not None) == (reachable[1] > 0.5)
    assert needed is None or needed[1] <= needed[0] <= needed[2]
    assert fit_curve(sorted(sizes), accuracies, tested, 0).predict(10**9) == found[-1]


def test_a_hundred_curves_take_seconds():
    error = 0.1 + 0.5 * (SIZES / 62) ** -0.4
    begun = time.process_time()
    for seed in range(20):
        fit_error(error, seed=seed).predict(LATER)
    assert (time.process_time() - begun) / 20 < 0.03
