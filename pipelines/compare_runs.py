"""`audit diff`: two runs → what appeared, what went and what got worse; text, JSON, HTML.

read both → match by what files hold → tell.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.gate.differences import as_json, compare
from audit.gate.record import read_record
from pipelines.gate_dataset import write_output

if TYPE_CHECKING:
    from rich.console import Console

    from audit.gate.differences import CheckDifference, Differences
    from audit.gate.record import GateRecord

_NAMED = 5
_SIDE = 160
"""Pixels of the longest side of pictures on the page."""


def compare_runs(before: Path, after: Path, *, json_file: Path | None = None,
                 html_file: Path | None = None) -> Differences:
    """Compare two runs, and write what was asked for.

    Raises:
        UsageError: there is no such folder.
        UnreadableRunError: one of them is no finished run.
    """
    found = compare(read_record(before), read_record(after))
    if json_file is not None:
        write_output(json_file, (json.dumps(as_json(found), indent=2) + "\n").encode())
    if html_file is not None:
        from audit.render.difference_page import render_differences  # noqa: PLC0415 - Jinja2

        told = as_json(found)
        for one in told["checks"]:
            _add_pictures(one["appeared_flags"], found.after)
            _add_pictures(one["gone_flags"], found.before)
        write_output(html_file, render_differences(told).encode("utf-8", "replace"))
    return found


def _add_pictures(flags: list[dict[str, Any]], record: GateRecord) -> None:
    """A picture for each flag that is shown, where the image is still where it was audited."""
    from audit.render.difference_page import MOST_SHOWN  # noqa: PLC0415 - Jinja2
    from audit.review.pictures import Pictures  # noqa: PLC0415 - Pillow

    data = Path(str(record.settings["data"]))
    root = data if data.is_dir() else data.parent
    shown = flags[:MOST_SHOWN]
    known = set(record.image_ids)
    pictures = Pictures([str(root / one["subject"]) for one in shown])
    for row, one in enumerate(shown):
        is_there = one["subject"] in known and (root / one["subject"]).is_file()
        found = pictures.read(row, _SIDE) if is_there else None
        one["picture"] = "" if found is None else (
            f"data:image/jpeg;base64,{base64.b64encode(found).decode()}")


def print_differences(console: Console, found: Differences) -> None:
    """Tell what changed, check by check."""
    from rich.table import Table  # noqa: PLC0415 - 30 ms
    from rich.text import Text  # noqa: PLC0415 - the same

    before, after = found.before, found.after
    console.print(Text(f"{len(before.image_ids):,} → {len(after.image_ids):,} images: "
                       f"{len(found.added):,} added, {len(found.removed):,} removed, "
                       f"{len(found.relabelled):,} relabelled, {found.renamed:,} renamed"), "")
    changed = [one for one in found.checks if one.has_changed]
    if not changed:
        console.print("Nothing that a check finds has changed.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", overflow="fold")
    for name in ("flagged", "appeared", "gone"):
        table.add_column(name, justify="right")
    table.add_column("where", overflow="fold")
    for one in changed:
        table.add_row(Text(one.title), f"{one.flagged_before:,} → {one.flagged_after:,}",
                      Text(f"+{len(one.appeared):,}", "red" if one.appeared else "dim"),
                      Text(f"−{len(one.gone) + len(one.left):,}",
                           "green" if one.gone or one.left else "dim"), Text(_where(one)))
    console.print(table)
    for one in changed:
        for flag in one.appeared[:_NAMED]:
            console.print(Text(f"+ {one.title}: {flag.subject}"
                               + (f" ({flag.evidence})" if flag.evidence else "")),
                          soft_wrap=True)
        if len(one.appeared) > _NAMED:
            console.print(Text(f"  and {len(one.appeared) - _NAMED:,} more (--json has them)",
                               "dim"))


def _where(one: CheckDifference) -> str:
    if one.before != one.after:
        return f"{one.before} → {one.after}"
    parts = [" ".join([name or "dataset", *([f"+{new}"] if new else ()),
                       *([f"−{gone}"] if gone else ())])
             for name, (new, gone) in one.by_class().items()]
    parts += [f"{flag.subject or 'dataset'} worse: {score:.2f} → {flag.score:.2f}"
              for flag, score in one.worse]
    return ", ".join(parts[:8]) + (" …" if len(parts) > 8 else "")  # noqa: PLR2004 - a line
