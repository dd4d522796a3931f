"""`audit diagnose`: is it the data or is it the model?

read the images → diagnose the model → audit the data → swap model and data → conclude → tell.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from audit.diagnosis.conclude import Conclusion, conclude
from audit.diagnosis.data import causes_in_data
from audit.diagnosis.dataset import Images, split
from audit.diagnosis.diagnose import QUICK, Budget, Diagnosis, diagnose
from audit.diagnosis.experiment import Limits, Training, train
from audit.diagnosis.reference import reference
from audit.diagnosis.subject import Subject, load_subject
from audit.errors import UnauditableError, UsageError
from audit.formats import EXTENSIONS
from audit.ingest import open_dataset
from audit.rundir import RUN_FILE, RunDir
from pipelines.audit_dataset import audit_dataset
from pipelines.seed import check_seed
from pipelines.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.progress import Stages

MOST_IMAGES, MOST_QUICK = 4_000, 1_500
"""Of the images, drawn from the classes in their shares: experiments on more take too long."""

_MOST_SIDE = 224


@dataclass(frozen=True)
class DiagnoseSettings:
    """Settings of `audit diagnose`; see its help and docs/diagnose.md."""

    data: Path
    model: str
    out: Path | None = None
    labels: Path | None = None
    label_column: str = "label"
    epochs: int | None = None
    batch_size: int | None = None
    quick: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        check_seed(self.seed)


@dataclass(frozen=True)
class Diagnosed:
    """What was found, ready to be told.

    Attributes:
        conclusion: the answer.
        found: about the model.
        swapped: the user's model on scikit-learn's digits; None where there was no time.
        shuffled: a model of ours on the user's images with labels in another order.
        images: of the user, that were used.
        of: number of images of the data.
        seconds: that it took.
    """

    conclusion: Conclusion
    found: Diagnosis
    swapped: Training | None
    shuffled: Training
    images: Images
    of: int
    seconds: float


def diagnose_model(settings: DiagnoseSettings, stages: Stages) -> Diagnosed:
    """Diagnose a model on the images of a folder, a table, or a finished run.

    Raises:
        UsageError: the model or a path is wrong.
        UnauditableError: there is nothing to learn from.
    """
    begun = time.perf_counter()
    with stages.stage("loading the model"):
        subject = load_subject(settings.model, settings.epochs, settings.batch_size)
    summary, data, labels, column = _source(settings)
    with stages.stage("reading the images"):
        images, total = read_images(data, labels, column, _side(subject),
                                    MOST_QUICK if settings.quick else MOST_IMAGES, settings.seed)
    budget = QUICK if settings.quick else Budget()
    with stages.stage("experiments"):
        found = diagnose(subject, images, settings.seed, budget,
                         lambda what, _: stages.say(what))
        limits = Limits(max(1, found.reference.updates), budget.seconds)
        stages.say("shuffled labels")
        control = reference(len(images.classes), len(images.learned), limits.updates)
        shuffled = train(control, images.shuffled(settings.seed), settings.seed, limits)
        swapped = None
        if found.is_poor and not settings.quick:
            stages.say("the model on other images")
            swapped = train(subject, digits_for(len(images.classes), settings.seed), settings.seed,
                            Limits(budget.updates, budget.seconds))
    if summary is None and not settings.quick:
        summary = _audit(settings, stages)
    conclusion = conclude(found, causes_in_data(images, found.reference, shuffled, summary))
    return Diagnosed(conclusion, found, swapped, shuffled, images, total,
                     time.perf_counter() - begun)


def _source(settings: DiagnoseSettings) -> tuple[dict[str, Any] | None, Path, Path | None, str]:
    """A summary if there is one, and where the images are."""
    if not (settings.data / RUN_FILE).is_file():
        return None, settings.data, settings.labels, settings.label_column
    try:
        about = json.loads((settings.data / RUN_FILE).read_text(encoding="utf-8"))
        summary = json.loads((settings.data / "summary.json").read_text(encoding="utf-8"))
        source = about["source"]
        labels = source["labels"]
        return (summary, Path(source["data"]), None if labels is None else Path(labels),
                source["label_column"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the run in {settings.data} cannot be read ({error}). Give the images "
                         "themselves, or audit them again.") from error


def _side(subject: Subject) -> int:
    shape = subject.build(0).input_shape
    return int(min(max(shape[1] or 32, shape[2] or 32), _MOST_SIDE))


def read_images(data: Path, labels: Path | None, column: str, side: int, most: int, seed: int,
                ) -> tuple[Images, int]:
    """Read some of the images, squeezed into squares, and put some aside to judge by.

    Returns:
        The images, and how many there are in all. What cannot be read is left out.

    Raises:
        UnauditableError: fewer than two classes have two images that can be read.
    """
    manifest = open_dataset(data, labels, column).manifest
    manifest = manifest[~manifest["split"].isin(["val", "test"])]
    total = len(manifest)
    if total > most:
        manifest = manifest.groupby("given_label", group_keys=False).sample(
            frac=most / total, random_state=seed)
    pictures, given = [], []
    for path, label in zip(manifest["path"], manifest["given_label"], strict=True):
        try:
            with Image.open(path, formats=list(EXTENSIONS)) as image:
                image.draft("RGB", (side, side))
                upright = ImageOps.exif_transpose(image).convert("RGB")
                pictures.append(np.asarray(upright.resize((side, side), Image.Resampling.BOX)))
                given.append(label)
        except Exception:  # noqa: BLE001, S112 - whatever a decoder raises; the audit tells of it
            continue
    counts = {name: given.count(name) for name in set(given)}
    classes = tuple(sorted(name for name, count in counts.items() if count > 1))
    if len(classes) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        raise UnauditableError(f"{data} has {len(classes)} class{'es' * (len(classes) != 1)} with "
                               "two images that can be read. Two are needed to tell them apart.")
    kept = [row for row, name in enumerate(given) if name in classes]
    number = {name: place for place, name in enumerate(classes)}
    return split(np.stack([pictures[row] for row in kept]),
                 np.array([number[given[row]] for row in kept], np.int64), classes, seed), total


def digits_for(classes: int, seed: int) -> Images:
    """Real digits of so many classes, at most ten: images that are known to be learned easily."""
    digits = load_digits()
    wanted = digits.target < max(2, classes)
    small = (digits.images[wanted] * (255 / 16)).astype(np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(one).convert("RGB").resize((32, 32)))
                         for one in small])
    names = tuple(str(one) for one in range(max(2, classes)))
    return split(pictures, digits.target[wanted].astype(np.int64), names, seed)


def _audit(settings: DiagnoseSettings, stages: Stages) -> dict[str, Any]:
    """The summary of a short audit of the data."""
    with tempfile.TemporaryDirectory() as folder:
        done = audit_dataset(Settings(
            data=settings.data, out=Path(folder) / "run", labels=settings.labels,
            label_column=settings.label_column, backbone="patches", effort="low",
            seed=settings.seed), stages)
        summary: dict[str, Any] = json.loads(
            (done.path / "summary.json").read_text(encoding="utf-8"))
        return summary


def as_json(one: Diagnosed) -> dict[str, Any]:
    """What `diagnosis.json` holds."""
    def told(training: Training | None) -> dict[str, Any] | None:
        return None if training is None else {
            "recall": training.recall, "recall_on_learned": training.learned,
            "updates": training.updates, "failure": training.failure, "was_cut": training.was_cut,
            "epochs": [vars(epoch) for epoch in training.epochs]}

    found = one.found
    return {
        "blame": one.conclusion.blame, "verdict": one.conclusion.sentence,
        "causes": [vars(cause) for cause in one.conclusion.causes],
        "images": {"used": len(one.images.labels), "of": one.of,
                   "learned": len(one.images.learned), "judged": len(one.images.judged),
                   "classes": list(one.images.classes), "chance": one.images.chance},
        "as_it_is": told(found.as_it_is), "reference": told(found.reference),
        "shuffled_labels": told(one.shuffled), "on_digits": told(one.swapped),
        "is_poor": found.is_poor,
        "initial": {**{name: getattr(found.initial, name) for name in (
            "loss", "expected", "lowest", "highest", "failure")},
            "layers": [vars(layer) for layer in found.initial.layers]},
        "learning_rates": None if found.rates is None else vars(found.rates),
        "trials": [{
            "cause": trial.suspicion.cause, "prior": trial.suspicion.prior,
            "evidence": trial.suspicion.evidence, "fix": trial.suspicion.fix,
            "recovered": trial.recovered, "is_verified": trial.is_verified,
            "untried": trial.untried, "training": told(trial.training)} for trial in found.trials],
        "seconds": one.seconds}


def tell(one: Diagnosed, settings: DiagnoseSettings, console: Console) -> None:
    """Print the verdict, and write `diagnosis.json` where that was asked for."""
    from rich.table import Table  # noqa: PLC0415 - 30 ms
    from rich.text import Text  # noqa: PLC0415 - the same

    console.print(Text(one.conclusion.sentence, "bold"))
    found, images = one.found, one.images
    console.print(Text(
        f"{len(images.labels):,} of {one.of:,} images were used. "
        f"Mean recall on {len(images.judged):,} images that were not learned from: the model "
        f"{100 * found.as_it_is.recall:.0f} %, a model of ours {100 * found.reference.recall:.0f} %"
        f", with shuffled labels {100 * one.shuffled.recall:.0f} %, chance "
        f"{100 * images.chance:.0f} %" + ("" if one.swapped is None else
        f"; the model on scikit-learn's digits {100 * one.swapped.recall:.0f} %") + "."))
    if one.conclusion.causes:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("", "cause", "what was seen", "what to do", "verified"):
            table.add_column(name, overflow="fold")
        for place, cause in enumerate(one.conclusion.causes, 1):
            tried = "" if cause.after is None or cause.before is None else (
                f"{100 * cause.before:.0f} → {100 * cause.after:.0f} %")
            table.add_row(str(place), Text(f"{cause.title} ({cause.probability})"),
                          Text(cause.evidence), Text(cause.fix), tried)
        console.print(table)
    if found.rates is not None:
        console.print(Text(f"Learning rate: {found.rates.own:g}; a range test recommends "
                           f"{found.rates.recommended:.2g}.", "dim"))
    if settings.out is not None:
        RunDir(settings.out).write_json("diagnosis.json", as_json(one))
        console.print(Text(f"Written: {settings.out / 'diagnosis.json'}"), soft_wrap=True)
