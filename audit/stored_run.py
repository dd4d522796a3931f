"""The only code that reads a run's files; `audit.rundir` is the only one that writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit.errors import UsageError
from audit.places import place_of
from audit.rundir import RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.places import Place


@dataclass(frozen=True)
class Source:
    """Where a run found its images: the arguments of `audit.ingest.open_dataset`."""

    data: Place
    labels: Place | None
    label_column: str


@dataclass(frozen=True)
class StoredRun:
    """A finished run, as it was written.

    Attributes:
        path: its folder.
        images: images.parquet and measures.parquet side by side, one row an image.
        findings: schema `tables.FINDINGS`.
        probabilities: `(n, c)` out of fold, in the order of `images`; NaN for images that were not
            predicted; None where nothing was predicted at all.
        classes: names of the c columns, all classes of the data.
        is_own_model: the probabilities came from the user (`--pred-probs`).
        digest: of the data that was audited, see `audit.digest`.
        source: where the images were.
        held_out: images that the run has not opened: `image_id, split, given_label, group`; None
            if none were held out.
    """

    path: Path
    images: pd.DataFrame
    findings: pd.DataFrame
    probabilities: NDArray[np.float64] | None
    classes: tuple[str, ...]
    is_own_model: bool
    digest: str
    source: Source
    held_out: pd.DataFrame | None = None

    def embeddings(self) -> NDArray[np.float32] | None:
        """`(n, d)` in the order of `images`, NaN for images that could not be read."""
        path = self.path / "embeddings.npy"
        if not path.is_file():
            return None
        found: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        return found if len(found) == len(self.images) else None


def read_run(path: Path) -> StoredRun:
    """Read what a run has written.

    Raises:
        UsageError: the folder holds no finished run, or one of its files cannot be read.
    """
    if not (path / RUN_FILE).is_file():
        raise UsageError(f"{path} holds no {RUN_FILE}, so it is no finished run. Give a folder "
                         "that `audit run` has written.")
    try:
        about = json.loads((path / RUN_FILE).read_text(encoding="utf-8"))
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        images = _images(path)
        findings = pd.read_parquet(path / "findings.parquet")
        classes = tuple(summary["dataset"]["classes"])
        return StoredRun(
            path, images, findings, _probabilities(path, images, classes), classes,
            about["settings"]["pred_probs"] is not None, about["digest"], _source(about),
            _held_out(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"the run in {path} cannot be read ({type(error).__name__}: {reason}). "
                         "Run the audit again.") from error


def _images(path: Path) -> pd.DataFrame:
    images = pd.read_parquet(path / "images.parquet")
    measures = pd.read_parquet(path / "measures.parquet")
    if images["image_id"].tolist() != measures["image_id"].tolist():
        raise ValueError("images.parquet and measures.parquet are of different images")
    return pd.concat([images, measures.drop(columns=list(set(images) & set(measures)))], axis=1)


def _probabilities(path: Path, images: pd.DataFrame, classes: tuple[str, ...],
                   ) -> NDArray[np.float64] | None:
    file = path / "pred_probs.parquet"
    if not file.is_file():
        return None
    table = pd.read_parquet(file)
    if table["image_id"].tolist() != images["image_id"].tolist():
        raise ValueError("pred_probs.parquet is of other images")
    return table[list(classes)].to_numpy(np.float64)


def _held_out(path: Path) -> pd.DataFrame | None:
    file = path / "held_out.parquet"
    return pd.read_parquet(file) if file.is_file() else None


def _source(about: Mapping[str, Any]) -> Source:
    """Runs of before there was `source` have the paths as they were typed."""
    found = about.get("source") or about["settings"]
    labels = found["labels"]
    return Source(place_of(found["data"]), None if labels is None else place_of(labels),
                  found["label_column"])
