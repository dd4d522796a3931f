"""The plots of diagnosis.html, each a string of SVG; empty where there is nothing to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.render.plots import Frame
from audit.render.svg import ACCENT, INK, LINE, SOFT, figure_of, to_svg
from audit.render.training_plots import is_known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CURVES = Frame(480, 270, left=58, top=10)

STYLES = {"own": (INK, (0, (4, 3))), "fixed": (ACCENT, "-"), "reference": (SOFT, "-")}
"""Whose curve → colour and line."""


def recalls(name: str, trainings: Mapping[str, Mapping[str, Any] | None], chance: float) -> str:
    """Mean recall by updates of several trainings, and chance as a line.

    Args:
        name: unlike that of other plots of the page.
        trainings: key of `STYLES` → what diagnosis.json holds of a training; None is left out.
        chance: mean recall without looking.
    """
    shown = {key: [one for one in told["epochs"] if is_known(one["recall"])]
             for key, told in trainings.items() if told is not None}
    if not any(shown.values()):
        return ""
    with figure_of(_CURVES.width, _CURVES.height) as figure:
        axes = _CURVES.axes(figure)
        axes.axhline(100 * chance, color=LINE, linewidth=1.6, gid="chance")
        for key, epochs in shown.items():
            colour, line = STYLES[key]
            updates = [0, *(one["updates"] for one in epochs)]
            heights = [100 * chance, *(100 * one["recall"] for one in epochs)]
            axes.plot(updates, heights, color=colour, linestyle=line, linewidth=2, gid=key)
        axes.set_ylim(-2, 103)
        axes.set_xlim(left=0)
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.set(xlabel="updates", ylabel="mean recall, %")
        return to_svg(figure, name, "Mean recall by updates: the model as it is, with the fix, and "
                                    "the model of ours")


def losses(name: str, lines: Sequence[tuple[str, Sequence[tuple[int, float | None]]]]) -> str:
    """Loss by epoch, of the images learned from (`own`) and held out (`fixed`)."""
    known = [(key, [(epoch, one) for epoch, one in values if is_known(one)])
             for key, values in lines]
    if not any(points for _, points in known):
        return ""
    with figure_of(_CURVES.width, _CURVES.height) as figure:
        axes = _CURVES.axes(figure)
        for key, points in known:
            colour, line = STYLES[key]
            axes.plot([place for place, _ in points], [one for _, one in points], color=colour,
                      linestyle=line, linewidth=2, marker="o" if len(points) == 1 else None,
                      gid=key)
        highest = max(one for _, points in known for _, one in points)
        lowest = min(one for _, points in known for _, one in points)
        # From 0 on, or noise in the fourth digit would look like a fall.
        axes.set_ylim(min(0.0, 1.05 * lowest), 1.05 * highest or 1.0)
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", integer=True)
        axes.set(xlabel="epoch", ylabel="loss")
        return to_svg(figure, name, "Loss by epoch, of images learned from and held out")
