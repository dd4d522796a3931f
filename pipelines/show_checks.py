"""`audit checks`: the catalogue of checks, made from their own files."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.causes import CAUSES
from audit.registry import all_checks, find_check


def show_checks(code: str | None) -> None:
    """Print the table of all checks, or one check in full.

    Raises:
        UsageError: there is no check of that code.
    """
    console = Console()
    if code is None:
        table = Table(box=None, pad_edge=False)
        for heading in ("code", "finds", "cause"):
            table.add_column(heading, overflow="fold")
        for one in all_checks():
            table.add_row(one.meta.code, Text(one.documentation.split("\n")[0]),
                          CAUSES[one.meta.cause].title)
        console.print(table)
        console.print("\naudit checks CODE explains one.")
        return
    one = find_check(code)
    console.print(Text(f"{one.meta.code}: {one.meta.title}", style="bold"))
    console.print(Text(one.documentation))
    console.print()
    for name, threshold in one.meta.thresholds.items():
        console.print(Text(f"threshold {name} = {threshold.value:g}: {threshold.meaning} "
                           f"({threshold.source})"))
    console.print(Text(f"about: {one.meta.about}   evidence of: {CAUSES[one.meta.cause].title}"))
    console.print(Text(f"needs: {', '.join(one.meta.needs)}"))
    console.print(Text(f"fix: {one.meta.fix}"))
