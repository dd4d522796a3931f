"""The verdict and its exit code: what is broken, and above all what cannot be certified."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from gate.gate_builders import (
    PLENTY,
    answer,
    broken,
    edit_json,
    edit_summary,
    edit_table,
    image,
    judged,
    judgement,
    pictures,
    policy_of,
    record_of,
    sha,
    write_answers,
    write_run,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import AuditError, UsageError
from audit.gate.policy import known_checks, read_policy
from audit.gate.record import NOT_ABOUT_IMAGES, UnreadableRunError, read_record
from audit.gate.reviewed import LEAST_REVIEWED, Reviewed
from audit.gate.verdict import judge
from audit.gate.waivers import today_in_utc
from audit.gating import gate_run, read_reviewed
from audit.registry import all_checks
from audit.review.store import REVIEW_FILE

NOBODY = Reviewed({}, frozenset(), "")
DEFAULT = read_policy(None)
BAD = {"unreadable_file": [0]}
"""Flags that break an error rule of the default policy."""

CASES = {"pass": {}, "warn": {"flags": {"wrong_extension": [0]}}, "fail": {"flags": BAD},
         "uncertified": {"statuses": {"blurry": "error"}},
         "fail and uncertified": {"flags": BAD, "statuses": {"blurry": "error"}},
         "warn and uncertified": {"flags": {"wrong_extension": [0]},
                                  "statuses": {"blurry": "error"}}}


def outcome(run, **options):
    """Exit code of a run, and why; whether it is told by a verdict or by an error."""
    try:
        verdict = gate_run(run, **options)
    except AuditError as error:
        return error.exit_code, str(error)
    return verdict.exit_code, "; ".join(verdict.reasons)


@pytest.mark.parametrize(("case", "fail_on", "status", "code"), [
    ("pass", "error", "pass", 0), ("pass", "warn", "pass", 0),
    ("warn", "error", "warn", 0), ("warn", "warn", "fail", 1),
    ("fail", "error", "fail", 1), ("fail", "warn", "fail", 1),
    ("uncertified", "error", "uncertified", 3), ("uncertified", "warn", "uncertified", 3),
    ("fail and uncertified", "error", "uncertified", 3),
    ("fail and uncertified", "warn", "uncertified", 3),
    ("warn and uncertified", "error", "uncertified", 3),
    ("warn and uncertified", "warn", "uncertified", 3)])
def test_every_verdict_has_its_exit_code(tmp_path, case, fail_on, status, code):
    run = write_run(tmp_path / "run", **CASES[case])
    verdict = gate_run(run, fails_on_warning=fail_on == "warn")
    assert (verdict.status, verdict.exit_code) == (status, code)
    assert bool(verdict.reasons) == (code == 3)


# --- every way in which nothing can be certified --------------------------------------------------


def written(**told):
    """A run that was written like this."""
    return lambda folder, flags: write_run(folder, flags=flags, **told)


def spoilt(spoil):
    """A run that was well, and then was changed."""

    def build(folder, flags):
        spoil(write_run(folder, flags=flags))

    return build


def json_of(name, change):
    return spoilt(lambda run: edit_json(run / name, change))


def table_of(name, change):
    return spoilt(lambda run: edit_table(run / name, change))


def cut(name):
    """The first half of a file."""

    def spoil(run):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[:len(content) // 2])

    return spoilt(spoil)


def set_dataset(**fields):
    return json_of("summary.json", lambda content: content["dataset"].update(fields))


def _other_digest_everywhere(run):
    for name in ("run.json", "summary.json"):
        edit_json(run / name, lambda content: content.get("dataset", content).update(
            digest="0" * 64))


def _crash_called_well(folder, flags):
    run = write_run(folder, flags=flags, statuses={"blurry": "error"})
    edit_summary(run, "blurry", status="ok")


def _crash_then_pass(content):
    content["checks"].insert(0, {**content["checks"][0], "status": "error", "flagged": None})


def _finding_of(check, about):
    return lambda table: pd.concat([table, pd.DataFrame([{
        "check": check, "about": about, "subject": "cat", "score": 0.1, "is_flagged": True,
        "evidence": "", "suggestion": "", "related": "[]"}])], ignore_index=True)


TABLES = ("images.parquet", "measures.parquet", "findings.parquet")
FILES = ("run.json", "summary.json", *TABLES)

UNCERTIFIABLE = {
    "crashed": (written(statuses={"blurry": "error"}),
                'the check "blurry" crashed (why blurry is error)'),
    "crashed, of classes": (written(statuses={"no_signal": "error"}), 'check "no_signal" crashed'),
    "skipped": (written(statuses={"label": "skipped"}),
                "(why label is skipped), and [gate.allow] skipped does not name it"),
    **{f"status {status!r}": (written(statuses={"dark": status}), 'the check "dark" crashed')
       for status in ("passed", "OK", "", "running")},
    "missing": (written(without=["outlier"]), 'the check "outlier" is missing'),
    "no check at all": (written(without=known_checks()[:-1]), 'the check "animated" is missing'),
    "not finished": (spoilt(lambda run: (run / "run.json").unlink()), "holds no run.json"),
    **{f"no {name}": (spoilt(lambda run, name=name: (run / name).unlink()), "cannot be read")
       for name in FILES[1:]},
    **{f"half of {name}": (cut(name), "cannot be read") for name in FILES},
    **{f"empty {name}": (spoilt(lambda run, name=name: (run / name).write_bytes(b"")),
                         "cannot be read") for name in FILES},
    **{f"{name} is {content}": (spoilt(lambda run, name=name, content=content: (
        run / name).write_text(content)), "cannot be read")
       for name in FILES[:2] for content in ("[]", "null", "3", "{}", '"text"')},
    "no checks in the summary": (json_of("summary.json", lambda content: content.pop("checks")),
                                 "cannot be read"),
    "count of images": (set_dataset(images=119), "counts 119 images"),
    "count of findings": (spoilt(lambda run: edit_summary(run, "blurry", flagged=1)),
                          'count different findings of the check "blurry"'),
    "digest in run.json": (json_of("run.json", lambda content: content.update(digest="0" * 64)),
                           "the digest of the data"),
    "digest in summary.json": (set_dataset(digest="0" * 64), "the digest of the data"),
    "digest in both": (spoilt(_other_digest_everywhere), "the digest of the data"),
    "a file's hash": (table_of("measures.parquet", lambda table: table.assign(
        file_sha256=[sha("other"), *table["file_sha256"][1:]])), "the digest of the data"),
    "an image less": (table_of("images.parquet", lambda table: table.iloc[:-1]),
                      "are of different images"),
    "another order": (table_of("measures.parquet", lambda table: table.iloc[::-1]),
                      "are of different images"),
    "another label": (table_of("images.parquet", lambda table: table.assign(
        given_label=["dog", *table["given_label"][1:]])), "are of different images"),
    "another split": (table_of("images.parquet", lambda table: table.assign(
        split=["test", *table["split"][1:]])), "images.parquet"),
    "a finding more": (table_of("findings.parquet", _finding_of("blurry", "image")),
                       'count different findings of the check "blurry"'),
    "a finding of no check": (table_of("findings.parquet", _finding_of("magic", "image")),
                              'holds a check "magic"'),
    "a finding about a class of no check": (
        table_of("findings.parquet", _finding_of("magic", "class")), "magic"),
    "a crash called well": (_crash_called_well, "blurry"),
    "a crash before a pass": (json_of("summary.json", _crash_then_pass), "animated"),
    "flags of nothing known": (table_of("images.parquet", lambda table: table.assign(
        is_blurry_issue=pd.array([pd.NA] * len(table), "boolean"))), "blurry"),
    "flags that are no flags": (table_of("images.parquet", lambda table: table.assign(
        is_blurry_issue="no")), "cannot be read"),
    "no scores": (table_of("images.parquet", lambda table: table.drop(columns="blurry_score")),
                  "cannot be read"),
    "no flags of a check": (table_of("images.parquet", lambda table: table.drop(
        columns=["is_wrong_extension_issue", "wrong_extension_score"])), "wrong_extension"),
}


@pytest.mark.parametrize("flags", [{}, BAD], ids=["else well", "rules are broken too"])
@pytest.mark.parametrize("how", UNCERTIFIABLE)
def test_what_cannot_be_certified_is_3_whatever_else_was_found(tmp_path, how, flags):
    build, why = UNCERTIFIABLE[how]
    build(tmp_path / "run", flags)
    code, told = outcome(tmp_path / "run")
    assert code == 3
    assert why in told
    assert "\n" not in told


@pytest.mark.parametrize("hide", [
    lambda table: table.assign(is_unreadable_file_issue=False),
    lambda table: table.drop(columns=["is_unreadable_file_issue", "unreadable_file_score"])],
    ids=["set to false", "without its columns"])
def test_flags_that_the_findings_have_and_the_images_not_are_damage(tmp_path, hide):
    run = write_run(tmp_path / "run", flags=BAD)
    edit_table(run / "images.parquet", hide)
    assert outcome(run)[0] == 3


def test_a_set_of_images_that_are_not_there_is_damage_with_and_without_answers(tmp_path):
    run = write_run(tmp_path / "run", sets={"exact_duplicates": [(0, 1)]})
    write_answers(run, answer("blurry", PLENTY[:1], "keep"))
    assert outcome(run)[0] == 0
    edit_table(run / "findings.parquet", lambda table: table.assign(related='["gone.jpg"]'))
    assert outcome(run)[0] == 3


def test_an_empty_dataset_is_not_certified_unless_that_is_allowed(tmp_path):
    run = write_run(tmp_path / "run", [])
    code, told = outcome(run)
    assert code == 3
    assert "the dataset holds no images" in told
    allowed = policy_of(tmp_path, "[gate.allow]\nempty_dataset = true")
    assert outcome(run, policy=allowed) == (0, "")
    bad = write_run(tmp_path / "bad", [], findings=[("no_signal", "", 0.1)])
    assert (outcome(bad)[0], outcome(bad, policy=allowed)[0]) == (3, 1)


@pytest.mark.parametrize(("rule", "metrics", "why"), [
    ('[gate.checks.label]\nerror_if = "metric.other > 1"', {"share": 0.1},
     'the check "label" has no figure metric.other'),
    ('[gate.checks.label]\nwarn_if = "metric.share > 1"', {"share": None}, "metric.share"),
    ('[gate.checks.label]\nwarn_if = "metric.share > 1"', {"share": "0.5"}, "metric.share"),
    ('[gate.checks.label]\nwarn_if = "metric.share.low > 1"', {"share": [0.1]}, "metric.share.low"),
    ('[gate.checks.no_signal]\nerror_if = "rate > 0.1"', {},
     'the check "no_signal" says nothing of single images, so it has no rate'),
    ('[gate.checks.class_imbalance.each_class]\nerror_if = "rate_low > 0.1"', {}, "no rate_low"),
    ('[gate.checks.class_imbalance.class."cat"]\nwarn_if = "rate_high > 0.1"', {}, "no rate_high")])
@pytest.mark.parametrize("flags", [{}, BAD], ids=["else well", "rules are broken too"])
def test_a_rule_about_a_figure_that_there_is_not_cannot_be_kept(
        tmp_path, rule, metrics, why, flags):
    run = write_run(tmp_path / "run", flags=flags, metrics={"label": metrics})
    code, told = outcome(run, policy=policy_of(tmp_path, rule))
    assert code == 3
    assert why in told


def test_a_rule_about_a_figure_of_a_check_that_may_be_skipped_asks_for_none(tmp_path):
    run = write_run(tmp_path / "run", statuses={"label": "skipped"})
    policy = ('[gate.allow]\nskipped = ["label"]\n'
              '[gate.checks.label]\nerror_if = "metric.share > 1"')
    assert judged(run, policy).status == "pass"


@pytest.mark.parametrize("flags", [{}, BAD], ids=["else well", "rules are broken too"])
def test_other_data_than_were_audited_are_not_certified(tmp_path, flags):
    run = write_run(tmp_path / "run", flags=flags)
    same = read_record(run).digest
    assert judged(run, digest=same).exit_code == bool(flags)
    verdict = judged(run, digest="f" * 64)
    assert verdict.exit_code == 3
    reason, = verdict.reasons
    assert reason.startswith("the data are not those that were audited")
    assert "f" * 12 in reason
    assert same[:12] in reason


def test_data_as_they_are_now_are_read_from_their_folder(tmp_path):
    photos, images = tmp_path / "photos", []
    for label in ("cat", "dog"):
        for number in range(60):
            path = photos / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} {number}")
            images.append(image(f"{label}/{number}.jpg", label, f"{label} {number}"))
    held = [image("cat/held.jpg", "cat", "held")]
    run = write_run(tmp_path / "run", images, held_out=["cat/held.jpg"])
    (photos / held[0]["image_id"]).write_text("held")
    assert outcome(run, data=photos) == (0, "")
    (photos / "cat" / "held.jpg").write_text("another picture that was held out")
    assert outcome(run, data=photos)[0] == 0, "what was not audited may change"
    (photos / "cat" / "0.jpg").rename(photos / "cat" / "renamed.jpg")
    assert outcome(run, data=photos)[0] == 0, "names are no content"
    (photos / "cat" / "1.jpg").write_text("another picture")
    assert outcome(run, data=photos)[0] == 3
    (photos / "cat" / "1.jpg").write_text("cat 1")
    (photos / "dog" / "1.jpg").rename(photos / "cat" / "from-dog.jpg")
    assert outcome(run, data=photos)[0] == 3


def test_a_file_that_can_be_read_now_and_could_not_then_was_not_audited(tmp_path):
    photos = tmp_path / "photos"
    (photos / "cat").mkdir(parents=True)
    images = [image("cat/a.jpg", "cat", "a"), image("cat/b.jpg", "cat", "", status="unreadable")]
    for name in ("a", "b"):
        (photos / "cat" / f"{name}.jpg").write_text(name)
    run = write_run(tmp_path / "run", images)
    small = policy_of(tmp_path, "[gate.class_size]\nwarn_below = 0\nerror_below = 0")
    code, why = outcome(run, data=photos, policy=small)
    assert code == 3
    assert "not those that were audited" in why


def test_a_table_of_labels_is_found_from_any_folder(tmp_path, monkeypatch):
    """It was typed relative to where the audit ran; the run holds where it is."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("a")
    (tmp_path / "labels.csv").write_text("path,kind\na.jpg,cat\n")
    run = write_run(tmp_path / "run", [image("a.jpg", "cat", "a")],
                    settings={"labels": "labels.csv", "label_column": "kind"},
                    source={"labels": str(tmp_path / "labels.csv"), "label_column": "kind"})
    small = policy_of(tmp_path, "[gate.class_size]\nwarn_below = 0\nerror_below = 0")
    monkeypatch.chdir(tmp_path)
    assert outcome(run, data=tmp_path / "photos", policy=small) == (0, "")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert outcome(run, data=tmp_path / "photos", policy=small) == (0, "")


