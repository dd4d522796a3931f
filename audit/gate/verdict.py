"""From the flags of a run and a policy to a verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from audit.gate.certify import reasons_against
from audit.gate.conditions import METRIC, Figures
from audit.gate.flagged import KNOWN, REVIEWED, WAIVED, Flag, Flags, excused
from audit.gate.policy import Rules
from audit.gate.waivers import today_in_utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from audit.gate.conditions import Condition
    from audit.gate.policy import Policy
    from audit.gate.record import CheckState, GateRecord
    from audit.gate.reviewed import Reviewed

PASS, WARN, FAIL, UNCERTIFIED = "pass", "warn", "fail", "uncertified"
SKIPPED = "skipped"
CLASS_SIZE = "class_size"
"""Stands for a check where a class is too small."""

FIX = "audit review RUN, then audit fix RUN --out FOLDER"
"""What to do about flagged images."""

EXIT_CODES = {PASS: 0, WARN: 0, FAIL: 1, UNCERTIFIED: 3}


@dataclass(frozen=True)
class Judgement:
    """What the policy says of one check, in all images or in one class.

    Attributes:
        check: code, or `class_size`.
        title: in words.
        label: the class; empty for all images.
        status: `pass`, `warn`, `fail` or `skipped`.
        figures: what was counted; None of what was skipped.
        excused: why flags do not count → how many.
        broken: the condition that was broken, with the figure, as in "rate_low > 0.05: it is 0.08";
            why it was skipped; else empty.
        advice: what to do.
    """

    check: str
    title: str
    label: str
    status: str
    figures: Figures | None = None
    excused: dict[str, int] = field(default_factory=dict)
    broken: str = ""
    advice: str = ""

    @property
    def name(self) -> str:
        """The check, and the class where it is about one."""
        return f'{self.check} of "{self.label}"' if self.label else self.check


@dataclass(frozen=True)
class Verdict:
    """Whether a dataset is good enough to be trained on.

    Attributes:
        record: the run.
        policy: that it was judged by.
        judgements: the worst first.
        reasons: why nothing can be certified; empty if it can.
        flags: all that was flagged.
        notes: what the reader should know beside.
        reviewed: what people answered.
        baseline: the run that findings are compared with, in words; empty if none.
        fails_on_warning: whether a warning is a violation.
    """

    record: GateRecord
    policy: Policy
    judgements: tuple[Judgement, ...]
    reasons: tuple[str, ...]
    flags: Flags
    notes: tuple[str, ...]
    reviewed: Reviewed
    baseline: str = ""
    fails_on_warning: bool = False

    @property
    def status(self) -> str:
        """`uncertified` before all, then `fail`, `warn`, `pass`."""
        if self.reasons:
            return UNCERTIFIED
        found = {one.status for one in self.judgements}
        if FAIL in found or (WARN in found and self.fails_on_warning):
            return FAIL
        return WARN if WARN in found else PASS

    @property
    def exit_code(self) -> int:
        """0 pass, 1 policy violated, 3 nothing can be certified."""
        return EXIT_CODES[self.status]

    def counting(self) -> Iterator[Flag]:
        """Flags that count."""
        return (one for one in self.flags.flags if not one.excused)


def judge(record: GateRecord, policy: Policy, reviewed: Reviewed, *,
          baseline: GateRecord | None = None, digest: str | None = None,
          fails_on_warning: bool = False, today: date | None = None) -> Verdict:
    """Judge a run.

    Args:
        record: the run.
        policy: what is good enough.
        reviewed: what people answered about its flags.
        baseline: a run whose findings do not count again.
        digest: of the data as they are now, to be compared with what was audited.
        fails_on_warning: whether a warning is a violation.
        today: the day that waivers are judged by; that of the clock, in UTC.
    """
    today = today or today_in_utc()
    flags = excused(record, reviewed, policy.waivers, today, baseline)
    judgements = sorted(
        (*_sizes(record, policy), *_checks(record, policy, reviewed, flags)),
        key=lambda one: (_ORDER.index(one.status), one.check, one.label))
    return Verdict(record, policy, tuple(judgements),
                   (*reasons_against(record, policy, digest), *(
                       f"the baseline does not fit together: {one}"
                       for one in (baseline.damage if baseline else ()))), flags,
                   tuple(_notes(record, policy, flags, today)), reviewed,
                   str(baseline.path) if baseline else "", fails_on_warning)


_ORDER = (FAIL, WARN, PASS, SKIPPED)


def _sizes(record: GateRecord, policy: Policy) -> Iterator[Judgement]:
    """Classes against the least number of images."""
    rows = record.readable & ~record.is_evaluation if len(record.given) else slice(0)
    counts = Counter(record.given[rows].tolist())
    broken = False
    for name in record.classes:
        count, sizes = counts[name], policy.class_sizes.get(name, policy.class_size)
        for status, least in ((FAIL, sizes.error_below), (WARN, sizes.warn_below)):
            if least is not None and count < least:
                broken = True
                yield Judgement(
                    CLASS_SIZE, "Images of a class", name, status,
                    Figures(count, None, policy.confidence), broken=(
                        f"fewer than {least:,}: it has {count:,}"),
                    advice="Collect more of it, merge it, or leave it out.")
                break
    if not broken and record.classes:
        yield Judgement(CLASS_SIZE, "Images of a class", "", PASS,
                        Figures(min(counts[name] for name in record.classes), None,
                                policy.confidence))


def _checks(record: GateRecord, policy: Policy, reviewed: Reviewed, flags: Flags,
            ) -> Iterator[Judgement]:
    by_check: dict[str, list[Flag]] = {}
    for one in flags.flags:
        by_check.setdefault(one.check, []).append(one)
    images = Counter(record.given.tolist())
    deviations = NormalDist().inv_cdf((1 + policy.confidence) / 2)
    for state in record.states.values():
        if state.status != "ok":
            yield Judgement(state.code, state.title, "", SKIPPED, broken=state.reason)
            continue
        found = by_check.get(state.code, [])
        share = reviewed.share(state.code, [(one.content, one.label) for one in found
                                            if one.image_id], deviations)
        rules = policy.checks.get(state.code)
        yield _judgement(state, "", rules.whole if rules else Rules(), found,
                         len(record.given) if state.is_about_images else None,
                         policy, reviewed, share)
        if rules is None:
            continue
        for name in record.classes:
            own = rules.of_class(name)
            if own.warn_if or own.error_if:
                judged = _judgement(state, name, own, [one for one in found if one.label == name],
                                    images[name] if state.is_about_images else None, policy,
                                    reviewed, share)
                if judged.status != PASS:
                    yield judged


def _judgement(state: CheckState, label: str, rules: Rules, found: Sequence[Flag],
               total: int | None, policy: Policy, reviewed: Reviewed,
               share: tuple[float, float, float] | None) -> Judgement:
    counting = [one for one in found if not one.excused]
    figures = Figures(
        len(counting), total, policy.confidence, share,
        sum(reviewed.is_real(one.check, one.content, one.label) for one in counting))
    why = Counter(one.excused for one in found if one.excused)
    for status, conditions in ((FAIL, rules.error_if), (WARN, rules.warn_if)):
        for one in conditions or ():
            value = one.value(figures, state.metrics)
            if value is not None and one.holds(value):
                return Judgement(
                    state.code, state.title, label, status, figures, dict(why),
                    f"{one}: it is {_number(one, value)}", _advice(state, counting))
    return Judgement(state.code, state.title, label, PASS, figures, dict(why))


def _number(condition: Condition, value: float) -> str:
    if condition.figure == "count":
        return f"{value:,.0f}"
    return f"{value:.4g}" if condition.figure.startswith(METRIC) else f"{value:.4f}"


def _advice(state: CheckState, counting: Sequence[Flag]) -> str:
    if state.is_about_images:
        return FIX
    return f"{counting[0].evidence}." if counting and counting[0].evidence else (
        f"audit checks {state.code} says what it is.")


_WORDS = {REVIEWED: "were reviewed and kept, and do not count", WAIVED: "are waived",
          KNOWN: "were in the baseline already, and do not count"}


def _notes(record: GateRecord, policy: Policy, flags: Flags, today: date) -> Iterator[str]:
    """What the reader should know beside the verdict."""
    for one in flags.over:
        yield (f'waiver "{one.name}" ({one.owner}) ended on {one.expires}: what it excused counts '
               "again")
    for one in flags.unused:
        ended = " and has ended" if one.is_over(today) else ""
        yield f'waiver "{one.name}" ({one.owner}) excuses nothing{ended}: it can go'
    if flags.gone:
        yield f"{len(flags.gone):,} findings of the baseline are there no more"
    changed = sorted(code for code, own in record.settings.get("thresholds", {}).items() if own)
    if changed:
        yield f"thresholds of the run were not the checks' own: {', '.join(changed)}"
    if record.settings.get("hold_out"):
        yield "images that were held out (--hold-out) were not audited"
    unknown = sorted(set(record.states) - set(policy.checks))
    if unknown:
        yield f"the policy says nothing of {', '.join(unknown)}"
    yield from _unknown_classes(record, policy)
    for why, words in _WORDS.items():
        count = sum(one.excused == why for one in flags.flags)
        if count:
            yield f"{count:,} flags {words}"


def _unknown_classes(record: GateRecord, policy: Policy) -> Iterator[str]:
    names = set(record.classes)
    named = {name for one in policy.checks.values() for name in one.classes} | set(
        policy.class_sizes) | {one.label for one in policy.waivers if one.label}
    for name in sorted(named - names):
        yield f'the policy names a class "{name}" that the data have not'
