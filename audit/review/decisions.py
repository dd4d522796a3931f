"""What reviewers answered, as the decisions that a plan is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import tables
from audit.review.agreement import settle
from audit.review.items import CONFLICT, DUPLICATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from audit.review.items import Catalogue, Item
    from audit.review.store import Event, Standing

KEEP, RELABEL, EXCLUDE = "keep", "relabel", "exclude"


def decisions(catalogue: Catalogue, standing: Standing, given: Sequence[str]) -> pd.DataFrame:
    """Settled answers as a table of schema `tables.DECISIONS`, one row an image, by image.

    Images are named, not files: each copy of a file has a row of its own where it was asked about.
    Where two questions were about one image, the one that excludes it holds, else the one that
    relabels it. Questions whose answer was known decide nothing.

    Args:
        catalogue: the questions of the run.
        standing: the answers.
        given: classes in the dataset, by row.
    """
    found: dict[int, dict[str, object]] = {}
    for item in catalogue.items:
        event = None if item.truth else settle(standing.of_item(item.item_id))
        if event is None:
            continue
        for row, (decision, label) in zip(item.rows, _decide(
                item, event, [given[row] for row in item.rows]), strict=False):
            record: dict[str, object] = {
                "image_id": catalogue.image_ids[row], "file_sha256": catalogue.sha256[row],
                "decision": decision, "label": label, "reviewer": event.reviewer,
                "note": _note(event)}
            if row not in found or _rank(record) > _rank(found[row]):
                found[row] = record
    return tables.make(tables.DECISIONS, [found[row] for row in sorted(
        found, key=lambda row: catalogue.image_ids[row])])


def _decide(item: Item, event: Event, given: Sequence[str]) -> list[tuple[str, str]]:
    """Decision and label of each image of a question; none where nothing follows for a plan."""
    if event.answer in {"exclude", "neither"}:
        return [(EXCLUDE, "")] * len(given)
    if item.kind == CONFLICT:
        if event.answer != "class":
            return []  # both: the rule about conflicts is left to speak
        kept = given.index(event.label) if event.label in given else 0
        return _only(kept, given, event.label)
    if item.kind == DUPLICATES:
        kept = item.sha256.index(event.label) if event.label in item.sha256 else -1
        return _only(kept, given, "") if kept >= 0 else [(KEEP, "")] * len(given)
    if event.answer == "class" and event.label != given[0]:
        return [(RELABEL, event.label)]
    return [(KEEP, "")]


def _only(kept: int, given: Sequence[str], label: str) -> list[tuple[str, str]]:
    """One image stays, under this class if one is named, and the others go."""
    decided = [(EXCLUDE, "")] * len(given)
    decided[kept] = (RELABEL, label) if label and label != given[kept] else (KEEP, "")
    return decided


def _note(event: Event) -> str:
    return event.note or ("both classes are there" if event.answer == "both" else "")


def _rank(record: dict[str, object]) -> int:
    return (KEEP, RELABEL, EXCLUDE).index(str(record["decision"]))