def test_the_gate_knows_which_checks_are_about_images():
    assert {one.meta.code for one in all_checks() if one.meta.about != "image"} == NOT_ABOUT_IMAGES


def test_a_folder_that_is_not_there_is_a_wrong_argument(tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        gate_run(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableRunError, match=r"holds no run\.json"):
        gate_run(tmp_path / "empty")


@pytest.mark.parametrize("options", ["policy", "baseline", "data"])
def test_an_option_that_is_not_there_certifies_nothing(run, tmp_path, options):
    with pytest.raises(AuditError) as refused:
        gate_run(run, **{options: tmp_path / "none"})
    assert refused.value.exit_code in {2, 3}


# --- what may be allowed, and what never ----------------------------------------------------------


def test_a_check_that_may_be_skipped_may_be_skipped(tmp_path):
    run = write_run(tmp_path / "run", statuses={"split_leak": "skipped", "label": "skipped"})
    verdict = judged(run)
    assert (verdict.exit_code, len(verdict.reasons)) == (3, 1)
    verdict = judged(run, '[gate.allow]\nskipped = ["split_leak", "label"]')
    assert verdict.status == "pass"
    assert judgement(verdict, "label").status == "skipped"
    assert judgement(verdict, "label").broken == "why label is skipped"
    assert judged(run, '[gate.allow]\nskipped = ["label"]').exit_code == 3


def test_a_check_that_may_be_missing_may_be_missing(tmp_path):
    run = write_run(tmp_path / "run", without=["outlier", "label"])
    assert judged(run, '[gate.allow]\nmissing = ["outlier"]').exit_code == 3
    assert judged(run, '[gate.allow]\nmissing = ["outlier", "label"]').status == "pass"


def test_a_check_that_may_be_missing_may_not_be_skipped_nor_the_other_way(tmp_path):
    skipped = write_run(tmp_path / "skipped", statuses={"label": "skipped"})
    missing = write_run(tmp_path / "missing", without=["label"])
    assert judged(skipped, '[gate.allow]\nmissing = ["label"]').exit_code == 3
    assert judged(missing, '[gate.allow]\nskipped = ["label"]').exit_code == 3


_CODES = known_checks()
_SOME = st.one_of(st.just(list(_CODES)), st.lists(st.sampled_from(_CODES), unique=True, max_size=4))
_RULES = st.sampled_from(["[]", '["count > 0"]', '["count > 1000000"]'])


@st.composite
def _policies(draw):
    """From what allows, ignores and waives everything to what allows little."""
    text = (f"[gate.allow]\nskipped = {draw(_SOME)}\nmissing = {draw(_SOME)}\n"
            f"empty_dataset = {str(draw(st.booleans())).lower()}\n"
            "[gate.class_size]\nwarn_below = 0\nerror_below = 0\n")
    for code in draw(_SOME):
        text += f"[gate.checks.{code}]\nwarn_if = {draw(_RULES)}\nerror_if = {draw(_RULES)}\n"
        text += f"[gate.checks.{code}.each_class]\nerror_if = []\n"
    for code in draw(_SOME):
        text += (f'[[gate.waivers]]\nid = "{code}"\ncheck = "{code}"\nreason = "why"\n'
                 f'owner = "Ada"\nexpires = {today_in_utc()}\n')
    return text


@given(_policies(), st.dictionaries(st.sampled_from(_CODES), st.sampled_from(
    ["error", "error", "crashed", "", "OK"]), min_size=1, max_size=3), st.booleans(),
    st.booleans())
@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_policy_lets_a_crashed_check_pass(tmp_path, text, statuses, is_empty, fails_on_warning):
    record = record_of([] if is_empty else PLENTY, statuses=statuses)
    verdict = judge(record, read_policy(policy_of(tmp_path, text)), NOBODY, baseline=record,
                    fails_on_warning=fails_on_warning)
    assert (verdict.status, verdict.exit_code) == ("uncertified", 3)
    for code in statuses:
        assert any(f'"{code}" crashed' in reason for reason in verdict.reasons)


def test_the_policy_that_allows_everything_passes_what_ran(tmp_path):
    """Or the test above would say nothing."""
    text = (f"[gate.allow]\nskipped = {list(_CODES)}\nmissing = {list(_CODES)}\n"
            + "".join(f"[gate.checks.{code}]\nwarn_if = []\nerror_if = []\n"
                      f"[gate.checks.{code}.each_class]\nwarn_if = []\nerror_if = []\n"
                      for code in _CODES))
    flags = {code: range(120) for code in ("label", "blurry", "unreadable_file")}
    assert judged(write_run(tmp_path / "run", flags=flags), text).status == "pass"


@given(st.dictionaries(st.sampled_from(_CODES), st.sampled_from(
    ["ok", "skipped", "error", "missing"]), max_size=6))
@settings(max_examples=40, deadline=None)
def test_by_default_all_checks_must_have_run(states):
    record = record_of(
        without=[code for code, status in states.items() if status == "missing"],
        statuses={code: status for code, status in states.items() if status != "missing"})
    lacks = {code for code, status in states.items()
             if status in {"error", "missing"} or (status == "skipped" and code != "split_leak")}
    verdict = judge(record, DEFAULT, NOBODY)
    assert len(verdict.reasons) == len(lacks)
    assert verdict.exit_code == (3 if lacks else 0)


# --- rules ----------------------------------------------------------------------------------------


def test_of_the_rules_of_a_check_an_error_comes_before_a_warning(tmp_path):
    rule = '[gate.checks.blurry]\nwarn_if = "count > 0"\nerror_if = ["rate > 0.9", "count > 2"]'
    for count, status, text in ((0, "pass", ""), (1, "warn", "count > 0: it is 1"),
                                (3, "fail", "count > 2: it is 3")):
        run = write_run(tmp_path / "run", flags={"blurry": range(count)})
        found = judgement(judged(run, rule), "blurry")
        assert (found.status, found.broken, found.figures.count) == (status, text, count)


def test_the_worst_is_told_first(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=60, dog=20),
                    flags={"unreadable_file": [0], "wrong_extension": [0]},
                    statuses={"split_leak": "skipped"})
    verdict = judged(run)
    found = [one.status for one in verdict.judgements]
    assert found == sorted(found, key=["fail", "warn", "pass", "skipped"].index)
    assert broken(verdict) == {"unreadable_file": "fail", "wrong_extension": "warn",
                               'class_size of "dog"': "warn"}


