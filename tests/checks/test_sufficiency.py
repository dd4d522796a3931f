"""Enough images: curves that still rise, that have levelled off, that cannot be told from."""

from dataclasses import replace

import numpy as np
import pytest


def labels_of(**counts):
    return np.repeat(list(counts), list(counts.values()))


def power(asymptote, height, exponent):
    """Recall `asymptote - height * n^-exponent` of every class."""
    return lambda images, _: asymptote - height * images ** -exponent


AMPLE = labels_of(cat=400, dog=400, owl=400)


@pytest.fixture
def outcome_of(make_evidence, make_curve, run):
    def check(labels, recall, seed=0, given=None, **thresholds):
        evidence = make_evidence(labels, learning_curve=make_curve(labels, recall, seed, given))
        result = run("sufficiency", evidence, **thresholds)
        assert result.status == "ok", result.reason
        return result.outcome

    return check


def flagged(outcome):
    findings = outcome.findings
    return set(findings.loc[findings["is_flagged"], "subject"])


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_that_has_levelled_off_is_enough(seed, outcome_of):
    outcome = outcome_of(AMPLE, power(0.97, 1, 1), seed)
    assert outcome.summary == "none found"
    assert outcome.metrics["doubling"]["after"] - outcome.metrics["doubling"]["before"] < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_that_rises_is_too_few_and_the_number_holds(seed, outcome_of):
    recall = power(0.98, 2, 0.5)
    outcome = outcome_of(AMPLE, recall, seed, target=0.91)
    assert "" in flagged(outcome)
    gain = outcome.metrics["doubling"]
    truth = recall(800, "") - recall(400, "")
    assert gain["low"] <= truth <= gain["high"]
    median, low, high = outcome.metrics["overall"]["more"]
    needed = 3 * ((2 / 0.07) ** 2 - 400)
    assert low <= needed <= (high or np.inf)
    assert low <= median
    assert "twice the images: +" in outcome.summary


def test_only_the_class_that_lags_is_named(outcome_of):
    def recall(images, label):
        return 0.97 if label != "owl" else 0.99 - 6 * images**-0.5

    outcome = outcome_of(labels_of(cat=400, dog=400, owl=2000), recall, target=0.85)
    assert flagged(outcome) - {""} == {"owl"}
    row = outcome.findings.set_index("subject").loc["owl"]
    assert "Next round: collect about" in row["suggestion"]
    told = outcome.metrics["classes"]["owl"]
    asked = row["suggestion"].split("about ")[1].split(", then")[0]
    assert int(asked.replace(",", "")) == min(
        round(told["more"][0]), told["images"])


@pytest.mark.parametrize(("labels", "recall", "reason"), [
    (AMPLE, lambda images, _: 0.9 - 0.001 * images, "more images made it worse"),
    (AMPLE, power(0.6, 1, 0.8), "above what its curve can reach"),
    (AMPLE, power(0.95, 1.2, 0.2), "more than 4 times the images away"),
], ids=["falls", "asymptote", "far"])
def test_what_cannot_be_told_is_said_with_the_reason_and_without_a_number(
        labels, recall, reason, outcome_of):
    outcome = outcome_of(labels, recall)
    assert outcome.metrics["overall"]["more"] is None
    assert reason in outcome.metrics["overall"]["cannot_tell"]
    row = outcome.findings.set_index("subject").loc[""]
    assert "about +" not in row["evidence"]
    assert "collect about" not in row["suggestion"]


@pytest.mark.parametrize(("count", "is_told"), [(19, False), (20, True)])
def test_of_a_class_with_fewer_than_20_images_nothing_is_told(count, is_told, outcome_of):
    outcome = outcome_of(labels_of(cat=200, dog=200, owl=count), power(0.99, 1, 0.4))
    owl = outcome.metrics["classes"]["owl"]
    assert (owl["doubling"] is not None) == is_told
    assert ("fewer than 20 images" in owl["cannot_tell"]) != is_told
    if not is_told:
        assert owl["more"] is None
        assert "owl" not in flagged(outcome)


def test_the_back_test_is_of_a_quarter_and_near(outcome_of):
    outcome = outcome_of(AMPLE, power(0.97, 1.5, 0.6))
    told = outcome.metrics["back_test"]
    assert told["from_images"] == pytest.approx(told["to_images"] / 4, rel=0.02)
    assert told["low"] <= told["measured"] <= told["high"]
    assert abs(told["predicted"] - told["measured"]) < 0.08
    assert any(line.startswith("Back-test:") for line in outcome.details)


def test_what_label_noise_costs_is_told(outcome_of):
    outcome = outcome_of(AMPLE, power(0.97, 1, 1), given=power(0.87, 1, 1))
    assert outcome.metrics["as_given"] == pytest.approx(0.87, abs=0.03)
    assert "hold the curve down by" in outcome.details[0]


def test_without_signal_no_number_is_made_up(make_evidence, make_curve, run):
    labels = labels_of(cat=25, dog=25)
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1], len(labels))
    evidence = make_evidence(labels, probabilities=probabilities, learning_curve=make_curve(
        labels, power(0.9, 1, 0.4)))
    result = run("sufficiency", evidence)
    assert result.status == "skipped"
    assert "signal" in result.reason or "chance" in result.reason


def test_random_labels_get_no_number_of_images(make_evidence, make_curve, run):
    labels = labels_of(cat=25, dog=25)
    told = 0
    for seed in range(100):
        chance = np.random.default_rng(seed).dirichlet([1, 1], len(labels))
        evidence = make_evidence(labels, probabilities=chance, seed=seed, learning_curve=make_curve(
            labels, lambda *_: 0.5, seed))
        result = run("sufficiency", evidence)
        told += result.status == "ok"
    assert told <= 4


def test_the_reason_for_no_curve_is_passed_on(make_evidence, run):
    evidence = replace(make_evidence(), learning_curve=None,
                       missing={"learning_curve": "no embeddings today"})
    assert run("sufficiency", evidence).reason == "no embeddings today"


def test_curves_are_drawn_from_where_they_were_measured_to_four_times_the_images(outcome_of):
    metrics = outcome_of(AMPLE, power(0.97, 1, 0.6)).metrics
    for drawn, images in [(metrics["overall"], 1200),
                          *((one, 400) for one in metrics["classes"].values())]:
        sizes = [row[0] for row in drawn["curve"]]
        assert sizes[0] == pytest.approx(drawn["measured"][0][0])
        assert sizes[-1] == pytest.approx(4 * images)
        assert all(low <= mean <= high for _, mean, low, high in drawn["curve"])
        assert len(drawn["measured"]) == 11
