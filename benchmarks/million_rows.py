"""Everything after measuring, for a dataset of up to a million images: time, memory, what is found.

    python -m benchmarks.million_rows [--rows 250000 500000 1000000] [--classes 50]
        [--effort normal] [--work FOLDER]

Each size is made up (see `made_up_rows`) and gone through in a process of its own, in the order of
an audit: neighbours, duplicates, folds, cross-validation, learning curve, checks, gains of fixes,
tables, report, files. Prints for each stage its seconds, those of all processors (the better
measure on a machine that is not idle), the most memory the process held while it ran, and how its
time grew against n log n; then how many of the planted copies and wrong labels were found.

Memory is the resident memory of the process in MiB, the made-up table, embeddings and libraries
among it. Linux resets its peak for each stage; elsewhere it is that of all stages so far.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import resource
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.causes import found_well, not_checked, rank_causes
from audit.digest import dataset_digest
from audit.gains import trials
from audit.memory import give_back_freed_memory, keep_freed_memory
from audit.registry import all_checks, run_checks
from audit.render import ReportData, render_report
from audit.representations import (
    assign_folds,
    cross_validate,
    cross_validate_head,
    find_effort,
    find_pairs,
    group_together,
    nearest,
    sets_of,
)
from audit.results import findings_table, images_table, out_of_fold_accuracy, summarise
from audit.rundir import RunDir
from audit.types import Evidence, Ingested
from benchmarks.made_up_rows import MadeUp, make_up
from benchmarks.measured_process import run_measured
from pipelines.measure_gains import ASSIGNMENTS, Experiments

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDS = 5
SEED = 0
RECALL_SAMPLE = 500
"""Images whose exact neighbours are looked up, to see how many were found."""

_MIB = 1024**2


class Clock:
    """Seconds, seconds of all processors and peak memory of stages."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[float, float, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        with suppress(OSError):  # not Linux
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        begun, cpu_begun = time.perf_counter(), time.process_time()
        yield
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
        self.stages[name] = seconds, cpu_seconds, peak_mib()
        give_back_freed_memory()
        print(f"  {name:18}{seconds:9.1f} s {cpu_seconds:9.1f} s of processors "
              f"{self.stages[name][2]:9,.0f} MiB", file=sys.stderr, flush=True)