def test_a_rule_of_each_class_is_broken_where_it_is(tmp_path):
    rule = ('[gate.checks.blurry]\nwarn_if = []\n[gate.checks.blurry.each_class]\n'
            'error_if = "rate > 0.1"\n[gate.checks.blurry.class.dog]\nerror_if = "rate > 0.5"')
    run = write_run(tmp_path / "run", pictures(cat=60, dog=60, owl=60), flags={
        "blurry": [*range(10), *range(60, 80), *range(120, 126)]})
    verdict = judged(run, rule)
    assert broken(verdict) == {'blurry of "cat"': "fail"}
    found = judgement(verdict, "blurry", "cat")
    assert (found.figures.count, found.figures.total) == (10, 60)
    assert judgement(verdict, "blurry").figures.count == 36, "all images have no rule, and pass"


def test_a_rule_of_a_class_counts_findings_about_it(tmp_path):
    rule = '[gate.checks.class_imbalance]\nwarn_if = []\neach_class.error_if = "count > 0"'
    run = write_run(tmp_path / "run", findings=[("class_imbalance", "dog", 0.1),
                                                ("class_imbalance", "", 0.1)])
    assert broken(judged(run, rule)) == {'class_imbalance of "dog"': "fail"}


@pytest.mark.parametrize(("rule", "status"), [
    ("metric.share_interval_90.low > 0.1", "fail"), ("metric.share_interval_90.low > 0.2", "pass"),
    ("metric.share_interval_90.high >= 0.3", "fail"), ("metric.accuracy < 0.5", "fail"),
    ("metric.accuracy < 0.4", "pass"), ("metric.by.cat <= 2", "fail")])
