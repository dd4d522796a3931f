"""A blessing holds as long as nothing has changed that was certified; the functions for Python."""

import json
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from gate.gate_builders import (
    answer,
    edit_json,
    edit_summary,
    edit_table,
    image,
    judged,
    policy_of,
    write_answers,
    write_run,
)

import audit
from audit import assert_dataset, gating, verify_blessing
from audit.errors import UsageError
from audit.gate.blessing import BLESSING_FILE, NotBlessedError, bless, read_blessing
from audit.gate.policy import read_policy
from audit.gate.record import UnreadableRunError, digest_of_files
from audit.gate.waivers import today_in_utc
from audit.gating import DatasetRefusedError
from audit.review.store import REVIEW_FILE
from audit.rundir import RunDir

ENDS = today_in_utc() + timedelta(30)
POLICY = f"""
[gate.class_size]
warn_below = 0
error_below = 0
[gate.checks.blurry]
error_if = "count > 0"
[gate.checks.dark]
error_if = "count > 0"
[gate.checks.light]
warn_if = "count > 0"
[[gate.waivers]]
id = "W-1"
check = "blurry"
reason = "fog"
owner = "Ada"
expires = {ENDS}
"""


def write_blessing(run, policy=None, verdict=None):
    """Bless a run as `audit gate --bless` does."""
    blessing = bless(verdict or judged(run, policy), policy)
    RunDir(run).write_json(BLESSING_FILE, blessing.as_json())
    return blessing


def lay_out(folder, **told):
    """Photos, a run on them in which one flag is waived and one was kept, a policy, a blessing."""
    photos, images = folder / "photos", []
    for name in ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_text(name)
        images.append(image(name, name[:3]))
    run = write_run(folder / "run", images, **{
        "flags": {"blurry": [0], "dark": [1]}, "metrics": {"label": {"share": 0.1}}, **told})
    keep = answer("dark", images[1:2], "keep")
    write_answers(run, keep)
    policy = policy_of(folder, POLICY)
    write_blessing(run, policy)
    return SimpleNamespace(run=run, photos=photos, policy=policy, images=images, keep=keep)


@pytest.fixture
def made(tmp_path):
    return lay_out(tmp_path)


def test_where_nothing_changed_a_blessing_holds(made):
    found = verify_blessing(made.run)
    assert found == verify_blessing(str(made.run), data=str(made.photos)) == read_blessing(
        made.run / BLESSING_FILE)
    assert (found.verdict, found.until, found.baseline, found.policy_file) == (
        "pass", str(ENDS), "", str(made.policy))
    assert found.policy == read_policy(made.policy).digest
    assert found.findings == digest_of_files(made.run)
    assert found.decisions, "somebody has answered"


def test_a_blessing_is_text_that_can_be_read_again(made):
    written = write_blessing(made.run, made.policy)
    assert read_blessing(made.run / BLESSING_FILE) == written
    content = json.loads((made.run / BLESSING_FILE).read_text("utf-8"))
    assert content.pop("format") == 1
    assert all(isinstance(one, str) for one in content.values())


HARMLESS = {
    "a renamed file": lambda made: (made.photos / "cat/a.jpg").rename(made.photos / "cat/z.jpg"),
    "a comment in the policy": lambda made: made.policy.write_text(f"# why\n{POLICY}"),
    "the report": lambda made: (made.run / "report.html").write_text("seen"),
    "a table for people": lambda made: (made.run / "findings.csv").write_text("seen"),
    "somebody unsure": lambda made: write_answers(
        made.run, answer("blurry", made.images[:1], "unsure")),
}


@pytest.mark.parametrize("how", HARMLESS)
def test_what_changes_nothing_that_was_certified_is_let_through(made, how):
    HARMLESS[how](made)
    assert verify_blessing(made.run, data=made.photos).verdict == "pass"




def _evidence(made):
    edit_table(made.run / "findings.parquet", lambda table: table.assign(evidence="nothing"))


def _score(made):
    edit_table(made.run / "images.parquet", lambda table: table.assign(outlier_score=0.5))


def _bytes(made):
    edit_table(made.run / "measures.parquet", lambda table: table.assign(status="damaged"))


