"""Conditions are read as they are meant, and know of how many images a share is one."""

import math

import pytest
from gate.gate_builders import judged, judgement, pictures, policy_of, write_run
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.gate.conditions import FIGURES, Condition, Figures
from audit.gate.policy import read_policy

SIGNS = {">": (False, False, True), ">=": (False, True, True), "<": (True, False, False),
         "<=": (True, True, False)}
"""Whether 1, 2 and 3 are each on the wrong side of 2."""


@pytest.mark.parametrize("figure", [*FIGURES, "metric.share", "metric.share_interval_90.low"])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("space", ["", " ", "  "])
def test_figure_sign_and_number_are_read(figure, sign, space):
    found = Condition.parse(f"{space}{figure}{space}{sign}{space}0.25{space}", "here")
    assert (found.figure, found.sign, found.bound) == (figure, sign, 0.25)


@pytest.mark.parametrize(("text", "bound"), [
    ("0", 0.0), ("7", 7.0), ("0.005", 0.005), ("1e-3", 0.001), ("2.5E+2", 250.0)])
def test_numbers_are_read_as_toml_writes_them(text, bound):
    assert Condition.parse(f"count > {text}", "here").bound == bound


@pytest.mark.parametrize("sign", SIGNS)
def test_a_condition_holds_on_its_side_of_the_number(sign):
    condition = Condition.parse(f"count {sign} 2", "here")
    assert tuple(condition.holds(value) for value in (1, 2, 3)) == SIGNS[sign]


@given(st.sampled_from([*FIGURES, "metric.a", "metric.a.b"]), st.sampled_from(list(SIGNS)),
       st.integers(0, 999), st.sampled_from([1, 10, 1000]))
def test_a_condition_reads_what_it_writes(figure, sign, number, parts):
    condition = Condition(figure, sign, number / parts)
    assert Condition.parse(str(condition), "here") == condition


@pytest.mark.parametrize("text", [
    "", "count", "count >", "> 0", "count = 0", "count == 0", "count != 0", "counts > 0",
    "Count > 0", "count > -1", "count > nan", "count > inf", "count > 0 or rate > 1", "count > 5 %",
    "count > .5", "metric > 0", "metric. > 0", "metric.a. > 0", "rate_mid > 0", "count => 0",
    "count > 0; rate > 0", 0, True, None, ["count > 0"], {"count": 0}])
def test_what_is_no_condition_is_refused_with_its_place_and_an_example(text):
    with pytest.raises(UsageError) as refused:
        Condition.parse(text, "policy.toml: [gate.checks.label] warn_if")
    told = str(refused.value)
    assert told.startswith("policy.toml: [gate.checks.label] warn_if: ")
    assert '"rate_low > 0.05"' in told
    assert f"Got {text!r} instead." in told
    assert "\n" not in told.replace(repr(text), "")


def test_the_bounds_know_of_how_many_images_a_share_is_one():
    few, many = Figures(1, 10, 0.9), Figures(1_000, 10_000, 0.9)
    assert few.rate == many.rate == 0.1
    assert few.rate_low < 0.03
    assert 0.09 < many.rate_low < 0.1 < many.rate_high < 0.11
    assert few.rate_high > 0.25


