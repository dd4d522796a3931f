"""The verdict as JUnit XML, SARIF, Markdown, annotations and JSON, whatever names the data hold."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from audit.gate.conditions import Condition
from audit.gate.flagged import Flags
from audit.gate.junit import junit
from audit.gate.policy import CheckPolicy, Policy, Rules, Sizes, known_checks
from audit.gate.record import CheckState, Finding, GateRecord
from audit.gate.reviewed import Reviewed
from audit.gate.sarif import MOST_RESULTS, sarif
from audit.gate.summaries import as_json, dumped, github_annotations, markdown
from audit.gate.verdict import FAIL, PASS, UNCERTIFIED, WARN, judge
from audit.gate.words import counted, headline, judgement_in_words

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text(encoding="utf-8"))
HOSTILE = ["<b>&\"'</b>", "a|b", "a\nb", "<script>alert(1)</script>", "`x` *y* _z_ [l](http://h)",
           "=cmd|'/c calc'!A1", "% :: , \r\n::error::x", "naïve 猫", "# h", "~~s~~", "\\", "&amp;",
           "50%0A::error::x"]
NAMES = ["=cmd|'/c calc'!A1.jpg", "naïve 猫.jpg", "a b#c?d%41.jpg", "x:y.jpg", "new\nline.jpg",
         '<i>&".jpg', os.fsdecode(b"\xff.jpg"), "cat/ok-1.jpg"]
URI = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=@/%-]+")
"""A relative path of RFC 3986 without a colon, which would end a scheme in its first part."""
COMMAND = re.compile(r"::([a-z]+)(?: ([^\n]*?))?::(.*)", re.DOTALL)


def of_images(code, status="ok", reason=""):
    return CheckState(code, code.replace("_", " ").capitalize(), status, reason, {}, status == "ok")


def record_of(labels, flags=None, *, states=(), names=None, contents=None, evidence=None,
              findings=()):
    """A run: `flags` has code → row → score."""
    flags = flags or {}
    names = names or [f"{number:05d}.jpg" for number in range(len(labels))]
    contents = contents or [f"{number:064x}" for number in range(len(labels))]
    found = [*(of_images(code) for code in flags), *states]
    return GateRecord(
        Path("run"), "d" * 64, tuple(sorted(set(labels))), np.array(names, object),
        np.array(contents, object), np.array(labels, object), np.array([""] * len(labels), object),
        np.ones(len(labels), bool), {one.code: one for one in found},
        {code: np.array(sorted(rows), np.int64) for code, rows in flags.items()},
        {code: np.array([rows[row] for row in sorted(rows)], float)
         for code, rows in flags.items()},
        tuple(findings), (), evidence or {}, {}, "1")


def rules(*, error=None, warn=None):
    return Rules(*((Condition.parse(one, "test"),) if one else None for one in (warn, error)))


def policy_of(source="the default policy", **checks):
    return Policy(0.9, 90, frozenset({"split_leak"}), frozenset(known_checks()), False, Sizes(),
                  {}, {code: one if isinstance(one, CheckPolicy) else CheckPolicy(one)
                       for code, one in checks.items()}, (), source)


def verdict_of(record, policy, **options):
    return judge(record, policy, Reviewed({}, frozenset(), ""), **options)


FAILS, WARNS = rules(error="count > 0"), rules(warn="count > 0")


def mixed(*, crashed=False, **options):
    """One check fails, one warns, one passes, one was skipped; perhaps one crashed."""
    states = [of_images("split_leak", "skipped", "the data has no splits")]
    if crashed:
        states.append(of_images("outlier", "error", "ValueError: no"))
    record = record_of(["cat"] * 4, {"blurry": {0: 0.1}, "dark": {1: 0.2, 2: 0.3}, "light": {}},
                       states=states, evidence={("blurry", "00000.jpg"): "sharpness 0.1"})
    return verdict_of(record, policy_of(blurry=FAILS, dark=WARNS, light=FAILS), **options)


def each_class(labels, **options):
    """A verdict in which a rule is broken in each of the classes."""
    rows = dict.fromkeys(range(len(labels)), 0.1)
    check = CheckPolicy(each_class=FAILS)
    return verdict_of(record_of(labels, {"blurry": rows}), policy_of(blurry=check), **options)


# --- JUnit ----------------------------------------------------------------------------------------


def suites_of(verdict):
    return JUnitXml.fromstring(junit(verdict))


def counts_of(one):
    return {"tests": one.tests, "failures": one.failures, "errors": one.errors,
            "skipped": one.skipped}


@pytest.mark.parametrize(("options", "failed"), [({}, 1), ({"fails_on_warning": True}, 2)])
@pytest.mark.parametrize("crashed", [False, True])
def test_junit_counts_what_the_verdict_holds(options, failed, crashed):
    verdict = mixed(crashed=crashed, **options)
    expected = {"tests": len(verdict.judgements) + crashed, "failures": failed, "errors": crashed,
                "skipped": 1 + crashed}
    suites = suites_of(verdict)
    assert counts_of(suites) == expected
    (suite,) = suites
    assert counts_of(suite) == expected
    suite.update_statistics()
    assert counts_of(suite) == expected, "what is told is what the cases are"


def test_junit_says_which_check_broke_which_rule_and_what_to_do():
    (suite,) = suites_of(mixed())
    by_check = {case.classname: case for case in suite}
    (failure,) = by_check["audit.blurry"].result
    assert failure.type == FAIL
    assert "count > 0: it is 1" in failure.message
    assert "audit review" in failure.text
    assert by_check["audit.dark"].result == []
    assert by_check["audit.dark"].system_out.startswith("warning: 2 of 4 ")
    assert by_check["audit.light"].is_passed
    assert by_check["audit.split_leak"].is_skipped
    told = {one.name: one.value for one in suite.properties()}
    assert told["verdict"] == FAIL
    assert told["dataset"] == "d" * 64


def test_junit_has_an_error_for_each_reason_against_certifying():
    (suite,) = suites_of(mixed(crashed=True, digest="e" * 64))
    errors = [case.result[0] for case in suite if case.classname == "audit.certify"]
    assert [one.type for one in errors] == [UNCERTIFIED] * 2
    assert any('"outlier" crashed' in one.message for one in errors)
    assert any("not those that were audited" in one.message for one in errors)


@pytest.mark.parametrize("label", [*HOSTILE, "tab\there"])
def test_junit_keeps_names_as_they_are(label):
    (suite,) = suites_of(each_class([label]))
    assert f"Blurry ({label})" in [case.name for case in suite]


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x0b", "\ud800", "\ufffe", "\uffff"])
def test_junit_replaces_what_xml_cannot_hold(sign):
    content = junit(each_class([f"left{sign}right"]))
    (suite,) = JUnitXml.fromstring(content)
    assert "Blurry (left\ufffdright)" in [case.name for case in suite]
    assert sign not in content.decode("utf-8", "surrogatepass")


# --- SARIF ----------------------------------------------------------------------------------------


def run_of(verdict):
    """What a strict reader of JSON finds, after the schema was held against it."""
    content = json.loads(sarif(verdict))
    json.dumps(content, ensure_ascii=False).encode()  # fails on halves of characters
    Draft202012Validator(SCHEMA).validate(content)
    (run,) = content["runs"]
    return run


def fingerprints(record):
    run = run_of(verdict_of(record, policy_of(blurry=FAILS)))
    return [tuple(one["partialFingerprints"].values()) for one in run["results"]]


def notified(run):
    return [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]


def test_the_schema_refuses_what_is_no_sarif():
    content = json.loads(sarif(mixed()))
    content["runs"][0]["results"][0]["level"] = "fatal"
    assert not Draft202012Validator(SCHEMA).is_valid(content)


def test_sarif_has_a_result_a_flag_at_the_level_of_its_rule():
    record = record_of(["cat"] * 4, {"blurry": {0: 0.1}, "dark": {1: 0.2, 2: 0.3}, "light": {3: 0}})
    run = run_of(verdict_of(record, policy_of(
        blurry=FAILS, dark=WARNS, light=rules(error="count > 5"))))
    levels = sorted((one["ruleId"], one["level"]) for one in run["results"])
    assert levels == [("blurry", "error"), ("dark", "warning"), ("dark", "warning"),
                      ("light", "note")]
    names = [one["id"] for one in run["tool"]["driver"]["rules"]]
    assert [names[one["ruleIndex"]] for one in run["results"]] == [
        one["ruleId"] for one in run["results"]]
    assert run["results"][0]["ruleId"] == "blurry", "what fails comes first"


def test_a_flag_is_at_the_level_of_the_worst_rule_of_its_check():
    policy = policy_of(blurry=CheckPolicy(WARNS, classes={"dog": FAILS}))
    run = run_of(verdict_of(record_of(["cat", "dog"], {"blurry": {0: 0.1, 1: 0.1}}), policy))
    assert [one["level"] for one in run["results"]] == ["error"] * 2


def test_sarif_leaves_out_what_does_not_count():
    record = record_of(["cat"] * 3, {"blurry": {0: 0.1, 1: 0.2}})
    known = record_of(["cat"] * 3, {"blurry": {0: 0.1}})
    run = run_of(verdict_of(record, policy_of(blurry=FAILS), baseline=known))
    (result,) = run["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "00001.jpg"


@pytest.mark.parametrize(("verdict", "code", "successful"), [
    (mixed(), 1, True), (mixed(crashed=True), 3, False)])
def test_sarif_tells_how_the_gate_ended(verdict, code, successful):
    run = run_of(verdict)
    (invocation,) = run["invocations"]
    assert invocation["exitCode"] == code
    assert invocation["executionSuccessful"] is successful
    assert run["properties"]["verdict"] == verdict.status
    assert notified(run) == list(verdict.reasons)


def test_a_reason_with_half_a_character_is_still_json():
    states = [of_images("outlier", "error", "OSError: /data/\udcff.jpg")]
    verdict = verdict_of(record_of(["cat"], states=states), policy_of())
    (told,) = notified(run_of(verdict))
    assert "OSError: /data/" in told


def test_sarif_tells_of_no_more_than_most_results_and_counts_the_others():
    more = 7
    rows = {number: 0.1 + number / 1e6 for number in range(MOST_RESULTS + more)}
    last = MOST_RESULTS + more
    record = record_of(["cat"] * (last + 1), {"blurry": rows, "dark": {last: 0.9}})
    content = json.loads(sarif(verdict_of(record, policy_of(blurry=WARNS, dark=FAILS))))
    (run,) = content["runs"]
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["ruleId"] == "dark", "no failure is left out for a warning"
    assert max(one["properties"]["score"] for one in run["results"][1:]) < rows[MOST_RESULTS]
    assert notified(run) == [f"{more + 1} more flags are in findings.csv of the run."]


def test_sarif_of_as_many_as_are_allowed_says_nothing_of_more():
    rows = dict.fromkeys(range(MOST_RESULTS), 0.1)
    verdict = verdict_of(record_of(["cat"] * MOST_RESULTS, {"blurry": rows}), policy_of())
    (run,) = json.loads(sarif(verdict))["runs"]
    assert (len(run["results"]), notified(run)) == (MOST_RESULTS, [])


def test_a_fingerprint_outlives_a_rename_and_no_more():
    flags = {"blurry": {0: 0.1}}
    first = fingerprints(record_of(["cat"], flags, contents=["aa"]))
    assert fingerprints(record_of(["cat"], flags, contents=["aa"], names=["other.jpg"])) == first
    assert fingerprints(record_of(["cat"], {"blurry": {0: 0.4}}, contents=["aa"])) == first
    assert fingerprints(record_of(["dog"], flags, contents=["aa"])) != first
    assert fingerprints(record_of(["cat"], flags, contents=["bb"])) != first
    both = record_of(["cat"], {"blurry": {0: 0.1}, "dark": {0: 0.1}}, contents=["aa"])
    assert len(set(fingerprints(both))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_sarif_names_any_file_by_a_uri(name):
    record = record_of(["cat"], {"blurry": {0: 0.1}}, names=[name], contents=[name])
    (result,) = run_of(verdict_of(record, policy_of(blurry=FAILS)))["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert URI.fullmatch(place["uri"])
    assert unquote_to_bytes(place["uri"]) == os.fsencode(name)
    assert place["uriBaseId"] == "DATASET"


@pytest.mark.parametrize("label", HOSTILE)
def test_sarif_holds_any_class(label):
    (result,) = run_of(each_class([label]))["results"]
    assert result["properties"]["label"] == label
    assert result["level"] == "error"


def test_a_finding_about_the_dataset_has_no_place():
    state = CheckState("shortcut", "Shortcuts", "ok", "", {}, False)
    record = record_of(["cat"], states=[state], findings=[
        Finding("shortcut", "dataset", "", 0.1, "the size tells the class", "")])
    (result,) = run_of(verdict_of(record, policy_of(shortcut=WARNS)))["results"]
    assert (result["level"], result["message"]["text"]) == ("warning", "the size tells the class")
    assert "locations" not in result


# --- Markdown -------------------------------------------------------------------------------------


class Rendered(HTMLParser):
    """Tags and cells of rendered Markdown."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.rows, self.text = set(), [], ""
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(
            content.decode()))
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 - the name is the parser's
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


