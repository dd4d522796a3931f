"""What changed between two audits, by check and class; images are known by what they hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.gate.flagged import Flag, flags_of, is_worse, unmatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audit.gate.record import GateRecord


@dataclass(frozen=True)
class CheckDifference:
    """One check in two audits.

    Attributes:
        code: of the check.
        title: of the check.
        before: its status, `missing` where the audit does not know it.
        after: the same.
        flagged_before: flags.
        flagged_after: flags.
        appeared: flags that were not there.
        gone: flags that are there no more, though their image is.
        left: flags that are there no more, as their image is not.
        worse: findings about a class or the dataset whose score fell (see `is_worse`), with
            the score before.
    """

    code: str
    title: str
    before: str
    after: str
    flagged_before: int
    flagged_after: int
    appeared: tuple[Flag, ...]
    gone: tuple[Flag, ...]
    left: tuple[Flag, ...]
    worse: tuple[tuple[Flag, float], ...]

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.appeared or self.gone or self.left or self.worse
                    or self.before != self.after)

    def by_class(self) -> dict[str, tuple[int, int]]:
        """Class → flags that appeared, and that went; of classes where any did."""
        appeared = Counter(one.label for one in self.appeared)
        went = Counter(one.label for one in (*self.gone, *self.left))
        return {name: (appeared[name], went[name]) for name in sorted(set(appeared) | set(went))}


@dataclass(frozen=True)
class Differences:
    """What changed between two audits.

    Attributes:
        before: the first run.
        after: the second run.
        added: images, by name, whose content the first did not have.
        removed: images, by name, whose content the second has not.
        relabelled: image, label before and after.
        renamed: number of images of the same content and label under another name.
        checks: all checks that either knows, by code.
    """

    before: GateRecord
    after: GateRecord
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[tuple[str, str, str], ...]
    renamed: int
    checks: tuple[CheckDifference, ...]


def compare(before: GateRecord, after: GateRecord) -> Differences:
    """Compare two audits.

    An image is the same if its file is: of copies each is one. A flag is the same if its check,
    its image and the given label are; one about a class or the dataset if its check and subject
    are.
    """
    old, new = _places(before), _places(after)
    added, removed, relabelled, renamed = [], [], [], 0
    for content in old.keys() | new.keys():
        pairs, went, came = _paired(old.get(content, []), new.get(content, []))
        for (name_before, label_before), (name, label) in pairs:
            if label_before != label:
                relabelled.append((name, label_before, label))
            renamed += label_before == label and name_before != name
        removed += [name for name, _ in went]
        added += [name for name, _ in came]
    flags_before, flags_after = _by_check(flags_of(before)), _by_check(flags_of(after))
    codes = sorted({*before.states, *after.states})
    checks = tuple(_check(code, before, after, flags_before.get(code, []),
                          flags_after.get(code, []), set(new)) for code in codes)
    return Differences(before, after, tuple(sorted(added)), tuple(sorted(removed)),
                       tuple(sorted(relabelled)), renamed, checks)


def _places(record: GateRecord) -> dict[str, list[tuple[str, str]]]:
    """Content → name and label of each copy; those of one label together, then by name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for content, name, label in sorted(zip(
            record.contents.tolist(), record.image_ids.tolist(), record.given.tolist(),
            strict=True), key=lambda one: (one[0], one[2], one[1])):
        found.setdefault(content, []).append((name, label))
    return found


Place = tuple[str, str]


def _paired(was: Sequence[Place], now: Sequence[Place],
            ) -> tuple[list[tuple[Place, Place]], list[Place], list[Place]]:
    """Copies of a file before and after: which is which, which went, which came.

    Those of one name and label are the same; then those of one name, as relabelled ones are; then
    those of one label, as renamed ones are; then whichever are left.
    """
    rests = list(was), list(now)
    pairs = []
    for same in (lambda one: one, lambda one: one[0], lambda one: one[1], lambda _: ("",)):
        for one in list(rests[0]):
            found = next((other for other in rests[1] if same(other) == same(one)), None)
            if found is not None:
                pairs.append((one, found))
                rests[0].remove(one)
                rests[1].remove(found)
    return pairs, *rests


def _by_check(flags: Iterable[Flag]) -> dict[str, list[Flag]]:
    found: dict[str, list[Flag]] = {}
    for one in flags:
        found.setdefault(one.check, []).append(one)
    return found


def _check(code: str, before: GateRecord, after: GateRecord, old: Sequence[Flag],
           new: Sequence[Flag], contents: set[str]) -> CheckDifference:
    states = [record.states.get(code) for record in (before, after)]
    status = [state.status if state else "missing" for state in states]
    title = next(state.title for state in reversed(states) if state)
    appeared, went = unmatched(new, old), unmatched(old, new)
    if status != ["ok", "ok"]:  # what did not run has found nothing, which is no change
        appeared = appeared if status[1] == "ok" and status[0] == "ok" else []
        went = []
    scores: dict[str, list[float]] = {}
    for one in old:
        if not one.image_id:
            scores.setdefault(one.subject, []).append(one.score)
    pairs = [(one, scores[one.subject].pop(0)) for one in new
             if not one.image_id and scores.get(one.subject)]
    worse = tuple((one, score) for one, score in pairs if is_worse(one.score, score))
    return CheckDifference(
        code, title, status[0], status[1], len(old), len(new), tuple(appeared),
        tuple(one for one in went if not one.image_id or one.content in contents),
        tuple(one for one in went if one.image_id and one.content not in contents), worse)


MOST_NAMED = 1_000
"""Of images that are named in the JSON of one check, or of the dataset."""


def as_json(found: Differences) -> dict[str, Any]:
    """All of it, for scripts."""
    def named(flags: Sequence[Flag]) -> list[dict[str, str | float]]:
        return [{"subject": one.subject, "class": one.label, "score": one.score,
                 "evidence": one.evidence} for one in flags[:MOST_NAMED]]

    return {
        "before": {"run": str(found.before.path), "dataset": found.before.digest,
                   "images": len(found.before.image_ids)},
        "after": {"run": str(found.after.path), "dataset": found.after.digest,
                  "images": len(found.after.image_ids)},
        "images": {
            "added": len(found.added), "removed": len(found.removed), "renamed": found.renamed,
            "relabelled": len(found.relabelled),
            "added_names": list(found.added[:MOST_NAMED]),
            "removed_names": list(found.removed[:MOST_NAMED]),
            "relabelled_names": [{"image": name, "before": one, "after": other}
                                 for name, one, other in found.relabelled[:MOST_NAMED]]},
        "checks": [{
            "check": one.code, "title": one.title,
            "status": {"before": one.before, "after": one.after},
            "flagged": {"before": one.flagged_before, "after": one.flagged_after},
            "appeared": len(one.appeared), "gone": len(one.gone),
            "gone_with_their_image": len(one.left),
            "classes": {name: {"appeared": new, "gone": gone}
                        for name, (new, gone) in one.by_class().items()},
            "worse": [{"subject": flag.subject, "before": score, "after": flag.score,
                       "evidence": flag.evidence} for flag, score in one.worse],
            "appeared_flags": named(one.appeared), "gone_flags": named(one.gone),
        } for one in found.checks]}