@pytest.mark.parametrize(("count", "total", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_the_bounds_are_wilsons_of_the_confidence_asked_for(count, total, low, high):
    """Newcombe, "Two-sided confidence intervals for the single proportion" (1998), method 3."""
    figures = Figures(count, total, 0.95)
    assert figures.rate_low == pytest.approx(low, abs=5.1e-5)
    assert figures.rate_high == pytest.approx(high, abs=5.1e-5)


def test_a_wider_confidence_is_a_wider_interval():
    narrow, wide = Figures(10, 100, 0.8), Figures(10, 100, 0.99)
    assert wide.rate_low < narrow.rate_low < narrow.rate_high < wide.rate_high


def test_there_is_no_share_of_nothing():
    for total in (0, None):
        figures = Figures(0, total, 0.9)
        assert (figures.rate, figures.rate_low, figures.rate_high) == (None, None, None)


def test_of_flags_that_nobody_saw_only_the_share_that_is_real_counts():
    """100 flags, 20 of them found real, and half of those that were looked at: (20 + 40) / 1000."""
    figures = Figures(100, 1_000, 0.9, (0.5, 0.4, 0.6), 20)
    assert figures.rate == pytest.approx(0.06)
    assert figures.rate_low < 0.052, "the fewest that may be real are (20 + 32) / 1000"
    assert figures.rate_high > 0.068
    known = Figures(100, 1_000, 0.9, (0.5, 0.5, 0.5), 20)
    assert figures.rate_low < known.rate_low < known.rate_high < figures.rate_high, (
        "not to know the share for sure makes it wider")
    assert Figures(100, 1_000, 0.9).rate == 0.1, "without answers each counts"


def test_flags_that_people_found_real_count_whole():
    assert Figures(5, 50, 0.9, (0.1, 0.05, 0.2), 5).rate == pytest.approx(0.1)


@st.composite
def _figures(draw):
    total = draw(st.integers(1, 10**6))
    count = draw(st.integers(0, total))
    share = None
    if draw(st.booleans()):
        low, middle, high = sorted(draw(st.tuples(*[st.floats(0, 1)] * 3)))
        share = (middle, low, high)
    certain = draw(st.integers(0, count)) if share else 0
    return Figures(count, total, draw(st.floats(0.5, 0.999)), share, certain)


@given(_figures())
def test_the_share_lies_between_its_bounds_and_all_are_shares(figures):
    assert 0 <= figures.rate_low <= figures.rate <= figures.rate_high <= 1


@given(_figures(), st.integers(2, 50))
def test_the_same_share_of_more_images_is_surer(figures, times):
    more = Figures(figures.count * times, figures.total * times, figures.confidence, figures.share,
                   figures.certain * times)
    assert more.rate_low >= figures.rate_low - 1e-9
    assert more.rate_high <= figures.rate_high + 1e-9


METRICS = {"share": 0.2, "interval": [0.1, 0.4], "deep": {"er": {"low": 3}}, "whole": 2,
           "nothing": None, "nan": math.nan, "yes": True, "text": "0.5", "three": [1, 2, 3]}


@pytest.mark.parametrize(("name", "value"), [
    ("share", 0.2), ("whole", 2.0), ("interval.low", 0.1), ("interval.high", 0.4),
    ("deep.er.low", 3.0)])
def test_figures_of_the_summary_are_found_by_name(name, value):
    condition = Condition.parse(f"metric.{name} > 0", "here")
    assert condition.value(Figures(0, 1, 0.9), METRICS) == value


@pytest.mark.parametrize("name", [
    "other", "interval", "interval.middle", "three.low", "deep", "deep.er", "deep.other.low",
    "share.low", "nothing", "nothing.low", "nan", "yes", "text"])
def test_what_is_no_figure_is_none(name):
    condition = Condition.parse(f"metric.{name} > 0", "here")
    assert condition.value(Figures(0, 1, 0.9), METRICS) is None


@pytest.mark.parametrize("where", ["each_class", 'class."cat"'])
def test_a_figure_of_the_whole_dataset_is_none_of_a_class(tmp_path, where):
    path = policy_of(tmp_path, f'[gate.checks.label.{where}]\nwarn_if = "metric.share > 0.1"')
    with pytest.raises(UsageError) as refused:
        read_policy(path)
    assert f"[gate.checks.label.{where}]" in str(refused.value)
    assert "of the whole dataset, not of a class. Give count or a rate." in str(refused.value)


def test_the_same_share_breaks_a_rule_only_where_enough_images_say_so(tmp_path):
    rule = '[gate.checks.blurry]\nwarn_if = []\nerror_if = "rate_low > 0.05"'
    few = write_run(tmp_path / "few", pictures(cat=10, dog=10), flags={"blurry": range(2)})
    many = write_run(tmp_path / "many", pictures(cat=200, dog=200), flags={"blurry": range(40)})
    few, many = (judgement(judged(one, rule), "blurry") for one in (few, many))
    assert few.figures.rate == many.figures.rate == 0.1
    assert (few.status, many.status) == ("pass", "fail")
    assert many.broken.startswith("rate_low > 0.05: it is 0.0")
