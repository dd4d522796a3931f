"""An audit of a bucket finds what one of the same folder does, and reads each object once."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from builders import png
from conftest import write_digits
from rich.console import Console
from stores import served_bucket

from audit import remote
from audit.errors import UsageError
from audit.gating import gate_run
from audit.places import Url, place_of
from audit.review.pictures import Pictures
from audit.stored_run import read_run
from audit.types import ListedFile
from pipelines.audit_dataset import audit_dataset
from pipelines.progress import Stages
from pipelines.remedy_dataset import RemedySettings, find_sources, plan_remedies, remedy
from pipelines.settings import Settings
from pipelines.training_data import PictureSettings, read_pictures

SAME = ("findings.csv", "images.csv", "summary.json", "pred_probs.parquet", "embeddings.npy",
        "measures.parquet")
ODD = "zero/a b#c?d%20é.png"


@pytest.fixture(scope="module")
def bucket():
    with served_bucket() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def stored(bucket, tmp_path_factory):
    """A folder with some faults, the same in the bucket, and a run of each."""
    base = tmp_path_factory.mktemp("stored")
    photos = base / "photos"
    write_digits(photos, per_class=24)
    first = min((photos / "one").iterdir())
    shutil.copy(first, photos / "one" / "copy.png")
    first.rename(photos / ODD)  # a wrong label, under a name that URLs would take apart
    (photos / "two" / "empty.png").write_bytes(b"")
    (photos / "two" / "broken.png").write_text("no picture")
    (photos / "two" / "notes.txt").write_text("no image")
    (photos / "two" / ".hidden.png").write_bytes(b"")
    bucket.upload(photos, "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGE_AUDIT_CACHE", str(base / "cache"))
        patch.setenv("IMAGE_AUDIT_CACHE_BYTES", str(10**9))
        audited(photos, base / "local", cache=False)
        bucket.requests.clear()
        audited(Url(f"{bucket.url}/photos"), base / "run")
    return base


@pytest.fixture
def cached(stored, tmp_path, monkeypatch):
    """A copy of the cache that the first audit of the bucket has filled."""
    shutil.copytree(stored / "cache", tmp_path / "cache")
    monkeypatch.setenv("IMAGE_AUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IMAGE_AUDIT_CACHE_BYTES", str(10**9))
    return stored


@pytest.fixture
def quiet(stored, bucket):  # noqa: ARG001 - it fills the bucket
    """The bucket, of which nothing was asked yet, and which is as it was afterwards."""
    before = bucket.contents()
    bucket.requests.clear()
    yield bucket
    assert bucket.contents() == before


def audited(data, out, **more):
    audit_dataset(Settings(data=data, out=out, backbone="patches", effort="low", workers=2,
                           **more), Stages(Console(quiet=True)))
    return json.loads((out / "run.json").read_text())


def test_a_bucket_gives_what_the_folder_gives(stored):
    for name in SAME:
        assert (stored / "run" / name).read_bytes() == (stored / "local" / name).read_bytes(), name
    images = pd.read_csv(stored / "run" / "images.csv").set_index("image_id")
    assert images.loc[ODD, "is_label_issue"]
    assert images.loc["two/empty.png", "is_empty_file_issue"]
    assert images.loc["two/broken.png", "is_unreadable_file_issue"]


def test_a_folder_costs_a_listing_an_image_a_read_and_nothing_is_written(quiet, tmp_path):
    told = audited(Url(f"{quiet.url}/photos"), tmp_path / "run", cache=False)
    assert len(quiet.listings()) == 4  # the root and three classes
    assert quiet.read() == dict.fromkeys(
        "photos/" + pd.read_csv(tmp_path / "run" / "images.csv")["image_id"], 1)
    assert quiet.others() == []
    assert told["source"] == {"data": f"{quiet.url}/photos", "labels": None,
                              "label_column": "label"}


def test_what_is_unchanged_is_not_read_again(cached, quiet, tmp_path):
    told = audited(Url(f"{quiet.url}/photos"), tmp_path / "again")
    assert len(quiet.requests) == 4
    for name in SAME:
        assert (tmp_path / "again" / name).read_bytes() == (cached / "run" / name).read_bytes()
    assert told["reused"]


def test_only_what_has_changed_is_read_again(cached, quiet, tmp_path):
    changed, added, gone = (f"photos/{one}.png" for one in ("one/copy", "one/new", "two/broken"))
    before = {key: quiet.content(key) for key in (changed, gone)}
    quiet.put(changed, png(np.arange(64.0).reshape(8, 8) / 4))
    quiet.put(added, png(np.arange(64.0)[::-1].reshape(8, 8) / 4))
    quiet.remove(gone)
    quiet.requests.clear()
    try:
        audited(Url(f"{quiet.url}/photos"), tmp_path / "again")
        assert quiet.read() == {changed: 1, added: 1}
        images = pd.read_csv(tmp_path / "again" / "images.csv")["image_id"]
        assert len(images) == len(pd.read_csv(cached / "run" / "images.csv"))
    finally:
        quiet.remove(added)
        for key, content in before.items():
            quiet.put(key, content)


def test_files_of_which_nothing_is_told_are_read_each_time(cached, quiet, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "_told", lambda info, _now: ListedFile(info["size"]))
    told = audited(Url(f"{quiet.url}/photos"), tmp_path / "again")
    assert len(quiet.read()) == len(pd.read_csv(tmp_path / "again" / "images.csv"))
    assert set(quiet.read().values()) == {1}
    for name in SAME:
        assert (tmp_path / "again" / name).read_bytes() == (cached / "run" / name).read_bytes()
    assert told["reused"], "what was found of the same contents"


def test_a_table_in_the_bucket_with_a_missing_image(stored, quiet, tmp_path):
    names = sorted(path.relative_to(stored / "photos").as_posix()
                   for path in (stored / "photos").rglob("*.png") if path.name[0] != ".")
    table = pd.DataFrame({"path": [f"photos/{name}" for name in [*names, "one/gone.png"]],
                          "label": [name.split("/")[0] for name in [*names, "one/gone.png"]]})
    quiet.put("labels.csv", table.to_csv(index=False).encode())
    audited(Url(f"{quiet.url}/labels.csv"), tmp_path / "run")
    images = pd.read_csv(tmp_path / "run" / "images.csv").set_index("image_id")
    assert len(images) == len(table)
    assert images.loc["photos/one/gone.png", "is_unreadable_file_issue"]
    measures = pd.read_parquet(tmp_path / "run" / "measures.parquet").set_index("image_id")
    assert measures.loc["photos/one/gone.png", "problem_kind"] == "missing"
    assert max(quiet.read().values()) == 1
    quiet.remove("labels.csv")


def test_the_data_in_the_bucket_are_those_that_were_audited(stored, quiet):
    data = place_of(f"{quiet.url}/photos")
    assert not any("digest" in one for one in gate_run(stored / "run", data=data).reasons)
    quiet.put("photos/one/new.png", b"")
    try:
        assert any("digest" in one for one in gate_run(stored / "run", data=data).reasons)
    finally:
        quiet.remove("photos/one/new.png")


@pytest.mark.parametrize("mode", ["manifest", "copy"])
def test_a_bucket_is_remedied_into_a_table_or_a_folder(stored, quiet, tmp_path, mode):
    for run in ("run", "local"):
        remedy(RemedySettings(run=stored / run, out=tmp_path / run, mode=mode),
               Stages(Console(quiet=True)))
    plans = [(tmp_path / run / "plan.csv").read_bytes() for run in ("run", "local")]
    assert plans[0] == plans[1]
    assert quiet.others() == []
    if mode == "manifest":
        paths = pd.read_csv(tmp_path / "run" / "remedied.csv")["path"]
        assert paths.str.startswith(f"{quiet.url}/photos/").all()
        assert f"{quiet.url}/photos/zero/a b#c?d%20é.png" not in set(paths), "a wrong label"
        assert sum(quiet.read().values()) == 0
    else:
        here, there = ({path.relative_to(tmp_path / run): path.read_bytes()
                        for path in sorted((tmp_path / run / "images").rglob("*.png"))}
                       for run in ("run", "local"))
        assert here == there
        assert len(here) == sum(quiet.read().values())


def test_a_bucket_that_has_changed_is_not_remedied(stored, quiet, tmp_path):
    key = "photos/one/copy.png"
    before = quiet.content(key)
    try:
        for change, words in ((lambda: quiet.put(key, before + b"\0"), "have changed or are gone"),
                              (lambda: quiet.remove(key), "are not there any more")):
            change()
            with pytest.raises(UsageError, match=words):
                remedy(RemedySettings(run=stored / "run", out=tmp_path / "out"),
                       Stages(Console(quiet=True)))
    finally:
        quiet.put(key, before)
    with pytest.raises(UsageError, match=r"no link can lead to s3://.*--mode manifest"):
        remedy(RemedySettings(run=stored / "run", out=tmp_path / "out", mode="symlink"),
               Stages(Console(quiet=True)))
    assert not (tmp_path / "out").exists()


def test_pictures_for_training_are_read_from_the_bucket(stored, quiet, tmp_path):
    run = read_run(stored / "run")
    plan = plan_remedies(run, RemedySettings(run=stored / "run", out=tmp_path))
    data = read_pictures(run, plan, find_sources(run).set_index("image_id"),
                         PictureSettings(16, 2, 0), tmp_path, Stages(Console(quiet=True)))
    assert data.readable.sum() == len(plan) - 2  # one is empty, and one is text
    assert (data.tensors.sides(np.flatnonzero(data.readable)) == 16).all()
    assert len(quiet.read()) == len(plan)


def test_pictures_for_review_are_read_from_the_bucket(quiet):
    shown = Pictures([f"{quiet.url}/photos/{ODD}", f"{quiet.url}/photos/gone.png"])
    assert shown.read(0, 320).startswith(b"\xff\xd8")
    assert shown.read(1, 320) is None


def test_the_command_takes_a_url_and_names_the_report_by_it(quiet, audit_command, tmp_path):
    done = audit_command("run", f"{quiet.url}/photos/", "--backbone", "patches", "--effort", "low",
                         "--workers", "2", cwd=tmp_path, **quiet.environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "photos" / "latest" / "report.html").is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["reports"]


@pytest.mark.parametrize(("arguments", "words"), [
    (("run", "s3://no-such-bucket/photos"), "s3://no-such-bucket/photos does not exist"),
    (("run", "memory://photos"), "seen by one process only"),
    (("diagnose", "s3://bucket/photos", "--model", "x.py:f"), "audit run s3://bucket/photos"),
])
def test_what_cannot_be_done_is_one_line(quiet, audit_command, tmp_path, arguments, words):
    refused = audit_command(*arguments, cwd=tmp_path, **quiet.environment)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
