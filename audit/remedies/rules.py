"""The rules of a plan, one function each: what the run says, and what is settled already → rulings.

`RULES` is their order. The first rule that speaks of an image settles it, so a rule is told what
those before it have settled and speaks of the rest only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Protocol

import numpy as np

from audit.remedies.decisions import EXCLUDE, RELABEL, Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from audit.remedies.case import Case

LEAST_IMAGES = 20
LEAST_SHARE = 0.5
"""No class falls, by its suspected labels, below the larger of so many images and this share of
what it had. Our choice: `sufficiency` judges no class by fewer than 20, and where more than half
of a class is suspected, the model may not know the class rather than the labels be wrong."""


@dataclass(frozen=True)
class Ruling:
    """What becomes of one image: action keep, relabel or drop, its label, and why."""

    action: str
    label: str
    rule: str
    reason: str
    decided_by: str = "rule"


@dataclass(frozen=True)
class Options:
    """What the rules are asked for.

    Attributes:
        decisions: row → what a reviewer decided.
        relabel_above: suspected labels are corrected if the most probable class has at least this
            posterior, in (0.5, 1]; None: never.
        class_floor: images a class keeps, in place of `LEAST_IMAGES` and `LEAST_SHARE`; None:
            these.
        weighs: suspected labels stay, and each label counts as much as it is believed.
    """

    decisions: Mapping[int, Decision] = field(default_factory=dict)
    relabel_above: float | None = None
    class_floor: int | None = None
    weighs: bool = False


class Rule(Protocol):
    """A rule: rulings by row, of rows that are not settled."""

    def __call__(self, case: Case, options: Options, settled: Mapping[int, Ruling],
                 ) -> dict[int, Ruling]:
        """Rule on images of the case."""


def rule_decisions(case: Case, options: Options, settled: Mapping[int, Ruling],
                   ) -> dict[int, Ruling]:
    """What reviewers decided holds, but for images of evaluation splits that are not to be edited.

    Those keep what they are, and the reason says so.
    """
    del settled
    given = case.images["given_label"].to_numpy()
    unreadable = (case.images["status"] == "unreadable").to_numpy()
    rulings = {}
    for row, decision in options.decisions.items():
        note = f': "{decision.note}"' if decision.note else ""
        by = decision.reviewer
        if not case.editable[row] and unreadable[row]:
            continue  # dropped by the next rule, whatever was decided: see there
        if not case.editable[row]:
            changes = decision.decision == EXCLUDE or decision.label not in {"", given[row]}
            rulings[row] = Ruling("keep", given[row], "review", (
                f"{by} decided to {decision.decision}, which is not done to evaluation splits "
                "unless asked" if changes else f"{by} decided to keep it") + note, by)
        elif decision.copy_of:
            rulings[row] = Ruling("drop", given[row], "review", (
                f"the same file as {decision.copy_of}, which {by} decided on") + note, by)
        elif decision.decision == EXCLUDE:
            rulings[row] = Ruling("drop", given[row], "review", f"{by} decided to exclude it{note}",
                                  by)
        elif decision.decision == RELABEL and decision.label != given[row]:
            rulings[row] = Ruling("relabel", decision.label, "review",
                                  f'{by} decided on "{decision.label}"{note}', by)
        else:
            rulings[row] = Ruling("keep", given[row], "review", f"{by} decided to keep it{note}",
                                  by)
    return rulings


def drop_unreadable(case: Case, options: Options, settled: Mapping[int, Ruling],
                    ) -> dict[int, Ruling]:
    """A file that gives no pixels is dropped, in evaluation splits too: nothing could load it."""
    del options
    unreadable = np.flatnonzero(case.images["status"] == "unreadable")
    given, problem = case.images["given_label"], case.images["problem"]
    return {int(row): Ruling("drop", given[row], "unreadable_file",
                             f"the file gives no pixels: {problem[row] or 'unknown problem'}")
            for row in unreadable if row not in settled}


def drop_leaks(case: Case, options: Options, settled: Mapping[int, Ruling],
               ) -> dict[int, Ruling]:
    """Copies of an image of an evaluation split are dropped from what is trained on.

    The same and nearly the same pictures, by the sets of the checks `split_leak` and
    `exact_duplicates`. Where evaluation splits may be edited, a copy in val gives way to test.
    """
    del options
    rulings: dict[int, Ruling] = {}
    present = _present(case, settled)
    for members in (*case.sets["split_leak"], *case.sets["exact_duplicates"]):
        alive = [row for row in members if row in present]
        spared = max((int(case.spared[row]) for row in alive), default=0)
        if not spared:
            continue
        kept = next(row for row in alive if case.spared[row] == spared)
        reason = f"a copy of {_name(case, kept)}, which is in the split {_split(case, kept)}"
        for row in alive:
            if case.spared[row] < spared and case.editable[row] and row not in settled:
                rulings[row] = _drop(case, row, "split_leak", reason)
    return rulings


def drop_conflicts(case: Case, options: Options, settled: Mapping[int, Ruling],
                   ) -> dict[int, Ruling]:
    """Of the same picture under two classes, both sides are dropped: nobody knows which is right.

    Unless a reviewer decided on one: those stay and the others go. Where all that is left of a
    set is of one class, since the other side was excluded, it is no conflict any more.
    """
    del options
    rulings: dict[int, Ruling] = {}
    present = _present(case, settled)
    for members in case.sets["label_conflict"]:
        alive = [row for row in members if row in present]
        decided = [row for row in alive if row in settled and settled[row].rule == "review"]
        labels = sorted({_label(case, settled, row) for row in alive})
        given = sorted({case.images["given_label"].iloc[row] for row in members})
        under = " and ".join(f'"{name}"' for name in given)
        if decided:
            reason = (f"the same picture stands under {under}, and "
                      f"{settled[decided[0]].decided_by} decided on {_name(case, decided[0])}")
        elif len(labels) > 1:
            reason = f"the same picture stands under {under}, and nobody has decided which is right"
        else:
            continue
        for row in alive:
            if case.editable[row] and row not in settled:
                rulings[row] = _drop(case, row, "label_conflict", reason)
    return rulings


def drop_duplicates(case: Case, options: Options, settled: Mapping[int, Ruling],
                    ) -> dict[int, Ruling]:
    """Of each set of identical images one is kept: the reviewer's choice, else the first by name.

    A copy of an image of an evaluation split that is there to stay is `drop_leaks`'s business.
    """
    del options
    rulings: dict[int, Ruling] = {}
    present = _present(case, settled)
    for members in case.sets["exact_duplicates"]:
        alive = [row for row in members if row in present and case.editable[row]]
        if not alive:
            continue
        decided = [row for row in alive if row in settled]
        kept = (decided or alive)[0]
        for row in alive:
            if row != kept and row not in settled:
                rulings[row] = _drop(case, row, "exact_duplicates",
                                     f"the same picture as {_name(case, kept)}, which is kept")
    return rulings


def settle_suspected_labels(case: Case, options: Options, settled: Mapping[int, Ruling],
                            ) -> dict[int, Ruling]:
    """Suspected labels are corrected where the model is sure, else dropped, the worst first.

    No class falls below its floor: what the floor saves is kept.
    """
    images = case.images
    given = images["given_label"].to_numpy()
    parts = np.where(case.spared > 0, images["split"], "")  # each split has floors of its own
    floors = _floors(zip(parts[case.editable], given[case.editable], strict=True), options)
    present = _present(case, settled)
    left = Counter((parts[row], _label(case, settled, row)) for row in present
                   if case.editable[row])
    suspected = images.index[images["is_label_issue"] & case.editable]
    rulings = {}
    for row in images.loc[suspected].sort_values("label_score", kind="stable").index:
        if row in settled:
            continue
        own = (parts[row], given[row])
        likely, sure = images["likely_label"].iloc[row], images["likely_probability"].iloc[row]
        doubt = f'"{given[row]}" has a probability of {images["label_score"].iloc[row]:.2f}'
        if options.weighs and not (_is_sure(options.relabel_above, sure) and likely != given[row]):
            rulings[row] = Ruling("keep", given[row], "label", f"{doubt}, and it counts less")
            continue
        if left[own] - 1 < floors[own]:
            rulings[row] = Ruling("keep", given[row], "label", (
                f"{doubt}, but the class would fall below its floor of {floors[own]} images"))
            continue
        left[own] -= 1
        if _is_sure(options.relabel_above, sure) and likely != given[row]:
            left[parts[row], likely] += 1
            rulings[row] = Ruling("relabel", likely, "label",
                                  f'{doubt}, "{likely}" has {sure:.2f}')
        else:
            rulings[row] = _drop(case, row, "label", doubt)
    return rulings


RULES: tuple[Rule, ...] = (rule_decisions, drop_unreadable, drop_leaks, drop_conflicts,
                           drop_duplicates, settle_suspected_labels)
"""In the order of precedence."""


def apply_rules(case: Case, options: Options) -> dict[int, Ruling]:
    """All rules, one after the other: row → the ruling of the first rule that spoke of it."""
    settled: dict[int, Ruling] = {}
    for rule in RULES:
        settled |= rule(case, options, settled)
    return settled


def _is_sure(least: float | None, probability: float) -> bool:
    return least is not None and bool(probability >= least)


def _floors(classes: Iterable[tuple[str, str]], options: Options) -> dict[tuple[str, str], int]:
    """Images that each class of each part keeps, by what it had."""
    had = Counter(classes)
    if options.class_floor is not None:
        return dict.fromkeys(had, options.class_floor)
    return {one: max(LEAST_IMAGES, ceil(count * LEAST_SHARE)) for one, count in had.items()}


def _present(case: Case, settled: Mapping[int, Ruling]) -> set[int]:
    """Rows that are not dropped so far."""
    return {row for row in range(len(case.images))
            if row not in settled or settled[row].action != "drop"}


def _label(case: Case, settled: Mapping[int, Ruling], row: int) -> str:
    return settled[row].label if row in settled else str(case.images["given_label"].iloc[row])


def _name(case: Case, row: int) -> str:
    return str(case.images["image_id"].iloc[row])


def _split(case: Case, row: int) -> str:
    return str(case.images["split"].iloc[row])


def _drop(case: Case, row: int, rule: str, reason: str) -> Ruling:
    return Ruling("drop", str(case.images["given_label"].iloc[row]), rule, reason)
