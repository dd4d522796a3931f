"""What changed since the run before of the same data, in a sentence for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from audit.errors import AuditError, in_one_line
from audit.gate.differences import compare
from audit.gate.record import read_record, record_of
from audit.places import absolute

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from audit.gate.differences import Differences
    from audit.gate.record import GateRecord
    from audit.places import Place

_CHECKS_NAMED = 6


def run_before(folder: Path, data: Place) -> GateRecord | None:
    """The finished run in a folder, if it is of the same data.

    Args:
        folder: that may hold one, or be a link to it.
        data: folder or table that is audited now.
    """
    try:
        found = read_record(folder)
    except AuditError:
        return None
    return found if found.settings.get("data") == absolute(data) else None


def since(before: GateRecord, path: Path, about: Mapping[str, Any], summary: Mapping[str, Any],
          images: pd.DataFrame, measures: pd.DataFrame, findings: pd.DataFrame) -> str:
    """What changed between a run and one that is about to be written, of these files' contents."""
    try:
        now = record_of(path, about, summary, *(
            pa.Table.from_pandas(one.reset_index(drop=True), preserve_index=False)
            for one in (images, measures, findings)))
        return in_words(compare(before, now))
    except Exception as error:  # noqa: BLE001 - an aside, for which no audit is to fail
        return f"it could not be compared ({in_one_line(error)})"


def in_words(found: Differences) -> str:
    """`12 images added, 5 relabelled; Wrong labels +3 −10`; what did not change is left out."""
    parts = [f"{count:,} {what}" for count, what in (
        (len(found.added), "added"), (len(found.removed), "removed"),
        (len(found.relabelled), "relabelled"), (found.renamed, "renamed")) if count]
    changed = [one for one in found.checks if one.has_changed]
    flags = [" ".join([one.title, *([f"+{len(one.appeared):,}"] if one.appeared else ()),
                       *([f"−{len(one.gone) + len(one.left):,}"] if one.gone or one.left else ()),
                       *([f"{one.before} → {one.after}"] if one.before != one.after else ()),
                       *([f"{len(one.worse):,} worse"] if one.worse else ())])
             for one in changed[:_CHECKS_NAMED]]
    if len(changed) > _CHECKS_NAMED:
        flags.append(f"{len(changed) - _CHECKS_NAMED} more checks")
    images = f"images: {', '.join(parts)}" if parts else "the same images"
    return f"{images}; flags: {', '.join(flags)}" if flags else f"{images}; the same flags"
