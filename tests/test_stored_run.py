"""A run is read as it was written, and one that does not hang together is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from audit.errors import UsageError
from audit.rundir import RunDir
from audit.stored_run import read_run

NAMES = ["b.png", "a.png", "c.png"]  # in no order: that of images.parquet counts
PROBABILITIES = np.array([[0.9, 0.1], [np.nan, np.nan], [0.3, 0.7]])


@pytest.fixture
def run(tmp_path):
    """A small run folder, written as a run is."""
    out = RunDir(tmp_path / "run")
    names = pd.DataFrame({"image_id": NAMES})
    out.write_table("images", names.assign(given_label=["cat", "dog", "dog"], split=""))
    out.write_table("measures", names.assign(split="", file_bytes=[10, 20, 30]), csv=False)
    out.write_table("findings", pd.DataFrame({"about": ["image"], "subject": ["a.png"]}))
    # The columns are not in the order of the classes.
    out.write_table("pred_probs", names.assign(dog=PROBABILITIES[:, 1], cat=PROBABILITIES[:, 0]),
                    csv=False)
    out.write_array("embeddings.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    out.write_json("summary.json", {"dataset": {"classes": ["cat", "dog"]}})
    out.write_json("run.json", {
        "settings": {"pred_probs": None, "data": "photos", "labels": None, "label_column": "label"},
        "source": {"data": "/data/photos", "labels": "/data/labels.csv", "label_column": "kind"},
        "digest": "abc"})
    return out


def test_what_was_written_is_read(run):
    found = read_run(run.path)
    assert found.images["image_id"].tolist() == NAMES
    assert found.images["file_bytes"].tolist() == [10, 20, 30]
    assert found.images.columns.is_unique
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(found.probabilities, PROBABILITIES)
    np.testing.assert_array_equal(found.embeddings(), [[0, 1], [2, 3], [4, 5]])
    assert (str(found.source.data), str(found.source.labels), found.source.label_column) == (
        "/data/photos", "/data/labels.csv", "kind")
    assert found.digest == "abc"
    assert not found.is_own_model
    assert found.held_out is None


def test_what_was_held_out_is_read(run):
    held = pd.DataFrame({"image_id": ["z.png"], "split": ["test"], "given_label": ["cat"],
                         "group": [""]})
    run.write_table("held_out", held, csv=False)
    pd.testing.assert_frame_equal(read_run(run.path).held_out, held)


def test_what_a_run_need_not_have_is_none(run):
    for name in ("pred_probs.parquet", "embeddings.npy"):
        (run.path / name).unlink()
    found = read_run(run.path)
    assert found.probabilities is None
    assert found.embeddings() is None


def test_embeddings_of_other_images_are_not_taken(run):
    run.write_array("embeddings.npy", np.zeros((2, 2), np.float32))
    assert read_run(run.path).embeddings() is None


@pytest.mark.parametrize(("stem", "words"), [
    ("measures", "measures.parquet are of different images"),
    ("pred_probs", "pred_probs.parquet is of other images")])
def test_tables_of_different_images_are_refused(run, stem, words):
    table = pd.read_parquet(run.path / f"{stem}.parquet")
    run.write_table(stem, table.iloc[::-1], csv=False)
    with pytest.raises(UsageError, match=f"{words}.*Run the audit again"):
        read_run(run.path)


@pytest.mark.parametrize("name", ["images.parquet", "measures.parquet", "findings.parquet",
                                  "summary.json"])
@pytest.mark.parametrize("spoil", [lambda path: path.unlink(),
                                   lambda path: path.write_bytes(b"{")], ids=["gone", "cut"])
def test_a_run_that_cannot_be_read_is_refused_in_one_line(run, name, spoil):
    spoil(run.path / name)
    with pytest.raises(UsageError, match="cannot be read") as refused:
        read_run(run.path)
    assert "\n" not in str(refused.value)


def test_a_class_without_a_column_is_refused(run):
    run.write_json("summary.json", {"dataset": {"classes": ["cat", "owl"]}})
    with pytest.raises(UsageError, match="owl"):
        read_run(run.path)


@pytest.mark.parametrize("missing", ["digest", "settings"])
def test_a_run_file_that_lacks_something_is_refused(run, missing):
    about = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    del about[missing]
    run.write_json("run.json", about)
    with pytest.raises(UsageError, match=missing):
        read_run(run.path)


def test_a_folder_without_run_json_is_no_finished_run(run):
    (run.path / "run.json").unlink()
    with pytest.raises(UsageError, match="no finished run"):
        read_run(run.path)
