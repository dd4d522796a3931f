"""What is trained on and tested on: pictures of a plan's images and of those held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.errors import UnauditableError, UsageError
from audit.ingest import TEST, hold_out
from audit.measures import UNREADABLE
from audit.training import Examples
from pipelines.measure_images import measure_images
from pipelines.remedy_dataset import groups_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore
    from audit.stored_run import StoredRun
    from audit.training import Source
    from pipelines.progress import Stages

TRUSTED_SHARE = 0.2
"""Of the images whose labels are believed, held out where the data have no test split."""


@dataclass(frozen=True)
class PictureSettings:
    """Side in pixels of the largest pictures to keep, processes that read, and a seed."""

    side: int
    workers: int
    seed: int


@dataclass(frozen=True)
class TrainingData:
    """Rows of the plan, then rows of what was held out; pictures are of the same rows.

    Attributes:
        plan: schema `tables.PLAN`.
        truth: `(n,)` given labels, of what was held out too.
        tested: rows to test on.
        trainable: of the plan, in no evaluation split and not tested on.
        readable: of the plan.
        tensors: the pictures.
        classes: that are trained on, sorted.
        notes: sentences about the test images.
        tested_files: SHA-256 of the files tested on.
    """

    plan: pd.DataFrame
    truth: NDArray[np.object_]
    tested: NDArray[np.int64]
    trainable: NDArray[np.bool_]
    readable: NDArray[np.bool_]
    tensors: TensorStore
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    tested_files: tuple[str, ...]

    def examples(self, source: Source, rows: NDArray[np.int64], labels: NDArray[np.object_],
                 weights: NDArray[np.float32] | None = None) -> Examples:
        """Rows of a source with labels by name."""
        codes = np.searchsorted(np.array(self.classes, object), labels).astype(np.int64)
        return Examples(source, rows, codes,
                        np.ones(len(rows), np.float32) if weights is None else weights)


def read_pictures(run: StoredRun, plan: pd.DataFrame, sources: pd.DataFrame,
                  settings: PictureSettings, work: Path, stages: Stages) -> TrainingData:
    """Pictures of the plan's images and of those held out, and which are tested on.

    Args:
        run: that the plan is of.
        plan: schema `tables.PLAN`.
        sources: `path` by image_id.
        settings: how to read them.
        work: folder for the pictures.
        stages: told of the progress.

    Raises:
        UsageError: the images are not what was audited.
        UnauditableError: there is nothing to train on or to test on.
    """
    held_out = run.held_out
    names = [*plan["image_id"], *([] if held_out is None else held_out["image_id"])]
    paths = sources.loc[names, "path"].tolist()
    measures, tensors, _ = measure_images(paths, settings.side, settings.workers, work, stages)
    readable = (measures["status"] != UNREADABLE).to_numpy()
    count = len(plan)
    _refuse_changed(plan, measures)
    tested, notes = _choose_tested(run, plan, held_out, settings.seed)
    trainable = ~plan["split"].isin([TEST, "val"]).to_numpy()
    trainable &= ~np.isin(np.arange(count), tested)
    labels = np.concatenate([
        plan["given_label"].to_numpy(object),
        np.empty(0, object) if held_out is None else held_out["given_label"].to_numpy(object)])
    learned = set(plan["given_label"][trainable & readable[:count]])
    if len(learned) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        raise UnauditableError("fewer than two classes have images to train on.")
    copies = _copies_of_training(measures, np.flatnonzero(trainable), tested)
    fit_to_test = readable[tested] & ~copies & np.isin(labels[tested], sorted(learned))
    if not fit_to_test.any():
        raise UnauditableError("no image is left to test on: all are unreadable, copies of "
                               "images to train on, or of classes without such images.")
    if copies.any():
        note = f"{copies.sum():,} test images are copies of images to train on and do not count."
        notes = (*notes, note)
    return TrainingData(plan, labels, tested[fit_to_test], trainable, readable[:count], tensors,
                 tuple(sorted(learned | set(plan["label"][trainable]))), notes,
                 tuple(measures["file_sha256"].iloc[tested[fit_to_test]]))


def _choose_tested(run: StoredRun, plan: pd.DataFrame, held_out: pd.DataFrame | None, seed: int,
                   ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Rows to test on: what was held out, or the test split, or a fifth of the trusted images."""
    if held_out is not None:
        note = f"Measured on {len(held_out):,} images that were held out before the audit."
        return np.arange(len(plan), len(plan) + len(held_out)), (note,)
    rows = np.flatnonzero(plan["split"] == TEST)
    if len(rows):
        note = (f"Measured on the test split, {len(rows):,} images. No network was trained on "
                "them, but the audit that judged the other labels had learned from them: "
                "`audit run --hold-out test` keeps them out of that too.")
        return rows, (note,)
    judged = set(run.images["image_id"][run.images["predicted_label"] != ""])
    trusted = plan["image_id"].isin(judged) & (plan["rule"] == "none") & (plan["split"] != "val")
    # A group goes as a whole, and only if all of it is trusted: else its like is trained on.
    groups = pd.Series(groups_of(run, plan))
    whole = trusted.groupby(groups).transform("all")
    candidates = plan[["image_id", "given_label", "split"]].assign(group=groups.map(str))[whole]
    if candidates.empty:
        raise UnauditableError("no image is left to test on: the audit believes no label.")
    chosen = set(hold_out(candidates.reset_index(drop=True), str(TRUSTED_SHARE), seed)[1][
        "image_id"])
    note = (f"The data have no test split. Measured on {len(chosen):,} images whose labels the "
            "audit believes; it had seen them, and networks like what it believes. For a figure "
            "that nothing has touched: audit run --hold-out 0.2, then audit train.")
    return np.flatnonzero(plan["image_id"].isin(chosen)), (note,)


def _refuse_changed(plan: pd.DataFrame, measures: pd.DataFrame) -> None:
    """Refuse images that are not the ones that were audited."""
    now = measures["file_sha256"].to_numpy(object)[:len(plan)]
    changed = plan["image_id"][plan["file_sha256"].to_numpy(object) != now]
    if len(changed):
        raise UsageError(f"{len(changed):,} images are not what was audited, as {changed.iloc[0]}. "
                         "Run the audit again.")


def _copies_of_training(measures: pd.DataFrame, trained: NDArray[np.int64],
                        tested: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the tested images are, by file or pixels, among those to train on."""
    pixels = measures["pixel_hash"].to_numpy(object)
    known = {pixels[row] for row in trained} - {""}
    return np.array([pixels[row] in known for row in tested], bool)
