"""Render: results → what people read. Nothing is computed here that a script could want."""

from audit.render.console import print_summary
from audit.render.html import ReportData, render_report
from audit.render.training_page import render_training

__all__ = ["ReportData", "print_summary", "render_report", "render_training"]
