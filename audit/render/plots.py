"""The plots of the report, each a string of SVG: learning curves, recalls of classes, gains."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import numpy as np

from audit.render.svg import ACCENT, INK, LINE, PAPER, SOFT, TEXT_SIZE, figure_of, printable, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from audit.causes import Cause

MOST_CLASSES = 25
"""Rows of the plot of recalls: about a screen."""

MOST_CURVES = 6
"""Classes whose own curve is drawn: two rows of three."""

_WIDTH = 480
"""Not much more than a phone is wide, so that the text is not made small there."""

_ROW = 24
"""Height of a row of a plot with rows, in units."""

_LABEL_LENGTH = 26
_LETTER = 0.6 * TEXT_SIZE
"""Room for a letter: no more is taken up on average in the system fonts that pages are shown in."""

_FAR_RIGHT = 0.85
"""From here on what is written over a line would reach beyond the plot if it were centred."""

_STEPS = ((1, 2, 5), (1, 3), (1,))
"""Where a decade of a logarithmic axis may be marked, from many marks to few."""


@dataclass(frozen=True)
class Frame:
    """Room about the axes for their labels, in units."""

    width: float
    height: float
    left: float
    top: float
    bottom: float = 52.0
    right: float = 20.0

    @property
    def room(self) -> float:
        """Width of the axes themselves."""
        return self.width - self.left - self.right

    def axes(self, figure: Figure) -> Axes:
        """Axes that leave so much room."""
        return figure.add_axes((
            self.left / self.width, self.bottom / self.height, self.room / self.width,
            (self.height - self.bottom - self.top) / self.height))


_LARGE = Frame(_WIDTH, 320, left=58, top=26)
_PANEL = Frame(310, 215, left=58, top=26)


def learning_curve(overall: Mapping[str, Any], target: float) -> str:
    """The learning curve of all images: measured points, fitted curve, band, images, target.

    Args:
        overall: figures of all classes of the check `sufficiency`, with `measured` and `curve`.
        target: recall that is aimed at, a line.
    """
    with figure_of(_LARGE.width, _LARGE.height) as figure:
        axes = _LARGE.axes(figure)
        _draw_curve(axes, overall, target, _LARGE)
        _name_target(axes, overall, target)
        axes.set_ylim(*_recall_limits([overall], target))
        axes.set(xlabel="images learned from", ylabel="mean recall of the classes")
        return to_svg(figure, "curve", "Learning curve: mean recall of the classes by the number "
                                       "of images learned from")


def class_curves(classes: Mapping[str, Mapping[str, Any]], target: float) -> dict[str, str]:
    """The learning curve of each of the worst classes, worst first, all of one recall axis.

    Args:
        classes: figures of classes; those without `curve` are passed over.
        target: recall that is aimed at, a line.

    Returns:
        Class → SVG, `MOST_CURVES` at most.
    """
    shown = [name for name in worst_first(classes) if "curve" in classes[name]][:MOST_CURVES]
    limits = _recall_limits([classes[name] for name in shown], target)
    plots = {}
    for number, name in enumerate(shown):
        with figure_of(_PANEL.width, _PANEL.height) as figure:
            axes = _PANEL.axes(figure)
            _draw_curve(axes, classes[name], target, _PANEL)
            axes.set_ylim(*limits)
            axes.set(xlabel="images of the class", ylabel="recall")
            plots[name] = to_svg(figure, f"curve{number}",
                                 f"Learning curve of {name}: recall by the number of its images")
    return plots


def class_recalls(classes: Mapping[str, Mapping[str, Any]], target: float) -> str:
    """The recall of each class with its 90 % interval, worst on top, `MOST_CLASSES` at most.

    Args:
        classes: figures of classes with `recall` and `interval_90`.
        target: recall that is aimed at, a line.
    """
    names = worst_first(classes)[:MOST_CLASSES]
    recalls = np.array([classes[name]["recall"] for name in names])
    low, high = np.array([classes[name]["interval_90"] for name in names]).T
    frame = frame_of_rows(names, top=26)
    with figure_of(frame.width, frame.height) as figure:
        axes = axes_of_rows(figure, frame, names)
        axes.axvline(target, color=SOFT, linewidth=1, gid="target")
        rows = np.arange(len(names))
        _whiskers(axes, rows, low, high, ACCENT)
        axes.plot(recalls, rows, "o", color=ACCENT, markersize=7, gid="recall")
        axes.set_xlim(*share_limits(min(low.min(), target), max(high.max(), target)))
        axes.set_xlabel("recall, with its 90 % interval")
        write_above(axes, target, f"target {target:.2f}")
        return to_svg(figure, "recalls", "Recall of each class with its 90 % interval")


def gains_of_causes(causes: Sequence[Cause]) -> str:
    """What fixing each cause gains, in points with the 90 % interval, in the order given.

    Causes whose gain was not measured are left out; empty where that are all of them.
    """
    found = {one.title: one.gain.difference for one in causes if one.gain is not None}
    if not found:
        return ""
    names = list(found)
    change, low, high = (100 * np.array([(one.change, one.low, one.high)
                                         for one in found.values()])).T
    frame = frame_of_rows(names, top=6)
    with figure_of(frame.width, frame.height) as figure:
        axes = axes_of_rows(figure, frame, names)
        rows = np.arange(len(names))
        axes.barh(rows, change, height=0.55, color=ACCENT, alpha=0.45, linewidth=0)
        _whiskers(axes, rows, low, high, INK)
        axes.axvline(0, color=SOFT, linewidth=1.2, gid="zero")
        # Half a point at least, or intervals of next to nothing look like much.
        axes.set_xlim(min(low.min() * 1.08, -0.5), max(high.max() * 1.08, 0.5))
        axes.set_xlabel("change of mean recall if fixed, percentage points")
        return to_svg(figure, "gains", "Change of mean recall by the fix of each cause")


def worst_first(classes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of classes, that of the lowest recall first."""
    return sorted(classes, key=lambda name: (classes[name]["recall"], name))


