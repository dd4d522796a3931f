"""Intervals of shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.intervals import DEVIATIONS_90, wilson


@pytest.mark.parametrize(("right", "total", "expected"), [
    (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (1, 29, (0.0061, 0.1718)),
    (81, 263, (0.2553, 0.3662)),  # the last two are table I of Newcombe (1998)
])
def test_wilson_is_as_tabulated(right, total, expected):
    assert wilson(right, total, 1.959964) == pytest.approx(expected, abs=5e-5)


def test_wilson_covers_and_says_nothing_of_nothing():
    assert wilson(0, 0, DEVIATIONS_90) == (0, 1)
    right = np.random.default_rng(0).binomial(30, 0.1, 2_000)
    inside = [low <= 0.1 <= high for low, high in (
        wilson(count, 30, DEVIATIONS_90) for count in right)]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.04)


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0, 5))
def test_wilson_holds_the_share(right, total, deviations):
    right = min(right, total)
    low, high = wilson(right, total, deviations)
    assert 0 <= low <= right / total <= high <= 1
