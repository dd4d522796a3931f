"""Answers that were given in another tool, as events: CSV, JSON Lines, Parquet or Label Studio."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import NAMESPACE_URL, uuid5

import pandas as pd

from audit.errors import UsageError
from audit.review.items import LABEL
from audit.review.store import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from audit.review.items import Catalogue

_UNNAMED = "import"
_LABELS = ("label", "choice", "class")
"""Columns that an answer may stand in, the first that is there."""


@dataclass(frozen=True)
class _Answer:
    """One answer as a file has it; what names the image may be empty in part."""

    image_id: str
    sha256: str
    file: str
    label: str
    answer: str
    reviewer: str
    note: str


def read_answers(path: Path, catalogue: Catalogue, given: Sequence[str]) -> list[Event]:
    """Read answers and match them to images: by file, by image_id, or by the name of the file.

    The same file gives the same events, so that reading it twice adds nothing.

    Args:
        path: a CSV or Parquet table, JSON Lines, or an export of Label Studio (JSON or CSV). Of
            columns it takes `file_sha256`, `image_id` or `image` (a path or an address), `label`
            or `choice`, and `answer`, `reviewer` and `note` where they are there.
        catalogue: of the run.
        given: classes in the dataset, by row.

    Raises:
        UsageError: the file cannot be read, or an answer is about no image or class of the run.
    """
    rows_of_file: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(catalogue.image_ids):
        rows_of_file[PurePosixPath(name).name].append(row)
    row_of_id = {name: row for row, name in enumerate(catalogue.image_ids)}
    row_of_sha = {sha: row for row, sha in reversed(list(enumerate(catalogue.sha256))) if sha}
    events = []
    for number, answer in enumerate(_answers(path), 1):
        where = f"answer {number} of {path.name}"
        row = row_of_sha.get(answer.sha256, row_of_id.get(answer.image_id, -1))
        if row < 0:
            named = rows_of_file.get(answer.file, [])
            if len(named) != 1:
                name = answer.image_id or answer.file or answer.sha256
                raise UsageError(f'{where} is about "{name}", which names '
                                 f'{"no image" if not named else "several images"} of the run. '
                                 "Give file_sha256 or image_id as images.csv has it.")
            row = named[0]
        if answer.answer == "class" and answer.label not in catalogue.classes:
            raise UsageError(f'{where} must be a class of the data. Got "{answer.label}" instead.')
        item = catalogue.about_label(row)
        content = f"{item.item_id}\x00{answer.answer}\x00{answer.label}\x00{answer.reviewer}"
        events.append(Event(
            uuid=str(uuid5(NAMESPACE_URL, content.encode("utf-8", "backslashreplace").decode())),
            reviewer=answer.reviewer, item_id=item.item_id, check=item.check,
            sha256=catalogue.sha256[row], answer=answer.answer,
            label=answer.label if answer.answer == "class" else "", note=answer.note,
            milliseconds=0, mode="import", given=given[row]))
    return events


def _answers(path: Path) -> Iterable[_Answer]:
    """Answers of a file, in its order; rows without one are left out."""
    try:
        records = _records(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"--import {path} cannot be read ({reason}). Give a CSV, a Parquet, JSON "
                         "Lines or Label Studio's JSON.") from error
    found = [one for one in map(_answer, records) if one is not None]
    if not found:
        raise UsageError(f"--import {path} holds no answer. Expected a column label or choice, or "
                         "an answer, and one of file_sha256, image_id, image.")
    return found


def _records(path: Path) -> list[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        frame = pd.read_parquet(path)
        return _rows_of(frame.astype(object).where(frame.notna(), "").map(str))
    if suffix == ".jsonl":
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    elif suffix == ".json":
        records = json.loads(path.read_text("utf-8"))
    else:
        return _rows_of(pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig"))
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise ValueError("expected a list of objects")
    return [flat for one in records for flat in _flat(one)]


def _rows_of(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _flat(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows of a task of Label Studio, one an annotation; anything else is a row already."""
    data = task.get("data")
    if not isinstance(data, dict):
        return [task]
    found: list[Mapping[str, Any]] = []
    for annotation in task.get("annotations") or ():
        if annotation.get("was_cancelled"):
            continue
        by = annotation.get("completed_by", "")
        choices = [choice for one in annotation.get("result") or ()
                   if one.get("type") == "choices" for choice in one["value"]["choices"]]
        if len(choices) == 1:
            found.append({**data, "label": choices[0], "answer": "class",
                          "reviewer": by.get("email", "") if isinstance(by, dict) else str(by)})
    return found


def _answer(record: Mapping[str, Any]) -> _Answer | None:
    def text(*names: str) -> str:
        value = next((record[name] for name in names if name in record), "")
        return value if isinstance(value, str) else str(value)

    label = text(*_LABELS)
    answer = text("answer") or ("class" if label else "")
    if answer not in {"class", "both", "neither", "unsure", "exclude"}:
        return None
    if text("check") not in {"", LABEL}:  # of copies and of bad pictures
        return None
    return _Answer(text("image_id"), text("file_sha256"), _file_name(text("image", "path")), label,
                   answer, text("reviewer", "annotator") or _UNNAMED, text("note"))


def _file_name(address: str) -> str:
    """Last part of a path or of an address, as Label Studio has them."""
    parts = urlsplit(address)
    inside = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    return PurePosixPath(inside).name
