"""Remedies for classes of unequal size, as repeats and weights of a plan's images.

Only images that are trained on count; evaluation splits stay as they are. Pixels are never looked
at: imbalanced-learn is given the numbers of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.remedies.case import EVALUATION_SPLITS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NONE, OVERSAMPLE, UNDERSAMPLE = "none", "oversample", "undersample"
INVERSE_FREQUENCY, EFFECTIVE_NUMBER = "inverse_frequency", "effective_number"
LOGIT_ADJUSTMENT, AUTO = "logit_adjustment", "auto"
IN_THE_PLAN = (OVERSAMPLE, UNDERSAMPLE, INVERSE_FREQUENCY, EFFECTIVE_NUMBER)
STRATEGIES = (NONE, *IN_THE_PLAN, LOGIT_ADJUSTMENT)
"""`logit_adjustment` changes no row: it is for who predicts, and named in plan.json."""

BETA = 0.999
"""Of the effective number of images: the middle of the values that Cui et al. tried (0.9, 0.99,
0.999, 0.9999). A class of far more than 1 / (1 - beta) images counts as that many."""

_LEFT_OUT = "left out at random, so that all classes are as large as the smallest"


def training_rows(plan: pd.DataFrame) -> NDArray[np.int64]:
    """Rows of a plan that are trained on."""
    return np.flatnonzero((plan["action"] != "drop") & ~plan["split"].isin(EVALUATION_SPLITS))


def balance_plan(plan: pd.DataFrame, strategy: str, seed: int) -> pd.DataFrame:
    """The plan with the repeats and weights of a strategy of `STRATEGIES`.

    Undersampling drops images, by the rule `balance`. What a reviewer decided on goes last: only a
    class with more such images than the smallest class has images stays larger.
    """
    rows = training_rows(plan)
    labels = plan["label"].to_numpy()[rows]
    if strategy not in IN_THE_PLAN or len(np.unique(labels)) < 2:  # noqa: PLR2004 - nothing to balance
        return plan
    spared = (plan["rule"] == "review").to_numpy()[rows]
    repeat, weight = repeats_and_weights(labels, strategy, seed, spared)
    balanced = plan.copy()
    balanced.loc[rows, "repeat"] = repeat
    # On top of what each label counts; together 1 on average again.
    weight = weight * plan["weight"].to_numpy(float)[rows]
    balanced.loc[rows, "weight"] = weight / (repeat @ weight) * repeat.sum()
    left_out = rows[repeat == 0]
    balanced.loc[left_out, ["action", "rule", "reason"]] = ["drop", "balance", _LEFT_OUT]
    balanced.loc[left_out, "label"] = balanced.loc[left_out, "given_label"]
    return balanced


def repeats_and_weights(labels: NDArray[np.object_], strategy: str, seed: int,
                        spared: NDArray[np.bool_] | None = None,
                        ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How often each image is trained on, and what it counts.

    Args:
        labels: `(n,)` classes to train with, of two or more classes.
        strategy: one of `STRATEGIES`.
        seed: of the samplers.
        spared: `(n,)` images that undersampling leaves out last.

    Returns:
        `(n,)` repeats and `(n,)` weights, 0 where an image is left out. Weights of what is left
        are 1 on average, so that a learning rate need not change.
    """
    codes = np.unique(labels, return_inverse=True)[1]
    repeat = np.ones(len(labels), np.int64)
    if spared is None:
        spared = np.zeros(len(labels), bool)
    if strategy == OVERSAMPLE:
        repeat = _oversampled(codes, seed)
    elif strategy == UNDERSAMPLE:
        repeat = _undersampled(codes, seed, spared)
    elif strategy in {INVERSE_FREQUENCY, EFFECTIVE_NUMBER}:
        return repeat, class_weights(np.bincount(codes), strategy)[codes]
    return repeat, (repeat > 0).astype(np.float64)


def class_weights(counts: NDArray[np.int64], strategy: str) -> NDArray[np.float64]:
    """Weights of classes of these sizes `(c,)`, all above 0; on average over images 1.

    `inverse_frequency`: n / (c * n_k), which scikit-learn calls "balanced". `effective_number`:
    (1 - beta) / (1 - beta^n_k), Cui et al., "Class-balanced loss based on effective number of
    samples" (2019), equation 2, whose own weights sum to c instead.
    """
    if strategy == EFFECTIVE_NUMBER:
        weights = (1 - BETA) / (1 - BETA ** counts.astype(np.float64))
    else:
        weights = 1 / counts.astype(np.float64)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def _oversampled(codes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    from imblearn.over_sampling import RandomOverSampler  # noqa: PLC0415 - slow to import

    numbers = np.arange(len(codes))[:, None]
    drawn, _ = RandomOverSampler(random_state=seed).fit_resample(numbers, codes)
    return np.bincount(drawn[:, 0], minlength=len(codes))


def _undersampled(codes: NDArray[np.int64], seed: int, spared: NDArray[np.bool_],
                  ) -> NDArray[np.int64]:
    """Draw from the images that are not spared; those that are stand as classes not sampled."""
    from imblearn.under_sampling import RandomUnderSampler  # noqa: PLC0415 - slow to import

    counts = np.bincount(codes)
    of_spared = np.bincount(codes[spared], minlength=len(counts))
    targets = np.maximum(counts.min() - of_spared, 0)
    drawn_from = np.unique(codes[~spared])
    if not len(drawn_from):
        return np.ones(len(codes), np.int64)
    sampler = RandomUnderSampler(
        sampling_strategy={int(code): int(targets[code]) for code in drawn_from},
        random_state=seed)
    drawn, _ = sampler.fit_resample(np.arange(len(codes))[:, None],
                                    np.where(spared, codes + len(counts), codes))
    return np.bincount(drawn[:, 0], minlength=len(codes))
