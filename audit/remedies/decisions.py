"""What reviewers decided: read, checked against the data, and matched to images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audit import tables
from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from audit.remedies.case import Case

KEEP, RELABEL, EXCLUDE = "keep", "relabel", "exclude"
_NAMES_SHOWN = 5
_UNNAMED = "a reviewer"


@dataclass(frozen=True)
class Decision:
    """What a reviewer said of one image: `keep`, `relabel` (to `label`) or `exclude`."""

    decision: str
    label: str
    reviewer: str
    note: str
    copy_of: str = ""
    """image_id of the copy that the decision holds for, where it named a file that is there more
    than once: one picture is trained on once."""


def read_decisions(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet table of decisions, schema `tables.DECISIONS`.

    Columns that are not needed may be missing, and others may stand beside them.

    Raises:
        UsageError: the table cannot be read, or lacks a column that is needed.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
            frame = frame.astype(object).where(frame.notna(), "").map(str)
        else:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                                index_col=False)
    except (OSError, ValueError) as error:  # pandas' and Unicode's errors are ValueErrors
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"--decisions {path} cannot be read as a table ({reason}). Give a CSV in "
                         "UTF-8 or a Parquet.") from error
    if "decision" not in frame or not {"image_id", "file_sha256"} & set(frame):
        raise UsageError(f"--decisions {path} must have the columns decision and image_id or "
                         f"file_sha256. Got {','.join(map(str, frame.columns))} instead.")
    return tables.make(tables.DECISIONS, [
        {name: value for name, value in row.items() if name in tables.DECISIONS}
        for row in _records(frame)])


def match_decisions(case: Case, table: pd.DataFrame) -> dict[int, Decision]:
    """Find the images that decisions are about.

    A decision that names an image is about that image; one that names only a file is about every
    copy of it: one copy is kept or relabelled, that of an evaluation split if there is one, else
    the first, and the others go.

    Args:
        case: the run.
        table: schema `tables.DECISIONS`.

    Returns:
        Row of `case.images` → what was decided.

    Raises:
        UsageError: a decision is none, names what is not in the run, or contradicts another.
    """
    row_of = {name: row for row, name in enumerate(case.images["image_id"])}
    rows_of = {str(sha): rows.tolist() for sha, rows in
               case.images.groupby("file_sha256", sort=False).groups.items() if sha}
    found: dict[int, Decision] = {}
    for number, record in enumerate(_records(table), 1):
        where = f"decision {number}"
        decision = _decision(where, record, case.classes)
        for row in _rows(where, record, row_of, rows_of, case):
            _add(found, row, decision, case)
        if not record["image_id"] and decision.decision != EXCLUDE:
            _keep_one_copy(found, rows_of[record["file_sha256"].lower()], case)
    return found


def _records(table: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name): str(value) for name, value in row.items()}
            for row in table.to_dict("records")]


def _decision(where: str, record: Mapping[str, str], classes: tuple[str, ...]) -> Decision:
    word, label = record["decision"].strip().lower(), record["label"]
    if word not in {KEEP, RELABEL, EXCLUDE}:
        raise UsageError(f"{where} must be {KEEP}, {RELABEL} or {EXCLUDE}. "
                         f'Got "{record["decision"]}" instead.')
    if word == RELABEL and label not in classes:
        named = ", ".join(classes[:_NAMES_SHOWN * 4]) + (
            ", ..." if len(classes) > _NAMES_SHOWN * 4 else "")
        raise UsageError(f"{where} ({record['image_id'] or record['file_sha256']}) is to relabel, "
                         f'and its label must be a class of the data: {named}. Got "{label}" '
                         "instead.")
    return Decision(word, label if word == RELABEL else "", record["reviewer"] or _UNNAMED,
                    record["note"])


def _rows(where: str, record: Mapping[str, str], row_of: Mapping[str, int],
          rows_of: Mapping[str, list[int]], case: Case) -> list[int]:
    name, sha = record["image_id"], record["file_sha256"].lower()
    if name and name not in row_of:
        raise UsageError(f'{where} is about the image "{name}", which is not in the run. Give an '
                         "image_id as images.csv has it.")
    if name and sha and case.images["file_sha256"].iloc[row_of[name]] != sha:
        raise UsageError(f'{where} is about another file than "{name}" was when it was audited '
                         "(file_sha256 differs). Decide on it anew.")
    if name:
        return [row_of[name]]
    if sha not in rows_of:
        raise UsageError(f'{where} names neither an image nor a file of the run (file_sha256 '
                         f'"{sha}"). Give an image_id as images.csv has it.')
    return rows_of[sha]


def _add(found: dict[int, Decision], row: int, decision: Decision, case: Case) -> None:
    other = found.setdefault(row, decision)
    if (other.decision, other.label) != (decision.decision, decision.label):
        raise UsageError(
            f'two decisions contradict each other for "{case.images["image_id"].iloc[row]}": '
            f"{_in_words(other)} and {_in_words(decision)}. Keep one of them in the table.")


def _in_words(decision: Decision) -> str:
    label = f' as "{decision.label}"' if decision.label else ""
    return f"{decision.decision}{label} ({decision.reviewer})"


def _keep_one_copy(found: dict[int, Decision], rows: list[int], case: Case) -> None:
    """Mark all copies of a file but one as copies of that one."""
    kept = min(rows, key=lambda row: (-int(case.spared[row]), row))
    name = case.images["image_id"].iloc[kept]
    for row in rows:
        if row != kept:
            one = found[row]
            found[row] = Decision(one.decision, one.label, one.reviewer, one.note, name)
