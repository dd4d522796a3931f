"""What `audit diagnose` found: diagnosis.json, diagnosis.html, and the lines on the console."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from audit.curves import observe
from audit.diagnosis.case import CAUSES
from audit.diagnosis.diagnose import standard_error
from audit.diagnosis.first_steps import STEPS
from audit.render.diagnosis_page import of_one_batch, render_diagnosis
from audit.rundir import RunDir
from pipelines.diagnose_model import ALTERNATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from audit.diagnosis.alternatives import Alternative
    from audit.diagnosis.experiment import Training
    from pipelines.diagnose_model import Diagnosed, DiagnoseSettings


def as_json(one: Diagnosed) -> dict[str, Any]:
    """What `diagnosis.json` holds; None stands for what is no number."""
    found, explored, images = one.found, one.explored, one.images
    told = {
        "blame": one.conclusion.blame, "verdict": one.conclusion.sentence,
        "causes": [asdict(cause) for cause in one.conclusion.causes],
        "model": one.model, "regime": one.regime,
        "images": {"used": len(images.labels), "of": one.of, "learned": len(images.learned),
                   "judged": len(images.judged), "classes": list(images.classes),
                   "chance": images.chance, "standard_error": standard_error(
                       found.as_it_is.recall, found.reference.recall, images)},
        "as_it_is": _training(found.as_it_is), "reference": _training(found.reference),
        "is_poor": found.is_poor, "shortfall": found.shortfall,
        "observations": [asdict(each) for each in observe(found.as_it_is.curves)]
        if found.as_it_is.epochs else [],
        "history": None if one.history is None else {
            **asdict(one.history), "observations": [asdict(each) for each in
                                                    observe(one.history)]},
        "shuffled_labels": _training(explored.shuffled), "on_digits": _training(explored.swapped),
        "half_of_the_images": _training(explored.halved),
        "reference_on_digits": _training(explored.reference_on_digits),
        "one_batch": {**asdict(explored.one_batch), "is_learned": explored.one_batch.is_learned},
        "first_steps": [asdict(each) for each in explored.first_steps], "first_updates": STEPS,
        "optimizers": _alternatives(explored.optimizers),
        "sizes": _alternatives(explored.sizes), "alternative_updates": ALTERNATIVE.updates,
        "initial": asdict(found.initial),
        "learning_rates": None if found.rates is None else asdict(found.rates),
        "trials": [{
            "cause": trial.suspicion.cause, "title": CAUSES[trial.suspicion.cause],
            "prior": trial.suspicion.prior, "evidence": trial.suspicion.evidence,
            "fix": trial.suspicion.fix, "recovered": trial.recovered,
            "is_verified": trial.is_verified, "is_together": trial.is_together,
            "untried": trial.untried, "training": _training(trial.training)}
            for trial in found.trials],
        "seconds": one.seconds}
    finite: dict[str, Any] = _finite(told)
    return finite


def _training(training: Training | None) -> dict[str, Any] | None:
    return None if training is None else {
        "recall": training.recall, "recall_on_learned": training.learned,
        "updates": training.updates, "failure": training.failure, "was_cut": training.was_cut,
        "epochs": [asdict(epoch) for epoch in training.epochs]}


def _alternatives(found: Sequence[Alternative]) -> list[dict[str, Any]]:
    return [{"what": each.what, "rate": each.rate, "parameters": each.parameters,
             "recall": each.training.recall, "failure": each.training.failure} for each in found]


def _finite(value: Any) -> Any:
    """The same with None for each number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tell(one: Diagnosed, settings: DiagnoseSettings, console: Console) -> None:
    """Print the verdict, and write `diagnosis.json` and `diagnosis.html`."""
    told = as_json(one)
    console.print(Text(one.conclusion.sentence, "bold"))
    console.print(Text(_figures(one)))
    if one.conclusion.causes:
        console.print(_causes(one))
    for text in _beside(one, told):
        console.print(Text(text, "dim"))
    folder = RunDir(settings.folder)
    folder.write_json("diagnosis.json", told)
    page = folder.write("diagnosis.html", render_diagnosis(told).encode("utf-8", "replace"))
    console.print(Text(f"Report: {page}"), soft_wrap=True)


def _figures(one: Diagnosed) -> str:
    found, images, shuffled = one.found, one.images, one.explored.shuffled
    control = "" if shuffled is None else (
        f", with shuffled labels {100 * shuffled.recall:.0f} %")
    return (f"{len(images.labels):,} of {one.of:,} images were used. Mean recall on "
            f"{len(images.judged):,} images that were not learned from: the model "
            f"{100 * found.as_it_is.recall:.0f} %, a model of ours "
            f"{100 * found.reference.recall:.0f} %{control}, chance {100 * images.chance:.0f} %.")


def _causes(one: Diagnosed) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "cause", "what was seen", "what to do", "verified"):
        table.add_column(name, overflow="fold")
    for place, cause in enumerate(one.conclusion.causes, 1):
        tried = "" if cause.after is None or cause.before is None else (
            f"{100 * cause.before:.0f} → {100 * cause.after:.0f} %")
        table.add_row(str(place), Text(f"{cause.title} ({cause.probability})"),
                      Text(cause.evidence), Text(cause.fix), tried)
    return table


def _beside(one: Diagnosed, told: dict[str, Any]) -> list[str]:
    """What was seen beside the verdict, a line each."""
    found, explored = one.found, one.explored
    lines = []
    if found.rates is not None:
        lines.append(f"Learning rate: {found.rates.own:g}; a range test recommends "
                     f"{found.rates.recommended:.2g}.")
    lines += [f"Your training: {each['text']}" for each in told["observations"]]
    if one.history is not None:
        lines += [f"Your history: {each['text']}" for each in told["history"]["observations"]] or [
            "Your history: nothing in its curves calls for a change."]
    if explored.swapped is not None and explored.reference_on_digits is not None:
        lines.append(f"On scikit-learn's digits: your model {100 * explored.swapped.recall:.0f} %, "
                     f"ours {100 * explored.reference_on_digits.recall:.0f} %.")
    if found.is_poor:
        lines.append(of_one_batch(told["one_batch"]))
    others = [*explored.optimizers, *explored.sizes]
    if others:
        lines.append("Your model with other settings: " + ", ".join(
            f"{each.what} {100 * each.training.recall:.0f} %" for each in others
            if not each.training.failure) + ".")
    return lines
