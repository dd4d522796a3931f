"""`audit gate` and `audit diff` as a user and a build server run them, on real runs on digits."""

import base64
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import write_digits
from PIL import Image
from rich.console import Console

from audit import assert_dataset, verify_blessing
from audit.digest import digest_of_rows
from audit.gate.blessing import BLESSING_FILE, NotBlessedError
from audit.gate.conditions import Condition
from audit.gate.policy import CheckPolicy, Rules, known_checks, read_policy
from audit.gate.record import read_record
from audit.gate.summaries import github_annotations
from audit.gate.verdict import judge
from audit.gating import DatasetRefusedError, read_reviewed
from audit.review.items import Catalogue
from audit.review.store import REVIEW_FILE, Event, ReviewStore
from audit.stored_run import read_run
from pipelines.gate_dataset import GateOptions, print_verdict

ROOT = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)>"
WRONG = [f"zero/wrong{number}.png" for number in range(4)]
BROKEN = "one/broken.png"
FAILS = """[gate.allow]
skipped = ["split_leak", "sufficiency"]
[gate.class_size]
warn_below = 0
"""
PASSES = FAILS + """[gate.checks.unreadable_file]
error_if = []
[gate.checks.label]
error_if = []
each_class.error_if = []
"""
QUIET = PASSES.replace("[gate.checks.label]\n", "[gate.checks.label]\nwarn_if = []\n") + """
[gate.checks.too_few_images]
warn_if = []
"""
FORMS = ("json", "junit", "sarif", "markdown")


def audited(audit_command, base, table, embeddings, out):
    """Audit `photos` in a folder by the probabilities and embeddings of a model of its own."""
    table.to_csv(base / "probs.csv", index=False)
    embeddings.assign(image_id=table["image_id"].tolist()).to_parquet(base / "embeddings.parquet")
    ended = audit_command("run", base / "photos", "--out", base / out, "--pred-probs",
                          base / "probs.csv", "--embeddings", base / "embeddings.parquet")
    assert ended.returncode == 0, ended.stderr
    return base / out


@pytest.fixture(scope="module")
def digits(audit_command, tmp_path_factory):
    """Digits of which four labels are wrong and one file is broken, and `run` of them."""
    base = tmp_path_factory.mktemp("gate")
    table, pixels = write_digits(base / "photos", per_class=30)
    names = table["image_id"].tolist()
    for path, wrong in zip(sorted((base / "photos" / "two").iterdir()), WRONG, strict=False):
        path.rename(base / "photos" / wrong)
        names[names.index(f"two/{path.name}")] = wrong
    (base / "photos" / BROKEN).write_bytes(b"no picture")
    audited(audit_command, base, table.assign(image_id=names),
            pd.DataFrame(pixels).rename(columns=str), "run")
    for name, text in (("fails", FAILS), ("passes", PASSES), ("quiet", QUIET)):
        (base / f"{name}.toml").write_text(text)
    return base


def copied(digits, base, rename):
    """Copy the digits under other names; returns their probabilities and embeddings."""
    shutil.copytree(digits / "photos", base / "photos")
    table = pd.read_csv(digits / "probs.csv", dtype={"image_id": str})
    embeddings = pd.read_parquet(digits / "embeddings.parquet").drop(columns="image_id")
    for name in [*table["image_id"], BROKEN]:
        new = base / "photos" / rename(name)
        new.parent.mkdir(exist_ok=True)
        (base / "photos" / name).rename(new)
    table = table.assign(image_id=table["image_id"].map(rename))
    return table, embeddings


@pytest.fixture(scope="module")
def renamed(audit_command, digits, tmp_path_factory):
    """The same pictures, every second one under another name, and their run."""
    base = tmp_path_factory.mktemp("renamed")
    names = sorted(pd.read_csv(digits / "probs.csv", dtype={"image_id": str})["image_id"])
    halves = {*names[::2], BROKEN}

    def rename(name):
        folder, file = name.split("/")
        return f"{folder}/new-{file}" if name in halves else name

    return audited(audit_command, base, *copied(digits, base, rename), "run")


