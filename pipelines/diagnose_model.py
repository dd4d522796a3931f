"""`audit diagnose`: is it the data or is it the model?

read the images → diagnose the model → see what else would do → swap model and data → audit the data
→ conclude.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.curves import Curves, read_history
from audit.diagnosis.alternatives import Alternative, optimizers, sizes
from audit.diagnosis.conclude import Conclusion, conclude
from audit.diagnosis.control import halved_control, shuffled_control
from audit.diagnosis.data import causes_in_data
from audit.diagnosis.dataset import input_size
from audit.diagnosis.diagnose import QUICK, Budget, Diagnosis, diagnose
from audit.diagnosis.experiment import Limits, Training, planned, train
from audit.diagnosis.first_steps import LayerSteps, first_steps
from audit.diagnosis.one_batch import OneBatch, learn_one_batch
from audit.diagnosis.reference import reference
from audit.diagnosis.subject import Subject, load_subject
from audit.errors import UsageError
from audit.places import place_of
from audit.rundir import RUN_FILE
from pipelines.audit_dataset import audit_dataset
from pipelines.diagnosis_images import digits_for, read_images
from pipelines.seed import check_seed
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audit.diagnosis.dataset import Images
    from audit.places import Place
    from pipelines.progress import Stages

MOST_IMAGES, MOST_QUICK = 4_000, 1_500
"""Of the images, drawn from the classes in their shares: experiments on more take too long."""

ALTERNATIVE = Limits(updates=600, seconds=15.0)
"""Of each training that only says what else would do."""

_MOST_SIDE = 224


@dataclass(frozen=True)
class DiagnoseSettings:
    """Settings of `audit diagnose`; see its help and docs/diagnose.md."""

    data: Path
    model: str
    out: Path | None = None
    labels: Path | None = None
    label_column: str = "label"
    history: Path | None = None
    epochs: int | None = None
    batch_size: int | None = None
    quick: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        check_seed(self.seed)
        if self.out is not None and self.data.is_dir() and self._would_lie_in_the_data(self.out):
            raise UsageError(f"--out {self.out} lies in the data ({self.data}), where the next "
                             "audit would take it for images. Give a folder elsewhere.")

    def _would_lie_in_the_data(self, out: Path) -> bool:
        return not (self.data / RUN_FILE).is_file() and out.resolve().is_relative_to(
            self.data.resolve())

    @property
    def folder(self) -> Path:
        """Where diagnosis.json and diagnosis.html go."""
        if self.out is not None:
            return self.out
        if (self.data / RUN_FILE).is_file():
            return self.data / "diagnosis"
        return Path("reports") / (self.data.stem or "data") / "diagnosis"


@dataclass(frozen=True)
class Explored:
    """What was seen beside the diagnosis; with `--quick` less of it.

    Attributes:
        one_batch: whether the model learns a handful of images by heart.
        first_steps: the first updates by layer.
        optimizers: at their best rates.
        sizes: the model at other widths.
        shuffled: a model of ours on labels in another order; None where the labels as they are were
            learned beyond doubt.
        halved: the same on half of the images; None where there are many.
        swapped: the user's model on scikit-learn's digits; None where that was not needed.
        reference_on_digits: a model of ours on the same.
    """

    one_batch: OneBatch
    first_steps: tuple[LayerSteps, ...]
    optimizers: tuple[Alternative, ...] = ()
    sizes: tuple[Alternative, ...] = ()
    shuffled: Training | None = None
    halved: Training | None = None
    swapped: Training | None = None
    reference_on_digits: Training | None = None


@dataclass(frozen=True)
class Diagnosed:
    """What was found, ready to be told.

    Attributes:
        conclusion: the answer.
        found: about the model.
        explored: what else was seen.
        history: curves that the user gave; None if there were none.
        images: of the user, that were used.
        of: number of images of the data.
        seconds: that it took.
        model: as the user named it.
        regime: epochs and batch size that it was trained with, in words.
    """

    conclusion: Conclusion
    found: Diagnosis
    explored: Explored
    history: Curves | None
    images: Images
    of: int
    seconds: float
    model: str
    regime: str


def diagnose_model(settings: DiagnoseSettings, stages: Stages) -> Diagnosed:
    """Diagnose a model on the images of a folder, a table, or a finished run.

    Raises:
        UsageError: the model, the history or a path is wrong.
        UnauditableError: there is nothing to learn from.
    """
    begun = time.perf_counter()
    history = None if settings.history is None else read_history(settings.history)
    with stages.stage("loading the model"):
        # Who gives the curves of a training wants that training diagnosed.
        epochs = len(history.loss) if history is not None and settings.epochs is None else (
            settings.epochs)
        subject = load_subject(settings.model, epochs, settings.batch_size)
    summary, data, labels, column = _source(settings)
    with stages.stage("reading the images"):
        images, total = read_images(data, labels, column, _side(subject),
                                    MOST_QUICK if settings.quick else MOST_IMAGES, settings.seed)
    budget = QUICK if settings.quick else Budget()
    found = diagnose(subject, images, settings.seed, budget,
                     lambda what, updates: _doing(stages, what, updates))
    explored = _explore(subject, images, found, budget, settings, stages)
    if summary is None and not settings.quick:
        summary = _audit(settings, stages)
    conclusion = conclude(found, causes_in_data(images, found.reference, explored.shuffled,
                                                explored.halved, summary))
    regime = f"{subject.regime.epochs} epochs, batches of {subject.regime.batch_size}"
    return Diagnosed(conclusion, found, explored, history, images, total,
                     time.perf_counter() - begun, settings.model, regime)


@contextmanager
def _doing(stages: Stages, what: str, updates: int) -> Iterator[Callable[[int], None]]:
    with stages.stage(what, steps=updates) as advance:
        yield advance


def _explore(subject: Subject, images: Images, found: Diagnosis, budget: Budget,
             settings: DiagnoseSettings, stages: Stages) -> Explored:
    """What else is seen of the model: none of it is needed for the verdict but the control."""
    seed, limits = settings.seed, Limits(budget.updates, budget.seconds)
    with stages.stage("a handful of images"):
        one_batch = learn_one_batch(subject, images, seed)
    with stages.stage("the first updates"):
        steps = first_steps(subject, images, seed)
    with stages.stage("shuffled labels"):
        shuffled = shuffled_control(images, found.reference, seed, budget)
    with stages.stage("half of the images"):
        halved = halved_control(images, found.reference, seed, budget)
    if settings.quick or found.as_it_is.failure:
        return Explored(one_batch, steps, shuffled=shuffled, halved=halved)
    updates = planned(subject, images, ALTERNATIVE)
    with stages.stage("other optimizers", steps=3 * updates) as advance:
        others = tuple(optimizers(subject, images, seed, ALTERNATIVE, advance))
    with stages.stage("other sizes", steps=2 * updates) as advance:
        widths = tuple(sizes(subject, images, seed, ALTERNATIVE, advance))
    swapped = on_digits = None
    if found.is_poor:
        digits = digits_for(len(images.classes), seed)
        with stages.stage("the model on digits", steps=planned(subject, digits, limits)) as advance:
            swapped = train(subject, digits, seed, limits, advance)
        ours = reference(len(digits.classes), len(digits.learned), 0)
        with stages.stage("ours on digits", steps=planned(ours, digits, limits)) as advance:
            on_digits = train(ours, digits, seed, limits, advance)
    return Explored(one_batch, steps, others, widths, shuffled, halved, swapped, on_digits)


def _source(settings: DiagnoseSettings,
            ) -> tuple[dict[str, Any] | None, Place, Place | None, str]:
    """A summary if there is one, and where the images are."""
    if not (settings.data / RUN_FILE).is_file():
        return None, settings.data, settings.labels, settings.label_column
    try:
        about = json.loads((settings.data / RUN_FILE).read_text(encoding="utf-8"))
        summary = json.loads((settings.data / "summary.json").read_text(encoding="utf-8"))
        source = about["source"]
        labels = source["labels"]
        return (summary, place_of(source["data"]), None if labels is None else place_of(labels),
                source["label_column"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the run in {settings.data} cannot be read ({error}). Give the images "
                         "themselves, or audit them again.") from error


def _side(subject: Subject) -> int:
    height, width, _ = input_size(subject.build(0))
    return min(max(height, width), _MOST_SIDE)


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
