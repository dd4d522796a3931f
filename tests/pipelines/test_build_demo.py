"""The demo holds the faults that planted.csv says and no others; its score tells them found."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from audit import tables
from audit.errors import UsageError
from audit.ingest import open_dataset
from audit.measures.decode import UndecodableError, decode
from pipelines.build_demo import COPIES, RARE_CLASS, RARE_COUNT, build_demo
from pipelines.score_demo import FOUND_BY, PLANTED_FILE, score_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "digits"
    build_demo(folder)
    return folder


@pytest.fixture(scope="module")
def planted(demo):
    return pd.read_csv(demo / PLANTED_FILE, dtype=str, keep_default_na=False)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def of_kind(planted, kind):
    return planted[planted["kind"] == kind].itertuples(index=False)


def test_the_demo_is_the_same_for_the_same_seed_only(demo, tmp_path):
    count = build_demo(tmp_path / "again")
    build_demo(tmp_path / "other", seed=1)
    assert contents(tmp_path / "again") == contents(demo)
    assert contents(tmp_path / "other") != contents(demo)
    assert count == len(contents(demo)) - 1  # all but the list of what was planted


def test_every_kind_is_planted_in_images_of_its_own(demo, planted):
    counts = planted["kind"].value_counts()
    assert set(counts.index) == set(FOUND_BY)
    assert (counts.drop(["wrong label", "rare class"]) == COPIES).all()
    images = planted.loc[planted["kind"] != "rare class", "image_id"]
    assert images.is_unique
    assert all((demo / name).is_file() for name in images)


def test_labels_are_true_but_for_those_planted(demo, planted):
    truth = {f"digit_{index:04d}": str(label) for index, label in enumerate(load_digits().target)}
    manifest = open_dataset(demo).manifest
    wrong = {row.image_id: row.detail for row in of_kind(planted, "wrong label")}
    moved = {row.image_id for row in of_kind(planted, "conflict")}
    for row in manifest.itertuples():
        if row.image_id in moved:
            continue
        name = row.image_id.rsplit("/", 1)[1].removeprefix("copy_")[:len("digit_0000")]
        assert (truth[name] != row.given_label) == (row.image_id in wrong)
        assert wrong.get(row.image_id, truth[name]) == truth[name]


def test_copies_are_where_they_are_said_to_be(demo, planted):
    for row in of_kind(planted, "exact duplicate"):
        assert row.image_id.split("/")[:2] == row.detail.split("/")[:2]
    for row in of_kind(planted, "conflict"):
        assert row.image_id.split("/")[0] == row.detail.split("/")[0]
        assert row.image_id.split("/")[1] != row.detail.split("/")[1]
    for row in of_kind(planted, "leak"):
        assert {row.image_id.split("/")[0], row.detail.split("/")[0]} == {"train", "test"}
        assert row.image_id.split("/")[1] == row.detail.split("/")[1]
    for kind in ("exact duplicate", "conflict", "leak"):
        for row in of_kind(planted, kind):
            assert (demo / row.image_id).read_bytes() == (demo / row.detail).read_bytes()
    for row in of_kind(planted, "near duplicate"):
        small, whole = (Image.open(demo / name) for name in (row.image_id, row.detail))
        apart = np.abs(np.asarray(small.resize(whole.size), float) - np.asarray(whole, float))
        assert 0 < apart.mean() < 30


def test_files_are_broken_as_said_and_no_others(demo, planted):
    kinds = {"truncated": "truncated", "zero bytes": "empty", "text named .jpg": "not_an_image"}
    wanted = {row.image_id: kinds[kind] for kind in kinds for row in of_kind(planted, kind)}
    found = {}
    for name, data in contents(demo).items():
        if name == PLANTED_FILE:
            continue
        try:
            kind = decode(data, ".jpg", least_side=48).problem_kind
        except UndecodableError as error:
            kind = error.kind
        if kind:
            found[name] = kind
    assert found == wanted


def test_one_class_is_rare(demo):
    manifest = open_dataset(demo).manifest
    counts = manifest["given_label"].value_counts()
    assert counts[RARE_CLASS] == RARE_COUNT
    assert counts[RARE_CLASS] < 0.1 / 10 * len(manifest) < counts.drop(RARE_CLASS).min()
    assert set(manifest["split"]) == {"train", "test"}


def test_the_list_of_what_was_planted_is_no_part_of_the_dataset(demo):
    assert open_dataset(demo).not_counted == {PLANTED_FILE: "not an image"}


@pytest.mark.parametrize("make", [lambda path: path.touch(),
                                  lambda path: (path / "mine").mkdir(parents=True)])
def test_what_is_there_is_never_written_over(tmp_path, make):
    make(tmp_path / "there")
    with pytest.raises(UsageError, match="there already and not an empty folder"):
        build_demo(tmp_path / "there")


def findings(planted, fraction: float) -> pd.DataFrame:
    """Findings of a run that finds the first part of each kind, and one image beside them."""
    rows = []
    for kind, group in planted.groupby("kind"):
        for row in list(group.itertuples())[:round(fraction * len(group))]:
            is_set = kind not in {"wrong label", "rare class"} and row.detail
            subject = row.detail if is_set or kind == "rare class" else row.image_id
            related = json.dumps([row.image_id] if is_set else [])
            rows.append({"check": FOUND_BY[kind][-1], "subject": subject, "related": related,
                         "is_flagged": True})
    rows += [{"check": "dark", "subject": "beside", "related": "[]", "is_flagged": True},
             {"check": "blurry", "subject": "well", "related": "[]", "is_flagged": False}]
    return tables.make(tables.FINDINGS, rows)


@pytest.mark.parametrize("fraction", [0, 0.5, 1])
def test_the_score_counts_what_was_found_and_what_lies_beside(demo, planted, tmp_path, fraction):
    findings(planted, fraction).to_parquet(tmp_path / "findings.parquet")
    wrong = set(planted.loc[planted["kind"] == "wrong label", "image_id"])
    ids = open_dataset(demo).manifest["image_id"]
    score = np.where(ids.isin(wrong), 0.1, 0.9)  # low is bad
    pd.DataFrame({"image_id": ids, "label_score": score}).to_parquet(tmp_path / "images.parquet")
    scores, precision = score_demo(demo, tmp_path)
    assert {one.kind for one in scores} == set(FOUND_BY)
    for one in scores:
        assert one.found == round(fraction * one.planted)
        assert one.also_flagged == (one.kind == "dark")
    assert precision == 1


def test_without_scores_there_is_no_precision(demo, tmp_path):
    tables.make(tables.FINDINGS, []).to_parquet(tmp_path / "findings.parquet")
    pd.DataFrame({"image_id": ["a"], "label_score": [np.nan]}).to_parquet(
        tmp_path / "images.parquet")
    scores, precision = score_demo(demo, tmp_path)
    assert np.isnan(precision)
    assert not any(one.found for one in scores)