@pytest.fixture(scope="module")
def worse(audit_command, digits, tmp_path_factory):
    """The class "two" has another name, a wrong label and a broken file more, and the run."""
    base = tmp_path_factory.mktemp("worse")

    def rename(name):
        return f"{EVIL}/{name.removeprefix('two/')}" if name.startswith("two/") else name

    table, embeddings = copied(digits, base, rename)
    table = table.rename(columns={"two": EVIL})
    moved = table["image_id"].loc[table["one"].idxmax()]  # of what the model is most sure
    (base / "photos" / moved).rename(base / "photos" / EVIL / "wrong4.png")
    (base / "photos" / EVIL / "broken.png").write_bytes(b"no picture either")
    return audited(audit_command, base, table.replace(
        {"image_id": {moved: f"{EVIL}/wrong4.png"}}), embeddings, "run")


@pytest.fixture
def run(digits, tmp_path):
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(digits / "run", tmp_path / "run"))


@pytest.fixture
def moved(digits, tmp_path):
    """A copy of the data that a test may change."""
    return Path(shutil.copytree(digits / "photos", tmp_path / "photos"))


@pytest.fixture
def gate(audit_command, digits, tmp_path):
    """Runs `audit gate` on a run, in an empty folder, by a policy of the digits."""
    def command(run, *arguments, policy=None, **environment):
        told = ["--policy", digits / f"{policy}.toml"] if policy else []
        (tmp_path / "here").mkdir(exist_ok=True)
        return audit_command("gate", run, *told, *arguments, cwd=tmp_path / "here",
                             GITHUB_ACTIONS="", **environment)

    return command


