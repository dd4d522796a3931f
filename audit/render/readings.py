"""What each plot says, in a line made from the figures it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.render.words import points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.causes import Cause


def of_curve(told: Mapping[str, Any], target: float) -> str:
    """Of the learning curve of all images or of a class: twice the images, and the target.

    Args:
        told: figures of `overall` or of one of the `classes` of the check `sufficiency`.
        target: recall that is aimed at.
    """
    doubling = told["doubling"]
    if doubling is None:
        return f"No curve can be drawn: {told['cannot_tell']}."
    change = doubling["after"] - doubling["before"]
    first = ("Twice the images are expected to bring "
             f"{points(change, doubling['low'], doubling['high'])}.")
    return f"{first} {_of_target(told, target)}"


def _of_target(told: Mapping[str, Any], target: float) -> str:
    aim = f"the target of {target:.2f}"
    if told["doubling"]["before"] >= target:
        return f"{aim.capitalize()} is reached."
    if told["more"] is None:
        return f"How many more for {aim} cannot be told: {told['cannot_tell']}."
    median, low, high = told["more"]
    end = "no end" if high is None else f"{round(high):,}"
    more = f"about {median:,} more" if median else "hardly any more"
    return f"For {aim}: {more} (90 % interval {low:,} to {end})."


def of_class_recalls(classes: Mapping[str, Mapping[str, Any]], target: float) -> str:
    """Of the recall of each class: the lowest, and how many are below the target beyond doubt."""
    name = min(classes, key=lambda one: classes[one]["recall"])
    lowest = classes[name]
    low, high = lowest["interval_90"]
    below = sum(one["interval_90"][1] < target for one in classes.values())
    return (f"Lowest: {name}, {lowest['recall']:.2f} ({low:.2f}–{high:.2f}) with "
            f"{lowest['images']:,} images. {_below(below, len(classes))} below the target of "
            f"{target:.2f} with the whole interval.")


def _below(below: int, classes: int) -> str:
    if below == 0:
        return "No class is"
    if below == classes:
        return "Every class is"
    return f"{below:,} of {classes:,} classes {'is' if below == 1 else 'are'}"


def of_gains(causes: Sequence[Cause]) -> str:
    """Of the gains of causes: the largest, and whose fix has no effect or makes it worse."""
    found = {one.title: one.gain.difference for one in causes if one.gain is not None}
    gained = {title: one for title, one in found.items() if one.low > 0}
    without = [title for title, one in found.items() if not one.is_measurable]
    worse = [title for title, one in found.items() if one.high < 0]
    parts = ["Bars: the change; lines: its 90 % interval."]
    if gained:
        title, best = max(gained.items(), key=lambda one: one[1].change)
        parts.append(f"Most is gained by seeing to “{title}”: "
                     f"{points(best.change, best.low, best.high)}.")
    if without:
        parts.append(f"No measurable effect, since the interval holds 0: {', '.join(without)}.")
    if worse:
        parts.append(f"Made worse by the fix: {', '.join(worse)}.")
    return " ".join(parts)
