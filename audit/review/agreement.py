"""How far reviewers agree, how far each is right, and which answer holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from audit.review.items import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from audit.review.items import Item
    from audit.review.store import Event, Standing

ADJUDICATE = "adjudicate"
UNSURE = "unsure"


def verdict_of(event: Event) -> str:
    """What an answer says of an image, for comparison: two that say the same are equal."""
    if event.answer in {"class", "keep"}:
        return f"{event.answer}:{event.label}"
    return event.answer


def settle(answers: Sequence[Event]) -> Event | None:
    """The answer to a question that holds: the adjudicator's, else the one that all give.

    Args:
        answers: to one question that stand, one a reviewer. Of the unsure nothing follows.

    Returns:
        None while nobody has answered, or while answers differ.
    """
    known = [one for one in answers if one.answer != UNSURE]
    decided = [one for one in known if one.mode == ADJUDICATE]
    if decided:
        return max(decided, key=lambda one: one.at)
    if len({verdict_of(one) for one in known}) == 1:
        return known[0]
    return None


def settled(items: Iterable[Item], standing: Standing) -> dict[str, Event]:
    """item_id → the answer that holds, of the questions that are settled."""
    found = {one.item_id: settle(standing.of_item(one.item_id)) for one in items}
    return {item_id: event for item_id, event in found.items() if event is not None}


def conflicts(items: Iterable[Item], standing: Standing) -> list[str]:
    """Questions that reviewers answer differently, and nobody has adjudicated."""
    found = []
    for one in items:
        answers = [event for event in standing.of_item(one.item_id) if event.answer != UNSURE]
        if len(answers) > 1 and settle(answers) is None:
            found.append(one.item_id)
    return found


@dataclass(frozen=True)
class Reviewer:
    """What is known of one reviewer.

    Attributes:
        answers: that stand.
        median_seconds: an answer given one by one; None where there is none.
        known: answers to questions whose answer is known.
        known_right: of these, how many were right.
    """

    name: str
    answers: int
    median_seconds: float | None
    known: int
    known_right: int


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree.

    Attributes:
        questions: answered by two or more.
        same: of these, answered alike by all.
        kappa: Cohen's of exactly two reviewers, else Fleiss'; at most 1, and 0 by chance. None
            where it is not defined: nothing was answered by two, or all answers are the same.
        by_class: given class → questions answered by two or more, and those answered alike.
    """

    questions: int
    same: int
    kappa: float | None
    by_class: Mapping[str, tuple[int, int]]


def reviewers(items: Iterable[Item], standing: Standing) -> list[Reviewer]:
    """Each reviewer, by name; answers that were imported count, but have no time."""
    truth = {one.item_id: one.truth for one in items if one.truth}
    by_name: dict[str, list[Event]] = defaultdict(list)
    for event in standing.answers():
        by_name[event.reviewer].append(event)
    found = []
    for name, events in sorted(by_name.items()):
        seconds = [one.milliseconds / 1000 for one in events
                   if one.mode == "one" and one.milliseconds > 0]
        known = [one for one in events if one.item_id in truth and one.answer != UNSURE]
        right = sum(one.answer == "class" and one.label == truth[one.item_id] for one in known)
        found.append(Reviewer(name, len(events), median(seconds) if seconds else None, len(known),
                              right))
    return found


def agreement(items: Iterable[Item], standing: Standing) -> Agreement:
    """Agreement on questions about labels that two or more have answered; the unsure do not count.

    Nor do adjudicators, who decide where others differ.
    """
    votes: list[dict[str, str]] = []
    by_class: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if item.kind != LABEL:
            continue
        vote = {one.reviewer: verdict_of(one) for one in standing.of_item(item.item_id)
                if one.answer != UNSURE and one.mode != ADJUDICATE}
        if len(vote) > 1:
            votes.append(vote)
            by_class[item.given].append(len(set(vote.values())) == 1)
    return Agreement(len(votes), sum(sum(alike) for alike in by_class.values()), _kappa(votes), {
        name: (len(alike), sum(alike)) for name, alike in sorted(by_class.items())})


def _kappa(votes: Sequence[Mapping[str, str]]) -> float | None:
    """Kappa of votes, each reviewer → verdict, of two reviewers or more.

    Cohen, "A coefficient of agreement for nominal scales", 1960, of exactly two people: chance is
    that of one answer of each. Fleiss, "Measuring nominal scale agreement among many raters",
    1971, of more, for numbers of raters that differ between questions: the agreement of a question
    is the share of its pairs of answers that are alike, and chance is that of two answers drawn
    from all.
    """
    if not votes:
        return None
    counts = [Counter(vote.values()) for vote in votes]
    observed = np.mean([sum(count * (count - 1) for count in one.values())
                        / (one.total() * (one.total() - 1)) for one in counts])
    people = sorted({name for vote in votes for name in vote})
    drawn = people if len(people) == 2 else [None, None]  # noqa: PLR2004 - Cohen's two
    first, second = (Counter(
        verdict for vote in votes for name, verdict in vote.items() if who in {None, name})
        for who in drawn)
    chance = sum(count * second[verdict] for verdict, count in first.items()) / (
        first.total() * second.total())
    return None if chance >= 1 else float((observed - chance) / (1 - chance))