CHANGED = {
    "a file of the data": ("data", lambda made: (
        made.photos / "cat/a.jpg").write_text("another picture")),
    "a label": ("data", lambda made: (
        made.photos / "cat/a.jpg").rename(made.photos / "dog/a.jpg")),
    "a file more": ("data", lambda made: (made.photos / "cat/new.jpg").write_text("new")),
    "a file less": ("data", lambda made: (made.photos / "cat/a.jpg").unlink()),
    "a file that cannot be read": ("data", lambda made: (
        (made.photos / "cat/a.jpg").unlink(), (made.photos / "cat/a.jpg").symlink_to("gone.jpg"))),
    "the policy": ("policy", lambda made: made.policy.write_text(
        POLICY.replace("count > 0", "count > 5"))),
    "the policy's waiver": ("policy", lambda made: made.policy.write_text(
        POLICY.replace("fog", "mist"))),
    "no policy": ("its policy cannot be read", lambda made: made.policy.unlink()),
    "a broken policy": ("its policy cannot be read", lambda made: made.policy.write_text("[gate")),
    "findings.parquet": ("findings", _evidence),
    "images.parquet": ("findings", _score),
    "measures.parquet": ("findings", _bytes),
    "summary.json": ("findings", lambda made: edit_summary(
        made.run, "label", metrics={"share": 0.2})),
    "run.json": ("findings", lambda made: edit_json(
        made.run / "run.json", lambda content: content.update(version="2.0"))),
    "a space in run.json": ("findings", lambda made: (made.run / "run.json").write_text(
        (made.run / "run.json").read_text() + " ")),
    "another count": ("does not fit together", lambda made: edit_summary(
        made.run, "label", flagged=1)),
    "another digest": ("does not fit together", lambda made: edit_json(
        made.run / "run.json", lambda content: content.update(digest="0" * 64))),
    "another answer": ("decisions", lambda made: write_answers(
        made.run, answer("dark", made.images[1:2], "exclude"))),
    "an answer more": ("decisions", lambda made: write_answers(
        made.run, answer("blurry", made.images[:1], "exclude"))),
    "somebody who differs": ("decisions", lambda made: write_answers(
        made.run, answer("dark", made.images[1:2], "exclude", reviewer="Bob"))),
    "no answers": ("decisions", lambda made: (made.run / REVIEW_FILE).unlink()),
}


@pytest.mark.parametrize("how", CHANGED)
def test_what_changed_is_found_and_named(made, how):
    words, change = CHANGED[how]
    verify_blessing(made.run, data=made.photos)
    change(made)
    with pytest.raises(NotBlessedError) as refused:
        verify_blessing(made.run, data=made.photos)
    told = str(refused.value)
    assert (f"the {words} are not those that" if " " not in words else words) in told
    assert refused.value.exit_code == 3
    assert "\n" not in told


@pytest.mark.parametrize("name", ["run.json", "summary.json", "images.parquet", "findings.parquet"])
def test_a_run_that_cannot_be_read_is_not_blessed(made, name):
    (made.run / name).unlink()
    with pytest.raises(UnreadableRunError) as refused:
        verify_blessing(made.run)
    assert refused.value.exit_code == 3


def test_data_are_compared_only_where_they_are_given(made):
    (made.photos / "cat/a.jpg").write_text("another picture")
    assert verify_blessing(made.run).verdict == "pass"


def test_another_run_on_the_same_data_is_not_blessed(made, tmp_path):
    other = write_run(tmp_path / "other", made.images, flags={"blurry": [0]})
    with pytest.raises(NotBlessedError, match="are not those"):
        verify_blessing(other, blessing=made.run / BLESSING_FILE)
    with pytest.raises(NotBlessedError, match="is not there: nothing was certified"):
        verify_blessing(other)


def test_a_blessing_may_lie_elsewhere(made, tmp_path):
    elsewhere = (made.run / BLESSING_FILE).rename(tmp_path / "kept.json")
    assert verify_blessing(made.run, blessing=str(elsewhere)).verdict == "pass"


def test_another_policy_file_must_say_the_same(made, tmp_path):
    made.policy.rename(tmp_path / "moved.toml")
    assert verify_blessing(made.run, policy=tmp_path / "moved.toml").verdict == "pass"
    (tmp_path / "other.toml").write_text("[gate]")
    with pytest.raises(NotBlessedError, match="the policy are not those"):
        verify_blessing(made.run, policy=str(tmp_path / "other.toml"))


