"""diagnosis.html: is it the data or is it the model? One file, opens offline, no scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.render import diagnosis_plots as plots
from audit.render.training_plots import is_known, plain, range_test

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AS_IT_IS = ("╍", "own", "as it is")
_FIXED = ("━", "fixed", "with the fix")
_OURS = ("━", "reference", "a model of ours")
_LEARNED = ("╍", "own", "images learned from")
_HELD_OUT = ("━", "fixed", "held-out images")
_DASH = "–"

BLAMES = {"data": "The data", "model": "The model", "settings": "The training settings",
          "several": "Data and model", "nothing": "Nothing found"}


def render_diagnosis(told: Mapping[str, Any]) -> str:
    """Render the page. Everything that comes from the data or the model is escaped.

    Args:
        told: what diagnosis.json holds.
    """
    environment = Environment(
        loader=PackageLoader("audit.render"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"thousands": lambda number: f"{number:,}", "percent": _percent,
                            "figure": _figure}
    return environment.get_template("diagnosis.html.j2").render(
        told=told, blame=BLAMES[told["blame"]], causes=[_cause(place, told) for place in
                                                       range(len(told["causes"]))],
        healthy=_plot(plots.recalls("healthy", {"own": told["as_it_is"],
                                                "reference": told["reference"]},
                                    told["images"]["chance"]),
                      of_recalls(told), (_AS_IT_IS, _OURS)),
        training=_losses("training", told["as_it_is"]["epochs"]),
        history=None if told["history"] is None else _history(told["history"]),
        rates=None if told["learning_rates"] is None else _plot(
            range_test(told["learning_rates"]), of_rates(told["learning_rates"])),
        swap=_swap(told), one_batch=of_one_batch(told["one_batch"]), steps=_steps(told))


def of_recalls(told: Mapping[str, Any]) -> str:
    """Of the two curves: where they end."""
    return (f"The model ends at {_percent(told['as_it_is']['recall'])}, a small convolutional "
            f"network of ours at {_percent(told['reference']['recall'])}, on the same "
            f"{told['images']['judged']:,} images that neither learned from; chance is "
            f"{_percent(told['images']['chance'])}.")


def of_rates(found: Mapping[str, Any]) -> str:
    """Of the range test: where the user's rate lies."""
    ratio = found["own"] / found["recommended"] if found["recommended"] else float("nan")
    where = ("near the rate recommended" if 1 / 5 <= ratio <= 5 else  # noqa: PLR2004 - half a decade
             f"{plain(ratio)} times the rate recommended" if ratio > 1 else
             f"{plain(1 / ratio)} times below the rate recommended" if ratio > 0 else "zero")
    return ("One update at each rate, rising, with the model as it begins. At the rate recommended "
            "half of the fall is done, if that lies within what is usual for the optimizer. Yours, "
            f"{plain(found['own'])}, is {where}.")


def of_one_batch(found: Mapping[str, Any]) -> str:
    """Of the handful of images: whether it was learned by heart."""
    if found["failure"]:
        return f"A handful of images could not be trained on: {found['failure']}."
    first, last = found["losses"][0], found["losses"][-1]
    how = (f"{found['images']} images, {len(found['losses'])} updates with your settings: the loss "
           f"went from {_figure(first)} to {_figure(last)}.")
    return (f"It learns a handful of images by heart. {how} It can learn; how well it tells others "
            "is another question." if found["is_learned"] else
            f"It does not even learn a handful of images by heart. {how} That is not for want of "
            "data.")


def _cause(place: int, told: Mapping[str, Any]) -> dict[str, Any]:
    cause = told["causes"][place]
    trial = next((one for one in told["trials"]
                  if one["cause"] == cause["key"] and one["is_verified"]), None)
    plot = None
    if trial is not None:
        fixed = trial["training"]
        how = "these changes together" if trial["is_together"] else "this change alone"
        plot = _plot(plots.recalls(f"cause-{place}", {
            "reference": told["reference"], "own": told["as_it_is"], "fixed": fixed},
            told["images"]["chance"]),
            f"The same training with {how}: {_percent(told['as_it_is']['recall'])} → "
            f"{_percent(fixed['recall'])}.", (_AS_IT_IS, _FIXED, _OURS))
    return {**cause, "plot": plot}


def _losses(name: str, epochs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    lines = [("own", [(one["number"], one["loss"]) for one in epochs]),
             ("fixed", [(one["number"], one["held_out_loss"]) for one in epochs])]
    return _plot(plots.losses(name, lines), "Loss by epoch of the model as it is.",
                 (_LEARNED, _HELD_OUT))


def _history(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = [("own", list(enumerate(found["loss"], 1))),
             ("fixed", list(enumerate(found["held_out_loss"], 1)))]
    return {"plot": _plot(plots.losses("history", lines), "Loss by epoch, as you measured it.",
                          (_LEARNED, *([_HELD_OUT] if found["held_out_loss"] else []))),
            "observations": found["observations"]}


def _swap(told: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The model and ours, on the user's images and on digits; empty if it was not made."""
    if told["on_digits"] is None:
        return []
    return [("your model", _percent(told["as_it_is"]["recall"]),
             _percent(told["on_digits"]["recall"])),
            ("a model of ours", _percent(told["reference"]["recall"]),
             _percent(told["reference_on_digits"]["recall"]))]


def _steps(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Layers with weights: how they begin, and how the first updates go."""
    later = dict(enumerate(told["first_steps"]))
    return [{**layer, "ratio": later.get(place, {}).get("ratio"),
             "dead_later": later.get(place, {}).get("dead"),
             "saturated": later.get(place, {}).get("saturated")}
            for place, layer in enumerate(told["initial"]["layers"])]


def _plot(svg: str, reading: str, key: Sequence[tuple[str, str, str]] = (),
          ) -> dict[str, Any] | None:
    """A plot, its key and what it says; None where nothing can be drawn.

    The SVG is trusted: `svg.to_svg` escaped the text in it.
    """
    return {"name": "", "svg": Markup(svg), "reading": reading,  # noqa: S704
            "key": key} if svg else None


def _percent(share: object) -> str:
    return f"{100 * share:.0f} %" if is_known(share) else _DASH


def _figure(number: object) -> str:
    return f"{number:.3g}" if is_known(number) else _DASH