def test_a_rule_may_be_about_a_figure_of_the_summary(tmp_path, rule, status):
    run = write_run(tmp_path / "run", metrics={"label": {
        "share_interval_90": [0.2, 0.3], "accuracy": 0.4, "by": {"cat": 2}}})
    verdict = judged(run, f'[gate.checks.label]\nerror_if = "{rule}"')
    assert judgement(verdict, "label").status == verdict.status == status


def test_findings_about_classes_of_a_check_about_images_are_not_counted_as_images(tmp_path):
    run = write_run(tmp_path / "run", flags={"label": [0, 1]}, findings=[("label", "cat", 0.1)])
    assert judgement(judged(run), "label").figures.count == 2


def test_a_set_counts_its_images(tmp_path):
    run = write_run(tmp_path / "run", sets={"exact_duplicates": [(0, 1, 2), (5, 6)]})
    figures = judgement(judged(run), "exact_duplicates").figures
    assert (figures.count, figures.total) == (5, 120)


def test_a_finding_that_is_not_flagged_is_none(tmp_path):
    run = write_run(tmp_path / "run", findings=[("no_signal", "", 0.9)])
    assert judged(run).status == "fail"
    edit_table(run / "findings.parquet", lambda table: table.assign(is_flagged=False))
    edit_summary(run, "no_signal", flagged=0)
    assert judged(run).status == "pass"


