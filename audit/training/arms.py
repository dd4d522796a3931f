"""What is trained on before and after each kind of remedy, from a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

FILE_RULES = ("unreadable_file", "exact_duplicates", "split_leak", "label_conflict")
"""Rules about pictures; all others are about labels."""

VALIDATION_SHARE = 0.1
"""Of the images to train on, where the data have no val split."""


@dataclass(frozen=True)
class Arm:
    """What one network is trained on.

    Attributes:
        name: short, for files and tables.
        what: in words.
        rows: `(n,)` rows of the plan; one that counts twice is there twice.
        labels: `(n,)` class names to train with.
        weights: `(n,)` 1 on average.
        validation: `(v,)` rows of the plan to choose the epoch by.
        validation_labels: `(v,)` their class names.
        validation_weights: `(v,)` how much each counts there.
        adjusts_logits: learn as if classes were of one size.
    """

    name: str
    what: str
    rows: Rows
    labels: NDArray[np.object_]
    weights: NDArray[np.float32]
    validation: Rows
    validation_labels: NDArray[np.object_]
    validation_weights: NDArray[np.float32]
    adjusts_logits: bool = False

    def is_as(self, other: Arm) -> bool:
        """Whether the same is learned from the same images."""
        return (self.adjusts_logits == other.adjusts_logits
                and np.array_equal(self.rows, other.rows)
                and np.array_equal(self.labels, other.labels)
                and np.allclose(self.weights, other.weights))


def make_arms(plan: pd.DataFrame, balanced: pd.DataFrame, trainable: NDArray[np.bool_],
              readable: NDArray[np.bool_], seed: int, *, adjusts_logits: bool, steps: bool,
              ) -> list[Arm]:
    """Arms from the data as they came to all remedies, each with one more kind than the one before.

    A kind that changes nothing has no arm. Images to choose the epoch by are the same in all arms,
    as far as an arm keeps them, with the labels it has for them.

    Args:
        plan: schema `tables.PLAN`, before classes are balanced.
        balanced: the same with classes balanced.
        trainable: `(n,)` rows to train on or, without a val split, to validate with.
        readable: `(n,)` rows whose picture is there.
        seed: of the choice of images to validate with.
        adjusts_logits: the plan balances classes by the loss.
        steps: with the arms between the first and the last.
    """
    used = trainable & readable
    is_validation = _validation(plan, used, readable, seed)
    given, label = (plan[name].to_numpy(object) for name in ("given_label", "label"))
    about_files = plan["rule"].isin(FILE_RULES).to_numpy()
    dropped = (plan["action"] == "drop").to_numpy()
    once = np.ones(len(plan), np.int64)

    def arm(name: str, what: str, kept: NDArray[np.bool_], labels: NDArray[np.object_],
            repeat: Rows = once, weight: NDArray[np.floating] | None = None, *,
            adjusts: bool = False) -> Arm:
        rows = np.repeat(np.arange(len(plan)), np.where(kept & used & ~is_validation, repeat, 0))
        weights = np.ones(len(rows)) if weight is None else weight[rows]
        validation = np.flatnonzero(is_validation & kept)
        believed = np.ones(len(plan)) if weight is None else label_weight
        return Arm(name, what, rows, labels[rows],
                   (weights / max(weights.mean(), 1e-9) if len(rows) else weights
                    ).astype(np.float32), validation, labels[validation],
                   believed[validation].astype(np.float32), adjusts)

    everything = np.ones(len(plan), bool)
    label_weight = plan["weight"].to_numpy(float)
    found = [
        arm("as-it-came", "data as they came", everything, given),
        arm("files", "copies, conflicts out", ~(dropped & about_files),
            given),
        arm("labels", "labels remedied", ~dropped, label, weight=label_weight),
        arm("balance", "classes balanced", ~dropped, label,
            balanced["repeat"].to_numpy(np.int64), balanced["weight"].to_numpy(float),
            adjusts=adjusts_logits)]
    different = [found[0]]
    for one in found[1:]:
        if not one.is_as(different[-1]):
            different.append(one)
    if steps or len(different) <= 2:  # noqa: PLR2004 - the first and the last anyway
        return different
    return [different[0], replace(different[-1], name="remedied", what="all remedies")]


def shares_of(labels: Sequence[str] | NDArray[np.object_], classes: Sequence[str],
              ) -> NDArray[np.float64]:
    """`(classes,)` share of each class, half an image at least, so that its logarithm is finite."""
    counts = np.array([np.sum(np.asarray(labels, object) == name) for name in classes], float)
    counts = np.maximum(counts, 0.5)
    return np.asarray(counts / counts.sum())


def _validation(plan: pd.DataFrame, used: NDArray[np.bool_], readable: NDArray[np.bool_],
                seed: int) -> NDArray[np.bool_]:
    """The val split, or else a tenth of each class of the images to train on.

    An image of a class that is not trained on has no place in either.
    """
    labels = plan["given_label"].to_numpy(object)
    own = ((plan["split"] == "val").to_numpy() & readable
           & np.isin(labels, sorted(set(labels[used]))))
    if own.any():
        return np.asarray(own)
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(plan), bool)
    for name in sorted(set(labels[used])):
        rows = np.flatnonzero(used & (labels == name))
        count = max(1, round(VALIDATION_SHARE * len(rows))) if len(rows) > 1 else 0
        chosen[random.permutation(rows)[:count]] = True
    return chosen
