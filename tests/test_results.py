"""Tables and summary that a run writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit import tables
from audit.causes import rank_causes
from audit.registry import all_checks, run_checks
from audit.results import findings_table, images_table, out_of_fold_accuracy, summarise
from audit.types import CrossValidation, Evidence, Ingested, Neighbours

COUNT = 40


@pytest.fixture
def evidence():
    labels = ["cat" if row % 2 else "dog" for row in range(COUNT)]
    manifest = tables.make(tables.MANIFEST, [
        {"image_id": f"{label}/{row:02d}", "given_label": label,
         "split": "" if row == 0 else "train"} for row, label in enumerate(labels)])
    measures = tables.make(tables.MEASURES, [
        {"status": "ok", "width": 9, "height": 9, "brightness_p99": 0.9 if row else 0.1}
        for row in range(COUNT)])
    own = np.array([[0.1, 0.9] if label == "dog" else [0.9, 0.1] for label in labels])
    own[1] = own[1, ::-1]
    own[2] = np.nan
    return Evidence(
        images=pd.concat([manifest, measures], axis=1), classes=("cat", "dog"),
        pairs=tables.make(tables.PAIRS, []), missing={"neighbours": "no embeddings"},
        cross_validation=CrossValidation(own, np.zeros(COUNT, int), 1.0, "a model"))


def test_columns_of_the_images_table(evidence):
    results = list(run_checks(all_checks(), evidence))
    table = images_table(evidence, results[::-1])
    assert list(table.columns[:6]) == ["image_id", "split", "given_label", "predicted_label",
                                       "label_score", "is_label_issue"]
    others = [one.meta.code for one in results
              if one.meta.about == "image" and one.meta.code != "label"]
    assert list(table.columns[6:]) == [
        name for code in others for name in (f"is_{code}_issue", f"{code}_score")]
    pd.testing.assert_series_equal(table["image_id"], evidence.images["image_id"])
    for one in results:
        if one.meta.about == "image" and one.outcome:
            scores = one.outcome.scores
            assert table[f"is_{one.meta.code}_issue"].tolist() == scores["is_issue"].tolist()
            np.testing.assert_array_equal(table[f"{one.meta.code}_score"], scores["score"])
    assert table["is_dark_issue"].tolist() == [True] + [False] * (COUNT - 1)


def test_a_check_that_did_not_run_leaves_nulls(evidence):
    results = list(run_checks(all_checks(), evidence, disabled=frozenset({"dark"})))
    table = images_table(evidence, results)
    for code in ("dark", "outlier"):  # turned off, and without what it needs
        assert table[f"is_{code}_issue"].isna().all()
        assert table[f"{code}_score"].isna().all()
        assert table[f"is_{code}_issue"].dtype == table["is_light_issue"].dtype == "boolean"


def test_predicted_labels_and_accuracy_leave_out_what_was_not_predicted(evidence):
    predicted = images_table(evidence, [])["predicted_label"]
    given = evidence.images["given_label"]
    assert predicted[2] == ""
    assert predicted[1] == "dog" != given[1]
    assert (predicted.drop([1, 2]) == given.drop([1, 2])).all()
    assert out_of_fold_accuracy(evidence) == (COUNT - 2) / (COUNT - 1)
    without = replace(evidence, cross_validation=None)
    assert images_table(without, [])["predicted_label"].eq("").all()
    assert out_of_fold_accuracy(without) is None


def test_findings_of_all_checks_are_one_table(evidence):
    results = list(run_checks(all_checks(), evidence))
    table = findings_table(results)
    assert tables.problems(table, tables.FINDINGS) == []
    parts = [one.outcome.findings for one in results if one.outcome]
    assert len(table) == sum(map(len, parts)) > 0
    assert findings_table([]).empty
    assert list(findings_table([]).columns) == list(tables.FINDINGS)


def test_a_picture_under_two_classes_stands_before_all_that_is_estimated(evidence):
    pairs = tables.make(tables.PAIRS, [
        {"row_a": 4, "row_b": 5, "kind": "file", "similarity": 1.0}])
    results = list(run_checks(all_checks(), replace(evidence, pairs=pairs)))
    first, *others = rank_causes(results, {})
    assert others
    for causes in ([first, *others], [*others, first]):
        table = findings_table(results, causes)
        assert table["check"][0] == "label_conflict"
        assert table["is_flagged"].is_monotonic_decreasing


def test_summary_tells_apart_ok_skipped_and_error(evidence):
    broken = replace(evidence, neighbours=Neighbours(None, None))
    results = list(run_checks(all_checks(), broken, disabled=frozenset({"dark"})))
    ingested = Ingested(Path(), evidence.images, {"notes.txt": "no image"}, ("zebu",))
    summary = summarise(ingested, broken, results, rank_causes(results, {}), ["a note"], "abc")
    status = {one["code"]: one["status"] for one in summary["checks"]}
    assert [status[code] for code in ("dark", "outlier", "empty_file")] == [
        "skipped", "error", "ok"]
    for one in summary["checks"]:
        assert (one["flagged"] is None) == (one["status"] != "ok")
        assert (one["reason"] == "") == (one["status"] == "ok")
    titles = {one["title"]: one["status"] for one in summary["checks"]}
    assert {one["check"] for one in summary["not_checked"]} == {
        title for title, ended in titles.items() if ended != "ok"}
    assert all(titles[title] == "ok" for title in summary["found_well"])
    assert [one["rank"] for one in summary["causes"]] == list(range(1, len(summary["causes"]) + 1))
    dataset = summary["dataset"]
    assert (dataset["images"], dataset["splits"]) == (COUNT, {"train": COUNT - 1})
    assert (dataset["empty_classes"], dataset["files_not_counted"]) == (["zebu"], 1)
    assert summary["model"]["out_of_fold_accuracy"] == out_of_fold_accuracy(evidence)
    assert json.loads(json.dumps(summary))["notes"] == ["a note"]
