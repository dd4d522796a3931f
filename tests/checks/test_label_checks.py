"""Checks that read out-of-fold probabilities: wrong labels, overlap, no signal; and outliers."""

from dataclasses import replace

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, estimate_joint

from audit.checks import _signal
from audit.checks._confident_joint import ConfidentJoint
from audit.noise import fit_label_noise
from audit.types import Neighbours

WRONG = list(range(40, 46))
LABELS = np.repeat(["cat", "dog", "owl"], 80)


def with_probabilities(evidence, probabilities):
    return replace(evidence, cross_validation=replace(
        evidence.cross_validation, probabilities=probabilities))


def uniform_guesses(count, classes, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count)


# --- label ---------------------------------------------------------------------------------------

def test_planted_wrong_labels_are_found(make_evidence, run, flagged_rows, flagged_subjects):
    evidence = make_evidence(wrong=WRONG)
    result = run("label", evidence)
    assert flagged_rows(result) == WRONG
    assert flagged_subjects(result) == set(evidence.images["image_id"][WRONG])
    metrics = result.outcome.metrics
    low, high = metrics["estimated_share_interval_90"]
    assert low <= metrics["estimated_share"] <= high
    assert metrics["noise_by_class"]["cat"] == pytest.approx(len(WRONG) / 80, abs=0.01)
    assert 'relabel it "dog"' in result.outcome.findings["suggestion"][0]


def test_a_good_model_that_agrees_finds_no_wrong_label(make_evidence, run, flagged_rows):
    result = run("label", make_evidence())
    assert flagged_rows(result) == []
    assert result.outcome.summary == "none found"
    assert result.outcome.metrics["share"] == 0


def test_a_class_is_flagged_from_its_threshold_on(make_evidence, run):
    evidence = make_evidence(wrong=WRONG)
    noise = run("label", evidence).outcome.findings.query("subject == 'cat'")["score"].iloc[0]
    assert 1 - noise == pytest.approx(len(WRONG) / 80, abs=0.01)
    for threshold, is_flagged in ((1 - noise - 1e-6, True), (1 - noise + 1e-6, False)):
        findings = run("label", evidence, class_noise=threshold).outcome.findings
        assert findings.query("subject == 'cat'")["is_flagged"].tolist() == [is_flagged]


def test_a_model_without_signal_is_not_believed(make_evidence, run):
    result = run("label", make_evidence(probabilities=uniform_guesses(240, 3, seed=5)))
    assert result.status == "skipped"
    assert "no better than chance" in result.reason


@pytest.mark.filterwarnings("error")
def test_only_classes_with_predictions_are_judged(make_evidence, run):
    evidence = make_evidence(wrong=WRONG)
    probabilities = evidence.cross_validation.probabilities.copy()
    probabilities[160:] = np.nan  # a user's model that never saw the owls
    result = run("label", with_probabilities(evidence, probabilities))
    assert result.status == "ok"
    assert set(result.outcome.metrics["noise_by_class"]) == {"cat", "dog"}
    assert result.outcome.scores["score"][160:].isna().all()
    assert not (result.outcome.findings["subject"] == "owl").any()


@pytest.mark.parametrize("code", ["label", "no_signal", "overlapping_classes"])
@pytest.mark.parametrize("known", [slice(0), slice(80)], ids=["nothing", "one class"])
def test_predictions_of_fewer_than_two_classes_are_skipped(code, known, make_evidence, run):
    evidence = make_evidence()
    probabilities = np.full((240, 3), np.nan)
    probabilities[known] = evidence.cross_validation.probabilities[known]
    result = run(code, with_probabilities(evidence, probabilities))
    assert (result.status, result.reason) == (
        "skipped", "images of fewer than 2 classes were predicted")


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("seed", range(6))
def test_the_upper_estimate_agrees_with_cleanlab(classes, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, 300)
    if seed % 3 == 0 and classes > 2:
        labels[labels == 1] = 0  # a class without an image
    peak = np.eye(classes)[np.where(random.random(300) < 0.8, labels,
                                    random.integers(0, classes, 300))]
    probabilities = random.dirichlet(np.full(classes, 0.7), 300) + seed * peak
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    share = ConfidentJoint(labels, probabilities).off_diagonal(np.arange(300))

    counts = np.bincount(labels, minlength=classes)
    joint = compute_confident_joint(labels, probabilities, calibrate=False)
    expected = 1 - np.diag(joint) / joint.sum(axis=1)
    assert share == pytest.approx((expected * counts).sum() / 300)
    rounded = estimate_joint(labels, probabilities)  # to whole images, cell by cell
    assert share == pytest.approx(1 - np.trace(rounded), abs=classes / 300)


