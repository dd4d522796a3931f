"""The main job: a folder or a table → a report.

ingest → measure → represent → cross-validate → check → try the fixes → report; no stage reaches
back.
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit import __version__
from audit.causes import found_well, not_checked, rank_causes
from audit.digest import dataset_digest
from audit.errors import UsageError
from audit.gains import trials
from audit.ingest import TABLE_EXTENSIONS, hold_out, open_dataset, printable
from audit.measures import UNREADABLE
from audit.places import Url, absolute
from audit.registry import all_checks, run_checks
from audit.render import ReportData, render_report
from audit.representations import (
    STEPS,
    assign_folds,
    cross_validate,
    find_effort,
    find_pairs,
    group_together,
    laid_out,
    nearest,
    read_probabilities,
    sets_of,
)
from audit.results import findings_table, images_table, out_of_fold_accuracy, summarise
from audit.row_order import back
from audit.rundir import RunDir
from audit.types import CrossValidation, Evidence
from pipelines.fit_folds import FitFolds
from pipelines.measure_gains import ASSIGNMENTS, Experiments
from pipelines.open_engine import open_engine
from pipelines.past import (
    ALIKE,
    CURVE,
    EMBEDDING,
    GAINS,
    PROBABILITIES,
    Past,
)
from pipelines.see_images import see_images
from pipelines.since_before import run_before, since

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.engines import Engine
    from audit.gate.record import GateRecord
    from audit.imagestore import Thumbnails
    from audit.places import Place
    from audit.representations import Folds
    from audit.types import CheckResult, Gain, Ingested, MeasuredCurve, Neighbours
    from pipelines.progress import Stages
    from pipelines.see_images import Seen
    from pipelines.settings import Settings

REPORTS = Path("reports")


@dataclass(frozen=True)
class FinishedRun:
    """A run that was written."""

    path: Path
    report: ReportData


def audit_dataset(settings: Settings, stages: Stages) -> FinishedRun:
    """Audit a dataset and write its run folder.

    Raises:
        UsageError: an option, a path or a file of the user's is wrong.
        UnauditableError: there is no image.
    """
    begun = time.perf_counter()
    started = datetime.now(UTC)
    with stages.stage("listing"):
        ingested = open_dataset(settings.data, settings.labels, settings.label_column)
    ingested, held_out = _hold_out(settings, ingested)
    name = _dataset_name(settings.data)
    run = RunDir(settings.out or REPORTS / name / started.strftime("%Y%m%dT%H%M%S.%fZ"))
    _refuse_what_cannot_be_written(settings, ingested, run)
    before = run_before(settings.out or REPORTS / name / "latest", settings.data)
    past = Past.of(settings)
    try:
        run.clear_work()
        work = run.work_folder()
        with open_engine(settings, stages) as engine:
            seen = see_images(past, settings, ingested, work, engine, stages)
            evidence, embeddings, folds, more_notes = _represent(
                settings, ingested, seen, past, stages, (engine, work))
        images, thumbnails, order = seen.images, seen.thumbnails, seen.order
        experiments = Experiments.prepare(evidence, embeddings, folds,
                                          find_effort(settings.effort))
        evidence = _with_learning_curve(evidence, experiments, seen, past, stages)
        with stages.stage("checking", images=len(images)):
            results = list(run_checks(all_checks(), evidence, settings.thresholds,
                                      settings.disabled))
        digest = dataset_digest(images)
        causes = rank_causes(results, past.once(GAINS, seen.fingerprint, lambda: _gains(
            results, evidence, experiments, stages)))
        validation = evidence.cross_validation
        report = ReportData(
            name=name, digest=digest, seconds=time.perf_counter() - begun, evidence=evidence,
            results=results, causes=causes, found_well=found_well(results),
            not_checked=not_checked(results), accuracy=out_of_fold_accuracy(evidence),
            model=validation.model if validation else "", stages=stages.timings,
            notes=(*ingested.notes, *seen.about.notes, *more_notes),
            not_counted=ingested.not_counted, version=__version__, reused=tuple(past.reused))
        report = _write(run, settings, seen.about.backbone, ingested, report, thumbnails,
                        embeddings, started, stages, held_out, back(order), before)
    except BaseException:
        run.discard()
        raise
    run.clear_work()
    if past.problem:
        stages.say(past.problem)
    if settings.out is None:
        run.point_latest()
    return FinishedRun(run.path, report)


def _hold_out(settings: Settings, ingested: Ingested) -> tuple[Ingested, pd.DataFrame | None]:
    """The dataset without what is held out, and that: it is not even opened."""
    if settings.hold_out is None:
        return ingested, None
    audited, held_out = hold_out(ingested.manifest, settings.hold_out, settings.seed)
    note = (f"{len(held_out):,} images were held out (--hold-out {settings.hold_out}): this audit "
            "has not opened them. `audit train` measures on them.")
    return replace(ingested, manifest=audited, notes=(*ingested.notes, note)), held_out


def _dataset_name(data: Place) -> str:
    if isinstance(data, Url):
        return printable(data.stem if data.suffix.lower() in TABLE_EXTENSIONS else data.name)
    resolved = data.resolve()
    return printable(resolved.stem if data.is_file() else resolved.name or "dataset")


def _refuse_what_cannot_be_written(settings: Settings, ingested: Ingested, run: RunDir) -> None:
    """Refuse before the work what would only fail, or do harm, after it.

    Raises:
        UsageError: the results would lie in the data, or a class has a reserved name.
    """
    data = settings.data
    if not isinstance(data, Url) and data.is_dir() and (
            run.path.resolve().is_relative_to(data.resolve())):
        raise UsageError(f"the results would go to {run.path}, inside the data, and be taken for "
                         "a class the next time. Run elsewhere, or give --out another folder.")
    if (ingested.manifest["given_label"] == "image_id").any():
        raise UsageError('a class is named "image_id", which is the name of a column in what is '
                         "written. Rename the class.")


def _represent(settings: Settings, ingested: Ingested, seen: Seen, past: Past, stages: Stages,
               place: tuple[Engine, Path],
               ) -> tuple[Evidence, np.ndarray, Sequence[Folds], tuple[str, ...]]:
    """Embeddings, neighbours, duplicate pairs, leak-safe folds, out-of-fold probabilities."""
    images = seen.images
    readable = (images["status"] != UNREADABLE).to_numpy()
    rows = np.flatnonzero(readable)

    def embed() -> tuple[np.ndarray, int]:
        backbone, looks = seen.described
        with stages.stage("embedding", images=len(rows)) as advance:
            known = backbone.embed(looks, rows, settings.seed, advance)
            return laid_out(known.rows, rows, len(images)), known.mirrored

    def find_alike() -> tuple[Neighbours, pd.DataFrame]:
        with stages.stage("finding duplicates", images=len(rows)):
            neighbours = nearest(embeddings)
            return neighbours, find_pairs(images, seen.described[1].pictures, neighbours)

    embeddings, mirrored = past.once(EMBEDDING, seen.fingerprint, embed)
    neighbours, pairs = past.once(ALIKE, seen.fingerprint, find_alike)
    classes = tuple(sorted(images["given_label"].unique()))
    validation: CrossValidation | None = None
    missing: dict[str, str] = {}
    not_scorable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alike: list[Folds] = []
    groups = group_together(sets_of(pairs, len(images)), images["group"])
    effort = find_effort(settings.effort)
    repeats = [assign_folds(images["given_label"], groups, readable, settings.folds,
                            settings.seed + number)
               for number in range(max(effort.repeats, ASSIGNMENTS))]
    folds = repeats[0]
    if settings.pred_probs is not None:
        probabilities = read_probabilities(settings.pred_probs, images["image_id"], readable,
                                           classes)
        validation = CrossValidation(probabilities, np.full(len(images), -1), float("nan"),
                                     f"your own model ({printable(settings.pred_probs.name)})")
    elif folds is None:
        missing = {"cross_validation": _why_no_folds(classes)}
    else:
        not_scorable, notes = folds.not_scorable, folds.notes
        # Other folds can leave a small class out: such a repeat is of other images.
        alike = [one for one in repeats
                 if one is not None and one.not_scorable == folds.not_scorable]
        validation = past.once(PROBABILITIES, seen.fingerprint, lambda: _cross_validate(
            settings, seen, classes, alike[:effort.repeats], embeddings, mirrored, stages, place))
    return Evidence(
        images=images, classes=classes, empty_classes=ingested.empty_classes, pairs=pairs,
        neighbours=neighbours, cross_validation=validation, missing=missing,
        not_scorable=not_scorable, seed=settings.seed), embeddings, alike, notes


def _cross_validate(settings: Settings, seen: Seen, classes: tuple[str, ...],
                    validated: Sequence[Folds], embeddings: np.ndarray, mirrored: int,
                    stages: Stages, place: tuple[Engine, Path]) -> CrossValidation:
    tensors, backbone = seen.tensors, seen.backbone
    effort = find_effort(settings.effort)
    tuner = backbone.fine_tuner if backbone is not None and tensors is not None else None
    with stages.stage("cross-validating", images=int((validated[0].fold >= 0).sum()),
                      steps=STEPS * (len(validated) + (tuner is not None))) as advance:
        fit = FitFolds(embeddings, settings.seed, mirrored, effort.landmarks, advance)
        return cross_validate(
            seen.images["given_label"], classes, validated, fit.on(*place), seen.about.description,
            lambda task: tuner.cross_validate(
                tensors, task.rows, task.labels, task.folds, task.classes, settings.seed,
                advance) if tuner is not None and tensors is not None else None)


def _with_learning_curve(evidence: Evidence, experiments: Experiments | None, seen: Seen,
                         past: Past, stages: Stages) -> Evidence:
    """The evidence with a learning curve, or with the reason why there is none."""
    if experiments is None:
        why = evidence.missing.get("cross_validation") or (
            "the predictions are of your own model (--pred-probs), which cannot be trained with "
            "fewer images here")
        return replace(evidence, missing={**evidence.missing, "learning_curve": why})

    def measure() -> MeasuredCurve:
        with stages.stage("learning from fewer", images=len(experiments.rows),
                          steps=len(np.unique(experiments.folds[0]))) as advance:
            return experiments.learning_curve(advance)

    return replace(evidence, learning_curve=past.once(CURVE, seen.fingerprint, measure))


def _gains(results: Sequence[CheckResult], evidence: Evidence, experiments: Experiments | None,
           stages: Stages) -> Mapping[str, Gain]:
    """What fixing each cause was measured to gain; nothing where nothing can be trained."""
    if experiments is None:
        return {}
    wanted = trials(results, evidence)
    with stages.stage("trying the fixes", images=len(experiments.rows) if wanted else 0,
                      steps=sum(len(np.unique(one)) for one in experiments.folds)) as advance:
        return experiments.gains(wanted, results, evidence, advance)


def _why_no_folds(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return f'there is only one class, "{classes[0]}"'
    return ("fewer than 2 classes have 2 readable images that are unrelated and can be put into "
            "different folds")


def _write(run: RunDir, settings: Settings, backbone: str, ingested: Ingested,
           report: ReportData, thumbnails: Thumbnails, embeddings: np.ndarray,
           started: datetime, stages: Stages, held_out: pd.DataFrame | None,
           rows: np.ndarray, before: GateRecord | None) -> ReportData:
    """Write what was found; images stand in the order of the manifest, which are these `rows`.

    Returns:
        The report, with what changed since the run before.
    """
    evidence, results = report.evidence, report.results
    validation = evidence.cross_validation
    about = {
        "version": __version__, "settings": settings.as_json(), "source": _source(settings),
        "backbone": backbone, "reused": list(report.reused),
        "head": dict(validation.chosen) if validation else {},
        "digest": report.digest, "started": started.isoformat(timespec="seconds"),
        "seconds": report.seconds}
    with stages.stage("writing"):
        images = images_table(evidence, results).iloc[rows]
        measures = evidence.images.drop(columns="path").iloc[rows]
        findings = findings_table(results, report.causes)
        summary = summarise(ingested, evidence, results, report.causes, report.notes,
                            report.digest)
        if before is not None:
            report = replace(report, changed=since(before, run.path, about, summary, images,
                                                   measures, findings))
        run.begin()
        run.write_table("images", images)
        run.write_table("measures", measures, csv=False)
        run.write_table("findings", findings)
        run.write_array("embeddings.npy", embeddings, rows)
        if held_out is not None:
            run.write_table("held_out", held_out.drop(columns="path"), csv=False)
        if validation is not None:
            probabilities = pd.DataFrame(validation.probabilities, columns=list(evidence.classes))
            probabilities.insert(0, "image_id", evidence.images["image_id"],
                                 allow_duplicates=True)
            run.write_table("pred_probs", probabilities.iloc[rows], csv=False)
        run.write_json("summary.json", summary)
        run.write("report.html", render_report(report, thumbnails).encode())
    run.write_json("run.json", {
        **about, "stages": stages.timings,
        "check_seconds": {one.meta.code: one.seconds for one in results},
        "peak_memory_mib": _peak_memory_mib(), "python": platform.python_version(),
        "platform": platform.platform(), "packages": _versions()})
    return report


def _source(settings: Settings) -> dict[str, str | None]:
    """Where the images were found, for `audit fix` to find them again from any folder."""
    labels = settings.labels
    return {"data": absolute(settings.data),
            "labels": None if labels is None else absolute(labels),
            "label_column": settings.label_column}


def _versions() -> dict[str, str]:
    names = ("tensorflow", "keras", "cleanlab", "numpy", "pandas", "scikit-learn", "pillow",
             "simplejpeg", "opencv-python-headless")
    return {name: version(name) for name in names}


def _peak_memory_mib() -> float | None:
    """Largest resident memory of this process, in MiB; None where the system does not tell.

    The workers are left out: Linux gives a process that was just started the peak of its parent.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