def test_the_reader_is_told_how_the_run_was_made(tmp_path):
    run = write_run(tmp_path / "run", settings={
        "thresholds": {"blurry": {"threshold": 0.1}, "dark": {}}, "hold_out": 0.2})
    notes = judged(run).notes
    assert "thresholds of the run were not the checks' own: blurry" in notes
    assert "images that were held out (--hold-out) were not audited" in notes


def test_a_check_that_the_policy_does_not_know_is_told():
    record = record_of()
    title = replace(record.states["blurry"], code="brand_new")
    verdict = judge(replace(record, states={**record.states, "brand_new": title}),
                    DEFAULT, NOBODY)
    assert verdict.status == "pass"
    assert "the policy says nothing of brand_new" in verdict.notes


# --- sizes of classes -----------------------------------------------------------------------------


SIZES = "[gate.class_size]\nwarn_below = 20\nerror_below = 10\n"


@pytest.mark.parametrize(("count", "status"), [
    (1, "fail"), (9, "fail"), (10, "warn"), (19, "warn"), (20, "pass"), (21, "pass")])
def test_a_class_must_have_so_many_images(tmp_path, count, status):
    run = write_run(tmp_path / "run", pictures(cat=30, dog=count))
    verdict = judged(run, SIZES)
    assert verdict.status == status
    if status == "pass":
        assert judgement(verdict, "class_size").figures.count == count
    else:
        assert broken(verdict) == {'class_size of "dog"': status}
        assert judgement(verdict, "class_size", "dog").figures.count == count


