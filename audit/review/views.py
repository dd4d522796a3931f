"""Questions and progress as the page gets them: JSON that tells nothing before the answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from audit.review import agreement
from audit.review.flag_precision import flag_precision, in_words
from audit.review.items import DUPLICATES, LABEL, QUALITY, Catalogue, Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.review.queues import Queues
    from audit.review.store import Standing


class Views:
    """Writes questions for one run."""

    def __init__(self, catalogue: Catalogue, queues: Queues, titles: Mapping[str, str],
                 evidence: Mapping[str, str], *, is_blind: bool) -> None:
        """Take what is needed to write them.

        Args:
            catalogue: the questions.
            queues: the order of the two classes.
            titles: check → its title.
            evidence: item_id → what the check saw, a sentence; may lack any.
            is_blind: say only after the answer what the dataset and the model hold.
        """
        self._catalogue = catalogue
        self._queues = queues
        self._titles = titles
        self._evidence = evidence
        self._is_blind = is_blind

    def question(self, item: Item, reviewer: str) -> dict[str, Any]:
        """A question; of blind ones neither file name nor score nor which class was given."""
        keys = [self._catalogue.image_key(row) for row in item.rows]
        width, height = self._catalogue.size_of(item.rows[0])
        told: dict[str, Any] = {
            "item_id": item.item_id, "kind": item.kind, "check": item.check,
            "title": self._titles.get(item.check, item.check), "image": keys[0],
            "width": width, "height": height}
        if item.kind in {DUPLICATES, QUALITY}:
            told["evidence"] = self._evidence.get(item.item_id, "")
            told["given"] = item.given
        if item.kind == DUPLICATES:
            told["images"] = [
                {"key": key, "sha256": sha, "name": self._catalogue.image_ids[row],
                 "size": self._catalogue.size_of(row)}
                for key, sha, row in zip(keys, item.sha256, item.rows, strict=True)]
        elif item.kind != QUALITY:
            sides = self._queues.sides(item, reviewer)
            told["sides"] = sides
            told["exemplars"] = {name: [
                self._catalogue.image_key(row) for row in self._catalogue.exemplars(name)
                if row not in item.rows] for name in sides}
            told["likely"] = list(item.likely)
            if not self._is_blind:
                told |= self.revealed(item)
        return told

    def revealed(self, item: Item) -> dict[str, Any]:
        """What was kept from the reviewer."""
        return {"given": item.given, "suggested": item.suggested, "score": item.score,
                "name": self._catalogue.image_ids[item.rows[0]]}

    def session(self, reviewer: str, standing: Standing) -> dict[str, Any]:
        """What there is to do."""
        by_check: dict[str, list[Item]] = {}
        for one in self._catalogue.items:
            if not one.truth:
                by_check.setdefault(one.check, []).append(one)
        checks = [{
            "code": code, "title": self._titles.get(code, code), "kind": items[0].kind,
            "items": len(items),
            "done": sum(bool(standing.reviewers_of(one.item_id)) for one in items)}
            for code, items in sorted(by_check.items(), key=lambda pair: (
                pair[1][0].kind != LABEL, pair[0]))]
        pairs = [{"given": given, "suggested": suggested, "items": count, "done": done}
                 for given, suggested, count, done in self._queues.pairs(standing)]
        return {"reviewer": reviewer, "classes": list(self._catalogue.classes), "checks": checks,
                "pairs": pairs, "blind": self._is_blind}

    def progress(self, items: Sequence[Item], reviewer: str, standing: Standing,
                 ) -> dict[str, Any]:
        """How far a reviewer is through some questions, and how long the rest takes."""
        answers = [standing.answer_of(reviewer, one.item_id) for one in items]
        seconds = sorted(one.milliseconds / 1000 for one in answers
                         if one is not None and one.mode == "one" and one.milliseconds > 0)
        median = seconds[len(seconds) // 2] if seconds else None
        left = sum(one is None for one in answers)
        return {"answered": len(items) - left, "total": len(items), "median_seconds": median,
                "seconds_left": None if median is None else median * left}

    def agreement(self, standing: Standing) -> dict[str, Any]:
        """How far reviewers agree and are right, and what the flags are worth."""
        items = self._catalogue.items
        found = agreement.agreement([one for one in items if not one.truth], standing)
        precision = flag_precision(items, standing)
        return {
            "agreement": asdict(found) | {"by_class": {
                name: list(counts) for name, counts in found.by_class.items()}},
            "reviewers": [asdict(one) for one in agreement.reviewers(items, standing)],
            "flags": None if precision is None else in_words(precision),
            "conflicts": len(agreement.conflicts([one for one in items if not one.truth],
                                                 standing))}