def test_the_default_policy_needs_no_file(run):
    blessing = write_blessing(run)
    assert (blessing.policy_file, blessing.until, blessing.decisions) == ("", "", "")
    assert verify_blessing(run) == blessing


def test_a_blessing_ends_with_the_first_waiver_that_it_needed(made, monkeypatch):
    for days, holds in ((0, True), (1, False), (400, False)):
        monkeypatch.setattr(gating, "today_in_utc", lambda days=days: ENDS + timedelta(days))
        if holds:
            assert verify_blessing(made.run).until == str(ENDS)
        else:
            with pytest.raises(NotBlessedError, match=f"held until {ENDS}, when a waiver ended"):
                verify_blessing(made.run)


@pytest.mark.parametrize("told", ["fail", "uncertified", "", "passed", "PASS"])
def test_a_blessing_that_tells_another_verdict_is_none(made, told):
    edit_json(made.run / BLESSING_FILE, lambda content: content.update(verdict=told))
    with pytest.raises(NotBlessedError) as refused:
        verify_blessing(made.run)
    assert f"holds the verdict {told}" in str(refused.value)


@pytest.mark.parametrize(("flags", "written", "told"), [
    ({"blurry": [0], "dark": [1]}, "pass", "warn"),
    ({"blurry": [0], "dark": [1], "light": [2]}, "warn", "pass")])
def test_a_warning_cannot_be_taken_out_of_a_blessing_nor_put_in(tmp_path, flags, written, told):
    made = lay_out(tmp_path, flags=flags)
    assert verify_blessing(made.run).verdict == written
    edit_json(made.run / BLESSING_FILE, lambda content: content.update(verdict=told))
    with pytest.raises(NotBlessedError, match="verdict"):
        verify_blessing(made.run)


@pytest.mark.parametrize("until", ["", str(ENDS + timedelta(300))], ids=["no end", "later"])
def test_a_blessing_cannot_outlive_the_waiver_that_it_needed(made, monkeypatch, until):
    edit_json(made.run / BLESSING_FILE, lambda content: content.update(until=until))
    monkeypatch.setattr(gating, "today_in_utc", lambda: ENDS + timedelta(1))
    with pytest.raises(NotBlessedError):
        verify_blessing(made.run)


@pytest.mark.parametrize("until", ["soon", "2027-13-01", "0"])
def test_a_blessing_until_no_day_is_none(made, until):
    edit_json(made.run / BLESSING_FILE, lambda content: content.update(until=until))
    with pytest.raises(NotBlessedError):
        verify_blessing(made.run)


@pytest.mark.parametrize("what", ["data", "policy", "findings", "decisions"])
@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_a_blessing_of_other_digests_is_of_something_else(made, what, digest):
    edit_json(made.run / BLESSING_FILE, lambda content: content.update({what: digest}))
    with pytest.raises(NotBlessedError, match=f"the {what} are not those"):
        verify_blessing(made.run)


@pytest.mark.parametrize("content", [
    b"", b"{", b"{}", b"[]", b"null", b"3", b'"pass"', b"\xff\xfe", b'{"format": 1}'])
def test_a_file_that_is_no_blessing_is_refused(made, content):
    (made.run / BLESSING_FILE).write_bytes(content)
    with pytest.raises(NotBlessedError, match=r"is no blessing .*Run `audit gate RUN --bless`"):
        verify_blessing(made.run)


@pytest.mark.parametrize("change", [
    lambda content: content.update(format=2), lambda content: content.pop("format"),
    lambda content: content.pop("findings"), lambda content: content.update(more="x"),
    lambda content: content.update(until=None), lambda content: content.update(verdict=["pass"]),
    lambda content: content.update(policy_file=0)])
def test_a_blessing_with_more_less_or_something_else_is_refused(made, change):
    edit_json(made.run / BLESSING_FILE, change)
    with pytest.raises(NotBlessedError, match="is no blessing"):
        verify_blessing(made.run)


def test_a_folder_in_place_of_a_blessing_is_refused(made):
    (made.run / BLESSING_FILE).unlink()
    (made.run / BLESSING_FILE).mkdir()
    with pytest.raises(NotBlessedError, match="is no blessing"):
        verify_blessing(made.run)


