"""Settings that no run could make sense of are refused before anything is read."""

import json
import os

import pytest

from audit.errors import UsageError
from audit.places import Url
from audit.registry import all_checks
from pipelines.seed import LEAST_FOLDS, MOST_FOLDS
from pipelines.settings import Settings, available_cores, default_workers, read_config


@pytest.mark.parametrize(("given", "words"), [
    ({"folds": LEAST_FOLDS - 1}, r"--folds must be from 2 to 50\. Got 1"),
    ({"folds": MOST_FOLDS + 1}, "--folds .*Got 51"),
    ({"workers": 0}, "--workers must be 1 or more. Got 0"),
    ({"seed": -1}, "--seed must be from 0 to"),
    ({"effort": "medium"}, '--effort must be low, normal, high. Got "medium"'),
    ({"engine": "spark"}, '--engine must be local or ray.*"spark"'),
    ({"pred_probs": "nowhere"}, "--pred-probs .*nowhere does not exist"),
    ({"embeddings": "."}, "--embeddings .* Give a file"),
    ({"out": "file"}, "--out .*file is a file. Give a folder"),
])
def test_bad_settings_are_refused(tmp_path, given, words):
    (tmp_path / "file").touch()
    given = {name: tmp_path / value if name in {"pred_probs", "embeddings", "out"} else value
             for name, value in given.items()}
    with pytest.raises(UsageError, match=words):
        Settings(tmp_path, **given)


@pytest.mark.parametrize("folds", [LEAST_FOLDS, MOST_FOLDS])
def test_settings_at_the_bounds_are_taken_and_can_be_recorded(tmp_path, folds):
    settings = Settings(tmp_path, folds=folds, workers=1, seed=0, out=tmp_path / "new",
                        thresholds={"dark": {"score": 0.2}}, disabled=frozenset({"light", "dark"}))
    recorded = json.loads(json.dumps(settings.as_json()))
    assert recorded["folds"] == folds
    assert recorded["thresholds"] == {"dark": {"score": 0.2}}
    assert recorded["disabled"] == ["dark", "light"]


def test_what_decides_the_result_is_recorded(tmp_path):
    # Where it is written decides nothing, nor what is reused: that is the same to the last byte.
    fields = set(Settings.__dataclass_fields__) - {"out", "cache"}
    assert set(Settings(tmp_path).as_json()) == fields


def test_no_more_cores_than_this_process_may_use():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.fixture
def config(tmp_path):
    def write(content: str):
        path = tmp_path / "audit.toml"
        path.write_text(content, encoding="utf-8")
        return path
    return write


@pytest.fixture(scope="module")
def threshold():
    """A check that has a threshold, the threshold's name, and a value in its range."""
    return next((check.meta.code, name, one.value) for check in all_checks()
                for name, one in check.meta.thresholds.items())


def test_thresholds_and_disabled_checks_are_read(config, threshold):
    code, name, value = threshold
    other = next(check.meta.code for check in all_checks() if check.meta.code != code)
    path = config(f"[checks.{code}]\n{name} = {value}\nenabled = true\n"
                  f"[checks.{other}]\nenabled = false\n")
    thresholds, disabled = read_config(path)
    assert thresholds[code] == {name: value}
    assert disabled == {other}
    assert read_config(config("")) == ({}, frozenset())


@pytest.mark.parametrize(("content", "words"), [
    ("[checks", "cannot be read .*Give a TOML file"),
    ("[check.dark]", r"must hold tables \[checks.CODE\] only. Got check instead"),
    ("checks = 3", "checks that is no table"),
    ("[checks.darkk]", '"darkk".*Give one of .*dark'),
    ("[checks]\nCODE = 3", "must be a table of thresholds"),
    ("[checks.CODE]\nenabled = 'no'", "enabled as true or false"),
    ("[checks.CODE]\nNAME = 'high'", "NAME of .*must be a number. Got 'high'"),
    ("[checks.CODE]\nNAME = true", "must be a number. Got True"),
    ("[checks.CODE]\nNAME = nan", "must be from .*Got nan"),
    ("[checks.CODE]\nNAME = -inf", "must be from .*Got -inf"),
    ("[checks.CODE]\nother = 1", 'no threshold "other".*NAME'),
])
def test_a_bad_configuration_is_refused(config, threshold, content, words):
    code, name, _ = threshold
    with pytest.raises(UsageError, match=words.replace("NAME", name)):
        read_config(config(content.replace("CODE", code).replace("NAME", name)))


@pytest.mark.parametrize("make", [lambda path: path.with_name("other.toml").touch(),
                                  lambda path: path.mkdir(),
                                  lambda path: path.write_bytes(b"\xff")])
def test_a_configuration_that_cannot_be_read_is_refused(tmp_path, make):
    make(tmp_path / "a.toml")
    with pytest.raises(UsageError, match=r"a\.toml cannot be read"):
        read_config(tmp_path / "a.toml")


def test_a_store_is_a_place_for_data_and_is_read_by_more_processes(tmp_path, monkeypatch):
    url = Url("s3://bucket/photos")
    assert Settings(url, labels=Url("s3://bucket/labels.csv")).as_json()["data"] == str(url)
    monkeypatch.setattr("pipelines.settings.available_cores", lambda: 2)
    assert (default_workers(tmp_path), default_workers(url)) == (2, 8)
    monkeypatch.setattr("pipelines.settings.available_cores", lambda: 64)
    assert (default_workers(tmp_path), default_workers(url)) == (64, 64)
    with pytest.raises(UsageError, match="memory://photos is seen by one process only"):
        Settings(tmp_path, labels=Url("memory://photos"))
