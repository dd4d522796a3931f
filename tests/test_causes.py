"""Ranking of causes, and what counts as checked and found well."""

import pytest

from audit import tables
from audit.causes import CAUSES, found_well, not_checked, rank_causes
from audit.types import CheckMeta, CheckResult, Difference, Gain, Outcome


def result(code, cause, share=0.0, *, flagged=True, status="ok"):
    meta = CheckMeta(code, code.title(), "image", cause, (), "fix")
    if status != "ok":
        return CheckResult(meta, status, f"{code} could not")
    findings = tables.make(tables.FINDINGS, [{"check": code, "is_flagged": flagged}])
    return CheckResult(meta, "ok", outcome=Outcome(findings, None, f"{code} found {share}",
                                                   {"share": share}))


@pytest.mark.parametrize("reverse", [False, True])
def test_tier_comes_before_share_and_share_within_a_tier(reverse):
    results = [result("dup", "duplicates", 0.9), result("few", "too_few_images", 0.2),
               result("rare", "imbalance", 0.5), result("leak", "split_leak", 0.01),
               result("label", "wrong_labels", 0.02), result("signal", "no_signal", 0.001)]
    ranked = rank_causes(results[::-1] if reverse else results, {})
    assert [one.key for one in ranked] == [
        "no_signal", "wrong_labels", "split_leak", "imbalance", "too_few_images", "duplicates"]
    assert [CAUSES[one.key].tier for one in ranked] == [1, 2, 2, 3, 3, 4]


def gain(low, mean, high):
    return Gain("a fix", Difference(0.5, 0.5 + mean, low, high))


@pytest.mark.parametrize("reverse", [False, True])
def test_measured_gains_come_first_and_fixes_without_effect_last(reverse):
    results = [result("dup", "duplicates", 0.9), result("few", "too_few_images", 0.2),
               result("rare", "imbalance", 0.5), result("leak", "split_leak", 0.01),
               result("label", "wrong_labels", 0.02), result("file", "broken_files", 0.02)]
    gains = {"wrong_labels": gain(0.01, 0.02, 0.03), "too_few_images": gain(0.02, 0.04, 0.06),
             "duplicates": gain(-0.01, 0.05, 0.11), "imbalance": gain(-0.05, -0.03, -0.01)}
    ranked = rank_causes(results[::-1] if reverse else results, gains)
    assert [one.key for one in ranked] == [
        "too_few_images", "wrong_labels", "split_leak", "broken_files", "imbalance", "duplicates"]
    assert [one.is_without_effect for one in ranked] == [False] * 4 + [True] * 2


def test_what_voids_all_other_figures_comes_before_any_gain():
    ranked = rank_causes([result("label", "wrong_labels", 0.3), result("jpeg", "shortcut", 0.1)],
                         {"wrong_labels": gain(0.1, 0.2, 0.3)})
    assert [one.key for one in ranked] == ["shortcut", "wrong_labels"]


def test_a_cause_gathers_its_checks_worst_first_with_the_largest_share():
    cause, = rank_causes([result("light", "image_quality", 0.1),
                          result("blurry", "image_quality", 0.3),
                          result("dark", "image_quality", 0.2, flagged=False)], {})
    assert cause.checks == ("blurry", "light")
    assert cause.share == 0.3
    assert cause.summary == "blurry found 0.3; light found 0.1"
    assert cause.title == CAUSES["image_quality"].title


def test_conflicts_are_named_first_within_wrong_labels():
    cause, = rank_causes([result("label", "wrong_labels", 0.3),
                          result("label_conflict", "wrong_labels", 0.001)], {})
    assert cause.checks == ("label_conflict", "label")
    assert cause.share == 0.3


def test_what_was_not_flagged_or_did_not_run_is_no_cause():
    assert rank_causes([result("dark", "image_quality", 0.4, flagged=False),
                        result("label", "wrong_labels", status="skipped"),
                        result("leak", "split_leak", status="error")], {}) == []


def test_only_what_ran_and_flagged_nothing_is_found_well():
    results = [result("dark", "image_quality", flagged=False), result("light", "image_quality"),
               result("label", "wrong_labels", status="skipped"),
               result("leak", "split_leak", status="error")]
    assert found_well(results) == ["Dark"]
    assert not_checked(results) == [("Label", "label could not"),
                                    ("Leak", "crashed: leak could not")]
