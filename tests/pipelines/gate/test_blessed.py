"""What was blessed, and what was changed afterwards."""

import json
import shutil
from pathlib import Path

import pytest
from gate_runs import (
    FAILS,
    WRONG,
    add_a_file,
    edited,
    flip_a_byte,
    move_to_another_class,
    remove_a_file,
    rewritten,
)

from audit import verify_blessing
from audit.gate.blessing import BLESSING_FILE, NotBlessedError
from audit.gate.record import read_record
from audit.review.items import Catalogue
from audit.review.store import REVIEW_FILE, Event, ReviewStore
from audit.stored_run import read_run


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