def test_flags_are_those_of_cleanlab_on_the_posterior(make_evidence, run, flagged_rows):
    evidence = make_evidence(wrong=WRONG)
    noisy = 0.6 * evidence.cross_validation.probabilities + 0.4 * uniform_guesses(240, 3, seed=2)
    result = run("label", with_probabilities(evidence, noisy))
    codes = np.unique(LABELS, return_inverse=True)[1]
    noise = fit_label_noise(np.log(noisy), codes)
    expected = np.flatnonzero(noise.posterior.argmax(axis=1) != codes).tolist()
    assert flagged_rows(result) == expected
    assert set(WRONG) & set(expected)
    np.testing.assert_allclose(result.outcome.scores["score"], 1 - noise.is_wrong, atol=1e-6)


def test_expected_precision_falls_with_the_cut_off_and_meets_the_share(make_evidence, run):
    metrics = run("label", make_evidence(wrong=WRONG)).outcome.metrics
    expected = metrics["expected_precision"]
    tops = [value for name, value in expected.items() if name.startswith("top")]
    assert tops == sorted(tops, reverse=True)
    assert expected["flagged"] > 0.9
    assert expected["top 20 %"] == pytest.approx(5 * metrics["estimated_share"], rel=0.1)


def test_a_flag_says_how_often_it_recurred(make_evidence, run):
    evidence = make_evidence(wrong=WRONG)
    sure = evidence.cross_validation.probabilities
    unsure = sure.copy()
    unsure[WRONG[0]] = sure[0]  # this repeat believes the label of the first wrong one
    repeated = replace(evidence, cross_validation=replace(
        evidence.cross_validation, repeats=(sure, sure, unsure)))
    outcome = run("label", repeated).outcome
    by_image = outcome.findings.set_index("subject")["evidence"]
    names = evidence.images["image_id"]
    assert "flagged in 2 of 3 repeats" in by_image[names[WRONG[0]]]
    assert "flagged in 3 of 3 repeats" in by_image[names[WRONG[1]]]
    assert outcome.metrics["recurrence"] == pytest.approx((3 * len(WRONG) - 1) / 3 / len(WRONG))
    assert run("label", evidence).outcome.metrics["recurrence"] is None


# --- what was scored -----------------------------------------------------------------------------

def test_scored_labels_leave_out_what_was_not_predicted(make_evidence):
    labels = ["yak", *LABELS, "cat"]
    evidence = make_evidence(labels, not_scorable=("yak",))
    probabilities = evidence.cross_validation.probabilities.copy()
    probabilities[5] = np.nan
    rows, codes, scored, classes = _signal.scored_labels(
        with_probabilities(evidence, probabilities))
    assert classes == ("cat", "dog", "owl")
    assert set(range(len(labels))) - set(rows) == {0, 5}
    assert [classes[code] for code in codes] == [labels[row] for row in rows]
    assert list(evidence.images["image_id"][rows]) == sorted(evidence.images["image_id"][rows])
    np.testing.assert_allclose(scored.sum(axis=1), 1)
    kept = probabilities[rows][:, :3]
    np.testing.assert_allclose(scored, kept / kept.sum(axis=1, keepdims=True))


# --- no_signal -----------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(3))
def test_permuted_labels_have_no_signal(seed, make_evidence, make_probabilities, run,
                                        flagged_subjects):
    order = np.random.default_rng(seed).permutation(240)
    mixed_up = make_probabilities(LABELS.tolist(), ("cat", "dog", "owl"))[order]
    result = run("no_signal", make_evidence(probabilities=mixed_up), p_value=0.001)
    assert flagged_subjects(result) == {""}
    assert result.outcome.metrics["permuted_accuracy"] == pytest.approx(1 / 3, abs=0.02)


