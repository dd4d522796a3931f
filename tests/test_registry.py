"""Thresholds given by the user, and checks found by their code."""

from types import SimpleNamespace

import pytest

from audit.errors import UsageError
from audit.registry import all_checks, find_check, run_checks, thresholds_of


def test_every_file_of_checks_is_found_once_and_sorted():
    codes = [one.meta.code for one in all_checks()]
    assert codes == sorted(set(codes))
    for one in all_checks():
        assert one.function.__module__ == f"audit.checks.{one.meta.code}"
        assert find_check(one.meta.code) is one


def test_an_unknown_check_names_the_known_ones():
    with pytest.raises(UsageError, match='there is no check "drak"') as caught:
        find_check("drak")
    assert all(one.meta.code in str(caught.value) for one in all_checks())


def test_thresholds_are_the_defaults_but_for_what_is_given():
    check = find_check("odd_size")
    defaults = {name: one.value for name, one in check.meta.thresholds.items()}
    assert thresholds_of(check, {}) == defaults
    assert thresholds_of(check, {"least_ratio": 2.0}) == defaults | {"least_ratio": 2.0}


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_threshold_out_of_its_range_is_refused(value):
    with pytest.raises(UsageError) as caught:
        thresholds_of(find_check("dark"), {"score": value})
    assert str(caught.value) == (
        f'threshold "score" of check "dark" must be from 0 to 1. Got {value:g} instead.')


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_ends_of_the_range_are_allowed(value):
    assert thresholds_of(find_check("dark"), {"score": value}) == {"score": value}


@pytest.mark.parametrize(("code", "known"), [
    ("dark", "It has score."), ("animated", "It has none."),
    ("odd_size", "It has iqr_factor, least_ratio.")])
def test_an_unknown_threshold_names_the_known_ones(code, known):
    with pytest.raises(UsageError) as caught:
        thresholds_of(find_check(code), {"size": 1})
    assert str(caught.value) == f'check "{code}" has no threshold "size". {known}'


def test_a_wrong_threshold_stops_the_run_and_is_no_crashed_check():
    evidence = SimpleNamespace(images=SimpleNamespace(empty=False, columns=["brightness_p99"]))
    with pytest.raises(UsageError, match="must be from 0 to 1"):
        list(run_checks([find_check("dark")], evidence, {"dark": {"score": 2}}))
