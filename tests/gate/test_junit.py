"""The verdict as JUnit XML, whatever names the data hold."""


import pytest
from gate.verdicts import HOSTILE, each_class, mixed, suites_of
from junitparser import JUnitXml

from audit.gate.junit import junit
from audit.gate.verdict import FAIL, UNCERTIFIED


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
