"""The questions of a run, about suspected labels, pictures under two classes, copies, bad pictures.

A question is known by the files it is about, not by their names, so that it stays answered when a
file is renamed and when the data are audited again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from audit.stored_run import StoredRun

LABEL, CONFLICT, DUPLICATES, QUALITY = "label", "conflict", "duplicates", "quality"
_CONFLICT_CHECK = "label_conflict"

EXEMPLARS = 6
"""Trusted images of a class that are shown beside it."""

LIKELY = 7
"""Further classes that have a key of their own, 3 to 9."""

KNOWN_SHARE = 0.05
"""Questions whose answer is known, of those about labels: they tell how far a reviewer is right."""

LEAST_KNOWN = 5
_DIGITS = 16
_SPREAD = 4
"""Exemplars are taken from the best so many times as many, each some way from the one before: the
very best are often copies of one another."""


@dataclass(frozen=True)
class Item:
    """One question to a reviewer.

    Attributes:
        item_id: of kind, check and files, 16 hexadecimal digits.
        kind: `label` (which class?), `conflict` (the same picture stands under two: which?),
            `duplicates` (which to keep?) or `quality` (keep it?).
        check: code of the check that asks.
        rows: of the run's images that it is about; one for labels and quality.
        sha256: of their files, in the order of `rows`; empty for a file that was not read.
        given: class in the dataset; of a conflict the first image's; empty for copies of several.
        suggested: the other class that the model finds most probable, of a conflict the other that
            the picture stands under; empty for copies and quality.
        likely: further classes, the most probable first; of labels and conflicts only.
        score: 0 to 1, low is bad.
        truth: the class it is trusted to be, of questions whose answer is known; else empty.
        is_flagged: whether a check flagged it; else it is asked about because it comes next.
    """

    item_id: str
    kind: str
    check: str
    rows: tuple[int, ...]
    sha256: tuple[str, ...]
    given: str
    suggested: str
    likely: tuple[str, ...]
    score: float
    truth: str = ""
    is_flagged: bool = True


class Catalogue:
    """All questions of a run, and the pictures that go with them."""

    def __init__(self, run: StoredRun, seed: int = 0, *, further: int = 0,
                 answered: Collection[str] = ()) -> None:
        """Lay out the questions of a run.

        Args:
            run: that was audited.
            seed: of the choice of questions whose answer is known.
            further: so many labels that were not flagged are asked about too, the worst first.
            answered: names of questions that people have answered; those about labels stay
                questions, whether they are flagged or not.
        """
        self._run = run
        images = run.images
        self.image_ids: list[str] = images["image_id"].tolist()
        self.sha256: list[str] = images["file_sha256"].tolist()
        self.classes = run.classes
        self._given = images["given_label"].to_numpy(object)
        self._score = images["label_score"].to_numpy(float)
        self._keys = [_digest("image", content or name) for content, name in
                      zip(self.sha256, self.image_ids, strict=True)]
        asked = [*self._labels(), *self._others()]
        different: dict[str, Item] = {}
        for one in (*asked, *self._known(asked, seed)):
            different.setdefault(one.item_id, one)  # two copies of a file are one question
        for one in self._further(frozenset(different), further, frozenset(answered)):
            different.setdefault(one.item_id, one)
        self.items = tuple(different.values())

    @cached_property
    def _by_id(self) -> dict[str, Item]:
        return {one.item_id: one for one in self.items}

    @cached_property
    def _row_of_key(self) -> dict[str, int]:
        return {key: row for row, key in reversed(list(enumerate(self._keys)))}

    def item(self, item_id: str) -> Item:
        """The question of that name.

        Raises:
            KeyError: there is none.
        """
        return self._by_id[item_id]

    def about_label(self, row: int) -> Item:
        """The question about the label of an image, whether it is asked or not."""
        item = self._label_item(row)
        return self._by_id.get(item.item_id, item)

    def image_key(self, row: int) -> str:
        """Opaque name of an image: of its content, 16 hexadecimal digits."""
        return self._keys[row]

    def row_of_key(self, key: str) -> int:
        """Row of an image.

        Raises:
            KeyError: there is none of that name.
        """
        return self._row_of_key[key]

    def size_of(self, row: int) -> tuple[int, int]:
        """Width and height of an image in pixels; 0 where unknown."""
        one = self._run.images.iloc[row]
        return int(one["width"]), int(one["height"])

    def exemplars(self, name: str) -> tuple[int, ...]:
        """Rows of up to `EXEMPLARS` images that are trusted to be of a class."""
        best = self._trusted.get(name, [])[:EXEMPLARS * _SPREAD]
        return tuple(best[::max(1, len(best) // EXEMPLARS)][:EXEMPLARS])

    @cached_property
    def _trusted(self) -> dict[str, list[int]]:
        """Class → rows of images that nothing was found about, the most believed label first."""
        images = self._run.images
        flags = [name for name in images.columns
                 if name.startswith("is_") and name.endswith("_issue")]
        clean = ~images[flags].fillna(value=False).to_numpy(bool).any(axis=1)
        clean &= images["status"].to_numpy(object) == "ok"
        predicted = images["predicted_label"].to_numpy(object)
        clean &= (predicted == self._given) | (predicted == "")
        found = defaultdict(list)
        rows = np.flatnonzero(clean)
        for row in rows[np.argsort(-np.nan_to_num(self._score[rows]), kind="stable")].tolist():
            found[str(self._given[row])].append(row)
        return dict(found)

    def _labels(self) -> list[Item]:
        images = self._run.images
        suspected = np.flatnonzero(images["is_label_issue"].fillna(value=False).to_numpy(bool))
        order = np.argsort(self._score[suspected], kind="stable")
        return [self._label_item(row) for row in suspected[order].tolist()]

    def _further(self, asked: Collection[str], count: int, answered: Collection[str],
                 ) -> Iterator[Item]:
        """Questions about labels that were not flagged: the worst, and those that were answered."""
        if not count and not answered:
            return
        known = np.flatnonzero(np.isfinite(self._score))
        for row in known[np.argsort(self._score[known], kind="stable")].tolist():
            name = self._name(LABEL, LABEL, (row,))
            if name not in asked and (count > 0 or name in answered):
                count -= 1
                yield replace(self._label_item(row), is_flagged=False)

    def _label_item(self, row: int, truth: str = "") -> Item:
        given = str(self._given[row])
        others = [name for name in self._ranked(row) if name != given]
        return Item(self._name(LABEL, LABEL, (row,)), LABEL, LABEL, (row,), (self.sha256[row],),
                    given, others[0] if others else "", tuple(others[1:1 + LIKELY]),
                    float(np.nan_to_num(self._score[row])), truth)

    def _ranked(self, row: int) -> Sequence[str]:
        """Classes, the most probable first; those of the data in their order where unknown."""
        probabilities = self._run.probabilities
        if probabilities is None or not np.isfinite(probabilities[row]).all():
            return self.classes
        return [self.classes[place] for place in np.argsort(-probabilities[row], kind="stable")]

    def _others(self) -> list[Item]:
        """Sets of copies and bad pictures, check by check, the worst first."""
        row_of = {name: row for row, name in enumerate(self.image_ids)}
        findings = self._run.findings
        wanted = findings[findings["is_flagged"] & findings["about"].isin(["image", "set"])
                          & (findings["check"] != LABEL)]
        found = []
        for check, about, subject, score, related in wanted[
                ["check", "about", "subject", "score", "related"]].itertuples(index=False):
            rows: tuple[int, ...] = (row_of[subject],)
            if about == "set":
                rows = (*rows, *(row_of[name] for name in json.loads(related)))
            kind = kind_of_set(check) if about == "set" else QUALITY
            if kind == CONFLICT:
                found.append(self._conflict_item(rows, float(score)))
                continue
            given = {str(self._given[row]) for row in rows}
            found.append(Item(
                self._name(kind, check, rows), kind, check, rows, self._contents(rows),
                given.pop() if len(given) == 1 else "", "", (), float(score)))
        # A picture under two classes is a set of copies too: the graver of the two asks.
        conflicts = {one.rows for one in found if one.kind == CONFLICT}
        return sorted((one for one in found if one.kind != DUPLICATES or one.rows not in conflicts),
                      key=lambda one: (one.check, one.score))

    def _conflict_item(self, rows: tuple[int, ...], score: float) -> Item:
        under = list(dict.fromkeys(str(self._given[row]) for row in rows))
        further = (name for name in (*under[2:], *self._ranked(rows[0])))
        return Item(
            self._name(CONFLICT, _CONFLICT_CHECK, rows), CONFLICT, _CONFLICT_CHECK, rows,
            self._contents(rows), under[0], under[1],
            tuple(dict.fromkeys(name for name in further if name not in under[:2]))[:LIKELY], score)

    def _contents(self, rows: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.sha256[row] for row in rows)

    def _known(self, asked: Sequence[Item], seed: int) -> list[Item]:
        """Questions about labels that are trusted, drawn from all classes alike."""
        count = sum(one.kind == LABEL for one in asked)
        if not count or len(self.classes) < 2:  # noqa: PLR2004 - there is no other class
            return []
        wanted = max(LEAST_KNOWN, ceil(KNOWN_SHARE * count))
        random = np.random.default_rng(seed)
        about = {one.item_id for one in asked}
        queues: list[NDArray[np.int64]] = [
            random.permutation(rows[:max(1, len(rows) // 2)])
            for _, rows in sorted(self._trusted.items())]
        found: list[Item] = []
        for turn in range(max((len(one) for one in queues), default=0)):
            for queue in queues:
                if turn < len(queue) and len(found) < wanted:
                    row = int(queue[turn])
                    item = self._label_item(row, str(self._given[row]))
                    if item.item_id not in about:
                        found.append(item)
        return found

    def _name(self, kind: str, check: str, rows: Sequence[int]) -> str:
        return question_name(kind, check, [self.sha256[row] or self.image_ids[row] for row in rows])


def kind_of_set(check: str) -> str:
    """Kind of the questions about sets of images that a check found."""
    return CONFLICT if check == _CONFLICT_CHECK else DUPLICATES


def question_name(kind: str, check: str, contents: Sequence[str]) -> str:
    """Name of a question: of its kind, the check and the files it is about, in any order.

    Args:
        kind: of the question.
        check: that asks.
        contents: SHA-256 of the files; the name of one that was not read.
    """
    return _digest(kind, check, *sorted(contents))


def _digest(*parts: str) -> str:
    # A name may hold bytes that are no UTF-8, which Python keeps as surrogates.
    joined = "\0".join(parts).encode("utf-8", "surrogateescape")
    return sha256(joined).hexdigest()[:_DIGITS]