def test_a_class_may_have_sizes_of_its_own(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=5, dog=15, owl=30))
    assert broken(judged(run, SIZES + "class.cat.error_below = 3\nclass.owl.error_below = 31")) == {
        'class_size of "dog"': "warn", 'class_size of "owl"': "fail"}


def test_no_size_is_asked_for_where_it_is_zero(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=1, dog=30))
    assert judged(run, "[gate.class_size]\nwarn_below = 0\nerror_below = 0").status == "pass"


def test_a_class_that_fails_is_not_told_as_well_too(tmp_path):
    """With an error alone, and no warning: the sizes are not both broken and well."""
    run = write_run(tmp_path / "run", pictures(cat=30, dog=5))
    verdict = judged(run, "[gate.class_size]\nwarn_below = 0\nerror_below = 10")
    assert verdict.status == "fail"
    assert [one.status for one in verdict.judgements if one.check == "class_size"] == ["fail"]


@pytest.mark.parametrize(("split", "counts"), [
    ("train", True), ("", True), ("extra", True), ("val", False), ("test", False)])
def test_images_that_nothing_is_trained_on_do_not_count_for_its_size(tmp_path, split, counts):
    images = [*pictures(cat=30, dog=15),
              *(image(f"dog/{number}.png", "dog", split=split) for number in range(10))]
    verdict = judged(write_run(tmp_path / "run", images), SIZES)
    assert broken(verdict) == ({} if counts else {'class_size of "dog"': "warn"})


def test_files_that_cannot_be_read_do_not_count_for_its_size(tmp_path):
    images = [*pictures(cat=30, dog=9), *(image(f"dog/{number}.png", "dog", "", status="unreadable")
                                          for number in range(20)),
              image("dog/damaged.jpg", "dog", status="damaged")]
    verdict = judged(write_run(tmp_path / "run", images), SIZES)
    assert judgement(verdict, "class_size", "dog").figures.count == 10
    assert broken(verdict) == {'class_size of "dog"': "warn"}


def test_a_class_that_the_policy_names_and_the_data_have_not_is_told(run):
    verdict = judged(run, '[gate.class_size.class."c@t"]\nerror_below = 3\n'
                          "[gate.checks.label.class.Dog]\nerror_if = []")
    assert [one for one in verdict.notes if "that the data have not" in one] == [
        'the policy names a class "Dog" that the data have not',
        'the policy names a class "c@t" that the data have not']


# --- what people answered -------------------------------------------------------------------------


STRICT = "".join(f'[gate.checks.{code}]\nwarn_if = []\nerror_if = "count > 0"\n' for code in (
    "blurry", "dark", "label", "label_conflict", "exact_duplicates", "near_duplicates",
    "split_leak"))


@pytest.fixture
def asked(tmp_path):
    """Writes a run and answers, and judges it."""

    def write_and_judge(*events, policy=STRICT, **told):
        run = write_run(tmp_path / f"run{len(list(tmp_path.iterdir()))}", **told)
        if events:
            write_answers(run, *events)
        return judged(run, policy)

    return write_and_judge


CAT, DOG = PLENTY[0], PLENTY[60]


@pytest.mark.parametrize(("check", "said", "label", "counts"), [
    ("blurry", "keep", "", False), ("blurry", "exclude", "", True), ("blurry", "unsure", "", True),
    ("label", "class", "cat", False), ("label", "class", "dog", True), ("label", "both", "", False),
    ("label", "keep", "", False), ("label", "neither", "", True), ("label", "exclude", "", True),
    ("label", "unsure", "", True)])
