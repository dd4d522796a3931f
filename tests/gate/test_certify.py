"""Nothing is certified that a check has not seen, and no policy changes that."""


import pandas as pd
import pytest
from gate.gate_builders import (
    BAD,
    DEFAULT,
    NOBODY,
    PLENTY,
    answer,
    edit_json,
    edit_summary,
    edit_table,
    image,
    judged,
    judgement,
    outcome,
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
from audit.gate.verdict import judge
from audit.gate.waivers import today_in_utc
from audit.gating import gate_run
from audit.registry import all_checks


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
