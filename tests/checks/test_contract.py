"""What every check keeps to, whatever it looks for."""

import copy
import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from audit import tables
from audit.causes import CAUSES
from audit.registry import Check, all_checks, run_check, run_checks
from audit.types import Neighbours

CHECKS = {one.meta.code: one for one in all_checks()}
IN_EVIDENCE = {"pairs", "neighbours", "cross_validation", "learning_curve"}
every_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())


def permuted(evidence, order):
    """The same evidence with image `order[i]` in row i."""
    place = np.argsort(order)
    ends = np.sort(place[evidence.pairs[["row_a", "row_b"]].to_numpy()], axis=1)
    pairs = evidence.pairs.assign(row_a=ends[:, 0], row_b=ends[:, 1]).sort_values(
        ["row_a", "row_b"], ignore_index=True)
    rows = evidence.neighbours.rows[order]
    validation, curve = evidence.cross_validation, evidence.learning_curve
    return replace(
        evidence, images=evidence.images.iloc[order].reset_index(drop=True), pairs=pairs,
        neighbours=Neighbours(np.where(rows >= 0, place[rows], -1),
                              evidence.neighbours.distances[order]),
        cross_validation=replace(validation, probabilities=validation.probabilities[order],
                                 folds=validation.folds[order]),
        learning_curve=replace(curve, hits=curve.hits[:, :, order],
                               as_given=curve.as_given[order]))


def without(evidence, need):
    if need in IN_EVIDENCE:
        return replace(evidence, **{need: None}, missing={need: f"no {need} today"})
    column = "split" if need == "splits" else need
    return replace(evidence, images=evidence.images.drop(columns=column))


def assert_same(one, other):
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, pd.DataFrame):
            pd.testing.assert_frame_equal(left, right)
        elif field.name in IN_EVIDENCE:
            for name, value in vars(left).items():
                np.testing.assert_array_equal(value, getattr(right, name))
        else:
            assert left == right


@every_check
def test_is_documented_and_complete(check):
    meta = check.meta
    summary, _, explanation = check.documentation.partition("\n\n")
    assert summary.endswith(".")
    assert len(explanation) > 40
    assert meta.title
    assert meta.needs
    assert len(meta.fix) > 15
    assert meta.cause in CAUSES
    assert meta.about in {"image", "class", "dataset"}
    known = {*tables.MANIFEST, *tables.MEASURES, *IN_EVIDENCE, "splits"}
    assert set(meta.needs) <= known
    for name, threshold in meta.thresholds.items():
        assert threshold.source, name
        assert threshold.meaning, name
        assert threshold.low <= threshold.value <= threshold.high, name


@every_check
def test_results_keep_to_the_schemas(check, faulty):
    result = run_check(check, faulty, {})
    assert result.status == "ok", result.reason
    outcome = result.outcome
    findings, images = outcome.findings, faulty.images
    assert tables.problems(findings, tables.FINDINGS) == []
    assert list(findings.columns) == list(tables.FINDINGS)
    assert findings["score"].between(0, 1).all()
    assert (findings["check"] == check.meta.code).all()
    assert findings["evidence"].str.len().gt(0).all()
    names, classes = set(images["image_id"]), {*faulty.classes, *faulty.empty_classes}
    for row in findings.itertuples():
        related = json.loads(row.related)
        if row.about == "class":
            assert set(row.subject.split(" | ")) <= classes
        elif row.about == "dataset":
            assert not row.subject
        else:
            assert row.about in {"image", "set"}
            assert {row.subject, *related} <= names
            assert (row.about == "set") == bool(related)
    flagged = findings[findings["is_flagged"]]
    assert (outcome.summary == "none found") == flagged.empty
    if check.meta.about != "image":
        assert outcome.scores is None
        return
    scores = outcome.scores
    assert tables.problems(scores, tables.SCORES) == []
    assert len(scores) == len(images)
    assert (scores["score"].between(0, 1) | scores["score"].isna()).all()
    assert not scores.loc[scores["score"].isna(), "is_issue"].any()
    in_findings = {name for row in flagged[flagged["about"].isin(["image", "set"])].itertuples()
                   for name in (row.subject, *json.loads(row.related))}
    assert set(images["image_id"][scores["is_issue"].to_numpy()]) == in_findings


