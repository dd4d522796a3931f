"""Classes told by the file: planted in one column, and left alone where the look is honest."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import tables
from audit.checks import _metadata
from audit.checks._metadata import FILE, LOOK, MOST_IMAGES, read_metadata
from audit.registry import find_check

LABELS = np.repeat(["cat", "dog", "owl"], 80)
IS_CAT = LABELS == "cat"


def of_cats(value, other):
    return [value if is_cat else other for is_cat in IS_CAT]


def varied(seed=0, **columns):
    """Looks and files that vary without regard to the class."""
    random = np.random.default_rng(seed)
    return {"brightness_p50": random.uniform(0.2, 0.8, 240), "contrast": random.normal(50, 9, 240),
            "file_bytes": random.integers(900, 1100, 240), "width": random.integers(90, 210, 240),
            "jpeg_quality": random.choice([75.0, 90.0, 95.0], 240), **columns}


@pytest.mark.parametrize(("column", "value", "other"), [
    ("jpeg_quality", 60.0, 90.0), ("jpeg_quality", np.nan, 90.0), ("format", "PNG", "JPEG"),
    ("extension", ".jpeg", ".jpg"), ("mode", "L", "RGB"), ("is_animated", True, False),
    ("exif_orientation", 6, 1)])
def test_a_class_told_by_one_column_is_found_and_the_column_named(
        column, value, other, make_evidence, run, flagged_subjects):
    evidence = make_evidence(LABELS, columns=varied(**{column: of_cats(value, other)}))
    result = run("shortcut", evidence)
    assert flagged_subjects(result) == {"", "cat"}
    metrics = result.outcome.metrics
    assert metrics["file"]["columns_alone"] == {column: 1.0}
    assert metrics["file"]["flagged_classes"] == ["cat"]
    assert (metrics["count"], metrics["share"]) == (1, pytest.approx(1 / 3))
    assert result.outcome.summary == (
        "1 of 3 classes is told from facts of the files, without the picture: cat (skill 1.00); "
        f"by {column} (1.00 alone)")
    assert set(result.outcome.findings["score"]) == {0.0}


def test_sizes_that_tell_are_named_with_what_follows_from_them(make_evidence, run):
    evidence = make_evidence(LABELS, columns=varied(width=np.repeat([100, 200, 300], 80)))
    metrics = run("shortcut", evidence).outcome.metrics
    assert metrics["count"] == 3
    assert set(metrics["file"]["columns_alone"]) == {"width", "aspect_ratio"}
    assert metrics["file"]["balanced_accuracy"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_files_that_vary_without_regard_to_the_class_are_left_alone(seed, make_evidence, run):
    result = run("shortcut", make_evidence(LABELS, columns=varied(seed)))
    assert result.outcome.summary == "none found"
    assert result.outcome.metrics["file"]["best_skill"] < 0.25
    assert len(result.outcome.details) == 2


# Of 80 cats so many are told; no dog or owl is taken for one.
@pytest.mark.parametrize(("told", "is_flagged"), [(31, False), (32, True)])
def test_the_skill_counts_from_its_threshold_on(told, is_flagged, make_evidence, run,
                                                flagged_subjects):
    assert find_check("shortcut").meta.thresholds["skill"].value == 32 / 80
    quality = np.full(240, 90.0)
    quality[:told] = 60
    result = run("shortcut", make_evidence(LABELS, columns={"jpeg_quality": quality}))
    assert flagged_subjects(result) == ({"", "cat"} if is_flagged else set())
    assert result.outcome.metrics["file"]["best_skill"] == pytest.approx(told / 80)


@pytest.mark.parametrize(("shift", "is_flagged"), [(2, False), (8, True)])
def test_a_look_is_flagged_near_certainty_only(shift, is_flagged, make_evidence, run,
                                               flagged_subjects):
    bright = np.random.default_rng(0).normal(0.3, 0.05, 240) + 0.05 * shift * IS_CAT
    result = run("shortcut", make_evidence(LABELS, columns=varied(brightness_p50=bright)))
    assert flagged_subjects(result) == ({"", "cat"} if is_flagged else set())
    look = result.outcome.metrics["look"]
    assert look["best_class"] == "cat"
    assert look["best_skill"] > 0.4  # a column of files would be flagged
    assert "brightness_p50" in result.outcome.details[1]
    if is_flagged:
        assert (result.outcome.findings["suggestion"].str.startswith("See whether")).all()


def test_the_bytes_of_a_file_are_its_look(make_evidence, run):
    """At one size and quality they measure texture, in which classes differ honestly."""
    sizes = np.random.default_rng(0).normal(1000, 50, 240).astype(int) + 100 * IS_CAT
    metrics = run("shortcut", make_evidence(LABELS, columns={"file_bytes": sizes})).outcome.metrics
    assert metrics["count"] == 0
    assert metrics["look"]["best_skill"] > 0.4


def test_few_images_are_told_by_chance(make_evidence, run):
    labels = ["cat"] * 30 + ["dog"] * 2
    columns = {"format": ["JPEG"] * 30 + ["PNG"] * 2}
    assert run("shortcut", make_evidence(labels, columns=columns)).outcome.summary == "none found"


def test_without_a_cross_validation_duplicates_share_a_fold(make_evidence, run, flagged_subjects):
    pairs = [(row, row + 1, "near", 0.97) for row in range(0, 60, 3)]
    groups = ["" if row < 100 else f"g{row // 4}" for row in range(240)]
    evidence = replace(
        make_evidence(LABELS, columns=varied(jpeg_quality=of_cats(60.0, 90.0), group=groups),
                      pairs=pairs), cross_validation=None)
    assert flagged_subjects(run("shortcut", evidence)) == {"", "cat"}
    folds = _metadata._leak_safe_folds(evidence)
    assert all(folds[first] == folds[second] for first, second, *_ in pairs)
    named = pd.DataFrame({"group": groups, "fold": folds})[100:].drop_duplicates()
    assert named["group"].is_unique
    for label in ("cat", "dog", "owl"):
        assert np.bincount(folds[label == LABELS], minlength=5).min() >= 8


def test_a_sample_of_many_images_spares_small_classes(make_evidence):
    labels = ["cat"] * 6000 + ["dog"] * 3000 + ["owl"] * 50
    small = make_evidence(labels, neighbours=None)
    metadata = read_metadata(small)
    assert np.bincount(metadata.labels).tolist() == [1975, 1975, 50]
    assert len(metadata.labels) == MOST_IMAGES


def test_the_columns_are_measures_or_follow_from_them():
    known = {*tables.MEASURES, *_metadata.DERIVED}
    assert {*FILE, *LOOK} <= known
    assert not set(FILE) & set(LOOK)


def test_one_readable_class_is_a_reason_to_skip(make_evidence, run):
    status = np.where(IS_CAT, "ok", "unreadable")
    result = run("shortcut", make_evidence(LABELS, columns={"status": status.tolist()}))
    assert (result.status, result.reason) == ("skipped",
                                              "readable images of fewer than 2 classes")


def test_metrics_are_json(make_evidence, run):
    evidence = make_evidence(LABELS, columns=varied(jpeg_quality=of_cats(60.0, 90.0)))
    metrics = run("shortcut", evidence).outcome.metrics
    assert json.loads(json.dumps(dict(metrics), allow_nan=False)) == dict(metrics)