PLAIN = {"h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "strong"}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_class_is_text_in_a_cell_of_the_summary(label):
    verdict = each_class([label, "other"])
    shown = Rendered(markdown(verdict))
    assert shown.tags <= PLAIN
    assert {len(row) for row in shown.rows} == {5}
    named = " ".join(label.split())
    assert [row[1] for row in shown.rows[1:] if row[1] != "Blurry of “other”"] == [
        f"Blurry of “{named}”"]


@pytest.mark.parametrize("text", HOSTILE)
def test_reasons_notes_and_the_policy_are_text_in_the_summary(text):
    state = of_images("outlier", "error", f"because {text}")
    policy = policy_of(source=f"from {text}", blurry=CheckPolicy(classes={f"of {text}": FAILS}))
    shown = Rendered(markdown(verdict_of(record_of(["cat"], states=[state]), policy)))
    assert shown.tags <= PLAIN
    named = " ".join(text.split())
    for one in (f"because {named}", f"from {named}", f"of {named}"):
        assert one in shown.text


def test_the_summary_tells_what_is_broken_what_is_well_and_what_was_not_checked():
    verdict = mixed()
    shown = Rendered(markdown(verdict))
    assert headline(verdict) in shown.text
    assert [row[:2] for row in shown.rows[1:]] == [["fail", "Blurry"], ["warning", "Dark"]]
    (well,) = re.findall("^Well: (.*)[.]$", shown.text, re.MULTILINE)
    assert {"Light"} <= set(well.split(", "))
    assert not {"Blurry", "Dark", "Split leak"} & set(well.split(", "))
    assert "Split leak (the data has no splits)" in shown.text


def test_the_summary_is_utf_8_even_of_half_a_character():
    assert "left?right" in markdown(each_class(["left\ud800right"])).decode()


# --- annotations of GitHub ------------------------------------------------------------------------


def read_command(line):
    """Kind, properties and text, as the build server takes a line apart."""
    assert "\n" not in line
    assert "\r" not in line
    kind, properties, text = COMMAND.fullmatch(line).groups()
    split = dict(one.split("=", 1) for one in (properties or "").split(","))
    return kind, {name: _unescaped(value) for name, value in split.items()}, _unescaped(text)


def _unescaped(text):
    return re.sub("%(0D|0A|3A|2C|25)", lambda found: chr(int(found[1], 16)), text)


def test_there_is_one_annotation_a_check_and_none_an_image():
    labels = [f"class{number % 12}" for number in range(300)]
    rows = dict.fromkeys(range(300), 0.1)
    record = record_of(labels, {"blurry": rows, "dark": {0: 0.1}, "light": {}})
    check = CheckPolicy(FAILS, FAILS)
    verdict = verdict_of(record, policy_of(blurry=check, dark=WARNS, light=FAILS))
    assert sum(one.check == "blurry" and one.status == FAIL for one in verdict.judgements) == 13
    told = [read_command(line) for line in github_annotations(verdict)]
    assert [(kind, properties) for kind, properties, _ in told] == [
        ("error", {"title": "audit gate: Blurry"}), ("warning", {"title": "audit gate: Dark"})]
    assert "300 of 300" in told[0][2]


@pytest.mark.parametrize("label", HOSTILE)
def test_no_class_ends_an_annotation_or_begins_another(label):
    (line,) = github_annotations(each_class([label]))
    kind, properties, text = read_command(line)
    assert (kind, properties) == ("error", {"title": "audit gate: Blurry"})
    assert text.startswith(f'"{label}": 1 of 1')


def test_no_title_ends_an_annotation():
    title = "100 %, of :: or\n::error::it"
    state = CheckState("shortcut", title, "ok", "", {}, False)
    record = record_of(["cat"], states=[state],
                       findings=[Finding("shortcut", "class", "cat", 0.1, "", "")])
    (line,) = github_annotations(verdict_of(record, policy_of(shortcut=FAILS)))
    assert read_command(line)[1] == {"title": f"audit gate: {title}"}


def test_warnings_and_reasons_are_annotated_by_what_they_do():
    def kinds(**options):
        return [read_command(line)[0] for line in github_annotations(mixed(**options))]

    assert kinds() == ["error", "warning"]
    assert kinds(fails_on_warning=True) == ["error", "error"]
    assert kinds(crashed=True) == ["error", "error", "warning"]
    (first, *_) = github_annotations(mixed(crashed=True))
    assert '"outlier" crashed (ValueError: no)' in read_command(first)[2]


def test_nothing_is_annotated_of_what_is_well():
    verdict = verdict_of(record_of(["cat"], {"blurry": {}}), policy_of(blurry=FAILS))
    assert verdict.status == PASS
    assert list(github_annotations(verdict)) == []


# --- JSON and words -------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [mixed(), mixed(crashed=True), each_class(HOSTILE)])
def test_json_holds_what_the_verdict_says(verdict):
    told = json.loads(dumped(verdict), parse_constant=pytest.fail)
    assert told == as_json(verdict)
    assert (told["status"], told["exit_code"]) == (verdict.status, verdict.exit_code)
    assert (told["dataset"], told["images"]) == ("d" * 64, len(verdict.record.image_ids))
    assert told["reasons"] == list(verdict.reasons)
    assert told["notes"] == list(verdict.notes)
    assert told["policy"]["digest"] == verdict.policy.digest
    assert [(one["check"], one["class"] or "", one["status"], one["broken"], one["advice"])
            for one in told["checks"]] == [
        (one.check, one.label, one.status, one.broken, one.advice) for one in verdict.judgements]


def test_json_has_the_figures_and_what_was_excused():
    record = record_of(["cat"] * 4, {"dark": {1: 0.2, 2: 0.3}})
    known = record_of(["cat"] * 4, {"dark": {1: 0.2, 0: 0.1}})
    told = as_json(verdict_of(record, policy_of(dark=WARNS), baseline=known))
    (dark,) = [one for one in told["checks"] if one["check"] == "dark"]
    assert (dark["count"], dark["total"], dark["rate"]) == (1, 4, 0.25)
    assert dark["rate_low"] < dark["rate"] < dark["rate_high"]
    assert dark["excused"] == {"known": 1}
    assert [one["subject"] for one in told["gone"]] == ["00000.jpg"]
    assert told["baseline"] == "run"


def test_an_empty_verdict_is_told_in_every_form():
    verdict = verdict_of(record_of([]), policy_of())
    assert verdict.status == UNCERTIFIED
    assert verdict.flags == Flags(())
    (suite,) = suites_of(verdict)
    assert (suite.errors, suite.failures) == (1, 0)
    assert run_of(verdict)["results"] == []
    assert "the dataset holds no images" in Rendered(markdown(verdict)).text
    assert json.loads(dumped(verdict))["images"] == 0


@pytest.mark.parametrize(("verdict", "status", "words"), [
    (mixed(), FAIL, "Fail: 1 rule is broken (4 images"),
    (mixed(fails_on_warning=True), FAIL, "Fail: 2 rules are broken"),
    (mixed(crashed=True), UNCERTIFIED, "Cannot certify: 1 reason. Do not train on this"),
    (mixed(crashed=True, digest="e"), UNCERTIFIED, "Cannot certify: 2 reasons."),
    (each_class(["a"] * 2 + ["b"]), FAIL, "Fail: 2 rules are broken (3 images"),
    (verdict_of(record_of(["a"], {"dark": {0: 0.1}}), policy_of(dark=WARNS)), WARN,
     "Pass, with 1 warning (1 images"),
    (verdict_of(record_of(["a"], {"dark": {}}), policy_of(dark=WARNS)), PASS, "Pass (1 images")])
def test_the_headline_says_what_may_be_done(verdict, status, words):
    assert verdict.status == status
    assert headline(verdict).startswith(words)


def test_words_count_what_counts_and_what_does_not():
    record = record_of(["cat"] * 4, {"dark": {1: 0.2, 2: 0.3}})
    known = record_of(["cat"] * 4, {"dark": {1: 0.2}})
    (one,) = [one for one in verdict_of(record, policy_of(dark=WARNS), baseline=known).judgements
              if one.check == "dark"]
    assert counted(one).startswith("1 of 4 (25.0 %, 90 % interval ")
    assert counted(one).endswith("; 1 in the baseline")
    assert judgement_in_words(one) == f"{counted(one)}; count > 0: it is 1"
