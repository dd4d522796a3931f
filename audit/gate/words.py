"""A verdict in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.gate.flagged import KNOWN, REVIEWED, WAIVED
from audit.gate.verdict import CLASS_SIZE, FAIL, PASS, SKIPPED, UNCERTIFIED, WARN

if TYPE_CHECKING:
    from audit.gate.verdict import Judgement, Verdict

SIGNS = {PASS: "✓", WARN: "!", FAIL: "✗", SKIPPED: "–", UNCERTIFIED: "?"}
_EXCUSES = {REVIEWED: "kept by reviewers", WAIVED: "waived", KNOWN: "in the baseline"}


def headline(verdict: Verdict) -> str:
    """What may be done with the dataset, in one sentence."""
    about = f"{len(verdict.record.image_ids):,} images, dataset {verdict.record.digest[:12]}"
    failed = sum(one.status == FAIL or (one.status == WARN and verdict.fails_on_warning)
                 for one in verdict.judgements)
    warned = sum(one.status == WARN for one in verdict.judgements)
    if verdict.status == UNCERTIFIED:
        count = len(verdict.reasons)
        return (f"Cannot certify: {count} reason{'s' if count > 1 else ''}. Do not train on this "
                f"({about}).")
    if verdict.status == FAIL:
        return f"Fail: {failed} rule{'s are' if failed > 1 else ' is'} broken ({about})."
    if verdict.status == WARN:
        return f"Pass, with {warned} warning{'s' if warned > 1 else ''} ({about})."
    return f"Pass ({about})."


def judgement_in_words(one: Judgement) -> str:
    """What was counted and which rule was broken."""
    parts = [part for part in (counted(one), one.broken) if part]
    return "; ".join(parts) or "skipped"


def counted(one: Judgement) -> str:
    """What was counted, and what was left out."""
    if one.figures is None or (one.check == CLASS_SIZE and one.label):
        return ""
    figures = one.figures
    if one.check == CLASS_SIZE:
        return f"{figures.count:,} in the smallest"
    told = f"{figures.count:,}"
    if figures.total:
        told += (f" of {figures.total:,} ({100 * (figures.rate or 0):.1f} %, "
                 f"{100 * figures.confidence:.0f} % interval {100 * (figures.rate_low or 0):.1f} "
                 f"to {100 * (figures.rate_high or 0):.1f})")
    if figures.share is not None and figures.count:
        told += f", of which people find {100 * figures.share[0]:.0f} % real"
    left = [f"{count:,} {_EXCUSES[why]}" for why, count in sorted(one.excused.items())]
    return f"{told}; {', '.join(left)}" if left else told
