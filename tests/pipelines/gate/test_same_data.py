"""`audit gate --data` and `--baseline`: the data as they are now, and as they were."""

import json
import os

import pytest
from gate_runs import (
    BROKEN,
    WRONG,
    add_a_file,
    edited,
    flip_a_byte,
    move_to_another_class,
    one_line,
    remove_a_file,
    rewritten,
)

from audit import assert_dataset
from audit.digest import digest_of_rows
from audit.gating import DatasetRefusedError


def test_data_that_are_the_same_are_certified_under_other_names_too(gate, digits, renamed, moved):
    for data in (digits / "photos", renamed.parent / "photos", moved):
        ended = gate(digits / "run", "--data", data, policy="quiet")
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("change", [flip_a_byte, add_a_file, move_to_another_class, remove_a_file])
def test_data_that_were_changed_are_not_certified(gate, digits, moved, change):
    change(moved)
    ended = gate(digits / "run", "--data", moved, policy="quiet")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "the data are not those that were audited" in " ".join(ended.stdout.split())
    with pytest.raises(DatasetRefusedError, match="not those that were audited"):
        assert_dataset(digits / "run", policy=digits / "quiet.toml", data=moved)


def test_a_pipe_in_place_of_a_picture_is_not_waited_for(gate, digits, moved):
    (moved / WRONG[0]).unlink()
    os.mkfifo(moved / WRONG[0])
    ended = gate(digits / "run", "--data", moved, policy="quiet", timeout=60)
    assert ended.returncode == 3, ended.stdout + ended.stderr


def test_a_file_that_the_audit_could_not_open_is_not_certified_by_its_name(digits, run, moved):
    """It was missing then, and whatever is there now was never looked at."""
    def unread(measures):
        measures.loc[measures["image_id"] == BROKEN, "file_sha256"] = ""
        new.append(digest_of_rows(*(measures[name] for name in (
            "file_sha256", "given_label", "split"))))

    new = []
    rewritten(run / "measures.parquet", unread)
    edited(run / "run.json", lambda content: content.update(digest=new[0]))
    edited(run / "summary.json", lambda content: content["dataset"].update(digest=new[0]))
    options = {"policy": digits / "quiet.toml", "data": moved}
    assert_dataset(run, policy=digits / "quiet.toml")
    with pytest.raises(DatasetRefusedError, match="not those that were audited"):
        assert_dataset(run, **options)




def test_what_a_baseline_had_is_not_found_anew_under_other_names(gate, digits, renamed, tmp_path):
    alone = gate(renamed, policy="fails")
    assert alone.returncode == 1, alone.stderr
    ended = gate(renamed, "--baseline", digits / "run", "--json", tmp_path / "told.json",
                 "--fail-on", "warn", policy="fails")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["count"] for one in told["checks"] if "count" in one and one["check"] !=
            "class_size"} == {0}
    known = {one["check"]: one["excused"].get("known") for one in told["checks"]}
    assert (known["label"], known["unreadable_file"]) == (4, 1)
    assert told["gone"] == []


def test_what_is_new_counts_beside_a_baseline(gate, digits, worse, tmp_path):
    ended = gate(worse, "--baseline", digits / "run", "--json", tmp_path / "told.json",
                 policy="fails")
    assert ended.returncode == 1, ended.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    counts = {one["check"]: (one["count"], one["excused"]) for one in told["checks"]
              if one["check"] in {"label", "unreadable_file"} and not one["class"]}
    assert counts == {"label": (1, {"known": 4}), "unreadable_file": (1, {"known": 1})}


def test_a_baseline_that_cannot_be_read_ends_with_3(gate, digits, run):
    (run / "run.json").unlink()
    assert "no finished run" in one_line(
        gate(digits / "run", "--baseline", run, policy="quiet"), 3)