def test_a_flag_that_people_find_wrong_does_not_count(asked, check, said, label, counts):
    verdict = asked(answer(check, [CAT], said, label), flags={check: [0]})
    found = judgement(verdict, check)
    assert (verdict.status, found.figures.count, found.excused) == (
        ("fail", 1, {}) if counts else ("pass", 0, {"reviewed": 1}))
    assert [one.by for one in verdict.flags.flags] == ["" if counts else "Ada"]


def test_an_answer_is_about_its_check_and_its_file(asked):
    verdict = asked(answer("blurry", [CAT], "keep"), flags={"blurry": [0, 1], "dark": [0]})
    assert [(one.check, one.subject) for one in verdict.counting()] == [
        ("blurry", "cat/001.jpg"), ("dark", "cat/000.jpg")]


def test_an_answer_is_about_every_copy_of_its_file_under_that_label(asked):
    images = [*PLENTY, image("cat/copy.jpg", "cat", CAT["image_id"])]
    verdict = asked(answer("label", [CAT], "class", "cat"), images=images,
                    flags={"label": [0, 120]})
    assert verdict.status == "pass"


def test_that_a_file_is_a_cat_does_not_excuse_its_copy_among_the_dogs(asked):
    images = [*PLENTY, image("dog/copy.jpg", "dog", CAT["image_id"])]
    verdict = asked(answer("label", [CAT], "class", "cat"), images=images,
                    flags={"label": [0, 120]})
    assert [one.subject for one in verdict.counting()] == ["dog/copy.jpg"]


def test_that_a_file_is_a_cat_does_not_excuse_it_once_it_is_called_a_dog(asked):
    """Answers are kept when the data are audited again, and the label has changed meanwhile."""
    images = [{**CAT, "given_label": "dog"}, *PLENTY[1:]]
    verdict = asked(answer("label", [CAT], "class", "cat", given="cat"), images=images,
                    flags={"label": [0]})
    assert verdict.status == "fail"


def test_a_label_that_was_put_right_as_people_said_does_not_count(asked):
    """A file among the dogs was found to be a cat, and is one now; it is still suspected."""
    verdict = asked(answer("label", [CAT], "class", "cat", given="dog"), flags={"label": [0]})
    assert verdict.status == "pass"


def test_people_who_differ_settle_nothing_until_somebody_decides(asked):
    keep, drop = (answer("blurry", [CAT], said, reviewer=who) for said, who in (
        ("keep", "Ada"), ("exclude", "Bob")))
    assert asked(keep, drop, flags={"blurry": [0]}).status == "fail"
    decided = answer("blurry", [CAT], "keep", reviewer="Eve", mode="adjudicate")
    assert asked(keep, drop, decided, flags={"blurry": [0]}).status == "pass"
    against = answer("blurry", [CAT], "exclude", reviewer="Eve", mode="adjudicate")
    assert asked(keep, against, flags={"blurry": [0]}).status == "fail"
    unsure = answer("blurry", [CAT], "unsure", reviewer="Bob")
    assert asked(keep, unsure, flags={"blurry": [0]}).status == "pass"


def test_an_answer_that_was_taken_back_excuses_nothing(asked):
    keep = answer("blurry", [CAT], "keep")
    undo = replace(keep, uuid="undo", answer="undo", undoes=keep.uuid)
    assert asked(keep, undo, flags={"blurry": [0]}).status == "fail"


@pytest.mark.parametrize("check", ["exact_duplicates", "near_duplicates"])
@pytest.mark.parametrize(("said", "label", "count"), [
    ("keep", "", 0), ("keep", PLENTY[1]["file_sha256"], 3), ("exclude", "", 3), ("unsure", "", 3)])
def test_an_answer_about_a_set_of_copies_is_one_about_each(asked, check, said, label, count):
    verdict = asked(answer(check, PLENTY[:3], said, label),
                    sets={check: [(0, 1, 2), (10, 11)]})
    assert judgement(verdict, check).figures.count == count + 2, "the other set was not asked about"


@pytest.mark.parametrize(("said", "label", "status"), [
    ("both", "", "pass"), ("class", "cat", "fail"), ("class", "dog", "fail"),
    ("neither", "", "fail"), ("exclude", "", "fail")])
def test_that_both_labels_of_a_picture_are_right_excuses_it(asked, said, label, status):
    verdict = asked(answer("label_conflict", [CAT, DOG], said, label),
                    sets={"label_conflict": [(0, 60)]})
    assert verdict.status == status
    assert judgement(verdict, "label_conflict").figures.count == (0 if status == "pass" else 2)


def test_an_answer_about_a_set_holds_when_its_files_are_renamed(asked):
    images = [{**one, "image_id": f"new/{119 - place:03d}.jpg"} for place, one in enumerate(PLENTY)]
    verdict = asked(answer("exact_duplicates", PLENTY[:3], "keep"), images=images,
                    sets={"exact_duplicates": [(2, 0, 1)]})
    assert verdict.status == "pass"


