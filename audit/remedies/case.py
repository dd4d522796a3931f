"""What the rules are told of a run: its images, sorted, and the sets that its checks found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.noise import fit_label_noise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

EVALUATION_SPLITS = {"test": 2, "val": 1}
"""Splits that are never edited unless asked → how far they are to be spared: a test image is what
all is measured by, so of copies in test and val, the one in test stays."""

SETS = ("exact_duplicates", "label_conflict", "split_leak")
"""Checks whose sets of images the rules act on."""

_TINY = 1e-12  # as in the check `label`, whose posterior this is


@dataclass(frozen=True)
class Case:
    """A run as the rules see it.

    Attributes:
        images: one row an image, sorted by image_id, index from 0: `image_id, file_sha256, split,
            given_label, status, problem, is_label_issue` (bool), `label_score`, and `likely_label`
            with its `likely_probability`, the most probable class by the model of label noise
            (empty and NaN for images that were not scored), and `own_probability`, the
            out-of-fold probability of the given label (NaN for the same).
        sets: check → its sets, each the rows of its images, ascending.
        classes: all classes of the data.
        editable: `(n,)` images that rules may change.
        spared: `(n,)` int, see `EVALUATION_SPLITS`; 0 for images that are trained on.
    """

    images: pd.DataFrame
    sets: Mapping[str, Sequence[tuple[int, ...]]]
    classes: tuple[str, ...]
    editable: NDArray[np.bool_]
    spared: NDArray[np.int64]

    def editable_rows(self) -> list[int]:
        """Rows that rules may change, ascending."""
        return [int(row) for row in np.flatnonzero(self.editable)]


def build_case(images: pd.DataFrame, findings: pd.DataFrame, classes: tuple[str, ...],
               probabilities: NDArray[np.float64] | None, *, is_own_model: bool = False,
               include_eval: bool = False) -> Case:
    """Lay out a run for the rules.

    Args:
        images: images.parquet and measures.parquet of the run side by side.
        findings: schema `tables.FINDINGS`.
        classes: of the columns of `probabilities`.
        probabilities: `(n, c)` in the order of `images`, or None.
        is_own_model: the probabilities came from the user.
        include_eval: evaluation splits may be edited too.
    """
    images = images.assign(position=np.arange(len(images))).sort_values(
        "image_id", kind="stable", ignore_index=True)
    position = images["position"].to_numpy()
    sorted_probabilities = None if probabilities is None else probabilities[position]
    likely, probability = most_probable(images["given_label"].to_numpy(object), classes,
                                        sorted_probabilities, is_own_model=is_own_model)
    columns = ["image_id", "file_sha256", "split", "given_label", "status", "problem",
               "label_score"]
    laid_out = images[columns].assign(
        is_label_issue=images["is_label_issue"].fillna(value=False).to_numpy(bool),
        likely_label=likely, likely_probability=probability,
        own_probability=_own(images["given_label"].to_numpy(object), classes,
                             sorted_probabilities, likely != ""))
    spared = np.array([EVALUATION_SPLITS.get(split, 0) for split in images["split"]], np.int64)
    editable = np.ones(len(images), bool) if include_eval else spared == 0
    return Case(laid_out, _sets(findings, images["image_id"]), classes, editable, spared)


def most_probable(labels: NDArray[np.object_], classes: tuple[str, ...],
                  probabilities: NDArray[np.float64] | None, *, is_own_model: bool,
                  ) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The most probable class of each image and its posterior, given its label too.

    The model of label noise is fitted as the check `label` fits it, to images in the order of
    image_id, without classes that were not scored. Their columns are 0 in what a run writes; in
    the user's own probabilities every column counts.

    Args:
        labels: `(n,)` given labels, in the order of image_id.
        classes: of the c columns.
        probabilities: `(n, c)` out of fold, or None.
        is_own_model: the probabilities came from the user.

    Returns:
        `(n,)` names, empty where there is none, and `(n,)` probabilities, NaN where there is none.
    """
    names = np.full(len(labels), "", object)
    posterior = np.full(len(labels), np.nan)
    if probabilities is None:
        return names, posterior
    finite = np.isfinite(probabilities).all(axis=1)
    scored = np.ones(len(classes), bool) if is_own_model else (
        (probabilities[finite] > 0).any(axis=0))
    known = np.array(classes, object)[scored]
    rows = np.flatnonzero(finite & np.isin(labels, known))
    if len(np.unique(labels[rows])) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        return names, posterior
    taken = probabilities[rows][:, scored]
    taken = taken / np.maximum(taken.sum(axis=1, keepdims=True), _TINY)
    noise = fit_label_noise(np.log(taken + _TINY), np.searchsorted(known, labels[rows]))
    names[rows] = known[noise.posterior.argmax(axis=1)]
    posterior[rows] = noise.posterior.max(axis=1)
    return names, posterior


def _own(labels: NDArray[np.object_], classes: tuple[str, ...],
         probabilities: NDArray[np.float64] | None, scored: NDArray[np.bool_],
         ) -> NDArray[np.float64]:
    """Out-of-fold probability `(n,)` of the given label; NaN where there is none."""
    own = np.full(len(labels), np.nan)
    if probabilities is not None:
        rows = np.flatnonzero(scored)
        own[rows] = probabilities[rows, np.searchsorted(np.array(classes, object), labels[rows])]
    return own


def _sets(findings: pd.DataFrame, image_ids: pd.Series) -> dict[str, list[tuple[int, ...]]]:
    row_of = {name: row for row, name in enumerate(image_ids)}
    found: dict[str, list[tuple[int, ...]]] = {check: [] for check in SETS}
    wanted = findings[findings["check"].isin(SETS) & (findings["about"] == "set")]
    for check, subject, related in zip(wanted["check"], wanted["subject"], wanted["related"],
                                       strict=True):
        found[check].append(tuple(sorted(row_of[name] for name in
                                         (subject, *json.loads(related)))))
    return {check: sorted(sets) for check, sets in found.items()}
