"""Verdicts made by hand, and names that do harm where they are not escaped."""

import json
import os
from pathlib import Path

import numpy as np
from jsonschema import Draft202012Validator
from junitparser import JUnitXml

from audit.gate.conditions import Condition
from audit.gate.junit import junit
from audit.gate.policy import CheckPolicy, Policy, Rules, Sizes, known_checks
from audit.gate.record import CheckState, GateRecord
from audit.gate.reviewed import Reviewed
from audit.gate.sarif import sarif
from audit.gate.verdict import judge

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text(encoding="utf-8"))

HOSTILE = ["<b>&\"'</b>", "a|b", "a\nb", "<script>alert(1)</script>", "`x` *y* _z_ [l](http://h)",
           "=cmd|'/c calc'!A1", "% :: , \r\n::error::x", "naïve 猫", "# h", "~~s~~", "\\", "&amp;",
           "50%0A::error::x"]
NAMES = ["=cmd|'/c calc'!A1.jpg", "naïve 猫.jpg", "a b#c?d%41.jpg", "x:y.jpg", "new\nline.jpg",
         '<i>&".jpg', os.fsdecode(b"\xff.jpg"), "cat/ok-1.jpg"]


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


def suites_of(verdict):
    return JUnitXml.fromstring(junit(verdict))


def run_of(verdict):
    """What a strict reader of JSON finds, after the schema was held against it."""
    content = json.loads(sarif(verdict))
    json.dumps(content, ensure_ascii=False).encode()  # fails on halves of characters
    Draft202012Validator(SCHEMA).validate(content)
    (run,) = content["runs"]
    return run
