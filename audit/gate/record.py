"""What the gate reads of a run: no image, no pandas, no TensorFlow, so that it answers at once.

Some functions of pyarrow import pandas where it is installed, which takes half a second: those
that turn a Python value into a scalar, and those that turn a column into an array.

Whatever is missing or does not fit together is kept as a reason why nothing can be certified,
never passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit.digest import digest_of_rows
from audit.errors import AuditError, UsageError
from audit.rundir import RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CERTIFIED_FILES = (RUN_FILE, "summary.json", "images.parquet", "measures.parquet",
                   "findings.parquet")
"""What a verdict is made of. The report and the CSV files are for people, and may be touched."""


NOT_ABOUT_IMAGES = frozenset({"class_imbalance", "no_signal", "overlapping_classes", "shortcut",
                              "sufficiency", "too_few_images", "weak_slices"})
"""Checks that flag classes or the dataset; the others must have flags for each image. Written down
here since the checks themselves take a second to import; a test compares."""

_OF_IMAGES = ("image", "set")


class UnreadableRunError(AuditError):
    """A run that is not finished, or was damaged: nothing can be certified."""

    exit_code = 3


@dataclass(frozen=True)
class CheckState:
    """How a check ended.

    Attributes:
        code: of the check.
        title: of the check.
        status: `ok`, `skipped` or `error`.
        reason: why it was skipped or failed.
        metrics: its figures.
        is_about_images: whether it says of each image if it is flagged.
    """

    code: str
    title: str
    status: str
    reason: str
    metrics: Mapping[str, Any]
    is_about_images: bool


@dataclass(frozen=True)
class Finding:
    """A flagged finding about a class, a pair of classes or the dataset.

    `score` is low where it is bad, as everywhere.
    """

    check: str
    about: str
    subject: str
    score: float
    evidence: str
    suggestion: str


@dataclass(frozen=True)
class GateRecord:
    """A finished run, as far as a verdict needs it.

    Attributes:
        path: its folder.
        digest: of the data that was audited.
        classes: names of all classes.
        image_ids: `(n,)` names of the images.
        contents: `(n,)` SHA-256 of each file; the name of one that was not read.
        given: `(n,)` given labels.
        splits: `(n,)` names of splits, empty where there are none.
        readable: `(n,)` whether pixels were had.
        states: code → how the check ended.
        flags: code → rows of the images that it flags, ascending, of checks about images that ran.
        scores: code → the scores of these.
        findings: flagged findings that are not about images.
        sets: check, first image_id and the others as JSON, of flagged sets; see `members`.
        evidence: (check, image_id) → what was seen, of images and of the first of sets.
        settings: the options of the run; where it has told, `data` and `labels` as whole paths.
        version: of what made the run.
        damage: what does not fit together, sentences.
    """

    path: Path
    digest: str
    classes: tuple[str, ...]
    image_ids: NDArray[np.object_]
    contents: NDArray[np.object_]
    given: NDArray[np.object_]
    splits: NDArray[np.object_]
    readable: NDArray[np.bool_]
    states: Mapping[str, CheckState]
    flags: Mapping[str, NDArray[np.int64]]
    scores: Mapping[str, NDArray[np.float64]]
    findings: tuple[Finding, ...]
    sets: tuple[tuple[str, str, str], ...]
    evidence: Mapping[tuple[str, str], str]
    settings: Mapping[str, Any]
    version: str
    damage: tuple[str, ...] = field(default=())

    def members(self) -> Iterator[tuple[str, list[str]]]:
        """Check and contents of the images, of each flagged set."""
        content = dict(zip(self.image_ids, self.contents, strict=True))
        for check, first, others in self.sets:
            names = (first, *json.loads(others))
            if all(name in content for name in names):  # else it is damage already
                yield check, [content[name] for name in names]

    def labels_of(self, content: str) -> set[str]:
        """Labels under which a file of that content is."""
        return self._labels.get(content, set())

    @cached_property
    def _labels(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for content, label in zip(self.contents.tolist(), self.given.tolist(), strict=True):
            found.setdefault(content, set()).add(label)
        return found

    @property
    def is_evaluation(self) -> NDArray[np.bool_]:
        """Images of splits that nothing is trained on."""
        return np.isin(self.splits.astype(str), ("val", "test"))


def read_record(path: Path) -> GateRecord:
    """Read a run.

    Raises:
        UsageError: there is no such folder.
        UnreadableRunError: it holds no finished run, or one that cannot be read.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no folder. Give one that `audit run` has written.")
    if not (path / RUN_FILE).is_file():
        raise UnreadableRunError(f"{path} holds no {RUN_FILE}, so it is no finished run: nothing "
                                 "can be certified. Run the audit to its end.")
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:160]
        raise UnreadableRunError(
            f"the run in {path} cannot be read ({type(error).__name__}: {reason}), so nothing can "
            "be certified. Run the audit again.") from error


def _read(path: Path) -> GateRecord:
    return record_of(
        path, json.loads((path / RUN_FILE).read_text(encoding="utf-8")),
        json.loads((path / "summary.json").read_text(encoding="utf-8")),
        _read_table(path / "images.parquet"), _read_table(path / "measures.parquet", [
            "image_id", "given_label", "split", "status", "file_sha256"]),
        _read_table(path / "findings.parquet"))


