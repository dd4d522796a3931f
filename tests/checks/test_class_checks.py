"""Checks of the number of images a class."""

from dataclasses import replace

import numpy as np
import pytest

from audit.registry import find_check


def labels_of(**counts):
    return [name for name, count in counts.items() for _ in range(count)]


def unreadable(evidence, label):
    evidence.images.loc[evidence.images["given_label"] == label, "status"] = "unreadable"
    return evidence


# An equal share of 210 images in three classes is 70, of which a tenth is 7.
@pytest.mark.parametrize(("counts", "rare"), [
    ({"cat": 70, "dog": 70, "owl": 70}, set()),
    ({"cat": 7, "dog": 103, "owl": 100}, set()),
    ({"cat": 6, "dog": 104, "owl": 100}, {"cat"}),
    ({"cat": 6, "dog": 5, "owl": 199}, {"cat", "dog"}),
])
def test_class_imbalance(counts, rare, make_evidence, run, flagged_subjects):
    assert find_check("class_imbalance").meta.thresholds["fraction"].value == 7 / 70
    result = run("class_imbalance", make_evidence(labels_of(**counts)))
    assert flagged_subjects(result) == rare
    assert result.outcome.metrics["images_by_class"] == counts


@pytest.mark.parametrize(("equal", "classes"), [(20, 7), (30, 11), (70, 13), (110, 3)])
def test_exactly_a_tenth_of_an_equal_share_is_not_rare(
        equal, classes, make_evidence, run, flagged_subjects):
    counts = {f"c{index:02d}": equal for index in range(classes)}
    counts |= {"c00": equal // 10, "c01": 2 * equal - equal // 10}
    assert flagged_subjects(run("class_imbalance", make_evidence(labels_of(**counts)))) == set()
    counts |= {"c00": equal // 10 - 1, "c01": 2 * equal - equal // 10 + 1}
    flagged = flagged_subjects(run("class_imbalance", make_evidence(labels_of(**counts))))
    assert flagged == {"c00"}


def test_a_class_with_unreadable_images_only_is_a_class_without_images(
        make_evidence, run, flagged_subjects):
    evidence = unreadable(make_evidence(labels_of(cat=20, dog=80, owl=80)), "cat")
    result = run("class_imbalance", evidence)
    assert flagged_subjects(result) == {"cat"}
    finding = result.outcome.findings.iloc[0]
    assert (finding["score"], finding["evidence"].split(",")[0]) == (0, "0 images")
    assert result.outcome.metrics["effective_classes"] == pytest.approx(2)
    assert flagged_subjects(run("too_few_images", evidence)) == {"cat"}


def test_an_empty_folder_is_a_finding(make_evidence, run, flagged_subjects):
    evidence = make_evidence(empty_classes=("zebu",))
    assert flagged_subjects(run("class_imbalance", evidence)) == {"zebu"}


def test_one_class_cannot_be_out_of_balance(make_evidence, run):
    result = run("class_imbalance", make_evidence(["cat"] * 9))
    assert (result.status, result.reason) == ("skipped", "only one class")


def test_images_by_split_count_each_class(make_evidence, run):
    splits = ["train"] * 100 + ["test"] * 60 + [""] * 80
    metrics = run("class_imbalance", make_evidence(splits=splits)).outcome.metrics
    assert metrics["images_by_split"] == {"train": {"cat": 80, "dog": 20, "owl": 0},
                                          "test": {"cat": 0, "dog": 60, "owl": 0}}


@pytest.mark.parametrize(("count", "is_flagged"), [(49, True), (50, False), (51, False)])
def test_too_few_images_is_below_the_floor(
        count, is_flagged, make_evidence, run, flagged_subjects):
    assert find_check("too_few_images").meta.thresholds["floor"].value == 50
    evidence = make_evidence(labels_of(cat=count, dog=80, owl=80))
    assert flagged_subjects(run("too_few_images", evidence)) == ({"cat"} if is_flagged else set())


def test_the_smallest_classes_are_named_first(make_evidence, run):
    counts = {"ant": 30, "bee": 40, "cat": 20, "dog": 10, "owl": 90}
    summary = run("too_few_images", make_evidence(labels_of(**counts))).outcome.summary
    assert summary.endswith("dog (10), cat (20), ant (30)")


@pytest.mark.parametrize(("trained", "is_flagged"), [(1.0, True), (0.9999, False)])
def test_a_gap_is_flagged_from_its_threshold_on(
        trained, is_flagged, make_evidence, run, flagged_subjects):
    # A quarter of the images is missed, so that training at 1 leaves a gap of exactly 0.25.
    evidence = make_evidence(wrong=range(60), training_accuracy=trained)
    assert find_check("too_few_images").meta.thresholds["gap"].value == 60 / 240
    result = run("too_few_images", evidence)
    assert flagged_subjects(result) == ({""} if is_flagged else set())
    assert result.outcome.metrics["gap"] == pytest.approx(trained - 0.75)


@pytest.mark.parametrize("blank", ["training", "predictions", "validation"])
def test_no_gap_is_told_where_one_side_is_unknown(blank, make_evidence, run):
    evidence = make_evidence(training_accuracy=np.nan if blank == "training" else 1.0)
    validation = evidence.cross_validation
    if blank == "predictions":
        validation = replace(validation, probabilities=validation.probabilities * np.nan)
    evidence = replace(evidence, cross_validation=None if blank == "validation" else validation)
    outcome = run("too_few_images", evidence).outcome
    assert "gap" not in outcome.metrics
    assert (outcome.findings["about"] == "class").all()
