"""`audit gate` and its file of rules."""

import json
from pathlib import Path

import pytest
from gate_runs import FAILS, QUIET, one_line

from audit.gate.policy import read_policy
from pipelines.gate_dataset import GateOptions


def test_init_writes_a_policy_that_is_the_default_one_and_is_then_taken(audit_command, gate, digits,
                                                                        tmp_path):
    here = tmp_path / "here"
    default = gate(digits / "run", "--json", tmp_path / "default.json")
    ended = audit_command("gate", "--init", cwd=here)
    assert ended.returncode == 0, ended.stderr
    assert "audit.toml" in ended.stdout
    taken = gate(digits / "run", "--json", tmp_path / "taken.json")
    assert taken.returncode == default.returncode == 3, taken.stderr
    assert "Policy: audit.toml." in taken.stdout
    one, other = (json.loads((tmp_path / f"{name}.json").read_text())
                  for name in ("default", "taken"))
    assert one.pop("policy")["digest"] == other.pop("policy")["digest"]
    assert one == other


def test_init_overwrites_nothing(audit_command, tmp_path):
    (tmp_path / "audit.toml").write_text("mine")
    assert "is there already" in one_line(audit_command("gate", "--init", cwd=tmp_path), 2)
    assert (tmp_path / "audit.toml").read_text() == "mine"
    ended = audit_command("gate", "--init", "--policy", tmp_path / "new" / "strict.toml")
    assert ended.returncode == 0, ended.stderr
    assert read_policy(tmp_path / "new" / "strict.toml").digest == read_policy(None).digest


@pytest.mark.parametrize(("text", "code"), [
    (QUIET, 0), (FAILS, 1), ("[checks.blurry]\n", 3), ("[gate.checks.blury]\n", 2)],
    ids=["passes", "fails", "without gate", "slip"])
def test_audit_toml_of_the_working_folder_is_taken(gate, digits, tmp_path, text, code):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "audit.toml").write_text(text)
    ended = gate(digits / "run")
    assert ended.returncode == code, ended.stderr
    assert ("Policy: audit.toml." in ended.stdout) == (code in {0, 1})


@pytest.mark.parametrize("text", [
    "gate.allow.skipped = ['split_leak', 'sufficiency']\n", "[ gate.allow ]\nskipped = []\n",
    '["gate".allow]\nskipped = []\n', "gate = {version = 1}\n"])
def test_audit_toml_is_taken_however_its_table_is_written(tmp_path, monkeypatch, text):
    """Else the default policy would stand in for it, and nobody would know."""
    monkeypatch.chdir(tmp_path)
    Path("audit.toml").write_text(text)
    assert read_policy(Path("audit.toml")).source == "audit.toml"
    assert GateOptions(tmp_path).policy_file == Path("audit.toml")


def test_a_policy_that_is_told_goes_before_that_of_the_folder(gate, digits, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "audit.toml").write_text(FAILS)
    assert gate(digits / "run", policy="quiet").returncode == 0
