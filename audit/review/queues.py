"""Which questions come next, for whom: filters, orders, and questions whose answer is known."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.review.agreement import conflicts
from audit.review.items import LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.review.items import Catalogue, Item
    from audit.review.store import Standing

ALL, CONFLICTS = "all", "conflicts"
ORDERS = ("score", "random", "pair")


@dataclass(frozen=True)
class Queue:
    """What is asked for.

    Attributes:
        name: code of a check, `all`, or `conflicts` (what reviewers answered differently).
        given: only images of this class; empty for all.
        suggested: only those for which this class is suggested; empty for all.
        order: `score` (worst first), `random` (the same for a reviewer), or `pair` (of classes).
    """

    name: str = ALL
    given: str = ""
    suggested: str = ""
    order: str = "score"


class Queues:
    """Chooses questions of a catalogue."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        """Take the questions, and the seed of all that is drawn."""
        self._catalogue = catalogue
        self._seed = seed
        self._known = [one for one in catalogue.items if one.truth]
        self._asked = [one for one in catalogue.items if not one.truth]

    def items(self, queue: Queue, reviewer: str, standing: Standing) -> list[Item]:
        """Questions of a queue in its order, answered ones too.

        Questions whose answer is known are strewn among those about labels, at places that depend
        on the seed and the reviewer.
        """
        if queue.name == CONFLICTS:
            return [self._catalogue.item(item_id)
                    for item_id in conflicts(self._asked, standing)]
        found = [one for one in self._asked if queue.name in {ALL, one.check}
                 and queue.given in {"", one.given} and queue.suggested in {"", one.suggested}]
        if queue.order == "random":
            self._random(reviewer).shuffle(found)
        elif queue.order == "pair":
            sizes = Counter((one.given, one.suggested) for one in found)
            found.sort(key=lambda one: (-sizes[one.given, one.suggested], one.given, one.suggested))
        if queue.given or queue.suggested or not any(one.kind == LABEL for one in found):
            return found
        return self._strewn(found, reviewer)

    def pairs(self, standing: Standing) -> list[tuple[str, str, int, int]]:
        """Given and suggested class, questions about labels, and answered ones; most open first."""
        total: Counter[tuple[str, str]] = Counter()
        done: Counter[tuple[str, str]] = Counter()
        for one in self._asked:
            if one.kind == LABEL:
                pair = one.given, one.suggested
                total[pair] += 1
                done[pair] += bool(standing.reviewers_of(one.item_id))
        return sorted(((*pair, count, done[pair]) for pair, count in total.items()),
                      key=lambda one: (one[3] - one[2], one[:2]))

    def open_pairs(self, reviewer: str, standing: Standing, overlap: int) -> list[tuple[str, str]]:
        """Given and suggested class of questions that a reviewer may still answer, most open first.

        Those are the ones that this one has not answered, and fewer than `overlap` others have.
        """
        left: Counter[tuple[str, str]] = Counter()
        for one in self._asked:
            if one.kind == LABEL:
                answered = standing.reviewers_of(one.item_id)
                left[one.given, one.suggested] += (reviewer not in answered
                                                   and len(answered) < overlap)
        return sorted((pair for pair, count in left.items() if count),
                      key=lambda pair: (-left[pair], pair))

    def sides(self, item: Item, reviewer: str) -> list[str]:
        """The two classes, in an order that is fixed for a question and a reviewer."""
        both = [item.given, item.suggested]
        if random.Random(f"{self._seed}\0{reviewer}\0{item.item_id}").random() < 0.5:  # noqa: PLR2004 - either way
            both.reverse()
        return [one for one in both if one]

    def _strewn(self, found: Sequence[Item], reviewer: str) -> list[Item]:
        chance = self._random(reviewer)
        places = sorted(chance.sample(range(len(found) + 1), min(len(self._known), len(found) + 1)))
        known = self._known.copy()
        chance.shuffle(known)
        mixed: list[Item] = []
        begin = 0
        for place, one in zip(places, known, strict=False):
            mixed += [*found[begin:place], one]
            begin = place
        return [*mixed, *found[begin:]]

    def _random(self, reviewer: str) -> random.Random:
        return random.Random(f"{self._seed}\0{reviewer}")
