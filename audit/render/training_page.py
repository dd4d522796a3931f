"""training.html: what the remedies gained, and the network. One file, opens offline, no scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.render import training_plots as plots
from audit.render.plots import MOST_CLASSES, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.render.training_plots import Histories

_DASH = "–"
_NAME_LENGTH = 60
"""Of a class in a sentence."""

_BEFORE, _AFTER = "before", "after"
"""Classes of style of the marks of a key."""

WHAT_A_CHANGE_IS = (
    "Change of the mean recall of the classes in percentage points, with its 90 % interval. An "
    "interval that holds 0 shows no effect.")

TOO_NARROW = (
    "One training each: what another seed would change is not known, so the intervals are too "
    "narrow, and a change may be chance even where its interval does not hold 0. "
    "audit train --seeds 3 tells.")

NOTHING_TO_COMPARE = (
    "Nothing was compared: the plan changes no image, label or weight that is trained on, so the "
    "network was trained on the data as they came alone.")


def render_training(told: Mapping[str, Any], histories: Histories, code: str) -> str:
    """Render the page. Everything that comes from the data is escaped.

    Args:
        told: what training.json holds; a figure may be None.
        histories: arm → seed → epochs, with `epoch`, `training_loss`, `validation_loss` and
            `validation_accuracy`.
        code: Python that loads the network and uses it.
    """
    environment = Environment(
        loader=PackageLoader("audit.render"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    arms = told["arms"]
    recalls = _recalls(arms)
    return environment.get_template("training.html.j2").render(
        told=told, headline=_headline(told), rows=[_row(arm, told["saved"]) for arm in arms],
        warnings=_warnings(told), next_step=_next_step(told), code=code,
        trainings=_trainings(told), saved=_words_of(told["saved"], arms),
        rate=_rate(told), what_a_change_is=WHAT_A_CHANGE_IS,
        gains=_plot(plots.gains_of_arms(arms), lambda: of_gains(arms),
                    (("■", _AFTER, "mean recall of the classes"), ("■", _BEFORE, "accuracy"))),
        recalls=_plot(plots.recalls_of_classes(*recalls), lambda: of_recalls(*recalls),
                      () if recalls[1] is None else (
                          ("○", _BEFORE, arms[0]["what"]), ("●", _AFTER, _remedied(arms)))),
        recalls_left=max(0, len(plots.order_of_classes(*recalls)) - MOST_CLASSES),
        untested=[shorten(name, _NAME_LENGTH) for name in told["classes"]
                  if name not in arms[0]["recalls"]],
        losses=_plot(plots.validation_losses(histories), lambda: of_losses(arms, histories),
                     () if len(arms) == 1 else (
                         ("●", _BEFORE, arms[0]["what"]), ("●", _AFTER, _remedied(arms)))),
        range_test=None if told["range_test"] is None else _plot(
            plots.range_test(told["range_test"]), lambda: of_range_test(told["range_test"])))


def of_gains(arms: Sequence[Mapping[str, Any]]) -> str:
    """Of the change by arm: all remedies together, and which of them shows by itself."""
    recall, accuracy = (_change(arms[-1]["gain"][name]) for name in plots.FIGURES)
    parts = ["Bars: the change against the data as they came; lines: its 90 % interval.",
             f"All remedies: mean recall {recall}, accuracy {accuracy}."]
    if len(arms) > 2:  # noqa: PLR2004 - with two the step is the whole
        steps = {arm["what"]: arm["gain_of_step"]["balanced_accuracy"] for arm in arms[1:]}
        shown = {what: one for what, one in steps.items()
                 if plots.is_known(one["low"]) and plots.is_known(one["high"])
                 and (one["low"] > 0 or one["high"] < 0)}
        parts.append("Against the row above, a measurable change of the mean recall: " + ", ".join(
            f"{what} {_change(one)}" for what, one in shown.items()) + "." if shown else
            "No remedy changes the mean recall measurably against the row above.")
    return " ".join(parts)


def of_recalls(before: Mapping[str, Mapping[str, float]],
               after: Mapping[str, Mapping[str, float]] | None) -> str:
    """Of the recall of each class: how many rose and fell, and which most."""
    order = plots.order_of_classes(before, after)
    if after is None:
        name = order[0]
        one = before[name]
        return (f"Lowest: {shorten(name, _NAME_LENGTH)}, {100 * one['recall']:.0f} % "
                f"({100 * one['low']:.0f}–{100 * one['high']:.0f}).")
    change = {name: after[name]["recall"] - before[name]["recall"] for name in order}
    rose, fell = (sum(sign * one > 0 for one in change.values()) for sign in (1, -1))
    parts = [f"Higher in {rose:,} of {len(order):,} classes, lower in {fell:,}."]
    for words, pick in (("rise", max), ("fall", min)):
        name = pick(change, key=lambda one: change[one])
        if change[name] > 0 if words == "rise" else change[name] < 0:
            parts.append(f"Largest {words}: {shorten(name, _NAME_LENGTH)}, "
                         f"{_signed(100 * change[name])} points to "
                         f"{100 * after[name]['recall']:.0f} %.")
    parts.append("Where the two lines of a class overlap much, its change may be chance.")
    return " ".join(parts)


def of_losses(arms: Sequence[Mapping[str, Any]], histories: Histories) -> str:
    """Of the training curves: the best epochs, and whether more of them might bring more."""
    parts = ["A line a seed; the mark is its best epoch, whose network was kept."]
    if len(arms) > 1:
        parts.append("Each is validated with the labels it learns: compare when the curves fall "
                     "and rise, not how high they are.")
    shown = [seed for arm in {0: histories[0], len(histories) - 1: histories[-1]}.values()
             for seed in arm]
    unstopped = sum(plots.best_epoch(seed) == seed[-1]["epoch"] for seed in shown if seed)
    if unstopped:
        parts.append(f"In {unstopped} of {len(shown)} trainings the last epoch was the best: more "
                     "--epochs may bring more.")
    else:
        parts.append("No training was best at its last epoch: more epochs would bring nothing.")
    return " ".join(parts)


def of_range_test(found: Mapping[str, Any]) -> str:
    """Of the range test: where the loss is lowest, and which rate was taken."""
    known = [(loss, rate) for rate, loss in zip(found["rates"], found["losses"], strict=True)
             if plots.is_known(loss)]
    lowest = min(known)[1]
    beyond = ", the highest tried" if lowest == found["rates"][-1] else " and rises beyond"
    return (f"One update at each rate, rising. The loss is lowest at {plots.plain(lowest)}{beyond}."
            f" The networks were trained with {plots.plain(found['recommended'])} at most.")


def _plot(svg: str, reading: Any, key: Sequence[tuple[str, str, str]] = (),
          ) -> dict[str, Any] | None:
    """A plot, its key and what it says; None where nothing can be drawn.

    The SVG is trusted: `svg.to_svg` escaped the text in it.
    """
    return {"name": "", "svg": Markup(svg), "reading": reading(),  # noqa: S704
            "key": key} if svg else None


def _headline(told: Mapping[str, Any]) -> str:
    seeds, arms, classes = told["seeds"], len(told["arms"]), len(told["classes"])
    first = "Before and after" if arms > 1 else "Trained network"
    return (f"{first} · {classes:,} classes · {told['test_images']:,} test images · "
            f"{seeds * arms:,} training{'' if seeds * arms == 1 else 's'}")


def _row(arm: Mapping[str, Any], saved: str) -> dict[str, Any]:
    """A row of the table of arms."""
    repeated = arm["examples"] - arm["images"]
    return {
        "what": arm["what"], "is_saved": arm["name"] == saved,
        "images": f"{arm['images']:,}",
        "repeated": f"and {repeated:,} repeats" if repeated > 0 else "",
        "accuracy": _percent(arm["accuracy"]), "recall": _percent(arm["balanced_accuracy"]),
        "calibration": (f"{arm['calibration_error']:.3f}"
                        if plots.is_known(arm["calibration_error"]) else _DASH),
        **{name: _change(arm[name]["balanced_accuracy"], "") if name in arm else _DASH
           for name in ("gain_of_step", "gain")}}


def _percent(share: object) -> str:
    return f"{100 * share:.1f} %" if plots.is_known(share) else _DASH


def _change(one: Mapping[str, Any], unit: str = " points") -> str:
    """`+4.1 points (3.2 to 5.0)`; a dash where it is not known."""
    if not plots.is_known(one["points"]):
        return _DASH
    text = f"{_signed(one['points'])}{unit}"
    if plots.is_known(one["low"]) and plots.is_known(one["high"]):
        text += f" ({one['low']:.1f} to {one['high']:.1f})".replace("-", "−")
    return text


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _recalls(arms: Sequence[Mapping[str, Any]],
             ) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    return arms[0]["recalls"], arms[-1]["recalls"] if len(arms) > 1 else None


def _remedied(arms: Sequence[Mapping[str, Any]]) -> str:
    """The last arm in words; with two arms it is one remedy."""
    return "all remedies" if len(arms) > 2 else str(arms[-1]["what"])  # noqa: PLR2004


def _words_of(name: str, arms: Sequence[Mapping[str, Any]]) -> str:
    return next((str(arm["what"]) for arm in arms if arm["name"] == name), name)


def _is_worse(told: Mapping[str, Any]) -> bool:
    """Whether it was measured that the remedies do harm: then the first network was saved."""
    return len(told["arms"]) > 1 and told["saved"] == told["arms"][0]["name"]


def _warnings(told: Mapping[str, Any]) -> list[str]:
    """What limits the answer, said before the figures."""
    if len(told["arms"]) == 1:
        return [NOTHING_TO_COMPARE]
    found = []
    last = told["arms"][-1]["gain"]["balanced_accuracy"]
    if not told["has_helped"] and not _is_worse(told):
        text = "Nothing was gained that could be measured."
        if plots.is_known(last["low"]) and plots.is_known(last["high"]):
            reach = (last["high"] - last["low"]) / 2
            text += (f" With {told['test_images']:,} test images and these trainings a change of "
                     f"the mean recall below about {reach:.1f} points cannot be told from none.")
        found.append(text)
    if told["seeds"] == 1:
        found.append(TOO_NARROW)
    return found


def _next_step(told: Mapping[str, Any]) -> str:
    if len(told["arms"]) == 1:
        return ("report.html of the audit says what else may hold the network back, such as too "
                "few images; audit fix shows what the plan would do.")
    if _is_worse(told):
        return ("keep the data as they came, and see in the plot below which remedy lost; "
                "audit fix --decisions, --suspects weigh or --balance change the plan.")
    if told["has_helped"]:
        return "use the network; audit fix writes the data that it was trained on."
    return ("there is no need to change the data for this network; more test images and more "
            "--seeds would show smaller effects.")


def _trainings(told: Mapping[str, Any]) -> str:
    seeds = told["seeds"]
    text = f"{seeds} training{'' if seeds == 1 else 's'} of each row"
    if seeds > 1:
        text += f" ({seeds} seeds); figures are their means"
    if len(told["arms"]) > 1:
        text += ("; the same network, number of updates and "
                 f"seed{'' if seeds == 1 else 's'} in every row")
    epochs = [one for arm in told["arms"] for one in arm["epochs"]]
    few, many = min(epochs), max(epochs)
    return f"{text}; {few if few == many else f'{few} to {many}'} epochs each."


def _rate(told: Mapping[str, Any]) -> str:
    how = "as asked for" if told["range_test"] is None else "by the range test below"
    return f"{plots.plain(told['learning_rate'])} at its highest, {how}"