def peak_mib() -> float:
    """Peak of the resident memory of this process since it was reset."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = _MIB if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def audit_rows(made: MadeUp, effort_name: str, run: RunDir, clock: Clock) -> dict[str, Any]:
    """Go through the stages, write the run, and say what was found of what was planted."""
    images, embeddings, effort = made.images, made.embeddings, find_effort(effort_name)
    count = len(images)
    classes = tuple(sorted(images["given_label"].unique()))
    with clock.stage("neighbours"):
        neighbours = nearest(embeddings)
    with clock.stage("duplicates"):
        pairs = find_pairs(images, made.tensors, neighbours)
    with clock.stage("folds"):
        groups = group_together(sets_of(pairs, count), images["group"])
        repeats = [assign_folds(images["given_label"], groups, np.ones(count, bool), FOLDS,
                                SEED + number)
                   for number in range(max(effort.repeats, ASSIGNMENTS))]
    with clock.stage("cross-validating"):
        validation = cross_validate(
            images["given_label"], classes, repeats[:effort.repeats],
            lambda tasks: cross_validate_head(
                embeddings, tasks[0].labels, (task.folds for task in tasks), tasks[0].classes,
                SEED, landmarks=effort.landmarks),
            "a kernel classifier")
    evidence = Evidence(images=images, classes=classes, pairs=pairs, neighbours=neighbours,
                        cross_validation=validation, seed=SEED)
    with clock.stage("learning curve"):
        experiments = Experiments.prepare(evidence, embeddings, repeats, effort)
        curve = experiments.learning_curve(lambda _: None)
    evidence = Evidence(images=images, classes=classes, pairs=pairs, neighbours=neighbours,
                        cross_validation=validation, learning_curve=curve, seed=SEED)
    with clock.stage("checks"):
        results = list(run_checks(all_checks(), evidence))
    for one in results:
        print(f"    {one.meta.code:22}{one.status:9}{one.seconds:8.1f} s  {one.reason}",
              file=sys.stderr)
    with clock.stage("gains"):
        gains = experiments.gains(trials(results, evidence), results, evidence, lambda _: None)
        causes = rank_causes(results, gains)
    with clock.stage("tables"):
        digest = dataset_digest(images)
        table, findings = images_table(evidence, results), findings_table(results, causes)
        summary = summarise(Ingested(Path(), images), evidence, results, causes, (), digest)
    with clock.stage("report"):
        page = render_report(ReportData(
            name="made up", digest=digest, seconds=0, evidence=evidence, results=results,
            causes=causes, found_well=found_well(results), not_checked=not_checked(results),
            accuracy=out_of_fold_accuracy(evidence), model=validation.model, stages=()),
            made.thumbnails).encode()
    with clock.stage("files"):
        write(run, made, table, findings, validation.probabilities, classes, summary, page)
    return {"report_mib": len(page) / _MIB, **found(made, neighbours, pairs, results),
            "accuracy": summary["model"]["out_of_fold_accuracy"],
            "not_ok": {one.meta.code: one.reason for one in results if one.status == "error"}}


def write(run: RunDir, made: MadeUp, table: pd.DataFrame, findings: pd.DataFrame,
          probabilities: np.ndarray, classes: tuple[str, ...], summary: object,
          page: bytes) -> None:
    """As an audit writes them."""
    rows = np.random.default_rng(SEED).permutation(len(table))
    run.begin()
    run.write_table("images", table.iloc[rows])
    run.write_table("measures", made.images.drop(columns="path").iloc[rows], csv=False)
    run.write_table("findings", findings)
    run.write_array("embeddings.npy", made.embeddings, rows)
    told = pd.DataFrame(probabilities, columns=list(classes))
    told.insert(0, "image_id", made.images["image_id"])
    run.write_table("pred_probs", told.iloc[rows], csv=False)
    run.write_json("summary.json", summary)
    run.write("report.html", page)


def found(made: MadeUp, neighbours: Any, pairs: pd.DataFrame, results: list[Any]) -> dict[str, Any]:
    """Shares of what was planted that were found, and of what was found that was planted."""
    sets = sets_of(pairs, len(made.images))
    copies = np.flatnonzero(made.source_of != np.arange(len(sets)))
    is_found = sets[copies] == sets[made.source_of[copies]]
    exact = made.is_exact[copies]
    first, second = pairs["row_a"].to_numpy(), pairs["row_b"].to_numpy()
    label = next(one for one in results if one.meta.code == "label")
    flagged = (label.outcome.scores["is_issue"].to_numpy() if label.outcome
               else np.zeros(len(sets), bool))
    return {"exact_copies_found": float(is_found[exact].mean()),
            "near_copies_found": float(is_found[~exact].mean()),
            "pairs_planted": float((made.source_of[first] == made.source_of[second]).mean()),
            "wrong_labels_flagged": float(flagged[made.is_wrong].mean()),
            "flags_wrong": float(made.is_wrong[flagged].mean()),
            **neighbours_found(made.embeddings, neighbours)}


def neighbours_found(embeddings: np.ndarray, neighbours: Any) -> dict[str, float]:
    """Of some images: how many of the exact neighbours were found, and how much farther they are.

    The second is the mean distance of those found by that of the exact ones.
    """
    kept = neighbours.rows.shape[1]
    some = np.linspace(0, len(embeddings) - 1, RECALL_SAMPLE).astype(int)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    hits, exact = 0, 0.0
    for row in some:
        similarity = unit @ unit[row]
        similarity[row] = -np.inf
        best = np.argpartition(-similarity, kept)[:kept]
        hits += len(np.intersect1d(best, neighbours.rows[row]))
        exact += float((1 - similarity[best]).sum())
    return {"neighbours_found": hits / (kept * len(some)),
            "neighbours_distance_ratio": float(neighbours.distances[some].sum()) / exact}


def go_through(count: int, classes: int, effort: str, work: Path) -> None:
    """One size: a line of JSON on the standard output, progress on the other."""
    keep_freed_memory()
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        with clock.stage("making it up"):
            made = make_up(count, classes, Path(folder))
        told = audit_rows(made, effort, RunDir(Path(folder) / "run"), clock)
    print(json.dumps({"rows": count, "stages": clock.stages, **told}))


def print_table(sizes: list[dict[str, Any]]) -> None:
    print("| stage | " + " | ".join(f"{one['rows']:,}: s (of processors), MiB" for one in sizes)
          + " | growth* |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name in sizes[-1]["stages"]:
        cells = [f"{seconds:,.1f} ({cpu:,.0f}), {peak:,.0f}" for seconds, cpu, peak in
                 (one["stages"][name] for one in sizes)]
        ratios = [growth(name, one, other) for one, other in itertools.pairwise(sizes)]
        print(f"| {name} | " + " | ".join(cells) + f" | {', '.join(ratios) or '–'} |")
    for one in sizes:
        one["audited"] = np.array([figures for name, figures in one["stages"].items()
                                   if name != "making it up"])
    print("| all but making it up | " + " | ".join(
        f"{told[:, 0].sum():,.0f} ({told[:, 1].sum():,.0f}), {told[:, 2].max():,.0f}"
        for told in (one.pop("audited") for one in sizes)) + " | |")
    for name in [key for key in sizes[-1] if key not in ("rows", "stages")]:
        print(f"| {name} | " + " | ".join(
            f"{one[name]:.4f}" if isinstance(one[name], float) else str(one[name])
            for one in sizes) + " | |")
    print("\n*Seconds of processors against the size before, divided by what n log n would take: "
          "1 or less is no worse.")


def growth(name: str, one: dict[str, Any], other: dict[str, Any]) -> str:
    expected = other["rows"] * math.log(other["rows"]) / (one["rows"] * math.log(one["rows"]))
    return f"{other['stages'][name][1] / max(one['stages'][name][1], 1e-9) / expected:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--classes", type=int, default=50)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--work", type=Path, help="folder for what is made up, 4 KiB a row")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        go_through(given.one, given.classes, given.effort, given.work)
        return
    sizes = []
    for count in given.rows:
        print(f"{count:,} rows, {os.cpu_count()} cores", file=sys.stderr, flush=True)
        ended = run_measured([
            sys.executable, "-m", "benchmarks.million_rows", "--one", str(count), "--classes",
            str(given.classes), "--effort", given.effort,
            *(["--work", str(given.work)] if given.work else [])])
        print(ended.errors, file=sys.stderr, end="", flush=True)
        if ended.exit_code:
            sys.exit(f"{count:,} rows ended with exit code {ended.exit_code}")
        sizes.append({**json.loads(ended.output.splitlines()[-1]),
                      "peak_mib_sampled": ended.peak_bytes / _MIB})
    print_table(sizes)


if __name__ == "__main__":
    main()
