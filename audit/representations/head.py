"""The classifier on top of embeddings: kernel least squares, with wrong labels corrected.

A Gaussian kernel between images, and regularised least squares on the one-hot labels (Rifkin,
Yeo & Poggio, "Regularized least-squares classification", 2003). It has a closed form: what the
folds share is computed once, a fold costs one factorisation, and nothing depends on a learning
rate or on the order of batches.

Wrong labels are learned too, and half believed. So the labels a fold's classifier learns are
corrected first: by Bayes' rule (see `audit.noise`) from the scores of classifiers that saw neither
the fold nor the image whose label is corrected. A held-out label has no part in its own prediction,
not even through the labels of other images. The correction is kept only if it makes the given
labels of held-out images more likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.noise import fit_label_noise, temperature_scaled
from audit.representations.kernel import GaussianKernel, kernel_features
from audit.representations.least_squares import FoldedLeastSquares, centred, one_hot
from audit.representations.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from audit.representations.least_squares import Crossed

WIDTHS = (0.25, 0.5)
"""Widths of the kernel to choose from. Wider and narrower ones were never better on three sets."""

RIDGES = (0.03, 0.1, 0.3, 1.0)
"""Weights of the squared norm to choose from; an image has a kernel value of 1 with itself."""

RIDGE_BEGUN_AT = 2
"""Which of them is tried first."""

CHOSEN_ON = 1_000
"""Images on which the columns and the width of the kernel are chosen."""

JUDGED_BY = 2_000
"""Images that the kernel is approximated from, at most, where the ridge is chosen and the labels
to be learned are judged: a factor costs an eighth of that of twice as many, and the answers are as
good (benchmarks/RESULTS.md)."""

ALIKE_UP_TO = 4
"""Images a landmark up to which all assignments to folds have the same landmarks. Where few stand
for many, their choice is a part of the error, of which a mean over several is free: at 2.5 images a
landmark it made no difference, at 670 the accuracy was 69 % and 71 % (benchmarks/RESULTS.md)."""

CORRECTION_ROUNDS = 2
_MOST_BYTES = 600_000_000
"""For the products of the folds, and for the features of the images, each."""


@dataclass(frozen=True)
class Choices:
    """What the classifier depends on, chosen once for a data set.

    Attributes:
        columns: of the embeddings that are used, from the first.
        width: of the kernel.
        ridge: weight of the squared norm.
        correction_rounds: rounds of label correction that helped, 0 for none.
    """

    columns: int
    width: float
    ridge: float
    correction_rounds: int


@dataclass(frozen=True)
class HeadAnswer:
    """Out-of-fold answers of the head.

    Attributes:
        probabilities: `(n, classes)` of the given label, temperature scaled.
        training_accuracy: mean accuracy on the images a fold's classifier was fitted to.
        choices: what was chosen by the likelihood of held-out labels.
    """

    probabilities: NDArray[np.float64]
    training_accuracy: float
    choices: Choices


@dataclass(frozen=True)
class _Fitted:
    """Out-of-fold scores for one ridge."""

    ridge: float
    scores: NDArray[np.float32]
    log_likelihood: float
    training_accuracy: float


def cross_validate_head(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    assignments: Iterable[NDArray[np.int64]],
    classes: int,
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
    *,
    optional: int = 0,
    landmarks: int = 3_000,
    choices: Choices | None = None,
    begun: int = 0,
) -> Iterator[HeadAnswer]:
    """Fit one classifier a fold on what is outside it, and predict what is inside.

    Every choice is made by the likelihood of the given labels of held-out images, in the first
    assignment to folds.

    Args:
        embeddings: `(n, d)`, finite, blocks of columns scaled as they are to count.
        labels: `(n,)` from 0 to `classes` - 1.
        assignments: to folds, each `(n,)` from 0 on.
        classes: number of classes.
        seed: of the sample of images that the kernel is approximated from.
        advance: told of progress since the last call, `STEPS` an assignment.
        optional: number of last columns that are used only where they help.
        landmarks: images that the kernel is approximated from, as far as memory allows; fewer
            images are not approximated.
        choices: those of an earlier cross-validation of the same images, which saves the time
            to choose.
        begun: number of the first of the assignments, if earlier ones are answered elsewhere.

    Yields:
        An answer an assignment.
    """
    features: NDArray[np.float32] | None = None
    for number, folds in enumerate(assignments, begun):
        progress = Progress(advance)
        columns, width = ((choices.columns, choices.width) if choices else
                          _choose_kernel(embeddings, labels, folds, classes, optional, seed))
        progress.reach(0.15)
        count = min(landmarks, _affordable(len(labels), len(np.unique(folds))))
        are_alike = count * ALIKE_UP_TO >= len(labels)
        if features is None or not are_alike:
            features = None  # before there are others
            used = embeddings[:, :columns]
            features = kernel_features(
                used, GaussianKernel.of(used, width), count,
                np.random.default_rng((seed, 0 if are_alike else number)))
        answer = _answer(FoldedLeastSquares(features, folds), one_hot(labels, classes), labels,
                         choices or (columns, width), progress)
        choices = answer.choices
        yield answer
        del answer  # which may be large


def _answer(squares: FoldedLeastSquares, targets: NDArray[np.float32], labels: NDArray[np.int64],
            choices: Choices | tuple[int, float], progress: Progress) -> HeadAnswer:
    """The answer for one assignment to folds, with choices made before, or for a kernel."""
    progress.reach(0.3)
    known = choices if isinstance(choices, Choices) else None
    ridge = (known.ridge if known else
             _choose_ridge(squares.narrowed(JUDGED_BY), targets, labels).ridge)
    fitted = _fit(squares, ridge, squares.crossed(targets), labels)
    progress.reach(0.6)
    answers = [fitted.scores]
    rounds = known.correction_rounds if known else CORRECTION_ROUNDS
    if rounds:
        answers += _corrected(squares, ridge, targets, labels, rounds, progress)
    kept = rounds if known else int(np.argmax(
        [fit_label_noise(scores, labels).log_likelihood for scores in answers]))
    progress.reach(1)
    if not isinstance(choices, Choices):
        choices = Choices(*choices, ridge, kept)
    return HeadAnswer(temperature_scaled(answers[kept], labels), fitted.training_accuracy, choices)


def _affordable(images: int, folds: int) -> int:
    """Landmarks that fit into memory."""
    floats = _MOST_BYTES / 4
    return max(2, min(int(np.sqrt(floats / folds)), int(floats / images)))


def _choose_kernel(embeddings: NDArray[np.float32], labels: NDArray[np.int64],
                   folds: NDArray[np.int64], classes: int, optional: int, seed: int,
                   ) -> tuple[int, float]:
    """Number of columns and width that make held-out labels of a sample most likely."""
    total = embeddings.shape[1]
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(labels))[:CHOSEN_ON])
    targets = one_hot(labels[chosen], classes)
    best, best_likelihood = (total, WIDTHS[0]), -np.inf
    for columns in dict.fromkeys((total, total - optional)):
        some = embeddings[chosen, :columns]
        for width in WIDTHS:
            features = kernel_features(some, GaussianKernel.of(some, width), len(some), random)
            squares = FoldedLeastSquares(features, folds[chosen])
            likelihood = _choose_ridge(squares, targets, labels[chosen]).log_likelihood
            if likelihood > best_likelihood:
                best, best_likelihood = (columns, width), likelihood
    return best


def _choose_ridge(squares: FoldedLeastSquares, targets: NDArray[np.float32],
                  labels: NDArray[np.int64]) -> _Fitted:
    """The ridge that makes held-out labels most likely, found by going uphill.

    The likelihood has one top: a ridge too small learns wrong labels, one too large nothing.
    """
    crossed = squares.crossed(targets)
    at = RIDGE_BEGUN_AT
    best = _fit(squares, RIDGES[at], crossed, labels)
    for step in (1, -1):
        while 0 <= at + step < len(RIDGES):
            other = _fit(squares, RIDGES[at + step], crossed, labels)
            if other.log_likelihood <= best.log_likelihood:
                break
            best, at = other, at + step
        if at != RIDGE_BEGUN_AT:
            break
    return best


def _fit(squares: FoldedLeastSquares, ridge: float, crossed: Crossed,
         labels: NDArray[np.int64]) -> _Fitted:
    classes = next(iter(crossed.values())).shape[1]
    scores = np.empty((len(labels), classes), np.float32)
    accuracies = []
    for fold, rows in squares.rows.items():
        weights = squares.solve(squares.factor(ridge, (fold,)), crossed, (fold,))
        all_scores = squares.features @ weights
        scores[rows] = all_scores[rows]
        right = all_scores.argmax(axis=1) == labels
        right[rows] = False
        accuracies.append(right.sum() / max(len(labels) - len(rows), 1))
    return _Fitted(ridge, scores, fit_label_noise(scores, labels).log_likelihood,
                   float(np.mean(accuracies)))


def _corrected(squares: FoldedLeastSquares, ridge: float, targets: NDArray[np.float32],
               labels: NDArray[np.int64], rounds: int, progress: Progress,
               ) -> list[NDArray[np.float32]]:
    """Out-of-fold scores of classifiers that learn corrected labels, after each round."""
    answers = [np.empty_like(targets) for _ in range(rounds)]
    narrow = squares.narrowed(JUDGED_BY)
    given = narrow.crossed(targets)
    for number, (fold, rows) in enumerate(squares.rows.items()):
        progress.reach(0.6 + 0.4 * number / len(squares.rows))
        factor = squares.factor(ridge, (fold,))
        for answer, better in zip(answers, _correct(narrow, ridge, given, labels, fold, rounds),
                                  strict=True):
            answer[rows] = squares.features[rows] @ squares.solve(
                factor, squares.crossed(better), (fold,))
    return answers


def _correct(squares: FoldedLeastSquares, ridge: float, given: Crossed,
             labels: NDArray[np.int64], fold: int, rounds: int) -> Iterator[NDArray[np.float32]]:
    """Targets for the classifier of `fold`, after each round; nothing of the fold enters."""
    judges = squares.judges(ridge, fold)
    learned = given
    for number in range(rounds):
        rows, scores = squares.judge(judges, learned, fold)
        better = np.zeros((len(labels), scores.shape[1]), np.float32)
        better[rows] = centred(fit_label_noise(scores, labels[rows]).posterior)
        yield better
        if number + 1 < rounds:
            learned = squares.crossed(better)