def one_line(ended, code):
    """An error of a user is one line, and ends with a code."""
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("audit: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def rewritten(path, change):
    """Change a Parquet file of a run, whose columns stay of their kinds."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    frame = table.to_pandas()
    change(frame)
    pq.write_table(pa.Table.from_pandas(frame, table.schema, preserve_index=False), path)


def edited(path, change):
    """Change a JSON file of a run."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


# --- exit codes -----------------------------------------------------------------------------------


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


# --- the policy -----------------------------------------------------------------------------------


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


# --- the data as they are now ---------------------------------------------------------------------


def test_data_that_are_the_same_are_certified_under_other_names_too(gate, digits, renamed, moved):
    for data in (digits / "photos", renamed.parent / "photos", moved):
        ended = gate(digits / "run", "--data", data, policy="quiet")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def flip_a_byte(photos):
    path = photos / "one" / sorted(os.listdir(photos / "one"))[3]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def add_a_file(photos):
    shutil.copy(photos / WRONG[0], photos / "two" / "added.png")


def move_to_another_class(photos):
    (photos / WRONG[0]).rename(photos / "two" / "right.png")


def remove_a_file(photos):
    (photos / WRONG[0]).unlink()


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


# --- a baseline -----------------------------------------------------------------------------------


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


# --- what is written ------------------------------------------------------------------------------


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


# --- blessings ------------------------------------------------------------------------------------


@pytest.fixture
def blessed(gate, run, digits, tmp_path):
    """A run with a blessing by a policy of its own, which a test may change."""
    policy = Path(shutil.copy(digits / "passes.toml", tmp_path / "own.toml"))
    ended = gate(run, "--policy", policy, "--bless")
    assert ended.returncode == 0, ended.stderr
    assert f"Blessed: {run / BLESSING_FILE}" in ended.stdout
    return run


def test_what_was_blessed_is_verified(blessed, digits, moved, tmp_path):
    found = verify_blessing(blessed, data=moved)
    assert (found.verdict, found.policy_file) == ("warn", str(tmp_path / "own.toml"))
    assert found.data == read_record(digits / "run").digest
    content = (blessed / BLESSING_FILE).read_text()
    (tmp_path / "elsewhere.json").write_text(content)
    assert verify_blessing(blessed, blessing=tmp_path / "elsewhere.json") == found


@pytest.mark.parametrize("change", [flip_a_byte, add_a_file, move_to_another_class, remove_a_file])
def test_data_that_were_changed_are_not_blessed(blessed, moved, change):
    change(moved)
    with pytest.raises(NotBlessedError, match="the data are not those"):
        verify_blessing(blessed, data=moved)


@pytest.mark.parametrize(("text", "message"), [
    (FAILS, "the policy are not those"), (None, "its policy cannot be read"),
    ("[gate.checks.blury]", "its policy cannot be read")])
def test_a_policy_that_was_changed_is_not_blessed(blessed, tmp_path, text, message):
    own = tmp_path / "own.toml"
    if text is None:
        own.unlink()
    else:
        own.write_text(text)
    with pytest.raises(NotBlessedError, match=message):
        verify_blessing(blessed)


def test_a_comment_in_the_policy_changes_nothing(blessed, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(f"# why\n{own.read_text()}")
    assert verify_blessing(blessed).verdict == "warn"


def clear_flags(run):
    rewritten(run / "images.parquet",
              lambda images: images.__setitem__("is_label_issue", [False] * len(images)))


def change_evidence(run):
    rewritten(run / "findings.parquet",
              lambda findings: findings.__setitem__("evidence", "nothing"))


def change_a_figure(run):
    edited(run / "summary.json", lambda summary: summary["checks"][0].update(title="Other"))


@pytest.mark.parametrize("change", [clear_flags, change_evidence, change_a_figure])
def test_findings_that_were_changed_are_not_blessed(blessed, change):
    change(blessed)
    with pytest.raises(NotBlessedError, match=r"the findings are not those|does not fit together"):
        verify_blessing(blessed)


def answer(run, kept):
    """Ada says of the flagged labels that they are right, or that they are wrong."""
    asked = [one for one in Catalogue(read_run(run)).items if one.kind == "label" and not one.truth]
    store = ReviewStore(run / REVIEW_FILE)
    store.append([Event(f"Ada {one.item_id}", "Ada", one.item_id, one.check, one.sha256[0],
                        "class", one.given if kept else one.suggested, "", 900, "one", one.given)
                  for one in asked])
    store.close()
    return len(asked)


def test_an_answer_after_the_blessing_takes_it_back(blessed):
    assert answer(blessed, kept=False) == len(WRONG)
    with pytest.raises(NotBlessedError, match="the decisions are not those"):
        verify_blessing(blessed)


def test_labels_that_reviewers_keep_do_not_count(gate, run, tmp_path):
    assert answer(run, kept=True) == len(WRONG)
    ended = gate(run, "--json", tmp_path / "told.json", policy="fails")
    assert ended.returncode == 1, ended.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    (label,) = [one for one in told["checks"] if one["check"] == "label"]
    assert (label["status"], label["count"], label["excused"]) == (
        "pass", 0, {"reviewed": len(WRONG)})


def test_sets_of_images_that_are_not_there_are_no_crash(gate, run):
    """Answers about sets are looked up by their images, which a damaged run may not hold."""
    def add(findings):
        findings.loc[len(findings)] = findings.iloc[0].to_dict() | {
            "check": "near_duplicates", "about": "set", "subject": "no/such.png",
            "related": "[]", "is_flagged": True}

    def count(summary):
        for one in summary["checks"]:
            if one["code"] == "near_duplicates":
                one["flagged"] += 1

    answer(run, kept=True)
    rewritten(run / "findings.parquet", add)
    edited(run / "summary.json", count)
    ended = gate(run, policy="quiet")
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 3


@pytest.mark.parametrize(("policy", "code"), [("fails", 1), (None, 3)])
def test_a_gate_that_fails_takes_the_blessing_away(gate, blessed, policy, code):
    assert gate(blessed, "--bless", policy=policy).returncode == code
    assert not (blessed / BLESSING_FILE).exists()
    with pytest.raises(NotBlessedError, match="nothing was certified"):
        verify_blessing(blessed)


def test_warnings_that_are_to_fail_are_not_blessed(gate, run, tmp_path):
    ended = gate(run, "--fail-on", "warn", "--blessing", tmp_path / "b.json", policy="passes")
    assert ended.returncode == 1
    assert not (tmp_path / "b.json").exists()
    assert "Blessed" not in ended.stdout


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format": 1}', '{"format": 9}', "\0"])
def test_what_is_no_blessing_verifies_nothing(blessed, text):
    (blessed / BLESSING_FILE).write_text(text)
    with pytest.raises(NotBlessedError, match="is no blessing"):
        verify_blessing(blessed)


def test_a_blessing_of_another_verdict_verifies_nothing(blessed):
    edited(blessed / BLESSING_FILE, lambda content: content.update(verdict="fail"))
    with pytest.raises(NotBlessedError, match="nothing is blessed"):
        verify_blessing(blessed)


# --- how long it takes ----------------------------------------------------------------------------


IMAGES, FLAGGED = 50_000, {"label": 2_500, "blurry": 1_500, "exact_duplicates": 1_000}


@pytest.fixture(scope="module")
def large(digits, tmp_path_factory):
    """A run of 50,000 images by hand: all checks ran, and three of them flag thousands."""
    run = tmp_path_factory.mktemp("large")
    real = digits / "run"
    labels = np.array([f"class{number % 20:02d}" for number in range(IMAGES)])
    names = np.array([f"{label}/{number:06d}.jpg" for number, label in enumerate(labels)])
    random = np.random.default_rng(0)
    flags = {code: np.sort(random.choice(IMAGES, count, replace=False))
             for code, count in FLAGGED.items()}

    def table(file, **columns):
        """With all columns that the real run's has."""
        schema = pq.read_schema(real / file)
        missing = {"string": "", "large_string": "", "double": 0.5, "bool": False, "int64": 1}
        arrays = [pa.array(columns.get(one.name, [missing[str(one.type)]] * IMAGES), one.type)
                  for one in schema]
        pq.write_table(pa.table(arrays, [one.name for one in schema]), run / file)

    hashes = [secrets.token_hex(32) for _ in range(IMAGES)]
    about = {"image_id": names, "given_label": labels, "split": [""] * IMAGES}
    table("images.parquet", **about, **{f"is_{code}_issue": np.isin(np.arange(IMAGES), rows)
                                        for code, rows in flags.items()})
    table("measures.parquet", **about, file_sha256=hashes, status=["ok"] * IMAGES)
    rows = [(code, row) for code in flags for row in flags[code]]
    pq.write_table(pa.Table.from_pylist([
        {"check": code, "about": "image", "subject": names[row], "score": 0.5, "is_flagged": True,
         "evidence": f"what was seen of image {row}", "suggestion": "look at it", "related": ""}
        for code, row in rows]), run / "findings.parquet")
    digest = digest_of_rows(hashes, labels.tolist(), about["split"])
    summary = json.loads((real / "summary.json").read_text(encoding="utf-8"))
    summary["dataset"] |= {"images": IMAGES, "classes": sorted(set(labels)), "digest": digest}
    for one in summary["checks"]:
        one |= {"status": "ok", "reason": "", "flagged": FLAGGED.get(one["code"], 0),
                "metrics": one["metrics"] or {}}
    (run / "summary.json").write_text(json.dumps(summary))
    told = json.loads((real / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps(told | {"digest": digest}))
    return run


MEASURED = """import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"""


def used(*arguments, cwd):
    """Exit code, CPU seconds and peak MiB of a Python program.

    A small one starts it: Linux counts the memory of what starts a program as the program's.
    """
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, *map(str, arguments)], cwd=cwd,
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    return json.loads(ended.stdout)


def test_50_000_images_take_a_second_and_300_mib(large, tmp_path):
    """Of the processor; on one that is busy with others an empty program takes longer too."""
    empty = min(used("-c", "pass", cwd=tmp_path)[1] for _ in range(3))
    command = ("-m", "pipelines.cli", "gate", large, "--json", "told.json")
    runs = [used(*command, cwd=tmp_path) for _ in range(3)]
    assert {code for code, *_ in runs} == {0}
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["check"]: one["count"] for one in told["checks"] if one.get("total")
            and one["count"]} == FLAGGED
    assert min(seconds for _, seconds, _ in runs) < max(1, empty / 0.015)
    assert max(peak for *_, peak in runs) < 300


def test_the_gate_imports_nothing_that_is_slow(digits, renamed, tmp_path):
    slow = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "cleanlab", "cv2", "PIL",
            "jinja2", "matplotlib"}
    options = ["gate", str(renamed), "--policy", str(digits / "fails.toml"), "--baseline",
               str(digits / "run"), "--annotate"]
    for name in FORMS:
        options += [f"--{name}", str(tmp_path / name)]
    script = f"""import sys
import pipelines.cli
try:
    pipelines.cli.app({options!r}, standalone_mode=False)
except SystemExit as ended:
    print("CODE", ended.code)
print("LOADED", *(one for one in sys.modules if "." not in one))"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True,
                           timeout=60, check=True)
    assert "CODE 0" in ended.stdout
    loaded = set(ended.stdout.rpartition("LOADED")[2].split())
    assert {"pyarrow", "numpy"} <= loaded
    assert not loaded & slow


def test_the_checks_that_a_policy_may_name_are_those_of_a_run(digits):
    assert set(known_checks()) == set(read_record(digits / "run").states)


# --- differences ----------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_diff_says_what_appeared_and_where(audit_command, digits, worse, tmp_path):
    ended = audit_command("diff", digits / "run", worse, "--json", tmp_path / "told.json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["before"]["images"], told["after"]["images"]) == (91, 92)
    assert {name: told["images"][name] for name in (
        "added", "removed", "relabelled", "renamed")} == {
        "added": 1, "removed": 0, "relabelled": 27, "renamed": 0}
    assert told["images"]["added_names"] == [f"{EVIL}/broken.png"]
    assert {(one["before"], one["after"]) for one in told["images"]["relabelled_names"]} == {
        ("two", EVIL), ("one", EVIL)}
    checks = {one["check"]: one for one in told["checks"]}
    assert set(checks) == set(known_checks())
    assert checks["label"]["flagged"] == {"before": 4, "after": 5}
    (flag,) = checks["label"]["appeared_flags"]
    assert (flag["subject"], flag["class"]) == (f"{EVIL}/wrong4.png", EVIL)
    assert checks["unreadable_file"]["classes"] == {EVIL: {"appeared": 1, "gone": 0}}
    assert checks["split_leak"]["status"] == {"before": "skipped", "after": "skipped"}
    assert "91 → 92 images: 1 added, 0 removed, 27 relabelled, 0 renamed" in ended.stdout
    assert f"+ Unreadable files: {EVIL}/broken.png" in ended.stdout
    assert f"+ Label issues: {EVIL}/wrong4.png" in ended.stdout


def test_diff_of_renamed_files_finds_nothing(audit_command, digits, renamed):
    ended = audit_command("diff", digits / "run", renamed)
    assert ended.returncode == 0, ended.stderr
    assert "0 added, 0 removed, 0 relabelled, 46 renamed" in ended.stdout
    assert "Nothing that a check finds has changed." in ended.stdout


@pytest.mark.parametrize("is_back", [False, True])
def test_the_page_of_a_diff_shows_pictures_and_runs_nothing(audit_command, digits, worse, tmp_path,
                                                           is_back):
    runs = [worse, digits / "run"] if is_back else [digits / "run", worse]
    ended = audit_command("diff", *runs, "--html", tmp_path / "page" / "told.html")
    assert ended.returncode == 0, ended.stderr
    page = Page(tmp_path / "page" / "told.html")
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "link"} == set()
    assert not [name for _, facts in page.tags for name in facts if name.startswith("on")]
    assert EVIL in page.text, "it is there, as text"
    assert f"{EVIL}/wrong4.png" in page.text
    pictures = {facts["alt"]: facts["src"] for tag, facts in page.tags if tag == "img"}
    source = pictures[f"{EVIL}/wrong4.png"]
    assert source.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (32, 32))
    addresses = [facts.get("src") or facts.get("href") for _, facts in page.tags]
    assert {one.partition(":")[0] for one in addresses if one and not one.startswith("#")} == {
        "data"}, "it opens offline"


def test_a_diff_whose_pictures_are_gone_is_a_page_without_them(audit_command, digits, worse,
                                                              tmp_path):
    run = Path(shutil.copytree(worse, tmp_path / "run"))
    edited(run / "run.json", lambda content: content["source"].update(data=str(tmp_path / "gone")))
    ended = audit_command("diff", digits / "run", run, "--html", tmp_path / "told.html")
    assert ended.returncode == 0, ended.stderr
    page = Page(tmp_path / "told.html")
    assert f"{EVIL}/wrong4.png" in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_diff_refuses_folders_that_are_no_runs(audit_command, digits, tmp_path):
    run, html = digits / "run", tmp_path / "told.html"
    assert "is no folder" in one_line(audit_command("diff", run, tmp_path / "nowhere"), 2)
    assert "is no folder" in one_line(audit_command("diff", run / "run.json", run), 2)
    for runs in ((run, tmp_path), (tmp_path, run)):
        assert "no finished run" in one_line(audit_command("diff", *runs, "--html", html), 3)
    assert not html.exists()
