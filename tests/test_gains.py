"""Which fixes are tried, on which images they are judged, and which gain stands for a cause."""

from dataclasses import replace

import numpy as np
import pytest
from builders import build_evidence, build_faulty

from audit.gains import (
    believed_labels,
    best_gains,
    gain_of_adjustment,
    gain_of_more_images,
    gain_of_trial,
    trials,
    without_the_unseen,
)
from audit.registry import all_checks, run_checks
from audit.types import Difference, Gain, Suspects, Trial


@pytest.fixture(scope="module")
def faulty():
    return build_faulty()


@pytest.fixture(scope="module")
def tried(faulty):
    return trials(list(run_checks(all_checks(), faulty)), faulty)


def test_labels_are_believed_unless_they_are_more_probably_wrong():
    wrong = range(40, 54)
    believed = believed_labels(build_evidence(wrong=wrong))
    assert not believed[list(wrong)].any()
    assert believed.mean() > 0.9


def test_what_was_not_predicted_is_not_believed(faulty):
    believed = believed_labels(faulty)
    assert not believed[[0, 1, 2, len(believed) - 1]].any()
    assert not believed_labels(replace(faulty, cross_validation=None)).any()


def test_clean_data_has_nothing_to_try():
    clean = build_evidence()
    assert trials(list(run_checks(all_checks(), clean)), clean) == []


def test_each_cause_is_tried_with_what_would_fix_it(tried, faulty):
    by_cause = {}
    for one in tried:
        by_cause.setdefault(one.cause, []).append(one)
    assert {one.suspects for one in by_cause["wrong_labels"]} == {Suspects.RELABEL, Suspects.DROP}
    assert [one.balanced for one in by_cause["imbalance"]] == [True]
    copies, = by_cause["duplicates"]
    sets = [{20, 21}, {22, 23}, {24, 25, 28}, {26, 100}, {27, 30}]
    for rows in sets:
        assert copies.keep[list(rows)].sum() == 1
    assert copies.keep.sum() == len(faulty.images) - sum(len(rows) - 1 for rows in sets)
    damaged, = by_cause["broken_files"]
    assert not damaged.keep[3]
    assert {4, 5, 6, 7} <= set(np.flatnonzero(~by_cause["image_quality"][0].keep))
    assert "split_leak" not in by_cause


def test_only_believed_images_are_judged_on():
    labels = np.repeat([0, 1], 50)
    tested = np.arange(100) % 2 == 0
    before = np.zeros((2, 100), np.int8)
    after = np.where(tested, 0, 1).astype(np.int8)[None].repeat(2, axis=0)
    folds = np.array([np.arange(100) % 5, np.arange(100) // 10 % 5])
    trial = Trial("duplicates", "copies left out", np.ones(100, bool))
    unseen = gain_of_trial(trial, labels, tested, before, after, folds)
    assert unseen.difference.change == 0
    assert not unseen.is_measurable
    assert unseen.action == "copies left out"
    seen = gain_of_trial(trial, labels, ~tested, before, after, folds)
    assert seen.difference.change == 1
    assert seen.is_measurable


def test_the_best_fix_stands_for_a_cause():
    small = Gain("small", Difference(0.5, 0.51, 0.0, 0.02))
    large = Gain("large", Difference(0.5, 0.55, 0.04, 0.06))
    best = best_gains([("wrong_labels", large), ("wrong_labels", small), ("imbalance", small)])
    assert best == {"wrong_labels": large, "imbalance": small}


def test_no_effect_is_not_said_of_a_class_with_too_few_images_to_show_it():
    none = Gain("none", Difference(0.5, 0.5, -0.02, 0.02))
    some = Gain("some", Difference(0.5, 0.55, 0.04, 0.06))
    gains = {"imbalance": none, "duplicates": none, "too_few_images": some}
    assert without_the_unseen(gains, np.array([200, 20])) == gains
    assert without_the_unseen(gains, np.array([200, 19])) == {
        "duplicates": none, "too_few_images": some}


def test_where_labels_carry_no_signal_nothing_is_tried():
    labels = ["cat", "dog"] * 25
    even = np.random.default_rng(0).dirichlet([1, 1], 50)
    copies = [(0, 1, "file", 1.0)]
    no_signal = build_evidence(labels, probabilities=even, pairs=copies)
    results = list(run_checks(all_checks(), no_signal))
    assert any(one.meta.code == "exact_duplicates" and one.outcome.metrics["count"]
               for one in results)
    assert trials(results, no_signal) == []


def test_adjusting_for_class_shares_wins_where_a_rare_class_is_missed():
    labels = ["cat"] * 180 + ["owl"] * 20
    owl = np.where(np.arange(200) < 180, 0.03, 0.3)
    evidence = build_evidence(labels, probabilities=np.stack([1 - owl, owl], axis=1))
    gain = gain_of_adjustment(evidence, np.ones(200, bool))
    assert gain.is_measurable
    assert gain.difference.after == 1
    assert gain_of_adjustment(evidence, np.zeros(200, bool)) is None


def test_what_more_images_bring_is_read_from_the_learning_curve(faulty):
    results = list(run_checks(all_checks(), faulty))
    gain = gain_of_more_images(results)
    told = next(one for one in results if one.meta.code == "sufficiency").outcome.metrics
    assert gain.difference.change == pytest.approx(
        told["doubling"]["after"] - told["doubling"]["before"])
    assert gain_of_more_images([one for one in results if one.meta.code != "sufficiency"]) is None
