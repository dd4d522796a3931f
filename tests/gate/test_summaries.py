"""The verdict as Markdown, annotations, JSON and words, whatever names the data hold."""

import json
import re
from html.parser import HTMLParser

import pytest
from gate.verdicts import (
    FAILS,
    HOSTILE,
    WARNS,
    each_class,
    mixed,
    of_images,
    policy_of,
    record_of,
    run_of,
    suites_of,
    verdict_of,
)
from markdown_it import MarkdownIt

from audit.gate.flagged import Flags
from audit.gate.policy import CheckPolicy
from audit.gate.record import CheckState, Finding
from audit.gate.summaries import as_json, dumped, github_annotations, markdown
from audit.gate.verdict import FAIL, PASS, UNCERTIFIED, WARN
from audit.gate.words import counted, headline, judgement_in_words

COMMAND = re.compile(r"::([a-z]+)(?: ([^\n]*?))?::(.*)", re.DOTALL)


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