@every_check
def test_metrics_are_json_and_hold_a_share(check, faulty):
    metrics = run_check(check, faulty, {}).outcome.metrics
    assert json.loads(json.dumps(dict(metrics), allow_nan=False))
    assert 0 <= metrics["share"] <= 1
    assert metrics["count"] >= 0


@every_check
def test_the_order_of_rows_does_not_matter(check, faulty):
    order = np.random.default_rng(1).permutation(len(faulty.images))
    straight = run_check(check, faulty, {}).outcome
    mixed = run_check(check, permuted(faulty, order), {}).outcome
    pd.testing.assert_frame_equal(straight.findings, mixed.findings)
    assert straight.summary == mixed.summary
    if straight.scores is not None:
        pd.testing.assert_frame_equal(straight.scores.iloc[order].reset_index(drop=True),
                                      mixed.scores)


@every_check
def test_no_images_is_skipped(check, faulty):
    result = run_check(check, replace(faulty, images=faulty.images.iloc[:0]), {})
    assert (result.status, result.reason) == ("skipped", "there are no images")


@every_check
def test_a_need_that_is_missing_is_a_reason_to_skip(check, faulty):
    for need in check.meta.needs:
        result = run_check(check, without(faulty, need), {})
        assert result.status == "skipped"
        assert ("split" if need == "splits" else need) in result.reason
        assert result.outcome is None


@every_check
@pytest.mark.parametrize("count", [1, 2, 3, 12])
@pytest.mark.parametrize("labels", [("cat",), ("cat", "dog")])
def test_little_data_and_a_single_class_are_no_error(check, count, labels, make_evidence):
    evidence = make_evidence([labels[index % len(labels)] for index in range(count)],
                             splits=[("train", "test")[index % 2] for index in range(count)])
    assert run_check(check, evidence, {}).status in {"ok", "skipped"}


@every_check
def test_nothing_readable_is_no_error(check, faulty):
    bad = faulty.images.copy()
    for name, value in faulty.images.loc[0, list(tables.MEASURES)].items():
        bad[name] = value
    validation = faulty.cross_validation
    nothing = np.full_like(validation.probabilities, np.nan)
    evidence = replace(
        faulty, images=bad, pairs=faulty.pairs.iloc[:0],
        neighbours=Neighbours(np.full_like(faulty.neighbours.rows, -1),
                              np.full_like(faulty.neighbours.distances, np.nan)),
        cross_validation=replace(validation, probabilities=nothing),
        learning_curve=replace(faulty.learning_curve,
                               hits=np.full_like(faulty.learning_curve.hits, -1)))
    result = run_check(check, evidence, {})
    assert result.status in {"ok", "skipped"}, result.reason
    if result.outcome:
        json.dumps(dict(result.outcome.metrics), allow_nan=False)


@every_check
def test_evidence_is_not_changed(check, faulty):
    before = copy.deepcopy(faulty)
    run_check(check, faulty, {})
    assert_same(faulty, before)


def test_a_check_that_raises_is_an_error_and_the_next_one_runs(faulty):
    def crash(_evidence, _thresholds):
        raise KeyError("planted")

    healthy = CHECKS["dark"]
    broken = Check(replace(healthy.meta, code="broken"), crash, "")
    first, second = run_checks([broken, healthy], faulty)
    assert (first.status, first.outcome) == ("error", None)
    assert "KeyError" in first.reason
    assert "planted" in first.reason
    assert second.status == "ok"


def test_a_disabled_check_is_skipped_by_the_configuration(faulty):
    result, = run_checks([CHECKS["dark"]], faulty, disabled=frozenset({"dark"}))
    assert (result.status, result.reason) == ("skipped", "turned off by the configuration")
