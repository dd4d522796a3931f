"""The last lines of `audit run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from audit.render.html import ReportData

from audit.render import words
from audit.render.words import headline, next_step, trust


def print_summary(console: Console, report: ReportData, path: str) -> None:
    """Print the ranked causes, what was found well, what could not be checked, and the path."""
    console.print()
    console.print(Text(headline(report.name, len(report.evidence.images),
                                len(report.evidence.classes), report.seconds, report.digest)))
    console.print()
    verdict = words.verdict(report.causes, len(report.not_checked))
    if verdict:
        console.print(Text(verdict, style="bold"))
        console.print()
    if report.causes:
        console.print(Text("Why a network may not be learning from this data", style="bold"))
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        grid.add_column(justify="right")
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_column(overflow="fold")
        grid.add_row("", "", "", Text("if fixed ¹", style="bold"))
        for rank, cause in enumerate(report.causes, 1):
            grid.add_row(str(rank), Text(cause.title), Text(cause.summary),
                         Text(words.gain_in_words(cause.gain).replace(" (", "\n(")))
        console.print(grid)
        console.print(Text(f"¹ {words.WHAT_A_GAIN_IS}", style="dim"))
    console.print()
    for note in report.notes:
        console.print(Text(f"Note: {note}"))
    lines = [("Found well", ", ".join(report.found_well) or "nothing"),
             ("Not checked", "; ".join(f"{title} ({reason})"
                                       for title, reason in report.not_checked)),
             ("How far to trust this", trust(report.accuracy, report.model, report.largest_share)),
             ("Since the run before", report.changed),
             ("Reused", f"{'; '.join(report.reused)} (--no-cache computes anew)"
              if report.reused else ""),
             ("Next", next_step(report.label_flags, report.conflicts)),
             ("Report", path)]
    summary = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    summary.add_column(style="bold", no_wrap=True)
    summary.add_column(overflow="fold")
    for name, text in lines:
        if text:
            summary.add_row(name, Text(text))
    console.print(summary)
