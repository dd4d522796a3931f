"""Render: results → what people read. Nothing is computed here that a script could want."""

from audit.render.console import print_summary
from audit.render.html import ReportData, render_report

__all__ = ["ReportData", "print_summary", "render_report"]
