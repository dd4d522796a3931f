"""What `audit gate` writes for other tools."""

import io
import json
import os
import re
from contextlib import redirect_stdout

import pytest
from gate_runs import BROKEN, FORMS, WRONG
from rich.console import Console

from audit.gate.blessing import BLESSING_FILE
from audit.gate.conditions import Condition
from audit.gate.policy import CheckPolicy, Rules, read_policy
from audit.gate.record import read_record
from audit.gate.summaries import github_annotations
from audit.gate.verdict import judge
from audit.gating import read_reviewed
from pipelines.gate_dataset import GateOptions, print_verdict


@pytest.fixture
def forms(tmp_path):
    """Options that write every form, and their files."""
    files = {name: tmp_path / "told" / f"verdict.{name}" for name in FORMS}
    return [part for name, path in files.items() for part in (f"--{name}", path)], files


def test_every_form_is_written_of_every_verdict(gate, digits, forms):
    options, files = forms
    for policy, code in (("quiet", 0), ("fails", 1), (None, 3)):
        assert gate(digits / "run", *options, policy=policy).returncode == code
        assert json.loads(files["json"].read_text())["exit_code"] == code
        (run,) = json.loads(files["sarif"].read_text())["runs"]
        assert run["invocations"][0]["exitCode"] == code
        assert ("<failure " in files["junit"].read_text()) == (code != 0)
        assert ("<error " in files["junit"].read_text()) == (code == 3)
        assert ("| **fail** |" in files["markdown"].read_text()) == (code != 0)
        assert sorted(path.name for path in files["json"].parent.iterdir()) == sorted(
            path.name for path in files.values()), "nothing else is left"


def test_a_pipe_or_device_is_written_to_and_not_replaced(gate, digits, tmp_path):
    """As /dev/stdout, which root of a container could replace by a file."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert gate(digits / "run", "--json", tmp_path / "pipe", policy="quiet").returncode == 0
        assert (tmp_path / "pipe").is_fifo()
        assert json.loads(os.read(reader, 2**16))["exit_code"] == 0
    finally:
        os.close(reader)


def test_sarif_names_the_files_that_are_flagged(gate, digits, forms):
    options, files = forms
    gate(digits / "run", *options, policy="fails")
    (run,) = json.loads(files["sarif"].read_text())["runs"]
    found = {(one["ruleId"], one["level"],
              one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
             for one in run["results"] if one["ruleId"] in {"label", "unreadable_file"}}
    levels = {one["check"]: {"warn": "warning", "fail": "error"}[one["status"]]
              for one in json.loads(files["json"].read_text())["checks"] if one["broken"]
              and one["status"] != "skipped"}
    assert found == {("label", levels["label"], name) for name in WRONG} | {
        ("unreadable_file", "error", BROKEN)}


def test_no_form_of_an_earlier_verdict_outlives_a_run_that_cannot_be_read(gate, run, forms):
    options, files = forms
    assert gate(run, *options, "--bless", policy="quiet").returncode == 0
    assert (run / BLESSING_FILE).is_file()
    (run / "summary.json").unlink()
    assert gate(run, *options, "--bless", policy="quiet").returncode == 3
    assert [path for path in (*files.values(), run / BLESSING_FILE) if path.exists()] == []


def obeyed(text):
    """Commands that a build server of GitHub obeys: at the start of a line, after any spaces."""
    until, found = None, []
    for line in map(str.strip, text.splitlines()):
        if until is not None:
            until = None if line == f"::{until}::" else until
        elif line.startswith("::stop-commands::"):
            until = line.removeprefix("::stop-commands::")
        elif line.startswith("::") and not re.fullmatch("::[0-9a-f]+::", line):
            found.append(line)
    return found


def test_annotations_are_printed_on_github_and_where_asked_for(audit_command, digits):
    def lines(*arguments, **environment):
        ended = audit_command("gate", digits / "run", "--policy", digits / "fails.toml", *arguments,
                              **environment)
        return obeyed(ended.stdout)

    asked = lines("--annotate", GITHUB_ACTIONS="")
    assert [line for line in asked if line.startswith(
        "::error title=audit gate%3A Unreadable files::")]
    assert lines(GITHUB_ACTIONS="true") == asked
    assert lines(GITHUB_ACTIONS="") == []


@pytest.mark.parametrize("label", ["a\n::add-mask::Fail", f"{'a' * 12} ::add-mask::Fail " * 6])
def test_no_class_gives_a_build_server_a_command(digits, label):
    record = read_record(digits / "run")
    record.given[record.given == "zero"] = label
    policy = read_policy(digits / "quiet.toml")
    each = CheckPolicy(each_class=Rules((), (Condition.parse("count > 0", "test"),)))
    verdict = judge(type(record)(**{**vars(record), "classes": ("one", "two", label)}),
                    type(policy)(**{**vars(policy), "checks": {**policy.checks, "label": each}}),
                    read_reviewed(record))
    assert any(one.label == label for one in verdict.judgements)
    with redirect_stdout(io.StringIO()) as told:
        print_verdict(Console(highlight=False, width=80), verdict,
                      GateOptions(digits / "run", annotates=True))
    assert "add-mask" in told.getvalue()
    assert obeyed(told.getvalue()) == list(github_annotations(verdict))
