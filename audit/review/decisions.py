"""What reviewers answered, as the decisions that a plan is made of.

An answer is about a picture, and holds for its file: every copy follows, one that nobody was asked
about too. Where a file is there more than once the decision names the file, not an image, and
`audit.remedies.match_decisions` keeps one of the copies, that of an evaluation split first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit import tables
from audit.review.agreement import settle
from audit.review.items import CONFLICT, DUPLICATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from audit.review.items import Catalogue, Item
    from audit.review.store import Event, Standing

KEEP, RELABEL, EXCLUDE = "keep", "relabel", "exclude"


@dataclass(frozen=True)
class _Verdict:
    """What an answer says of a file: whether it stays, and its class; empty where none is named."""

    stays: bool
    label: str
    event: Event

    @property
    def rank(self) -> int:
        """Of two about one file the higher holds: what excludes it, then what names a class."""
        return 2 if not self.stays else 1 if self.label else 0


def decisions(catalogue: Catalogue, standing: Standing, given: Sequence[str]) -> pd.DataFrame:
    """Settled answers as a table of schema `tables.DECISIONS`, in the order of the images.

    The class that was given is kept, another relabels; `neither` and `exclude` exclude; `both`
    keeps, with a note. Of copies the chosen one is kept and the others are excluded. Where several
    questions were about one file, the answer that excludes it holds, else the first that names a
    class. Questions whose answer was known decide nothing.

    Args:
        catalogue: the questions of the run.
        standing: the answers.
        given: classes in the dataset, by row.
    """
    verdicts: dict[str, _Verdict] = {}
    all_stay: set[str] = set()  # files of which reviewers want every copy
    for item in catalogue.items:
        event = None if item.truth else settle(standing.of_item(item.item_id))
        if event is None:
            continue
        files = [_file(catalogue, row) for row in item.rows]
        if item.kind == DUPLICATES and event.answer == KEEP and not event.label:
            all_stay.update(files)
        for file, one in _verdicts(item, event, files, [given[row] for row in item.rows]):
            if file not in verdicts or one.rank > verdicts[file].rank:
                verdicts[file] = one
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row in range(len(given)):
        rows_of[_file(catalogue, row)].append(row)
    found: dict[int, dict[str, object]] = {}
    for file, one in verdicts.items():
        rows = rows_of[file]
        if len(rows) > 1 and file not in all_stay:
            found[rows[0]] = _record(one, {given[row] for row in rows}) | {"file_sha256": file}
        else:
            found |= {row: _record(one, {given[row]}) | {
                "image_id": catalogue.image_ids[row], "file_sha256": catalogue.sha256[row]}
                for row in rows}
    return tables.make(tables.DECISIONS, [found[row] for row in sorted(found)])


def _file(catalogue: Catalogue, row: int) -> str:
    """What copies have in common; a file that was not read has only its name."""
    return catalogue.sha256[row] or catalogue.image_ids[row]


def _verdicts(item: Item, event: Event, files: Sequence[str], given: Sequence[str],
              ) -> Iterable[tuple[str, _Verdict]]:
    """What an answer says of each file of a question; nothing where nothing follows for a plan."""
    stay, go = _Verdict(True, "", event), _Verdict(False, "", event)  # noqa: FBT003 - two fields
    if event.answer in {"exclude", "neither"}:
        return [(file, go) for file in files]
    named = _Verdict(True, event.label if event.answer == "class" else "", event)  # noqa: FBT003
    if item.kind == CONFLICT:
        if not named.label:
            return []  # both: the rule about conflicts is left to speak
        kept = files[given.index(named.label) if named.label in given else 0]
        return [(file, named if file == kept else go) for file in files]
    if item.kind == DUPLICATES:
        chosen = event.label if event.answer == KEEP and event.label in files else ""
        return [(file, stay if chosen in {"", file} else go) for file in files]
    return [(files[0], named)]


def _record(one: _Verdict, given: set[str]) -> dict[str, object]:
    """The decision on images that are given as these classes."""
    relabels = bool(one.label) and given != {one.label}
    return {"decision": EXCLUDE if not one.stays else RELABEL if relabels else KEEP,
            "label": one.label if relabels else "", "reviewer": one.event.reviewer,
            "note": one.event.note or (
                "both classes are there" if one.event.answer == "both" else "")}
