"""Numbers and durations as people read them, the same in the report and on the console."""

from __future__ import annotations

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


def nothing_found(not_checked: int) -> str:
    """What to say where no check flagged anything."""
    if not_checked:
        return (f"Nothing was found in what could be checked; {not_checked} "
                f"check{' was' if not_checked == 1 else 's were'} not run, see below.")
    return "Nothing was found that would keep a network from learning from this data."


def next_step(label_images: int, sets: int) -> str:
    """What to do after reading."""
    todo = []
    if sets:
        todo.append(f"settle the {sets:,} picture{'s' if sets > 1 else ''} under two classes")
    if label_images:
        todo.append(f"look through the {label_images:,} flagged label"
                    f"{'s' if label_images > 1 else ''}, worst first (findings.csv)")
    return ", then ".join(todo) or "nothing to relabel"
