"""Checks of duplicates: sets, conflicts between their labels, and leaks between splits."""

import json
from dataclasses import replace

import pytest

SPLITS = ["train" if index % 2 else "test" for index in range(240)]


def names(evidence, *rows):
    return [evidence.images["image_id"][row] for row in rows]


@pytest.mark.parametrize("code", ["exact_duplicates", "near_duplicates", "label_conflict",
                                  "split_leak"])
def test_no_pairs_no_findings(code, make_evidence, run, flagged_rows):
    result = run(code, make_evidence(splits=SPLITS))
    assert flagged_rows(result) == []
    assert result.outcome.summary == "none found"
    assert (result.outcome.scores["score"] == 1).all()


@pytest.mark.parametrize("kind", ["file", "pixels"])
def test_exact_duplicates_are_sets(kind, make_evidence, run, flagged_rows):
    evidence = make_evidence(pairs=[(1, 5, kind, 1.0), (1, 9, kind, 1.0), (20, 21, kind, 1.0),
                                    (30, 31, "near", 0.99)])
    result = run("exact_duplicates", evidence)
    assert flagged_rows(result) == [1, 5, 9, 20, 21]
    found = {row.subject: json.loads(row.related)
             for row in result.outcome.findings.itertuples()}
    first, second, third, other, copy = names(evidence, 1, 5, 9, 20, 21)
    assert found == {first: [second, third], other: [copy]}
    assert result.outcome.metrics["surplus"] == 3


def test_near_duplicates_flag_copies_of_their_members_but_not_mere_copies(
        make_evidence, run, flagged_rows):
    evidence = make_evidence(pairs=[(1, 5, "near", 0.97), (5, 9, "file", 1.0),
                                    (20, 21, "file", 1.0), (9, 12, "near", 0.96)])
    result = run("near_duplicates", evidence)
    assert flagged_rows(result) == [1, 5, 9, 12]
    assert result.outcome.scores["score"][[1, 5, 9, 12]].to_numpy() == pytest.approx(1 - 0.96)
    assert result.outcome.metrics["sets"] == 1


@pytest.mark.parametrize(("other", "is_conflict"), [(79, False), (80, True)])
@pytest.mark.parametrize(("kind", "similarity"), [("file", 1.0), ("near", 0.96)])
def test_label_conflict_needs_two_classes(
        other, is_conflict, kind, similarity, make_evidence, run, flagged_rows):
    evidence = make_evidence(pairs=[(0, other, kind, similarity)])
    result = run("label_conflict", evidence)
    assert flagged_rows(result) == ([0, other] if is_conflict else [])
    if is_conflict:
        assert result.outcome.findings["score"][0] == pytest.approx(1 - similarity)
        assert '"cat" and "dog"' in result.outcome.findings["evidence"][0]


@pytest.mark.parametrize(("first", "second", "is_leak"), [
    ("train", "test", True), ("val", "test", True), ("test", "test", False),
    ("train", "train", False), ("", "test", False), ("", "", False)])
def test_split_leak_is_between_two_named_splits(
        first, second, is_leak, make_evidence, run, flagged_rows):
    splits = [first, second, *SPLITS[2:]]
    result = run("split_leak", make_evidence(splits=splits, pairs=[(0, 1, "near", 0.97)]))
    assert flagged_rows(result) == ([0, 1] if is_leak else [])


def test_an_image_of_no_split_is_no_part_of_a_leak(make_evidence, run, flagged_rows):
    splits = ["train", "test", "", *SPLITS[3:]]
    result = run("split_leak", make_evidence(
        splits=splits, pairs=[(0, 1, "file", 1.0), (0, 2, "file", 1.0)]))
    assert flagged_rows(result) == [0, 1]
    assert list(result.outcome.metrics["leaked_by_split"]) == ["test"]


@pytest.mark.parametrize(("other_split", "leaked"), [("train", 2), ("val", 0)])
def test_points_gained_are_of_test_images_that_were_trained_on(
        other_split, leaked, make_evidence, run):
    splits = ["test"] * 40 + [other_split] * 100 + ["train"] * 100
    evidence = make_evidence(splits=splits, wrong=range(100, 124),
                             pairs=[(0, 40, "file", 1.0), (1, 41, "near", 0.98)])
    metrics = run("split_leak", evidence).outcome.metrics
    assert metrics["count"] == 4
    missed = 24 / 240
    expected = 100 * missed * leaked / 40
    assert metrics.get("test_score_too_high_by_points", 0) == pytest.approx(expected)


def test_points_gained_are_not_told_where_nothing_was_predicted(make_evidence, run):
    evidence = make_evidence(splits=SPLITS, pairs=[(0, 1, "file", 1.0)])
    for validation in (None, replace(
            evidence.cross_validation,
            probabilities=evidence.cross_validation.probabilities * float("nan"))):
        result = run("split_leak", replace(evidence, cross_validation=validation))
        assert result.outcome.findings["is_flagged"].all()
        assert "test_score_too_high_by_points" not in result.outcome.metrics
