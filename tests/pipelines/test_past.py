"""A second audit reuses what the first found, and finds the same to the last byte."""

import json
import os
import shutil
import sqlite3
import time
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from builders import png
from conftest import write_digits
from rich.console import Console

from audit.cache import Store
from pipelines import past as past_module
from pipelines.audit_dataset import audit_dataset
from pipelines.past import Past
from pipelines.progress import Stages
from pipelines.settings import Settings

SAME = ("findings.csv", "images.csv", "summary.json", "pred_probs.parquet", "embeddings.npy",
        "measures.parquet")
LONG_AGO = time.time() - 1_000


def settle(folder):
    """As files that were not changed just now."""
    for path in folder.rglob("*.png"):
        os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A dataset, its cache, and the run that filled it."""
    base = tmp_path_factory.mktemp("past")
    write_digits(base / "photos")
    settle(base / "photos")
    with pytest.MonkeyPatch.context() as patch:
        at(patch, base / "cache")
        audited(base / "photos", base / "run")
    return base


@pytest.fixture
def data(first, tmp_path, monkeypatch):
    """A copy of the dataset with its times, and of the cache."""
    shutil.copytree(first / "photos", tmp_path / "photos", copy_function=shutil.copy2)
    shutil.copytree(first / "cache", tmp_path / "cache")
    at(monkeypatch, tmp_path / "cache")
    return tmp_path / "photos"


def at(patch, cache):
    patch.setenv("IMAGE_AUDIT_CACHE", str(cache))
    patch.setenv("IMAGE_AUDIT_CACHE_BYTES", str(10**9))


def audited(photos, out, **more):
    audit_dataset(Settings(data=photos, out=out, backbone="patches", effort="low", workers=2,
                           **more), Stages(Console(quiet=True)))
    return json.loads((out / "run.json").read_text())


def assert_same(one, other):
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def stages(run):
    return {one["name"] for one in run["stages"]}


def test_the_same_again_measures_and_learns_nothing(first, tmp_path, monkeypatch):
    at(monkeypatch, first / "cache")
    again = audited(first / "photos", tmp_path / "again")
    assert_same(first / "run", tmp_path / "again")
    assert again["reused"]
    assert not stages(again) & {"measuring", "embedding", "cross-validating", "trying the fixes"}
    page = (tmp_path / "again" / "report.html").read_text()
    assert "from an earlier audit" in page
    assert page.count("data:image/jpeg") == (first / "run" / "report.html").read_text().count(
        "data:image/jpeg")


def test_without_the_cache_it_is_computed_and_the_same(first, tmp_path, monkeypatch):
    at(monkeypatch, first / "cache")
    anew = audited(first / "photos", tmp_path / "anew", cache=False)
    assert_same(first / "run", tmp_path / "anew")
    assert anew["reused"] == []
    assert "embedding" in stages(anew)


def test_renamed_folders_cost_nothing_and_change_nothing_but_names(first, data, tmp_path):
    for number, path in enumerate(sorted((data / "one").iterdir())):
        path.rename(path.with_name(f"renamed-{number}.png"))
    told = audited(data, tmp_path / "run")
    assert told["reused"]
    columns = ["file_sha256", "given_label"]
    before, after = (pd.read_parquet(run / "measures.parquet").sort_values(columns)[columns]
                     for run in (first / "run", tmp_path / "run"))
    np.testing.assert_array_equal(before, after)
    flags = [json.loads((run / "summary.json").read_text())["causes"]
             for run in (first / "run", tmp_path / "run")]
    assert flags[0] == flags[1]


def test_classes_that_are_renamed_and_keep_their_order_cost_nothing(data, tmp_path):
    for folder in list(data.iterdir()):
        folder.rename(folder.with_name(f"class-{folder.name}"))
    told = audited(data, tmp_path / "run")
    assert not stages(told) & {"measuring", "embedding", "cross-validating", "trying the fixes"}
    audited(data, tmp_path / "fresh", cache=False)
    assert_same(tmp_path / "run", tmp_path / "fresh")


@pytest.mark.usefixtures("data")
def test_files_of_another_data_set_are_read_once(tmp_path, monkeypatch):
    """To hash them first would be to read them twice, for nothing: none was seen before."""
    other = tmp_path / "other"
    write_digits(other)
    for number, path in enumerate(sorted(other.rglob("*.png"))):
        path.write_bytes(path.read_bytes() + b"%d" % number)  # behind its end
    read = []
    monkeypatch.setattr(past_module, "hash_of_file", lambda path: read.append(path) or "00")
    monkeypatch.setattr(past_module, "_SAMPLE", 10)
    told = audited(other, tmp_path / "run")
    assert told["reused"] == []
    assert 0 < len(read) < 25


def test_classes_that_change_their_order_are_learned_anew(data, tmp_path):
    names = sorted(folder.name for folder in data.iterdir())
    (data / names[0]).rename(data / "zzz")
    told = audited(data, tmp_path / "run")
    assert "cross-validating" in stages(told)
    assert "embedding" not in stages(told)
    audited(data, tmp_path / "fresh", cache=False)
    assert_same(tmp_path / "run", tmp_path / "fresh")


def test_an_audit_that_was_killed_goes_on_after_its_last_whole_stage(first, data, tmp_path):
    """Without the entries of the stages that were not ended; what was ended is not done again."""
    with closing(sqlite3.connect(next((tmp_path / "cache").glob("*.sqlite")))) as db, db:
        db.execute("delete from entries where kind in ('probabilities', 'curve', 'gains')")
    told = audited(data, tmp_path / "run")
    assert_same(first / "run", tmp_path / "run")
    assert "cross-validating" in stages(told)
    assert not stages(told) & {"embedding", "finding duplicates"}


def test_an_audit_that_was_killed_while_it_measured_goes_on_with_the_other_images(
        first, data, tmp_path):
    """As after a kill: of some images the results are kept, and nothing of the data set is."""
    with closing(sqlite3.connect(next((tmp_path / "cache").glob("*.sqlite")))) as db, db:
        db.execute("delete from entries where kind != 'measures'")
        kept, = db.execute("select count(*) from entries").fetchone()
        db.execute("delete from entries where key in (select key from entries limit 40)")
    told = audited(data, tmp_path / "run")
    assert_same(first / "run", tmp_path / "run")
    total = len(list(data.rglob("*.png")))
    assert kept == total, "no picture is there twice"
    assert told["reused"] == [f"measures and thumbnails of {total - 40} of {total} images"]


@pytest.mark.parametrize("change", ["label", "picture", "added", "removed", "seed"])
def test_what_has_changed_is_found_as_by_a_fresh_audit(data, tmp_path, change):
    more = {}
    moved = data / "one" / next(iter(os.listdir(data / "one")))
    if change == "label":
        moved.rename(data / "two" / f"moved-{moved.name}")
    elif change == "picture":
        moved.write_bytes(png(np.arange(64.0).reshape(8, 8) / 4))
    elif change == "added":
        (data / "one" / "new.png").write_bytes(png(np.arange(64.0).reshape(8, 8) / 4))
    elif change == "removed":
        moved.unlink()
    else:
        more = {"seed": 1}
    told = audited(data, tmp_path / "run", **more)
    audited(data, tmp_path / "fresh", cache=False, **more)
    assert_same(tmp_path / "run", tmp_path / "fresh")
    # Of each picture what hangs on it alone; of all of them what hangs on no label.
    images, *whole = told["reused"]
    assert images.startswith("measures and thumbnails")
    assert (" of " in images) == (change in {"picture", "added"}), images
    assert whole == (["embeddings", "neighbours and duplicates"] if change == "label" else [])


def test_a_picture_that_was_changed_within_its_time_is_seen_unless_it_was_settled(data, tmp_path):
    """A file just written is hashed again: its next change may not move its time."""
    path = data / "one" / "fresh.png"
    path.write_bytes(png(np.arange(64.0).reshape(8, 8) / 4))
    facts = path.stat()
    audited(data, tmp_path / "run")
    path.write_bytes(png(np.arange(64.0)[::-1].reshape(8, 8) / 4).ljust(facts.st_size, b"\0"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    audited(data, tmp_path / "again")
    audited(data, tmp_path / "fresh", cache=False)
    assert_same(tmp_path / "again", tmp_path / "fresh")


@pytest.mark.parametrize("kind", [
    "about", "measures", "embedding", "alike", "probabilities", "curve", "gains"])
def test_a_damaged_entry_is_computed_again(first, data, tmp_path, kind):
    with closing(sqlite3.connect(next((tmp_path / "cache").glob("*.sqlite")))) as db, db:
        db.execute("update entries set value = zeroblob(bytes) where kind = ?", (kind,))
    audited(data, tmp_path / "run")
    assert_same(first / "run", tmp_path / "run")


def test_a_damaged_cache_is_told_and_harms_nothing(first, data, tmp_path, capsys):
    next((tmp_path / "cache").glob("*.sqlite")).write_bytes(b"damaged" * 1_000)
    audit_dataset(Settings(data=data, out=tmp_path / "run", backbone="patches", effort="low"),
                  Stages(Console(stderr=True)))
    assert_same(first / "run", tmp_path / "run")
    assert "was damaged" in capsys.readouterr().err


def test_another_program_finds_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr(past_module, "_program", lambda: "a later version")
    assert audited(data, tmp_path / "run")["reused"] == []


@pytest.mark.parametrize("more", [
    {"pred_probs": "given"}, {"backbone": "network.py:make"}, {"backbone": "own.keras"}])
def test_what_hangs_on_the_users_own_files_is_not_kept(tmp_path, more):
    (tmp_path / "given").write_text("a table")
    if "pred_probs" in more:
        more = {"pred_probs": tmp_path / "given"}
    with closing(Store(tmp_path)) as store:
        past = Past(store, Settings(data=tmp_path, **more))
        manifest = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "split": [""],
                                 "given_label": ["x"], "group": [""]})
        assert past.fingerprint(["00"], manifest) is None
        assert Past(store, Settings(data=tmp_path)).fingerprint(["00"], manifest)
        assert Past(store, Settings(data=tmp_path)).fingerprint([""], manifest) is None


def test_the_report_tells_what_changed_since_the_run_before(first, data, tmp_path):
    out = tmp_path / "run"
    audited(data, out)
    assert "Since the run before" not in (out / "report.html").read_text()
    audited(data, out)
    assert "the same images; the same flags" in (out / "report.html").read_text()
    moved = next(iter(sorted((data / "one").iterdir())))
    moved.rename(data / "two" / f"moved-{moved.name}")
    (data / "one" / "new.png").write_bytes(png(np.arange(64.0).reshape(8, 8) / 4))
    audit_dataset(Settings(data=data, out=out, backbone="patches", effort="low"),
                  Stages(Console(quiet=True)))
    html = (out / "report.html").read_text()
    assert "images: 1 added, 1 relabelled; flags: " in html
    audited(first / "photos", out)
    assert "Since the run before" not in (out / "report.html").read_text(), "of other data"


def test_info_and_clear(audit_command, data, tmp_path):
    env = {"IMAGE_AUDIT_CACHE": str(tmp_path / "cache")}
    told = audit_command("cache", "info", **env)
    assert "120" in told.stdout
    assert "thumbnails" in told.stdout
    assert audit_command("cache", "clear", **env).returncode == 0
    assert "thumbnails" not in audit_command("cache", "info", **env).stdout
    refused = audit_command("cache", "burn", **env)
    assert refused.returncode == 2
    assert "info or clear" in refused.stderr
    assert data.is_dir()
