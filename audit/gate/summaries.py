"""The verdict for people who read a build: Markdown and annotations; and JSON for scripts."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from audit.gate.verdict import FAIL, PASS, SKIPPED, WARN
from audit.gate.words import SIGNS, counted, headline, judgement_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.gate.verdict import Judgement, Verdict

_WORDS = {PASS: "pass", WARN: "warning", FAIL: "**fail**", SKIPPED: "skipped"}


def markdown(verdict: Verdict) -> bytes:
    """A summary of a job: the verdict, what was broken, and what is well in one line."""
    lines = [f"### {SIGNS[verdict.status]} Dataset gate: {_safe(headline(verdict))}", ""]
    lines += [f"- {_safe(reason)}" for reason in verdict.reasons]
    if verdict.reasons:
        lines.append("")
    told = [one for one in verdict.judgements if one.status in {FAIL, WARN}]
    if told:
        lines += ["| | check | counted | rule | what to do |", "|---|---|---|---|---|"]
        lines += [f"| {_WORDS[one.status]} | {_cell(one.title)}{_of(one)} | {_cell(counted(one))} "
                  f"| {_cell(one.broken)} | {_cell(one.advice)} |" for one in told]
        lines.append("")
    well = [one.title for one in verdict.judgements if one.status == PASS and not one.label]
    if well:
        lines += [f"Well: {_safe(', '.join(well))}.", ""]
    skipped = [f"{one.title} ({one.broken})" for one in verdict.judgements
               if one.status == SKIPPED]
    if skipped:
        lines += [f"Not checked: {_safe('; '.join(skipped))}.", ""]
    lines += [f"- {_safe(note)}" for note in verdict.notes]
    lines += ["", f"Policy: {_safe(verdict.policy.source)}, `{verdict.policy.digest[:12]}`."
              + (f" Baseline: {_safe(verdict.baseline)}." if verdict.baseline else ""), ""]
    return "\n".join(lines).encode("utf-8", "replace")


def _of(one: Judgement) -> str:
    return f" of “{_cell(one.label)}”" if one.label else ""


def _safe(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    for sign in "\\`*_[]~#":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def _cell(text: str) -> str:
    return _safe(text).replace("|", "\\|")


def github_annotations(verdict: Verdict) -> Iterator[str]:
    """Workflow commands of GitHub: one a check, never one an image; it shows ten of a kind."""
    for reason in verdict.reasons:
        yield _command("error", "cannot certify", reason)
    by_check: dict[str, list[Judgement]] = {}
    for one in verdict.judgements:
        if one.status in {FAIL, WARN}:
            by_check.setdefault(one.check, []).append(one)
    for judged in by_check.values():
        fails = any(one.status == FAIL or verdict.fails_on_warning for one in judged)
        text = "; ".join((f'"{one.label}": ' if one.label else "") + judgement_in_words(one)
                         for one in judged[:5])
        yield _command("error" if fails else "warning", judged[0].title, text)


def _command(kind: str, title: str, text: str) -> str:
    def escape(value: str, more: str = "") -> str:
        for sign in f"%\r\n{more}":
            value = value.replace(sign, f"%{ord(sign):02X}")
        return value

    return f"::{kind} title={escape(f'audit gate: {title}', ':,')}::{escape(text)}"


def as_json(verdict: Verdict) -> dict[str, Any]:
    """All of the verdict, but for single flags."""
    return {
        "status": verdict.status, "exit_code": verdict.exit_code, "run": str(verdict.record.path),
        "dataset": verdict.record.digest, "images": len(verdict.record.image_ids),
        "policy": {"source": verdict.policy.source, "digest": verdict.policy.digest},
        "baseline": verdict.baseline or None, "reasons": list(verdict.reasons),
        "notes": list(verdict.notes),
        "checks": [{
            "check": one.check, "title": one.title, "class": one.label or None,
            "status": one.status, "broken": one.broken, "advice": one.advice,
            **({} if one.figures is None else {
                "count": one.figures.count, "total": one.figures.total, "rate": one.figures.rate,
                "rate_low": one.figures.rate_low, "rate_high": one.figures.rate_high}),
            "excused": one.excused} for one in verdict.judgements],
        "waivers": {
            "unused": [one.name for one in verdict.flags.unused],
            "expired": [one.name for one in verdict.flags.over]},
        "gone": [{"check": one.check, "label": one.label, "subject": one.subject}
                 for one in verdict.flags.gone[:1_000]]}


def dumped(verdict: Verdict) -> bytes:
    """`as_json` as bytes."""
    return (json.dumps(as_json(verdict), indent=2) + "\n").encode()