def test_an_answer_about_other_copies_is_none_about_these(asked):
    verdict = asked(answer("exact_duplicates", PLENTY[:2], "keep"),
                    sets={"exact_duplicates": [(0, 1, 2)]})
    assert {one.subject for one in verdict.counting()} >= {"cat/001.jpg", "cat/002.jpg"}
    assert verdict.status == "fail"


@pytest.mark.parametrize("said", ["keep", "both", "class"])
def test_no_answer_excuses_a_picture_in_two_splits(asked, said):
    label = "cat" if said == "class" else ""
    verdict = asked(answer("split_leak", PLENTY[:2], said, label),
                    answer("split_leak", PLENTY[:1], said, label),
                    answer("split_leak", PLENTY[1:2], said, label),
                    sets={"split_leak": [(0, 1)]})
    assert judgement(verdict, "split_leak").figures.count == 2
    assert (verdict.status, verdict.reviewed) == ("fail", NOBODY)


def test_no_answer_excuses_a_file_that_could_not_be_read(asked):
    images = [*PLENTY, image("cat/x.jpg", "cat", "", status="unreadable"),
              image("cat/y.jpg", "cat", "", status="unreadable")]
    verdict = asked(answer("unreadable_file", [images[120]], "keep"), images=images,
                    flags={"unreadable_file": [120, 121]})
    assert {one.subject for one in verdict.counting()} >= {"cat/y.jpg"}
    assert verdict.status == "fail"


@pytest.mark.parametrize(("seen", "rate"), [
    (LEAST_REVIEWED - 1, 76 / 200), (LEAST_REVIEWED, (6 + 0.2 * 70) / 200)])
def test_what_people_found_speaks_for_the_rest_once_enough_were_seen(asked, seen, rate):
    """Of 100 flags 24 were kept, and 5 or 6 are real: of 29 or of 30."""
    images = pictures(cat=100, dog=100)
    events = [answer("blurry", [images[row]], "keep" if row < 24 else "exclude")
              for row in range(seen)]
    verdict = asked(*events, images=images, flags={"blurry": range(100)},
                    policy='[gate.checks.blurry]\nwarn_if = []\nerror_if = "rate > 0.2"')
    figures = judgement(verdict, "blurry").figures
    assert (figures.count, figures.certain) == (76, seen - 24)
    assert figures.rate == pytest.approx(rate)
    assert verdict.status == ("pass" if seen == LEAST_REVIEWED else "fail")


def test_copies_of_one_file_are_seen_once(asked):
    images = [*PLENTY, *(image(f"cat/copy{number}.jpg", "cat", CAT["image_id"])
                         for number in range(40))]
    verdict = asked(answer("blurry", [CAT], "keep"), images=images,
                    flags={"blurry": [0, *range(100, 160)]})
    figures = judgement(verdict, "blurry").figures
    assert (figures.count, figures.share) == (20, None)


def test_flags_of_other_checks_do_not_make_enough_that_were_seen(asked):
    events = [answer("dark" if row % 2 else "blurry", [PLENTY[row]], "keep") for row in range(40)]
    verdict = asked(*events, flags={"blurry": range(60), "dark": range(60)})
    assert judgement(verdict, "blurry").figures.share is None


def test_answers_about_images_that_are_not_flagged_do_not_make_enough_that_were_seen(asked):
    events = [answer("blurry", [PLENTY[row]], "keep") for row in range(40)]
    verdict = asked(*events, flags={"blurry": range(30, 60)})
    assert judgement(verdict, "blurry").figures.share is None
    assert judgement(verdict, "blurry").figures.count == 20


def test_reviews_excuse_no_check_that_did_not_run(asked):
    verdict = asked(answer("blurry", [CAT], "keep"), statuses={"blurry": "error"})
    assert verdict.exit_code == 3


def test_the_digest_of_answers_is_of_what_holds_whoever_gave_it(tmp_path, run):
    keep, drop = answer("blurry", [CAT], "keep"), answer("dark", [DOG], "exclude")
    digests = []
    for number, events in enumerate([
            (keep, drop), (drop, keep), (keep,), (keep, answer("dark", [DOG], "keep")),
            (keep, drop, answer("dark", [CAT], "unsure")), ()]):
        folder = shutil.copytree(run, tmp_path / str(number))
        write_answers(folder, *events)
        digests.append(read_reviewed(read_record(folder)).digest)
    first, swapped, less, other, unsure, none = digests
    assert first == swapped == unsure
    assert len({first, less, other, none}) == 4
    assert none == read_reviewed(read_record(run)).digest == ""


def test_answers_that_cannot_be_read_certify_nothing(run):
    (run / REVIEW_FILE).write_bytes(b"no database, and long enough to be looked at" * 100)
    with pytest.raises(UsageError, match="cannot be opened as a store of answers"):
        gate_run(run)


def test_judging_a_run_writes_nothing(run):
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    gate_run(run)
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before
