"""A whole `audit run` against what a person would glue together, on one folder, in one run.

    python -m benchmarks.compare_audits FOLDER --labels labels.csv --label-column random_label1
        --truth-column clean_label --config "" --config "--backbone patches"
    python -m benchmarks.compare_audits FOLDER --flip 0.1 --seed 1 --config "--effort low"

The labels' truth is a column of the table, or, with `--flip SHARE`, the labels before that share of
them was replaced, each by another class at random; this writes a table to a temporary folder and
touches no image. Each `--config` is one more audit with those arguments (write `--config=--word`
for a single word); none is the same as one `""`. The environment is inherited, KERAS_HOME too.
The peer is `glued_peer`: CleanVision, a hand-written network in 5 folds, cleanlab.

Each runs in a process of its own, one after another, with nothing kept from the one before;
images and libraries are read once beforehand, so that none pays for a cold disk. Seconds are of
the whole command, from its start to its end. Memory (Linux) is the largest sum of resident memory
of all its processes, sampled each 0.2 s. `label_score` ranks for AUROC and average precision, of
wrong labels among the images whose truth is known; one without a score ranks last. Precision and
recall are of `is_label_issue`. The exit code is 1 if one of them failed; the others have their row.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from audit.errors import AuditError, UsageError
from audit.ingest import open_dataset
from benchmarks.measured_process import Measured, run_measured

PEER = Path(__file__).with_name("glued_peer.py")
COLUMNS = ("what", "seconds", "times the peer's speed", "seconds of processors", "peak GiB",
           "AUROC", "AP", "flagged", "precision", "recall")
NOTHING = "–"
PACKAGES = ("tensorflow", "cleanlab", "cleanvision")


@dataclass(frozen=True)
class Scores:
    """How well labels were judged; None where it is not defined."""

    auroc: float | None
    average_precision: float | None
    flagged: int
    precision: float | None
    recall: float | None


def flip_labels(labels: pd.Series, share: float, seed: int) -> pd.Series:
    """Replace a share of the labels, rounded to whole ones, each by another class uniformly."""
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        raise UsageError("--flip needs two classes or more. Got one.")
    random = np.random.default_rng(seed)
    chosen = random.choice(len(codes), round(share * len(codes)), replace=False)
    codes[chosen] = (codes[chosen] + random.integers(1, len(classes), len(chosen))) % len(classes)
    return pd.Series(classes[codes], labels.index)


def prepare(given: argparse.Namespace, table: Path) -> pd.DataFrame:
    """Write the table of labels for the audits; return `image_id, path, label, truth`.

    The truth is empty for images whose truth the dataset does not tell.
    """
    listed = open_dataset(given.folder, given.labels, given.label_column).manifest
    if given.flip is not None:
        truth = listed["given_label"]
        listed["given_label"] = flip_labels(truth, given.flip, given.seed)
    else:
        known = open_dataset(given.folder, given.labels, given.truth_column).manifest
        truth = listed["image_id"].map(known.set_index("image_id")["given_label"]).fillna("")
    relative = [os.path.relpath(path, given.folder) for path in listed["path"]]
    listed.assign(path=relative).rename(columns={"given_label": "label"})[
        ["path", "label", "split", "group"]].to_csv(table, index=False)
    images = open_dataset(given.folder, table).manifest  # with the ids that the audits will use
    return pd.DataFrame({"image_id": images["image_id"], "path": images["path"],
                         "label": images["given_label"], "truth": truth.to_numpy()})


def score(images: pd.DataFrame, result: pd.DataFrame) -> Scores:
    """Compare `image_id, label_score, is_label_issue` with the truth."""
    judged = images.merge(result, "left", on="image_id", validate="one_to_one", indicator=True)
    lost = int((judged["_merge"] != "both").sum())
    if lost:
        raise ValueError(f"{lost} of {len(images)} images are not in the result")
    judged = judged[judged["truth"] != ""]
    is_wrong = (judged["label"] != judged["truth"]).to_numpy()
    flagged = judged["is_label_issue"].fillna(value=False).to_numpy(bool)
    hits, wrong = int((flagged & is_wrong).sum()), int(is_wrong.sum())
    suspicion = 1 - judged["label_score"].fillna(1).to_numpy(float)
    ranks = 0 < wrong < len(is_wrong) and judged["label_score"].notna().any()
    return Scores(
        auroc=float(roc_auc_score(is_wrong, suspicion)) if ranks else None,
        average_precision=float(average_precision_score(is_wrong, suspicion)) if ranks else None,
        flagged=int(flagged.sum()), precision=hits / int(flagged.sum()) if flagged.any() else None,
        recall=hits / wrong if wrong else None)


def warm_up(images: pd.DataFrame, packages: list[str]) -> None:
    """Read the images and the libraries once, so that the first to run does not do it for all."""
    for path in images["path"]:
        with suppress(OSError):  # one that cannot be read is the audits' to deal with
            Path(path).read_bytes()
    subprocess.run([sys.executable, "-c", f"import {', '.join(packages)}, sklearn, cv2"],
                   check=True, capture_output=True)


def number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def row(name: str, measured: Measured, peer_seconds: float | None, scores: Scores) -> str:
    speed = peer_seconds / measured.seconds if peer_seconds else None
    memory = measured.peak_bytes / 2**30 if measured.peak_bytes else None
    cells = (name, f"{measured.seconds:.1f}", number(speed, ".1f"), f"{measured.cpu_seconds:.0f}",
             number(memory, ".2f"), number(scores.auroc, ".3f"),
             number(scores.average_precision, ".3f"), str(scores.flagged),
             number(scores.precision, ".3f"), number(scores.recall, ".3f"))
    return "| " + " | ".join(cells) + " |"


def show(name: str, measured: Measured, peer_seconds: float | None, images: pd.DataFrame,
         result: Path) -> bool:
    """Print one row of the table, or why there is none; tells whether it went well."""
    if measured.exit_code:
        said = shorten((measured.errors or measured.output).strip().rpartition("\n")[2], 120)
        print(f"| {name} | failed after {measured.seconds:.1f} s with exit code "
              f"{measured.exit_code}: {said} |" + " |" * (len(COLUMNS) - 2), flush=True)
        return False
    columns = ["image_id", "label_score", "is_label_issue"]
    scores = score(images, pd.read_parquet(result, columns=columns))
    print(row(name, measured, peer_seconds, scores), flush=True)
    return True


def compare(given: argparse.Namespace, work: Path) -> bool:
    """Run the peer and each audit in turn and print a row for each; tells whether all went well."""
    table = work / "labels.csv"
    images = prepare(given, table)
    known = images[images["truth"] != ""]
    packages = [name for name in PACKAGES if name != "cleanvision" or given.peer]
    warm_up(images, packages)
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python "
          f"{platform.python_version()}, {versions}\n{given.folder}: {len(images)} images, "
          f"{images['label'].nunique()} classes, {(known['label'] != known['truth']).sum()} of "
          f"{len(known)} labels wrong\n\n| " + " | ".join(COLUMNS) + " |\n"
          + "|---" * len(COLUMNS) + "|", flush=True)
    peer_seconds, notes, went_well = None, "", True
    if given.peer:
        images.drop(columns="truth").to_csv(work / "peer.csv", index=False)
        measured = run_measured([sys.executable, str(PEER), str(work / "peer.csv"),
                                 str(work / "peer.parquet"), "--epochs", str(given.epochs)])
        went_well = show("glued by hand", measured, measured.seconds, images,
                         work / "peer.parquet")
        if went_well:
            peer_seconds, notes = measured.seconds, f"\nGlued by hand: {measured.output.strip()}"
    for count, config in enumerate(given.config or [""]):
        out = work / f"run-{count}"
        measured = run_measured([
            sys.executable, "-m", "pipelines.cli", "run", str(given.folder), "--labels", str(table),
            *shlex.split(config), "--no-cache", "--out", str(out)])
        name = f"`audit run {config}`" if config else "`audit run`"
        went_well &= show(name, measured, peer_seconds, images, out / "images.parquet")
    print(notes)
    return went_well


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare_audits", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path, help="table path,<labels>; paths are below FOLDER")
    parser.add_argument("--label-column", default="label")
    truths = parser.add_mutually_exclusive_group(required=True)
    truths.add_argument("--truth-column", help="column of --labels with the right labels")
    truths.add_argument("--flip", type=float, metavar="SHARE", help="plant so many wrong labels")
    parser.add_argument("--seed", type=int, default=0, help="which labels --flip replaces")
    parser.add_argument("--config", action="append", metavar="ARGUMENTS",
                        help="arguments of one more audit; may be given several times")
    parser.add_argument("--epochs", type=int, default=10, help="of the peer's network")
    parser.add_argument("--no-peer", dest="peer", action="store_false")
    given = parser.parse_args()
    if given.truth_column and not given.labels:
        parser.error("--truth-column needs --labels FILE")
    if given.flip is not None and not 0 <= given.flip <= 1:
        parser.error(f"--flip must be between 0 and 1. Got {given.flip} instead.")
    return given


def main() -> None:
    given = arguments()
    try:
        with tempfile.TemporaryDirectory() as work:
            went_well = compare(given, Path(work))
    except AuditError as error:
        sys.exit(f"compare_audits: {error}")
    sys.exit(not went_well)


if __name__ == "__main__":
    main()