def test_true_labels_have_signal_and_the_threshold_itself_is_flagged(
        make_evidence, run, flagged_subjects):
    result = run("no_signal", make_evidence())
    assert flagged_subjects(result) == set()
    p_value = result.outcome.metrics["p_value"]
    assert p_value == 1 / (1 + _signal.PERMUTATIONS)  # the least there can be
    assert flagged_subjects(run("no_signal", make_evidence(), p_value=p_value)) == {""}
    assert run("label", make_evidence(), p_value=p_value).status == "skipped"
    above = np.nextafter(p_value, 1)
    assert flagged_subjects(run("no_signal", make_evidence(), p_value=above)) == set()
    assert run("label", make_evidence(), p_value=above).status == "ok"


def test_a_majority_guess_has_no_signal(make_evidence, run, flagged_subjects):
    labels = ["cat"] * 200 + ["dog"] * 40
    guess = np.tile([0.9, 0.1], (240, 1))
    assert flagged_subjects(run("no_signal", make_evidence(labels, probabilities=guess))) == {""}


# --- overlapping_classes -------------------------------------------------------------------------

@pytest.mark.parametrize("labels", [LABELS, LABELS[:160]], ids=["3 classes", "2 classes"])
def test_overlap_is_found_between_the_two(labels, make_evidence, make_probabilities, run,
                                          flagged_subjects):
    classes = tuple(np.unique(labels))
    mixed = [*range(60, 80), *range(80, 100)]
    probabilities = make_probabilities(labels.tolist(), classes)
    probabilities[np.ix_(mixed, [0, 1])] = probabilities[np.ix_(mixed, [1, 0])]
    evidence = make_evidence(labels, probabilities=probabilities)
    result = run("overlapping_classes", evidence)
    assert flagged_subjects(result) == {"cat | dog"}
    share = result.outcome.metrics["pairs"][0]["share"]
    assert share == pytest.approx(len(mixed) / 160, abs=0.02)
    assert flagged_subjects(run("overlapping_classes", evidence, share=share)) == {"cat | dog"}
    above = np.nextafter(share, 1)
    assert flagged_subjects(run("overlapping_classes", evidence, share=above)) == set()


@pytest.mark.parametrize("labels", [LABELS, LABELS[:160]], ids=["3 classes", "2 classes"])
def test_no_overlap_is_no_finding(labels, make_evidence, run):
    outcome = run("overlapping_classes", make_evidence(labels)).outcome
    assert outcome.findings.empty
    assert (outcome.summary, outcome.metrics["share"]) == ("none found", 0)


# --- outlier -------------------------------------------------------------------------------------

def distances_of(usual, **rows):
    distances = np.full((240, 10), usual)
    for row, distance in rows.items():
        distances[int(row[1:])] = distance
    return Neighbours(np.tile(np.arange(10), (240, 1)), distances)


def test_outliers_are_flagged_below_the_threshold_and_not_at_it(
        make_evidence, run, flagged_rows):
    neighbours = distances_of(0.37, _3=1.0, _4=1.001, _5=np.nan)
    result = run("outlier", make_evidence(neighbours=neighbours))
    assert flagged_rows(result) == [4]
    assert np.isnan(result.outcome.scores["score"][5])
    assert flagged_rows(run("outlier", make_evidence())) == []


@pytest.mark.parametrize("usual", [0.0, 1e-7])
def test_where_most_images_are_copies_the_rest_are_not_outliers(
        usual, make_evidence, run, flagged_rows):
    neighbours = distances_of(usual, _3=0.1, _4=5e-7, _5=np.nan)
    result = run("outlier", make_evidence(neighbours=neighbours))
    assert flagged_rows(result) == []
    assert np.isnan(result.outcome.scores["score"][5])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_in_a_tiny_set_nothing_usual_is_an_outlier(count, make_evidence, run, flagged_rows):
    assert flagged_rows(run("outlier", make_evidence(["cat"] * count))) == []


def test_an_only_image_has_no_neighbours(make_evidence, run):
    assert run("outlier", make_evidence(["cat"])).status == "skipped"