def shorten(name: str, most: int = _LABEL_LENGTH) -> str:
    """The name in one line; the middle of a long one left out, since either end may tell."""
    name = printable(name)
    if _breadth(name) <= most:
        return name
    head, tail = name, name[len(name) // 2:]
    while _breadth(head) > most / 2:
        head = head[:-1]
    while _breadth(tail) > most / 2 - 1:
        tail = tail[1:]
    return f"{head}…{tail}"


def _breadth(text: str) -> int:
    """Letters that would take as much room; those of Chinese and the like take that of two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _draw_curve(axes: Axes, told: Mapping[str, Any], target: float, frame: Frame) -> None:
    """Points, curve, band, target and the images there are; the size axis is set."""
    images = told["images"]
    measured, curve = np.array(told["measured"]), np.array(told["curve"])
    known, beyond = _split(curve, images)
    axes.set_xscale("log")
    axes.fill_between(curve[:, 0], curve[:, 2], curve[:, 3], color=ACCENT, alpha=0.16,
                      linewidth=0, gid="band")
    axes.axhline(target, color=SOFT, linewidth=1, gid="target")
    axes.axvline(images, color=SOFT, linewidth=1, gid="images")
    axes.plot(known[:, 0], known[:, 1], color=ACCENT, linewidth=2, gid="known")
    axes.plot(beyond[:, 0], beyond[:, 1], color=ACCENT, linewidth=2, linestyle=(0, (4, 2.5)),
              gid="beyond")
    axes.plot(measured[:, 0], measured[:, 1], "o", color=INK, markersize=5.5,
              markeredgecolor=PAPER, gid="measured")
    low, high = curve[0, 0] * 0.9, curve[-1, 0] * 1.05
    ticks = _plain_ticks(low, high, frame)
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xticks([], minor=True)
    write_above(axes, images, f"{images:,} images")


def _name_target(axes: Axes, told: Mapping[str, Any], target: float) -> None:
    """Name the line of the target at the end from which the curve is farther away."""
    first, last = told["curve"][0][1], told["curve"][-1][1]
    is_left = abs(first - target) >= abs(last - target)
    is_above = target >= (first if is_left else last)
    axes.annotate(
        f"target {target:.2f}", (0 if is_left else 1, target), xycoords=axes.get_yaxis_transform(),
        xytext=(5 if is_left else -5, 5 if is_above else -5), textcoords="offset points",
        ha="left" if is_left else "right", va="bottom" if is_above else "top", color=SOFT)


def _split(curve: NDArray[np.float64], images: float,
           ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve up to the images there are and from there on; both hold the point between."""
    before = curve[curve[:, 0] < images]
    after = curve[curve[:, 0] > images]
    steps = np.log(curve[:, 0])
    here = np.array([[images, *(np.interp(math.log(images), steps, column)
                                for column in curve[:, 1:].T)]])
    return np.concatenate([before, here]), np.concatenate([here, after])


def _plain_ticks(low: float, high: float, frame: Frame) -> list[int]:
    """Round numbers between the ends of a logarithmic axis whose names have room."""
    decades = range(max(0, math.floor(math.log10(low))), math.ceil(math.log10(high)) + 1)
    ticks: list[int] = []
    for steps in _STEPS:
        ticks = [step * 10**decade for decade in decades for step in steps
                 if low <= step * 10**decade <= high]
        places = frame.room * np.log(np.array(ticks) / low) / math.log(high / low)
        breadths = _LETTER * np.array([len(f"{tick:,}") for tick in ticks])
        ticks = [tick for tick, end in zip(ticks, places + breadths / 2, strict=True)
                 if end <= frame.room + frame.right]
        if (np.diff(places) >= (breadths[1:] + breadths[:-1]) / 2 + _LETTER).all():
            break
    return ticks


def _recall_limits(told: Sequence[Mapping[str, Any]], target: float) -> tuple[float, float]:
    """Ends of a recall axis that holds all points and bands and the target."""
    values = [target]
    for one in told:
        values += [row[1] for row in one["measured"]]
        values += [value for row in one["curve"] for value in row[2:]]
    return share_limits(min(values), max(values))


def share_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis of shares, multiples of 0.1 and at least 0.2 apart, with a bit of air."""
    low = math.floor(10 * low - 1e-9) / 10
    high = math.ceil(10 * high + 1e-9) / 10
    return max(0.0, min(low, high - 0.2)) - 0.01, min(1.0, high) + 0.02


def frame_of_rows(names: Sequence[str], top: float) -> Frame:
    """Room for rows of which the longest name fits on the left."""
    longest = max(_breadth(shorten(name)) for name in names)
    frame = Frame(_WIDTH, 0, left=_LETTER * longest + 16, top=top)
    return replace(frame, height=frame.top + _ROW * len(names) + frame.bottom)


def axes_of_rows(figure: Figure, frame: Frame, names: Sequence[str]) -> Axes:
    """Axes with a named row each, the first on top, and a fine line along it."""
    axes = frame.axes(figure)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [shorten(name) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LINE, linewidth=1)
    axes.set_axisbelow(True)
    return axes


def _whiskers(axes: Axes, rows: NDArray[np.int64], low: NDArray[np.float64],
              high: NDArray[np.float64], colour: str) -> None:
    axes.hlines(rows, low, high, color=colour, linewidth=2, gid="interval")


def write_above(axes: Axes, at: float, text: str) -> None:
    """Write at the upper end of a vertical line, turned inwards where there is no room."""
    place = axes.transAxes.inverted().transform(axes.transData.transform((at, 0)))[0]
    ha = "right" if place > _FAR_RIGHT else "center"
    axes.annotate(text, (at, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 4),
                  textcoords="offset points", ha=ha, va="bottom", color=SOFT)
