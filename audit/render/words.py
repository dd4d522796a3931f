"""Numbers and durations as people read them, the same in the report and on the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.causes import Cause
    from audit.types import Gain

WHAT_A_GAIN_IS = (
    "Change of the mean recall of the classes, on images whose labels are believed, by a "
    "classifier that was trained without and with the fix, with its 90 % interval.")

_MINUTE = 60
_HOUR = 3600


def duration(seconds: float) -> str:
    """`0.4 s`, `41 s`, `2 min 41 s`, `1 h 5 min`."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds the tenths matter
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def percent(share: float) -> str:
    """`0 %`, `0.04 %`, `4.7 %`."""
    value = 100 * share
    if value == 0:
        return "0 %"
    return f"{value:.2f} %" if value < 0.1 else f"{value:.1f} %"  # noqa: PLR2004


def points(change: float, low: float, high: float) -> str:
    """A change of a share and its interval: `+4.1 points (3.2 to 5.0)`."""
    return f"{100 * change:+.1f} points ({100 * low:.1f} to {100 * high:.1f})".replace("-", "−")


def gain_in_words(gain: Gain | None) -> str:
    """`+4.1 points (3.2 to 5.0)`, `no measurable effect`, `not measured`."""
    if gain is None:
        return "not measured"
    found = gain.difference
    figures = points(found.change, found.low, found.high)
    if gain.is_measurable:
        return figures
    return f"worse: {figures}" if found.high < 0 else "no measurable effect"


def headline(name: str, images: int, classes: int, seconds: float, digest: str) -> str:
    """First line of the report and of the console's summary."""
    return (f"{name} · {images:,} image{'' if images == 1 else 's'} · {classes:,} "
            f"class{'' if classes == 1 else 'es'} · audited in {duration(seconds)} · "
            f"dataset {digest[:6]}")


def trust(accuracy: float | None, model: str, largest_share: float) -> str:
    """How far the findings that rest on the model can be trusted."""
    if accuracy is None:
        return "no model was trained, so labels were not checked"
    return (f"out-of-fold accuracy {accuracy:.2f} on the labels as given, with {model} "
            f"(always naming the largest class: {largest_share:.2f})")


def verdict(causes: Sequence[Cause], not_checked: int) -> str:
    """What to say above the causes, or where there are none; empty if there is something to fix."""
    if any(not one.is_without_effect for one in causes):
        return ""
    rest = (f" {not_checked} check{' was' if not_checked == 1 else 's were'} not run, see below."
            if not_checked else "")
    if causes:
        return ("Nothing to fix in the data: what was found has no measurable effect on what is "
                f"learned.{rest}")
    return f"Nothing to fix in the data: no check found anything.{rest}"


SECONDS_A_QUESTION = 4
"""That a labeler takes for one, about."""


def next_step(label_images: int, sets: int) -> str:
    """What to do after reading."""
    todo = []
    if sets:
        todo.append(f"settle the {sets:,} picture{'s' if sets > 1 else ''} under two classes")
    if label_images:
        todo.append(f"look through the {label_images:,} flagged label"
                    f"{'s' if label_images > 1 else ''}, worst first")
    if not todo:
        return "nothing to relabel"
    minutes = max(1, round((label_images + sets) * SECONDS_A_QUESTION / 60))
    return (f"{', then '.join(todo)}: audit review RUN, about {minutes:,} "
            f"minute{'s' if minutes > 1 else ''}")
