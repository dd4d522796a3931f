"""`audit gate`: exit codes, and what is said with them."""

import re

import pytest
from gate_runs import edited, one_line

from audit import assert_dataset


def test_a_violation_ends_with_1_and_says_what_to_do(gate, digits):
    ended = gate(digits / "run", policy="fails")
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.startswith("✗ Fail: ")
    assert "Unreadable files" in ended.stdout
    assert "count > 0: it is 1" in ended.stdout
    assert f"Next: audit review {digits / 'run'}, then audit fix" in ended.stdout


def test_a_warning_ends_with_0_and_with_1_where_it_is_to_fail(gate, digits):
    ended = gate(digits / "run", policy="passes")
    assert ended.returncode == 0, ended.stderr
    assert re.match("! Pass, with [0-9]+ warnings? ", ended.stdout)
    ended = gate(digits / "run", "--fail-on", "warn", policy="passes")
    assert ended.returncode == 1
    assert ended.stdout.startswith("✗ Fail: ")


def test_a_pass_ends_with_0(gate, digits):
    ended = gate(digits / "run", "--fail-on", "warn", policy="quiet")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("✓ Pass (91 images")
    assert "rule that is broken" not in ended.stdout


def test_a_skipped_check_that_the_policy_does_not_allow_ends_with_3(gate, digits):
    ended = gate(digits / "run")
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout.startswith("? Cannot certify: 1 reason.")
    assert 'the check "sufficiency" was skipped' in " ".join(ended.stdout.split())
    assert "Policy: the default policy." in ended.stdout


@pytest.mark.parametrize(("arguments", "message"), [
    (("nowhere",), "nowhere is no folder"),
    ((), "needs the folder of a run"),
    (("{run}", "--fail-on", "maybe"), '--fail-on must be error or warn. Got "maybe"'),
    (("{run}", "--policy", "nothing.toml"), "nothing.toml cannot be read"),
    (("{run}", "--baseline", "nowhere"), "nowhere is no folder"),
    (("{run}", "--data", "nowhere"), "nowhere")])
def test_what_cannot_be_understood_ends_with_2(audit_command, digits, tmp_path, arguments, message):
    told = [one.format(run=digits / "run") for one in arguments]
    assert message in one_line(audit_command("gate", *told, cwd=tmp_path), 2)


@pytest.mark.parametrize(("text", "hint"), [
    ("[gate.checks.blury]\nwarn_if = []\n", 'Did you mean "blurry"?'),
    ("[gate.checks.blurry]\nerror = []\n", 'Did you mean "error_if"?'),
    ("[gate.allow]\nskipped = ['suficiency']\n", 'Did you mean "sufficiency"?'),
    ("[gate.checks.blurry]\nwarn_if = 'counts > 0'\n", 'must be like "count > 0"')])
def test_a_policy_with_a_slip_ends_with_2_and_a_hint(gate, digits, tmp_path, text, hint):
    (tmp_path / "slip.toml").write_text(text)
    told = one_line(gate(digits / "run", "--policy", tmp_path / "slip.toml"), 2)
    assert "slip.toml" in told
    assert hint in told


@pytest.mark.parametrize("damage", ["run.json", "summary.json", "images.parquet",
                                    "measures.parquet", "findings.parquet"])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_run_that_cannot_be_read_raises_with_3(run, damage, is_there):
    if is_there:
        content = (run / damage).read_bytes()
        (run / damage).write_bytes(content[:len(content) // 2])
    else:
        (run / damage).unlink()
    with pytest.raises(Exception, match="can be certified") as raised:
        assert_dataset(run)
    assert raised.value.exit_code == 3


def test_a_run_that_cannot_be_read_ends_with_3(gate, run, tmp_path):
    (run / "images.parquet").write_bytes(b"PAR1")
    assert "nothing can be certified" in one_line(gate(run, policy="quiet"), 3)
    assert "no finished run" in one_line(gate(tmp_path), 3)


def test_a_check_that_crashed_ends_with_3_whatever_it_says(gate, run):
    def crash(summary):
        for one in summary["checks"]:
            if one["code"] == "outlier":
                one |= {"status": "error", "reason": "OSError: '/data/\udcff.jpg' [bold]"}

    edited(run / "summary.json", crash)
    ended = gate(run, policy="quiet", PYTHONIOENCODING="utf-8:strict")  # as in most languages
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 3, ended.stderr
    assert 'the check "outlier" crashed (OSError: ' in " ".join(ended.stdout.split())
    assert "[bold]" in ended.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(("policy", "code"), [("quiet", 0), ("fails", 1), (None, 3)])
def test_a_terminal_without_our_signs_changes_no_verdict(gate, digits, encoding, policy, code):
    ended = gate(digits / "run", policy=policy, PYTHONIOENCODING=encoding)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code
