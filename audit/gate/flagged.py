"""Every flag of a run, with what may take it out: a reviewer, a waiver, a baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from audit.gate.record import GateRecord
    from audit.gate.reviewed import Reviewed
    from audit.gate.waivers import Waiver

WORSE = 0.05
"""Points of score by which a finding of the baseline about a class or the dataset must have fallen
to be worse. Our choice: such scores move by one or two points from one sample to the next."""

REVIEWED, WAIVED, KNOWN = "reviewed", "waived", "known"


def is_worse(now: float, before: float) -> bool:
    """Whether a score has fallen by more than `WORSE`, but for what is lost in rounding."""
    return before - now > WORSE + 1e-9


class Flag(NamedTuple):  # there may be one an image, and it is made three times as fast as a record
    """One flag.

    Attributes:
        check: its code.
        label: given class of the image, or the class that the finding is about; else empty.
        image_id: of the image; empty for a finding about a class or the dataset.
        content: SHA-256 of the file, or its name where it was not read.
        subject: what it is about, in words.
        score: 0 to 1, low is bad.
        evidence: what was seen.
        excused: why it does not count: `reviewed`, `waived`, `known`; empty where it counts.
        by: who excuses it: a reviewer, the id of a waiver.
    """

    check: str
    label: str
    image_id: str
    content: str
    subject: str
    score: float
    evidence: str
    excused: str = ""
    by: str = ""


@dataclass(frozen=True)
class Flags:
    """All flags of a run.

    Attributes:
        flags: worst first in each check.
        gone: flags of the baseline that the run no longer has.
        unused: waivers that excuse nothing.
        over: waivers that hold no more, and would excuse something.
        until: earliest day on which a waiver that was used ends; None if none was.
    """

    flags: tuple[Flag, ...]
    gone: tuple[Flag, ...] = ()
    unused: tuple[Waiver, ...] = ()
    over: tuple[Waiver, ...] = ()
    until: date | None = None


@dataclass
class _Excuses:
    """Looks for what excuses a flag, and remembers which waivers were needed."""

    reviewed: Reviewed
    waivers: Sequence[Waiver]
    today: date
    images: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    others: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)

    def of(self, flag: Flag) -> tuple[str, str]:
        by = (self.reviewed.keeper(flag.check, flag.content, flag.label) if flag.image_id
              else None)
        if by is not None:
            return REVIEWED, by
        about = [one for one in self.waivers
                 if one.covers(flag.check, flag.label, flag.image_id, flag.content)]
        for one in about:
            if not one.is_over(self.today):
                self.used.add(one.name)
                return WAIVED, one.name
        self.over.update(one.name for one in about)
        return (KNOWN, "") if self._was_there(flag) else ("", "")

    def _was_there(self, flag: Flag) -> bool:
        """Whether the baseline had it; of copies of a file it had so many, and no more.

        Several findings may have one subject, as the dataset; the worst is compared with the worst.
        """
        if not flag.image_id:
            before = self.others.get((flag.check, flag.subject), [])
            return bool(before) and not is_worse(flag.score, before.pop(0))
        key = flag.check, flag.content, flag.label
        self.images[key] -= 1
        return self.images[key] >= 0


def flags_of(record: GateRecord) -> Iterator[Flag]:
    """All flags of a run, the worst of each check first."""
    for code, rows in record.flags.items():
        scores = record.scores[code]
        for score, row in sorted(zip(scores.tolist(), rows.tolist(), strict=True)):
            image_id = record.image_ids[row]
            yield Flag(code, record.given[row], image_id, record.contents[row], image_id, score,
                       record.evidence.get((code, image_id), ""))
    for one in sorted(record.findings, key=lambda one: (one.check, one.subject, one.score)):
        state = record.states.get(one.check)  # of one that is not known nothing is certified
        if state is not None and not state.is_about_images:
            yield Flag(one.check, one.subject if one.about == "class" else "", "", "",
                       one.subject or "the dataset", one.score, one.evidence)


def unmatched(flags: Sequence[Flag], others: Sequence[Flag]) -> list[Flag]:
    """Flags that the others have not, by check, content and label; of copies, those beyond as many.

    Those about a class or the dataset are the same if their subject is.
    """
    if not flags:
        return []
    known = Counter(_key(one) for one in others)
    found = []
    for one in flags:
        key = _key(one)
        known[key] -= 1
        if known[key] < 0:
            found.append(one)
    return found


def _key(flag: Flag) -> tuple[str, str, str]:
    return ((flag.check, flag.content, flag.label) if flag.image_id
            else (flag.check, "", flag.subject))


def excused(record: GateRecord, reviewed: Reviewed, waivers: Sequence[Waiver], today: date,
            baseline: GateRecord | None = None) -> Flags:
    """The flags of a run with what excuses them.

    A flag is known if the baseline flagged a file of that content, under that label, by that
    check: whatever the file is called. One about a class or the dataset is known unless its score
    has fallen by more than `WORSE`.
    """
    excuses = _Excuses(reviewed, waivers, today)
    before = list(flags_of(baseline)) if baseline else []
    for one in before:
        if one.image_id:
            excuses.images[one.check, one.content, one.label] += 1
        else:
            excuses.others.setdefault((one.check, one.subject), []).append(one.score)
    found = []
    for flag in flags_of(record):
        why, by = excuses.of(flag)
        found.append(flag._replace(excused=why, by=by) if why else flag)
    return Flags(
        tuple(found), tuple(unmatched(before, found)),
        tuple(one for one in waivers if one.name not in excuses.used | excuses.over),
        tuple(one for one in waivers if one.name in excuses.over - excuses.used),
        min((one.expires for one in waivers if one.name in excuses.used), default=None))
