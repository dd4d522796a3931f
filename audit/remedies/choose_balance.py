"""Chooses how to balance classes by trying each way on the run's embeddings.

A linear classifier is fitted outside each fold as the data are, and with each strategy; the mean
recall of the classes on the images held out says what that brings.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.mean_recall import paired_difference
from audit.remedies.balance import IN_THE_PLAN, LOGIT_ADJUSTMENT, NONE, repeats_and_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.types import Difference

COMPONENTS = 128
"""Principal components that the classifier is fitted on: a thirteenth of the columns that a network
and patches give, so that 25 fits take seconds."""

ROUNDS = 100
"""Of the solver, at most."""

_TINY = 1e-12


@dataclass(frozen=True)
class Trial:
    """What a strategy does to the mean recall of the classes, against no balancing."""

    strategy: str
    difference: Difference


@dataclass(frozen=True)
class Choice:
    """The strategy chosen, why, and what was tried."""

    strategy: str
    reason: str
    trials: tuple[Trial, ...] = ()


def choose_balance(embeddings: NDArray[np.floating], labels: NDArray[np.object_],
                   folds: NDArray[np.int64], seed: int,
                   advance: Callable[[int], None] = lambda _: None) -> Choice:
    """Try all strategies, and choose the best of those whose gain is beyond doubt, else none.

    Logistic regression on principal components (found without labels, of all images). Logit
    adjustment is Menon et al., "Long-tail learning via logit adjustment" (2021), equation 9, at
    strength 1, with the class shares of what was learned from.

    Args:
        embeddings: `(n, d)`, finite.
        labels: `(n,)` classes to train with, of two or more.
        folds: `(n,)` from 0 on; what belongs together shares one.
        seed: of the components and the samplers.
        advance: told each fold that is done.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only needed here

    codes = np.unique(labels, return_inverse=True)[1]
    # One thread: the products are small, and threads that wait for each other on a busy machine
    # took 94 s in place of 5 s.
    with threadpool_limits(1):
        right = _answers(_components(embeddings, seed), codes, folds, seed, advance)
    trials = tuple(
        Trial(strategy, paired_difference(codes, right[NONE], right[strategy], folds))
        for strategy in (*IN_THE_PLAN, LOGIT_ADJUSTMENT))
    gains = [one for one in trials if one.difference.low > 0]
    if not gains:
        return Choice(NONE, "no strategy raises the mean recall of the classes measurably", trials)
    best = max(gains, key=lambda one: one.difference.change)
    return Choice(best.strategy, f"it raises the mean recall of the classes most, by "
                                 f"{best.difference.in_points()}", trials)


def _answers(features: NDArray[np.float64], codes: NDArray[np.int64], folds: NDArray[np.int64],
             seed: int, advance: Callable[[int], None]) -> dict[str, NDArray[np.bool_]]:
    """Strategy → `(n,)` images told right by classifiers that did not see them."""
    tried = (NONE, *IN_THE_PLAN, LOGIT_ADJUSTMENT)
    right = {strategy: np.zeros(len(codes), bool) for strategy in tried}
    for fold in np.unique(folds):
        learned, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        for strategy in (NONE, *IN_THE_PLAN):
            scores = _log_probabilities(features, codes, learned, held_out, strategy, seed)
            right[strategy][held_out] = scores.argmax(axis=1) == codes[held_out]
            if strategy == NONE:
                adjusted = scores - _log_shares(codes[learned], scores.shape[1])
                right[LOGIT_ADJUSTMENT][held_out] = adjusted.argmax(axis=1) == codes[held_out]
        advance(1)
    return right


def _components(embeddings: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    """Principal components `(n, COMPONENTS)` or fewer, scaled to a mean square of 1 as a whole."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

    count = min(COMPONENTS, *embeddings.shape)
    finder = PCA(count, svd_solver="randomized", random_state=seed, iterated_power=2)
    reduced = finder.fit_transform(np.asarray(embeddings, np.float32)).astype(np.float64)
    return np.asarray(reduced / max(float(np.sqrt((reduced**2).mean())), _TINY))


def _log_probabilities(features: NDArray[np.float64], codes: NDArray[np.int64],
                       learned: NDArray[np.int64], held_out: NDArray[np.int64], strategy: str,
                       seed: int) -> NDArray[np.float64]:
    """Log-probabilities `(len(held_out), c)` of a classifier fitted to `learned`.

    A repeated image counts so often, which is the same to this classifier. A class that it did not
    learn is never predicted.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

    own = codes[learned]
    answer = np.full((len(held_out), int(codes.max()) + 1), -np.inf)
    if len(np.unique(own)) == 1:
        answer[:, own[0]] = 0
        return answer
    repeat, weight = repeats_and_weights(own.astype(object), strategy, seed)
    used = np.flatnonzero(repeat)
    model = LogisticRegression(max_iter=ROUNDS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")
        model.fit(features[learned[used]], own[used], sample_weight=(repeat * weight)[used])
    answer[:, model.classes_] = model.predict_log_proba(features[held_out])
    return answer


def _log_shares(codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    counts = np.maximum(np.bincount(codes, minlength=classes), 1)
    return np.asarray(np.log(counts / len(codes)))
