"""Flags that count as SARIF 2.1.0, for code-scanning pages and editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from audit import __version__
from audit.gate.verdict import FAIL, WARN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audit.gate.flagged import Flag
    from audit.gate.verdict import Verdict

MOST_RESULTS = 5_000
"""GitHub refuses more than 25,000 results a run and shows 5,000."""

SCHEMA = ("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
          "sarif-schema-2.1.0.json")
_FINGERPRINT = "checkContentLabel/v1"


def sarif(verdict: Verdict) -> bytes:
    """JSON: a result a flag that counts, of the checks whose rules are broken before the others.

    Within a check the worst come first. What is left out above `MOST_RESULTS` is counted in a
    notification; so is each reason why nothing can be certified.
    """
    broken = {one.check: one.status for one in reversed(verdict.judgements)
              if one.status in {FAIL, WARN}}
    levels = {FAIL: "error", WARN: "warning"}
    flags = sorted(verdict.counting(), key=lambda one: (
        [FAIL, WARN, None].index(broken.get(one.check)), one.check, one.score, one.subject))
    rules = sorted({one.check for one in flags})
    notes = [{"level": "error", "message": {"text": _printable(reason)}}
             for reason in verdict.reasons]
    if len(flags) > MOST_RESULTS:
        notes.append({"level": "note", "message": {"text": (
            f"{len(flags) - MOST_RESULTS:,} more flags are in findings.csv of the run.")}})
    content = {
        "$schema": SCHEMA, "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "image-audit", "version": __version__,
                "rules": [_rule(verdict, code) for code in rules]}},
            "originalUriBaseIds": {"DATASET": {"description": {
                "text": "The folder that was audited."}}},
            "invocations": [{
                "executionSuccessful": not verdict.reasons,
                "exitCode": verdict.exit_code,
                "toolExecutionNotifications": notes}],
            "results": list(_results(flags[:MOST_RESULTS], rules, broken, levels)),
            "properties": {"verdict": verdict.status, "dataset": verdict.record.digest,
                           "policy": verdict.policy.digest}}]}
    return (json.dumps(content, indent=1) + "\n").encode()


def _rule(verdict: Verdict, code: str) -> dict[str, Any]:
    title = verdict.record.states[code].title
    return {"id": code, "name": "".join(one.title() for one in code.split("_")),
            "shortDescription": {"text": title},
            "help": {"text": f"`audit checks {code}` says what it means and what to do."}}


def _results(flags: Iterable[Flag], rules: list[str], broken: dict[str, str],
             levels: dict[str, str]) -> Iterable[dict[str, Any]]:
    for one in flags:
        found: dict[str, Any] = {
            "ruleId": one.check, "ruleIndex": rules.index(one.check),
            "level": levels.get(broken.get(one.check, ""), "note"),
            "message": {"text": _printable(one.evidence or f"flagged by {one.check}: "
                                                           f"{one.subject}")},
            "partialFingerprints": {_FINGERPRINT: _printable(
                f"{one.check}:{one.content or one.subject}:{one.label}")},
            "properties": {"score": one.score, "label": _printable(one.label)}}
        if one.image_id:
            found["locations"] = [{"physicalLocation": {"artifactLocation": {
                "uri": quote(one.image_id, errors="surrogateescape"), "uriBaseId": "DATASET"}}}]
        yield found


def _printable(text: str) -> str:
    """Without halves of characters, which a name that is no UTF-8 leaves and JSON cannot hold."""
    return text.encode("utf-8", "replace").decode()
