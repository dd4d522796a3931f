"""What people found of the flagged images, put into a report that was written before they looked.

The report holds two marks with nothing between; only what stands between them is replaced, so that
the rest stays what the audit wrote.
"""

from __future__ import annotations

from markupsafe import escape

BEGIN, END = "<!--reviewed-->", "<!--/reviewed-->"


def with_reviewed(page: str, words: str) -> str:
    """The report with a sentence about the review, in place of an earlier one.

    Args:
        page: HTML of `report.html`.
        words: plain text; empty to say nothing.

    Returns:
        The page as it is where it has no marks, as one of an older version.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return page
    told = f'<p class="note">Reviewed by people: {escape(words)}</p>' if words else ""
    return f"{before}{BEGIN}{told}{END}{after}"
