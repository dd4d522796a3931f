"""The difference of two audits as one HTML file that opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SHOWN = 50
"""Flags of a check that are named on the page; the JSON has more."""


def render_differences(told: Mapping[str, Any]) -> str:
    """Render what `audit.gate.differences.as_json` tells. Everything from the data is escaped.

    Args:
        told: with a `picture`, the address of a JPEG or empty, in each flag that is shown.
    """
    environment = Environment(
        loader=PackageLoader("audit.render"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    changed = [one for one in told["checks"]
               if one["appeared"] or one["gone"] or one["gone_with_their_image"] or one["worse"]
               or one["status"]["before"] != one["status"]["after"]]
    return environment.get_template("differences.html.j2").render(
        told=told, changed=changed, most=MOST_SHOWN)
