"""A run's files are there whole or not at all, and nothing in them runs in a spreadsheet."""

import io
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.rundir import RunDir, safe_csv

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, broken):
    run = RunDir(tmp_path / "run")
    run.write("a.txt", b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        patch.setattr("pathlib.Path.replace", fail)
        with pytest.raises(OSError, match="No space"):
            run.write("a.txt", b"new")
    assert files(run.path) == ["a.txt"]
    assert (run.path / "a.txt").read_bytes() == b"old"
    run.write("a.txt", b"new")
    assert (run.path / "a.txt").read_bytes() == b"new"


def test_json_has_null_for_what_is_no_number(tmp_path):
    content = {"nan": float("nan"), "inf": [np.inf, -np.inf], "numpy": np.float32(0.5),
               "count": np.int64(3), "flag": np.bool_(True), 7: (1, "é"),
               "path": "caf\udce9"}
    text = RunDir(tmp_path).write_json("a.json", content).read_text(encoding="utf-8")
    assert json.loads(text) == {
        "nan": None, "inf": [None, None], "numpy": 0.5, "count": 3, "flag": True, "7": [1, "é"],
        "path": "caf\udce9"}
    assert "NaN" not in text
    assert "é" in text


def test_json_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(TypeError):
        RunDir(tmp_path).write_json("a.json", {"a": object()})
    assert files(tmp_path) == []


def test_tables_and_arrays_come_back(tmp_path):
    run = RunDir(tmp_path / "deep" / "run")
    table = pd.DataFrame({"image_id": ["=a", "b"], "score": [0.5, np.nan], "n": [1, 2]})
    kept = table.copy()
    run.write_table("images", table)
    run.write_table("measures", table, csv=False)
    run.write_array("embeddings.npy", np.eye(3, dtype=np.float32))
    pd.testing.assert_frame_equal(table, kept)  # the apostrophes are in the CSV only
    pd.testing.assert_frame_equal(pd.read_parquet(run.path / "images.parquet"), table)
    assert pd.read_csv(run.path / "images.csv")["image_id"].tolist() == ["'=a", "b"]
    np.testing.assert_array_equal(np.load(run.path / "embeddings.npy"), np.eye(3))
    assert files(run.path) == ["embeddings.npy", "images.csv", "images.parquet",
                               "measures.parquet"]


@settings(deadline=None)  # the first call imports, on a busy machine for longer than it may take
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('=+-@\t\r\n,";'),
                        max_size=12), min_size=1, max_size=6))
def test_no_cell_a_spreadsheet_reads_begins_like_a_formula(cells):
    text = safe_csv(pd.DataFrame({"name": cells, "after": [1] * len(cells)}))
    read = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    assert not read["name"].str.startswith(FORMULA_STARTS).any()
    restored = [cell[1:] if cell[1:].startswith(FORMULA_STARTS) and cell[0] == "'" else cell
                for cell in read["name"]]
    undone = [cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
              for cell in cells]  # a cell that had its apostrophe already
    assert restored == undone
    assert read["after"].tolist() == ["1"] * len(cells)


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_text_of_every_type_is_made_safe(dtype):
    table = pd.DataFrame({"name": pd.Series(["=1+1", "cat"], dtype=dtype), "score": [-1.5, 2.0]})
    assert safe_csv(table) == "name,score\n'=1+1,-1.5\ncat,2.0\n"


def test_a_path_that_is_not_utf8_can_be_written(tmp_path):
    table = pd.DataFrame({"path": pd.Series(["caf\udce9"], dtype=object)})
    with pytest.raises(UnicodeEncodeError):
        table.to_csv(tmp_path / "plain.csv")
    RunDir(tmp_path).write_json("a.json", table["path"].tolist())
    assert json.loads((tmp_path / "a.json").read_bytes()) == ["caf\udce9"]


def test_latest_leads_to_the_newest_run(tmp_path):
    for name in ("one", "two"):
        run = RunDir(tmp_path / name)
        run.write("run.json", name.encode())
        run.point_latest()
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "latest" / "run.json").read_bytes() == b"two"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "latest"}


def test_a_folder_called_latest_is_left_alone(tmp_path):
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "mine.txt").touch()
    run = RunDir(tmp_path / "one")
    run.write("run.json", b"{}")
    run.point_latest()
    assert files(tmp_path) == ["latest", "mine.txt", "one", "run.json"]


def test_a_run_that_begins_is_unfinished(tmp_path):
    run = RunDir(tmp_path)
    run.begin()  # nothing there yet
    run.write("run.json", b"{}")
    run.begin()
    assert files(tmp_path) == []


@pytest.mark.parametrize("place", ["mine/run", "mine/new/run"])
def test_discard_leaves_nothing_of_a_new_run_and_nothing_else_gone(tmp_path, place):
    (tmp_path / "mine").mkdir()  # empty, but not ours
    run = RunDir(tmp_path / place)
    (run.work_folder() / "tensors.npy").write_bytes(b"0")
    run.discard()
    assert files(tmp_path) == ["mine"]


def test_discard_keeps_a_folder_that_was_there_and_results(tmp_path):
    (tmp_path / "old").mkdir()
    old = RunDir(tmp_path / "old")
    old.work_folder()
    old.discard()
    new = RunDir(tmp_path / "new")
    new.write("images.csv", b"a")
    new.discard()
    RunDir(tmp_path / "never").discard()
    assert files(tmp_path) == ["images.csv", "new", "old"]


def test_work_of_killed_runs_is_cleared_and_of_living_ones_is_not(tmp_path, monkeypatch):
    living, foreign, dead = "11", "12", "13"

    def kill(pid, _):
        pid.to_bytes(4, "big")  # like the system's, it takes no number beyond
        if str(pid) == foreign:
            raise PermissionError
        if str(pid) == dead:
            raise ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)
    run = RunDir(tmp_path)
    own = run.work_folder().name
    for owner in (living, foreign, dead, "no number", "9" * 40):
        (tmp_path / f".work-{owner}").mkdir()
    run.clear_work()
    assert files(tmp_path) == [".work-11", ".work-12"]
    assert own not in files(tmp_path)


def test_discard_takes_back_what_an_unfinished_run_wrote_and_only_that(tmp_path):
    run = RunDir(tmp_path / "new")
    run.begin()
    run.write("images.csv", b"half of a run")
    run.discard()
    assert files(tmp_path) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "images.csv").write_bytes(b"the user's own")
    RunDir(tmp_path / "mine").discard()
    assert (tmp_path / "mine" / "images.csv").read_bytes() == b"the user's own"