def record_of(path: Path, about: Mapping[str, Any], summary: Mapping[str, Any], images: pa.Table,
              measures: pa.Table, findings: pa.Table) -> GateRecord:
    """The record of a run by what its files hold, whether they are written yet or not.

    Args:
        path: its folder.
        about: run.json: `digest`, `settings`, `version` and, if told, `source` are read.
        summary: summary.json.
        images: images.parquet.
        measures: measures.parquet.
        findings: findings.parquet.

    Raises:
        ValueError: the tables are of different images.
    """
    if images.num_rows != measures.num_rows:
        raise ValueError("images.parquet and measures.parquet are of different images")
    states, flags, scores = {}, {}, {}
    for one in summary["checks"]:
        code = one["code"]
        flag, score = f"is_{code}_issue", f"{code}_score"
        is_about_images = flag in images.column_names
        states[code] = CheckState(code, one["title"], one["status"], one["reason"] or "",
                                  one["metrics"] or {}, is_about_images)
        if is_about_images and one["status"] == "ok":
            rows = pc.indices_nonzero(images[flag])  # nulls are none
            flags[code] = np.array(rows.to_pylist(), np.int64)
            scores[code] = np.array(images[score].take(rows).to_pylist(), float)
    names, hashes = _texts(measures["image_id"]), _texts(measures["file_sha256"])
    found = findings.filter(findings["is_flagged"]).to_pylist()
    return GateRecord(
        path, about["digest"], tuple(sorted({
            *summary["dataset"]["classes"], *summary["dataset"].get("empty_classes", ())})), names,
        np.where(hashes == "", names, hashes), _texts(images["given_label"]),
        _texts(images["split"]), _texts(measures["status"]) != "unreadable", states, flags, scores,
        tuple(Finding(one["check"], one["about"], one["subject"], float(one["score"]),
                      one["evidence"], one["suggestion"])
              for one in found if one["about"] not in _OF_IMAGES),
        tuple((one["check"], one["subject"], one["related"])
              for one in found if one["about"] == "set"),
        {(one["check"], one["subject"]): one["evidence"]
         for one in found if one["about"] in _OF_IMAGES},
        about["settings"] | about.get("source", {}), about["version"],
        tuple(_damage(about, summary, images, measures, found)))


def _read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    # Through one file: the reader of datasets takes longer to import than the file to be read.
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def _damage(about: Mapping[str, Any], summary: Mapping[str, Any], images: pa.Table,
            measures: pa.Table, flagged: list[dict[str, Any]]) -> list[str]:
    """What of the files of one run does not fit together."""
    found = []
    if any(images[name].to_pylist() != measures[name].to_pylist()
           for name in ("image_id", "given_label", "split")):
        found.append("images.parquet and measures.parquet are of different images")
    if images.num_rows != summary["dataset"]["images"]:
        found.append(f"summary.json counts {summary['dataset']['images']:,} images, and "
                     f"images.parquet holds {images.num_rows:,}")
    digest = digest_of_rows(_texts(measures["file_sha256"]).tolist(),
                            _texts(measures["given_label"]).tolist(),
                            _texts(measures["split"]).tolist())
    if digest != about["digest"] or digest != summary["dataset"]["digest"]:
        found.append("the digest of the data in run.json or summary.json is not that of "
                     "measures.parquet")
    counts = Counter(one["check"] for one in flagged)
    found += [f'summary.json and findings.parquet count different findings of the check '
              f'"{one["code"]}"' for one in summary["checks"]
              if (one["flagged"] or 0) != counts.pop(one["code"], 0)]
    found += [f'findings.parquet holds a check "{code}" that summary.json does not'
              for code in counts]
    codes = Counter(one["code"] for one in summary["checks"])
    found += [f'summary.json holds the check "{code}" twice' for code, count in codes.items()
              if count > 1]
    for one in summary["checks"]:
        flag = f"is_{one['code']}_issue"
        has_results = (images[flag].null_count == 0 if flag in images.column_names
                       else one["code"] in NOT_ABOUT_IMAGES)
        if one["status"] == "ok" and (one["flagged"] is None or not has_results):
            found.append(f'the check "{one["code"]}" is said to have run, and has no results')
    return [*found, *_not_flagged(images, flagged)]


def _not_flagged(images: pa.Table, flagged: list[dict[str, Any]]) -> Iterator[str]:
    """Findings about images that images.parquet does not flag, a sentence a check."""
    known = set(images["image_id"].to_pylist())
    by_check: dict[str, list[dict[str, Any]]] = {}
    for one in flagged:
        if one["about"] in _OF_IMAGES:
            by_check.setdefault(one["check"], []).append(one)
    for code, findings in by_check.items():
        flag = f"is_{code}_issue"
        rows = (pc.indices_nonzero(images[flag]) if flag in images.column_names else
                pa.array([], pa.uint64()))
        found = set(images["image_id"].take(rows).to_pylist())
        for one in findings:
            names = {one["subject"], *(json.loads(one["related"]) if one["about"] == "set" else ())}
            if not names <= known or not names & found:
                yield (f'findings.parquet flags {one["subject"]} by the check "{code}", and '
                       "images.parquet does not")
                break


def _texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    return np.array([one or "" for one in column.to_pylist()], object)


def digest_of_files(path: Path) -> str:
    """SHA-256 over all that a verdict is made of, but for decisions of people."""
    total = hashlib.sha256()
    for name in CERTIFIED_FILES:
        total.update(name.encode())
        total.update(hashlib.sha256((path / name).read_bytes()).digest())
    return total.hexdigest()
