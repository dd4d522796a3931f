"""What is written is whole, holds what the plan says, and takes nobody's files with it."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from remedy_builders import build_case, plan_of, suspect

from audit.errors import UsageError
from audit.remedies import balance_plan, refuse_target, write_remedied
from audit.remedies.staging import IMAGES, PLAN_FILE, staged
from audit.remedies.tree import folder_names, lay_out
from audit.remedies.write import remedied_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path):
    """Three images with their plan: one kept twice, one relabelled, one dropped."""
    images = [{}, suspect(0.2), suspect(0.1, likely="owl", sure=0.5)]
    plan = plan_of(build_case(images), class_floor=0, relabel_above=0.8)
    plan.loc[0, "repeat"] = 2
    paths, sizes = [], []
    for row in range(3):
        path = tmp_path / "data" / "cat" / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture %d" % row)
        plan.loc[row, "file_sha256"] = sha256(path.read_bytes()).hexdigest()
        paths.append(str(path))
        sizes.append(path.stat().st_size)
    return plan, pd.DataFrame({"path": paths, "file_bytes": sizes, "group": ""})


def write(out, mode, source):
    write_remedied(out, mode, *source, {}, lambda _: None)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["copy", "symlink"])
def test_a_tree_holds_what_the_plan_says(source, tmp_path, mode):
    write(tmp_path / "out", mode, source)
    assert files(tmp_path / "out" / IMAGES) == {
        "cat/0.png": b"picture 0", "cat/0__2.png": b"picture 0", "dog/1.png": b"picture 1"}
    links = [path.is_symlink() for path in (tmp_path / "out" / IMAGES).rglob("*.png")]
    assert set(links) == {mode == "symlink"}
    about = json.loads((tmp_path / "out" / PLAN_FILE).read_text())
    assert about["files"] == 3
    assert about["class_folders"] == {"cat": "cat", "dog": "dog"}


def test_a_manifest_has_a_row_for_each_repetition(source, tmp_path):
    write(tmp_path / "out", "manifest", source)
    table = pd.read_csv(tmp_path / "out" / "remedied.csv", keep_default_na=False)
    assert table["path"].tolist() == [source[1]["path"][row] for row in (0, 0, 1)]
    assert table["label"].tolist() == ["cat", "cat", "dog"]
    assert table["weight"].tolist() == [1, 1, 1]
    assert "group" not in table
    write(tmp_path / "out", "manifest", (source[0], source[1].assign(group=["p", "q", "q"])))
    table = pd.read_csv(tmp_path / "out" / "remedied.csv")
    assert table["group"].tolist() == ["p", "p", "q"]
    assert not (tmp_path / "out" / IMAGES).exists()


def test_labels_come_back_from_a_manifest_as_they_are(tmp_path):
    labels = ["=1+1", "-x", 'a "b", c', "NA", "line\rbreak"]
    plan = plan_of(build_case([{"given_label": label} for label in labels]))
    (tmp_path / "a.csv").write_bytes(remedied_csv(plan, ["/p"] * 5, [""] * 5).encode())
    table = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    assert table["label"].tolist() == labels


def test_a_path_that_is_not_utf8_is_refused_by_a_manifest_only(source, tmp_path):
    plan, sources = source
    odd = os.fsencode(tmp_path / "data") + b"/cat/\xff.png"
    os.rename(sources["path"][0], odd)
    sources = sources.assign(path=pd.Series([os.fsdecode(odd), *sources["path"][1:]], dtype=object))
    with pytest.raises(UsageError, match="not UTF-8"):
        write(tmp_path / "out", "manifest", (plan, sources))
    assert not (tmp_path / "out").exists()
    write(tmp_path / "out", "copy", (plan, sources))


@pytest.mark.parametrize("mode", ["copy", "symlink", "manifest"])
@pytest.mark.parametrize(("change", "words"), [
    (os.remove, r"1 source file is gone since the audit: image_001\.png\. Run the audit again"),
    (lambda path: Path(path).write_bytes(b"longer than it was"), "1 source file is changed"),
])
def test_files_that_are_not_what_was_audited_are_refused(source, tmp_path, mode, change, words):
    change(source[1]["path"][1])
    with pytest.raises(UsageError, match=words):
        write(tmp_path / "out", mode, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("mode", ["copy", "symlink"])
def test_other_content_of_the_same_size_is_refused(source, tmp_path, mode):
    Path(source[1]["path"][0]).write_bytes(b"picture X")
    with pytest.raises(UsageError, match="changed since the audit"):
        write(tmp_path / "out", mode, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_dropped_image_need_not_be_there(source, tmp_path):
    os.remove(source[1]["path"][2])
    write(tmp_path / "out", "copy", source)


def test_a_disk_without_links_is_said_so(source, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", fail)
    with pytest.raises(UsageError, match=r"links cannot be made here .*--mode copy"):
        write(tmp_path / "out", "symlink", source)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", ["copy", "symlink", "manifest"])
def test_the_same_again_is_the_same_bytes_and_takes_the_place(source, tmp_path, mode):
    write(tmp_path / "out", "copy", source)
    write(tmp_path / "out", mode, source)
    first = files(tmp_path / "out")
    write(tmp_path / "out", mode, source)
    assert files(tmp_path / "out") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_folders_beside_are_refused_or_let_be(source, tmp_path):
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "out"
    run.mkdir()
    paths = source[1]["path"]
    refuse_target(out, run, data, paths)
    refuse_target(run / "fixed", run, data, paths)
    for one, words in ((data / "new", "inside the data"), (data, "inside the data"),
                       (run, "holds .*run, which this is made from"),
                       (tmp_path, "holds .*, which this is made from")):
        with pytest.raises(UsageError, match=words):
            refuse_target(one, run, data, paths)
    table = tmp_path / "labels.csv"
    table.touch()
    with pytest.raises(UsageError, match=r"holds .*cat"):
        refuse_target(data / "cat", run, table, paths)
    with pytest.raises(UsageError, match="is a file"):
        refuse_target(table, run, data, paths)


def test_only_what_fix_wrote_is_replaced(source, tmp_path):
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "out"

    def refused(words):
        with pytest.raises(UsageError, match=words):
            refuse_target(out, run, data, source[1]["path"])

    out.mkdir()
    refuse_target(out, run, data, [])
    (out / "mine.txt").touch()
    refused("`audit fix` did not write")
    (out / PLAN_FILE).write_text("[1]")
    refused("`audit fix` did not write")
    (out / PLAN_FILE).unlink()
    (out / "mine.txt").unlink()
    write(out, "copy", source)
    refuse_target(out, run, data, source[1]["path"])
    (out / "mine.txt").touch()
    refused('holds "mine.txt" beside')
    (out / "mine.txt").unlink()
    (out / IMAGES / "cat" / "mine.png").touch()
    refused("4 images where `audit fix` wrote 3")


def test_a_source_that_is_a_link_into_the_folder_is_not_lost(source, tmp_path):
    out = tmp_path / "out"
    write(out, "copy", source)
    link = tmp_path / "link.png"
    link.symlink_to(out / IMAGES / "cat" / "0.png")
    with pytest.raises(UsageError, match="which this is made from"):
        refuse_target(out, tmp_path / "run", tmp_path / "data", [str(link)])


def interrupt(stage):
    (stage / "half.txt").touch()
    raise KeyboardInterrupt


def test_what_fails_or_is_killed_leaves_what_was_there(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.txt").touch()
    with pytest.raises(KeyboardInterrupt), staged(out) as stage:
        interrupt(stage)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    script = ("import os, pathlib, sys\nfrom audit.remedies.staging import staged\n"
              "with staged(pathlib.Path(sys.argv[1])) as stage:\n"
              "    (stage / 'half.txt').touch()\n    os.kill(os.getpid(), 9)\n")
    killed = subprocess.run([sys.executable, "-c", script, out], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert [path.name for path in out.iterdir()] == ["old.txt"]
    left = [path.name for path in tmp_path.iterdir() if path != out]
    assert len(left) == 1
    assert re.fullmatch(r"\.out\.\d+\.tmp", left[0])
    with staged(out) as stage:
        (stage / "new.txt").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["new.txt"]


def test_what_was_moved_away_and_not_replaced_comes_back(tmp_path):
    moved = tmp_path / ".out.4194305.old"  # above the largest process number
    moved.mkdir()
    (moved / "old.txt").touch()
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out"):
        _ = 1 / 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.txt"]


def test_class_names_are_made_safe_and_stay_apart():
    assert folder_names(["cat", "Cat", "a b"]) == {"cat": "cat", "Cat": "Cat", "a b": "a b"}
    odd = folder_names(["a/b", "a_b", "a:b", "..", ".hidden", "x. ", "NA"])
    assert odd == {"a_b": "a_b", "a/b": "a_b_2", "a:b": "a_b_3", "..": "__", ".hidden": "_hidden",
                   "x. ": "x__", "NA": "NA"}


def test_files_of_one_name_stay_apart_and_keep_their_names_where_they_can():
    plan = plan_of(build_case([{}, {}, {}, {"split": "test"}]))
    plan.loc[0, "repeat"] = 3
    paths = ["/x/a.png", "/y/A.png", "/z/a__2.png", "/z/a.png"]
    assert lay_out(plan, paths) == [
        (0, "train/cat/a.png"), (1, "train/cat/A__3.png"), (2, "train/cat/a__2.png"),
        (3, "test/cat/a.png"), (0, "train/cat/a__4.png"), (0, "train/cat/a__5.png")]


@pytest.mark.parametrize("strategy", ["oversample", "undersample"])
def test_repeats_are_files(strategy):
    labels = ["cat"] * 5 + ["dog"] * 2
    plan = balance_plan(plan_of(build_case([{"given_label": one} for one in labels])), strategy, 0)
    placed = [place for _, place in lay_out(plan, plan["image_id"])]
    assert len(set(placed)) == len(placed) == (10 if strategy == "oversample" else 4)
