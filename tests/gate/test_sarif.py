"""Flags as SARIF, whatever names the data hold."""

import json
import os
import re
from urllib.parse import unquote_to_bytes

import pytest
from gate.verdicts import (
    FAILS,
    HOSTILE,
    NAMES,
    SCHEMA,
    WARNS,
    each_class,
    mixed,
    of_images,
    policy_of,
    record_of,
    rules,
    run_of,
    verdict_of,
)
from jsonschema import Draft202012Validator

from audit.gate.policy import CheckPolicy
from audit.gate.record import CheckState, Finding
from audit.gate.sarif import MOST_RESULTS, sarif

URI = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=@/%-]+")
"""A relative path of RFC 3986 without a colon, which would end a scheme in its first part."""


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
