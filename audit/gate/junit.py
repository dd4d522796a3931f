"""The verdict as JUnit XML, which every build server shows: one test a check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from audit.gate.verdict import FAIL, SKIPPED, UNCERTIFIED, WARN
from audit.gate.words import judgement_in_words

if TYPE_CHECKING:
    from audit.gate.verdict import Verdict

_SUITE = "audit gate"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped; names of classes may."""


def junit(verdict: Verdict) -> bytes:
    """XML: a violation is a failure, what cannot be certified an error, a warning is output."""
    cases = []
    for one in verdict.judgements:
        case = ET.Element("testcase", classname=_clean(f"audit.{one.check}"), time="0",
                          name=_clean(f"{one.title} ({one.label})" if one.label else one.title))
        text = judgement_in_words(one)
        fails = one.status == FAIL or (one.status == WARN and verdict.fails_on_warning)
        if one.status == SKIPPED:
            ET.SubElement(case, "skipped", message=_clean(text))
        elif fails:
            ET.SubElement(case, "failure", message=_clean(text), type=one.status).text = _clean(
                one.advice)
        elif one.status == WARN:
            ET.SubElement(case, "system-out").text = _clean(f"warning: {text}\n{one.advice}")
        cases.append(case)
    for reason in verdict.reasons:
        case = ET.Element("testcase", classname="audit.certify", time="0",
                          name=_clean(reason[:120]))
        ET.SubElement(case, "error", message=_clean(reason), type=UNCERTIFIED)
        cases.append(case)
    counts = {"tests": str(len(cases)), "time": "0"} | {
        f"{name}s" if name != "skipped" else name: str(sum(
            case.find(name) is not None for case in cases))
        for name in ("failure", "error", "skipped")}
    suites = ET.Element("testsuites", {"name": _SUITE, **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": _SUITE, **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("verdict", verdict.status), ("dataset", verdict.record.digest),
                        ("policy", verdict.policy.digest)):
        ET.SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
