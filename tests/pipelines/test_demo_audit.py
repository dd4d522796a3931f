"""The demo, audited with the network trained from scratch: every planted fault is found."""

import json

import pytest

from pipelines.score_demo import score_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory, audit_command):
    base = tmp_path_factory.mktemp("demo")
    made = audit_command("demo", base / "digits")
    assert made.returncode == 0, made.stderr
    result = audit_command("run", base / "digits", "--backbone", "patches", "--effort", "low",
                           "--out", base / "out")
    assert result.returncode == 0, result.stderr
    return base, result


def test_every_planted_fault_is_found_and_labels_rank_well(demo):
    base, result = demo
    scores, precision = score_demo(base / "digits", base / "out")
    for one in scores:
        if one.kind != "wrong label":
            assert one.found == one.planted, one
    assert precision >= 0.90
    assert "Planted against found" in result.stdout


def test_no_check_crashed_and_causes_are_ranked(demo):
    base, _ = demo
    summary = json.loads((base / "out" / "summary.json").read_text())
    assert [one for one in summary["checks"] if one["status"] == "error"] == []
    gained = [one["gain"]["low"] > 0 if one["gain"] else None for one in summary["causes"]]
    assert gained[0], "what gains most beyond doubt is first"
    assert summary["causes"][0]["cause"] in {"wrong_labels", "imbalance"}
    assert not any(gained[gained.index(None):]), "nothing is first that was not measured"
    assert {"wrong_labels", "split_leak", "imbalance", "broken_files", "duplicates"} <= {
        one["cause"] for one in summary["causes"]}


def test_stages_are_timed_and_memory_is_recorded(demo):
    base, _ = demo
    run = json.loads((base / "out" / "run.json").read_text())
    assert {"measuring", "cross-validating", "checking"} <= {one["name"] for one in run["stages"]}
    assert all(one["seconds"] >= 0 for one in run["stages"])
    assert run["peak_memory_mib"] > 0
    assert len(run["digest"]) == 64