def test_without_a_blessing_nothing_was_certified(run):
    with pytest.raises(NotBlessedError, match="Run `audit gate RUN --bless` first") as refused:
        verify_blessing(run)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(("told", "options", "status"), [
    ({"flags": {"unreadable_file": [0]}}, {}, "fail"),
    ({"flags": {"wrong_extension": [0]}}, {"fails_on_warning": True}, "fail"),
    ({"statuses": {"blurry": "error"}}, {}, "uncertified"),
    ({"statuses": {"blurry": "error"}, "flags": {"unreadable_file": [0]}}, {}, "uncertified")])
def test_what_fails_or_cannot_be_certified_is_not_blessed(tmp_path, told, options, status):
    run = write_run(tmp_path / "run", **told)
    with pytest.raises(NotBlessedError, match=f"the verdict is {status}: nothing is blessed"):
        bless(judged(run, **options), None)


def test_a_warning_is_blessed_as_one(tmp_path):
    run = write_run(tmp_path / "run", flags={"wrong_extension": [0]})
    write_blessing(run)
    assert verify_blessing(run).verdict == "warn"


def test_a_blessing_names_its_baseline(tmp_path):
    before = write_run(tmp_path / "before", flags={"unreadable_file": [0]})
    after = write_run(tmp_path / "after", flags={"unreadable_file": [0]})
    verdict = judged(after, baseline=before)
    write_blessing(after, verdict=verdict)
    assert verify_blessing(after).baseline == str(before)


# --- for pipelines in Python ----------------------------------------------------------------------


def test_a_dataset_that_is_good_enough_goes_through(run):
    verdict = assert_dataset(str(run))
    assert (verdict.status, verdict.exit_code) == ("pass", 0)


def test_a_dataset_is_compared_with_its_data(made):
    assert assert_dataset(made.run, policy=made.policy, data=str(made.photos)).status == "pass"
    (made.photos / "cat/a.jpg").write_text("another picture")
    with pytest.raises(DatasetRefusedError, match="the data are not those that were audited"):
        assert_dataset(made.run, policy=str(made.policy), data=made.photos)


def test_a_dataset_that_breaks_a_rule_is_refused_with_its_verdict(tmp_path):
    run = write_run(tmp_path / "run", flags={"unreadable_file": [0, 1], "wrong_extension": [0]})
    with pytest.raises(DatasetRefusedError) as refused:
        assert_dataset(run)
    assert (refused.value.exit_code, refused.value.verdict.status) == (1, "fail")
    told = str(refused.value)
    assert told.startswith("Fail: 1 rule is broken (120 images")
    assert "unreadable_file: 2 of 120" in told
    assert "wrong_extension" not in told, "a warning refuses nothing"
    assert "\n" not in told


def test_warnings_refuse_a_dataset_where_that_is_asked_for(tmp_path):
    run = write_run(tmp_path / "run", flags={"wrong_extension": [0]})
    assert assert_dataset(run).status == "warn"
    with pytest.raises(DatasetRefusedError, match="wrong_extension: 1 of 120") as refused:
        assert_dataset(run, fail_on="warn")
    assert refused.value.exit_code == 1


def test_a_dataset_that_cannot_be_certified_is_refused_with_the_reason(tmp_path):
    run = write_run(tmp_path / "run", statuses={"label": "error"})
    with pytest.raises(DatasetRefusedError, match='the check "label" crashed') as refused:
        assert_dataset(run)
    assert (refused.value.exit_code, refused.value.verdict.status) == (3, "uncertified")


def test_a_baseline_may_be_given(tmp_path):
    before = write_run(tmp_path / "before", flags={"unreadable_file": [0]})
    assert assert_dataset(before, baseline=str(before)).status == "pass"


@pytest.mark.parametrize("fail_on", ["never", "", "Error", None, True])
def test_another_word_than_error_or_warn_is_refused(run, fail_on):
    with pytest.raises(UsageError, match='fail_on must be "error" or "warn"'):
        assert_dataset(run, fail_on=fail_on)


def test_both_functions_are_the_packages_and_are_looked_up_only_then():
    assert (audit.assert_dataset, audit.verify_blessing) == (
        gating.assert_dataset, gating.verify_blessing)
    assert set(audit.__all__) == {"assert_dataset", "verify_blessing"}
    with pytest.raises(AttributeError, match="no attribute 'assert_data'"):
        _ = audit.assert_data
    code = "import audit, sys; sys.exit(bool({'pyarrow', 'audit.gating'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
