"""The plots of training.html, each a string of SVG; empty where there is nothing to draw."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from audit.render.plots import (
    MOST_CLASSES,
    Frame,
    axes_of_rows,
    frame_of_rows,
    share_limits,
    write_above,
)
from audit.render.svg import ACCENT, INK, LINE, PAPER, SOFT, figure_of, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Histories = Sequence[Sequence[Sequence[Mapping[str, float]]]]

_PAIR_ROW = 34
"""Height of a row that holds two marks or bars, in units."""

_APART = 0.19
"""Of each of the two from the middle of the row, in rows."""

_CURVES = Frame(480, 300, left=58, top=10)
_RANGE = Frame(480, 260, left=58, top=26)

_LOGARITHMIC_FROM = 5.0
"""Highest over lowest loss, from which the first epoch would press all others to the floor."""

_NUMBERS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
"""Where a decade of losses may be marked, from many marks to few."""

_MOST_MARKS = 7
_MOST_DECADES = 6

FIGURES = {"balanced_accuracy": "mean recall of the classes", "accuracy": "accuracy"}
"""What the arms are compared by, the first first."""

_COLOURS = dict(zip(FIGURES, (ACCENT, SOFT), strict=True))


def is_known(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be shown."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value))


def gains_of_arms(arms: Sequence[Mapping[str, Any]]) -> str:
    """Change of both figures against the data as they came, with 90 % intervals, in points.

    Args:
        arms: as in training.json; the first has no `gain`.
    """
    bars = [(row, name, [arm["gain"][name][key] for key in ("points", "low", "high")])
            for row, arm in enumerate(arms[1:]) for name in FIGURES]
    bars = [bar for bar in bars if all(map(is_known, bar[2]))]
    if not bars:
        return ""
    names = [arm["what"] for arm in arms[1:]]
    frame = _frame_of_pairs(names)
    with figure_of(frame.width, frame.height) as figure:
        axes = axes_of_rows(figure, frame, names)
        for name, side in zip(FIGURES, (-_APART, _APART), strict=True):
            own = [(row + side, *told) for row, which, told in bars if which == name]
            if own:
                places, change, low, high = np.array(own).T
                axes.barh(places, change, height=0.3, color=_COLOURS[name], alpha=0.45,
                          linewidth=0)
                axes.hlines(places, low, high, color=INK, linewidth=2, gid=f"interval-{name}")
        axes.axvline(0, color=SOFT, linewidth=1.2, gid="zero")
        ends = np.array([told for _, _, told in bars])
        # Half a point at least, or intervals of next to nothing look like much.
        axes.set_xlim(min(ends.min() * 1.08, -0.5), max(ends.max() * 1.08, 0.5))
        axes.set_xlabel("change, percentage points")
        return to_svg(figure, "arms", "Change of mean recall and accuracy against the data as "
                                      "they came, by what was remedied")


def recalls_of_classes(before: Mapping[str, Mapping[str, float]],
                       after: Mapping[str, Mapping[str, float]] | None) -> str:
    """Recall of each class with its 90 % interval, before and after, `MOST_CLASSES` at most.

    Rows are those of `order_of_classes`.

    Args:
        before: class → `recall`, `low` and `high` of the first arm.
        after: the same of the last; None if there is but one arm.
    """
    names = order_of_classes(before, after)[:MOST_CLASSES]
    if not names:
        return ""
    frame = _frame_of_pairs(names) if after is not None else frame_of_rows(names, top=6)
    marks = [(before, ACCENT, "recall", 0.0)] if after is None else [
        (before, SOFT, "before", -_APART), (after, ACCENT, "after", _APART)]
    with figure_of(frame.width, frame.height) as figure:
        axes = axes_of_rows(figure, frame, names)
        rows = np.arange(len(names))
        ends = []
        for told, colour, part, side in marks:
            recall, low, high = 100 * np.array(
                [[told[name][key] for key in ("recall", "low", "high")] for name in names]).T
            axes.hlines(rows + side, low, high, color=colour, linewidth=2,
                        gid=f"interval-{part}")
            axes.plot(recall, rows + side, "o", color=colour, markersize=7, gid=part,
                      markerfacecolor=PAPER if part == "before" else colour, markeredgewidth=1.6)
            ends += [low.min(), high.max()]
        left, right = share_limits(min(ends) / 100, max(ends) / 100)
        axes.set_xlim(100 * left, 100 * right)
        axes.set_xlabel("recall, %, with its 90 % interval")
        return to_svg(figure, "recalls", "Recall of each class, before and after")


def order_of_classes(before: Mapping[str, Mapping[str, float]],
                     after: Mapping[str, Mapping[str, float]] | None) -> list[str]:
    """Classes whose recall is known.

    The `MOST_CLASSES` that changed most come first, what rose most on top; the others follow.
    Without anything to compare the lowest recall is on top.
    """
    def change(name: str) -> float:
        return 0.0 if after is None else after[name]["recall"] - before[name]["recall"]

    arms = [before] if after is None else [before, after]
    known = [name for name in before if all(
        is_known(arm.get(name, {}).get(key)) for arm in arms for key in ("recall", "low", "high"))]
    if after is None:
        return sorted(known, key=lambda name: before[name]["recall"])
    most = sorted(known, key=lambda name: -abs(change(name)))
    return [*sorted(most[:MOST_CLASSES], key=lambda name: -change(name)), *most[MOST_CLASSES:]]


def best_epoch(history: Sequence[Mapping[str, float]]) -> int | None:
    """The epoch of the lowest validation loss, from 1 on; None where none is a number."""
    known = [one for one in history if is_known(one["validation_loss"])]
    return int(min(known, key=lambda one: one["validation_loss"])["epoch"]) if known else None


def validation_losses(histories: Histories) -> str:
    """Validation loss by epoch, a line a seed, of the first arm and of the last.

    Args:
        histories: arm → seed → epochs, with `epoch` and `validation_loss`.
    """
    arms = [(histories[0], SOFT, "before"), (histories[-1], ACCENT, "after")]
    if len(histories) == 1:
        arms = [(histories[0], ACCENT, "training")]
    told = [epoch for arm, _, _ in arms for seed in arm for epoch in seed]
    losses = [one["validation_loss"] for one in told if is_known(one["validation_loss"])]
    if not losses:
        return ""
    with figure_of(_CURVES.width, _CURVES.height) as figure:
        axes = _CURVES.axes(figure)
        for arm, colour, part in arms:
            for seed in arm:
                _draw_training(axes, seed, colour, part)
        _mark_losses(axes, min(losses), max(losses))
        _mark_epochs(axes, max(int(one["epoch"]) for one in told))
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.set(xlabel="epoch", ylabel="validation loss, nats")
        return to_svg(figure, "trainings", "Validation loss by epoch, before and after")


def range_test(found: Mapping[str, Any]) -> str:
    """Loss by learning rate, and the rate recommended.

    Args:
        found: `rates`, `losses` and `recommended`; `own`, where there is one, is marked too.
    """
    known = [(rate, loss) for rate, loss in zip(found["rates"], found["losses"], strict=True)
             if is_known(rate) and is_known(loss)]
    if not known:
        return ""
    rates, losses = np.array(known).T
    recommended = found["recommended"]
    with figure_of(_RANGE.width, _RANGE.height) as figure:
        axes = _RANGE.axes(figure)
        axes.set_xscale("log")
        axes.axvline(recommended, color=SOFT, linewidth=1, gid="recommended")
        own = found.get("own") or recommended  # one of 0 has no place on this axis
        axes.plot(rates, losses, color=ACCENT, linewidth=2, gid="losses")
        if len(rates) == 1:
            axes.plot(rates, losses, "o", color=ACCENT, markersize=5, gid="only")
        low, high = min(*rates, recommended, own) / 1.15, max(*rates, recommended, own) * 1.15
        decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        if len(decades) > _MOST_DECADES:  # rates are written out, and small ones are long
            decades = decades[len(decades) % 2 == 0::2]
        axes.set_xlim(low, high)
        axes.set_xticks([10.0**one for one in decades], [plain(10.0**one) for one in decades])
        axes.set_xticks([], minor=True)
        axes.grid(axis="y", color=LINE, linewidth=1)
        axes.set_axisbelow(True)
        axes.set(xlabel="learning rate", ylabel="training loss, smoothed")
        if found.get("own"):
            axes.axvline(own, color=INK, linewidth=1.4, linestyle=(0, (4, 3)), gid="own")
            axes.annotate(f"yours {plain(own)}", (own, 0.98),
                          xycoords=axes.get_xaxis_transform(), rotation=90, va="top",
                          ha="right" if own > (low * high) ** 0.5 else "left", color=INK)
        write_above(axes, recommended, f"recommended {plain(recommended)}")
        return to_svg(figure, "range", "Training loss by learning rate, and the rate recommended")


def plain(number: float) -> str:
    """Two digits, and never as a power of ten: `0.00012`, `1`, `10`."""
    digits = max(0, 1 - math.floor(math.log10(abs(number)))) if number else 0
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _frame_of_pairs(names: Sequence[str]) -> Frame:
    """Room for rows that hold two marks each."""
    frame = frame_of_rows(names, top=6)
    return replace(frame, height=frame.top + _PAIR_ROW * len(names) + frame.bottom)


def _draw_training(axes: Axes, seed: Sequence[Mapping[str, float]], colour: str, part: str,
                   ) -> None:
    """A line of the losses of a training, with a gap where one is no number, and the best."""
    epochs = [int(one["epoch"]) for one in seed]
    losses: NDArray[np.float64] = np.array(
        [one["validation_loss"] if is_known(one["validation_loss"]) else math.nan for one in seed])
    axes.plot(epochs, losses, color=colour, linewidth=1.8, alpha=0.8, gid=part)
    best = best_epoch(seed)
    if best is not None:
        axes.plot([best], [losses[epochs.index(best)]], "o", color=colour, markersize=7,
                  markeredgecolor=PAPER, gid=f"best-{part}", zorder=3)


def _mark_losses(axes: Axes, low: float, high: float) -> None:
    """Plain numbers along the losses, on a logarithmic axis where they differ much."""
    if low <= 0 or high < _LOGARITHMIC_FROM * low:
        reach = (high - low) or max(abs(high), 0.1)
        axes.set_ylim(low - 0.08 * reach, high + 0.08 * reach)
        return
    axes.set_yscale("log")
    bottom, top = low / 1.15, high * 1.15
    axes.set_ylim(bottom, top)
    decades = range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)
    for numbers in _NUMBERS:
        marks = [number * 10.0**decade for decade in decades for number in numbers
                 if bottom <= number * 10.0**decade <= top]
        if len(marks) <= _MOST_MARKS:
            break
    axes.set_yticks(marks, [plain(mark) for mark in marks])
    axes.set_yticks([], minor=True)


def _mark_epochs(axes: Axes, last: int) -> None:
    """Whole epochs, so many that they do not touch."""
    step = next(size for decade in range(6) for size in (10**decade, 2 * 10**decade, 5 * 10**decade)
                if last / size <= 10)  # noqa: PLR2004 - ten marks fit
    marks = list(range(step, last + 1, step))
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks])
    axes.set_xlim(0.5, last + 0.5)
