"""The classifier fitted again: to fewer images, to other labels, with other weights.

What would be better if the labels were right, if there were more images, if copies were out? The
embeddings are there already, and a fit of the kernel classifier to them takes a fraction of a
second, so it can be tried.

The classifier here stands for the network that the user trains, and such a network goes on until
it knows nearly all labels by heart, the wrong ones too (Zhang et al., "Understanding deep learning
requires rethinking generalization", 2017). Kernel classifiers that are fitted as closely lose to
wrong labels what networks lose (Belkin, Ma & Mandal, "To understand deep learning we need to
understand kernel learning", 2018), so the ridge here is small. The one that the label check
chooses shrugs wrong labels off and would show too little; docs/adr/0003-measured-gains.md has both
beside a network.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve

from audit.noise import fit_label_noise
from audit.representations.kernel import GaussianKernel, kernel_features
from audit.representations.least_squares import FoldedLeastSquares, factorised, one_hot
from audit.types import NOT_MEASURED, MeasuredCurve, Suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from audit.representations.least_squares import Crossed, Floats, Rows
    from audit.types import Trial

    Marks = NDArray[np.bool_]

CLOSE_RIDGE = 0.01
"""Weight of the squared norm; an image has a kernel value of 1 with itself."""

ROUNDED_FROM = 10_000
"""Of more images the ridge grows with their number: it must stay above what rounding to single
precision does to the sum of their products, else the equations cannot be solved."""

LEAST_SHARE, STEP = 1 / 32, 2**0.5
"""Learning curves go from this share of the images to all of them, by this factor."""

LEAST_A_CLASS = 2
"""Images of a mean class below which a size is left out."""

REPEATS = ((1 / 8, 6), (1 / 4, 4), (1 / 2, 2), (1.0, 1))
"""How many samples of a size are learned from, by the share up to which it holds: a small sample
depends on its images more, and costs less."""

LEAST_JUDGED = 20
"""Images of a class outside a fold below which their labels are left as they are: a class that is
not known yet is taken for wrong labels of others, and would be corrected away."""

MOST_FLOATS = 150_000_000
"""Of the features of all images; fewer landmarks where that is not enough."""


class Refits:
    """Fits to the same images again and again."""

    def __init__(self, embeddings: Floats, labels: Rows, folds: Rows, classes: int,
                 chosen: Mapping[str, float], landmarks: int, seed: int) -> None:
        """Take the images that took part in the cross-validation.

        Args:
            embeddings: `(n, d)`.
            labels: `(n,)` from 0 to `classes` - 1.
            folds: `(assignments, n)` fold of each, in one or more assignments.
            classes: number of classes.
            chosen: `columns`, `width` and `ridge` of the classifier that judges labels.
            landmarks: images that the kernel is approximated from.
            seed: of all samples.
        """
        self._embeddings = embeddings[:, :int(chosen["columns"])]
        self._width = chosen["width"]
        self._landmarks = min(landmarks, max(2, MOST_FLOATS // len(embeddings)))
        self._ridge = CLOSE_RIDGE * max(1.0, len(labels) / ROUNDED_FROM)
        self._judging_ridge = chosen["ridge"]
        self._labels = labels
        self._targets = one_hot(labels, classes)
        self._folds = folds
        self._seed = seed

    def learning_curve(self, believed: Marks, advance: Callable[[int], None] = lambda _: None,
                       ) -> MeasuredCurve:
        """Learn from more and more images, and test on those of the fold left out.

        Each sample holds the smaller ones, and classes in their proportions.

        Args:
            believed: `(n,)` images whose labels are believed: of others nothing is learned,
                and they are not tested on, but for the comparison with labels as given.
            advance: told of folds done since the last call.
        """
        folds = self._folds[0]
        shares = self._shares(believed)
        most = max(count for _, count in REPEATS)
        hits = np.full((len(shares), most, len(folds)), NOT_MEASURED, np.int8)
        sizes = np.zeros(len(shares))
        as_given = np.full(len(folds), NOT_MEASURED, np.int8)
        numbers = np.unique(folds)
        for fold in numbers:
            tested = np.flatnonzero((folds == fold) & believed)
            outside = np.flatnonzero((folds != fold) & believed)
            ends = np.maximum(1, np.round(shares * len(outside)).astype(int))
            sizes += ends / len(numbers)
            told = self._features[tested]
            for repeat in range(most):
                wanted = [_repeats_of(share) > repeat for share in shares]
                order = outside[self._spread(outside, (self._seed, int(fold), repeat))]
                for size, weights in enumerate(self._growing(order, ends[wanted].tolist())):
                    hits[size, repeat, tested] = self._is_right(told @ weights, tested)
            if not believed.all():
                squares = self._squares[0]
                as_given[tested] = self._is_right(told @ squares.solve(
                    squares.factor(self._ridge, (fold,)), self._crossed[0], (fold,)), tested)
            else:
                as_given[tested] = hits[-1, 0, tested]
            advance(1)
        return MeasuredCurve(np.round(sizes).astype(np.int64), shares, hits, as_given)

    def hits(self, trials: Sequence[Trial], advance: Callable[[int], None] = lambda _: None,
             ) -> NDArray[np.int8]:
        """Whether each image is told right, in each trial, by classifiers that did not see it.

        Args:
            trials: their `keep` is of these images.
            advance: told of folds done since the last call, folds times assignments in all.

        Returns:
            `(trials, assignments, n)`: 1 right, 0 wrong.
        """
        found = np.empty((len(trials), len(self._folds), len(self._labels)), np.int8)
        for number, squares in enumerate(self._squares):
            crossed = self._crossed[number]
            for fold, tested in squares.rows.items():
                told = self._features[tested]
                likely = (self._likely_classes(squares, crossed, fold)
                          if any(one.suspects is not Suspects.KEEP for one in trials)
                          else self._labels)
                for place, trial in enumerate(trials):
                    weights = self._learn(squares, crossed, fold, trial, likely)
                    found[place, number, tested] = self._is_right(told @ weights, tested)
                advance(1)
        return found

    @cached_property
    def _features(self) -> Floats:
        """Of the kernel, once something is asked for."""
        return kernel_features(
            self._embeddings, GaussianKernel.of(self._embeddings, self._width), self._landmarks,
            np.random.default_rng(self._seed))

    @cached_property
    def _squares(self) -> list[FoldedLeastSquares]:
        """One an assignment to folds."""
        return [FoldedLeastSquares(self._features, folds) for folds in self._folds]

    @cached_property
    def _crossed(self) -> list[Crossed]:
        """Products with the labels as given, one an assignment."""
        return [squares.crossed(self._targets) for squares in self._squares]

    def _learn(self, squares: FoldedLeastSquares, crossed: Crossed, fold: int, trial: Trial,
               likely: Rows) -> Floats:
        """Weights learned from what the trial keeps outside a fold."""
        kept, targets, is_other = trial.keep, self._targets, likely != self._labels
        if trial.suspects is Suspects.DROP:
            kept = kept & ~is_other
        elif trial.suspects is Suspects.RELABEL:
            targets = one_hot(likely, targets.shape[1])
        outside = np.ones(len(kept), bool)
        outside[squares.rows[fold]] = False
        if trial.balanced:
            return self._learn_balanced(np.flatnonzero(outside & kept), targets)
        left_out = np.flatnonzero(outside & ~kept)
        # Of the products with the labels as given, what is learned otherwise is put right.
        others = (np.flatnonzero(outside & (~kept | is_other))
                  if trial.suspects is Suspects.RELABEL else left_out)
        wanted = targets[others] * kept[others, None]
        more = self._features[others].T @ (wanted - self._targets[others])
        return squares.solve(squares.factor(self._ridge, (fold,), left_out), crossed, (fold,),
                             more)

    def _learn_balanced(self, rows: Rows, targets: Floats) -> Floats:
        """Weights for which each class counts the same."""
        counts = np.bincount(self._labels[rows], minlength=targets.shape[1])
        roots = np.sqrt(len(rows) / np.maximum(counts, 1) / np.count_nonzero(counts))
        own = roots[self._labels[rows], None].astype(np.float32)
        features = self._features[rows] * own
        return self._solve(features.T @ features, features.T @ (targets[rows] * own))

    def _likely_classes(self, squares: FoldedLeastSquares, crossed: Crossed, fold: int) -> Rows:
        """Most probable class `(n,)` of images outside a fold; given labels for those inside.

        By classifiers that saw neither the image nor the fold. Images of a class that has too few
        of them keep their labels.
        """
        rows, scores = squares.judge(squares.judges(self._judging_ridge, fold), crossed, fold)
        given = self._labels[rows]
        is_judged = np.bincount(given, minlength=scores.shape[1])[given] >= LEAST_JUDGED
        found = fit_label_noise(scores, given).posterior.argmax(axis=1)
        likely = self._labels.copy()
        likely[rows] = np.where(is_judged, found, given)
        return likely

    def _growing(self, order: Rows, ends: Sequence[int]) -> Iterator[Floats]:
        """Weights learned from the first so many images of `order`, for each end, ascending."""
        columns, classes = self._features.shape[1], self._targets.shape[1]
        # With fewer images than features, one equation an image is the smaller system. The factor
        # of the first equations is the beginning of that of all.
        few = [end for end in ends if end <= columns]
        if few:
            first = self._features[order[:few[-1]]]
            factor, is_lower = factorised(first @ first.T, self._ridge)
            for end in few:
                yield first[:end].T @ cho_solve((factor[:end, :end], is_lower),
                                                self._targets[order[:end]], check_finite=False)
        products = np.zeros((columns, columns), np.float32)
        shares = np.zeros((columns, classes), np.float32)
        begin = 0
        for end in ends[len(few):]:
            more = self._features[order[begin:end]]
            products += more.T @ more
            shares += more.T @ self._targets[order[begin:end]]
            yield self._solve(products.copy(), shares)
            begin = end

    def _solve(self, equations: Floats, shares: Floats) -> Floats:
        """Solve with the ridge on the diagonal; the equations are overwritten."""
        return np.asarray(cho_solve(factorised(equations, self._ridge), shares,
                                    check_finite=False), np.float32)

    def _is_right(self, scores: Floats, rows: Rows) -> Marks:
        return np.asarray(scores.argmax(axis=1) == self._labels[rows])

    def _shares(self, believed: Marks) -> NDArray[np.float64]:
        """Shares of the images to learn from, ascending to 1."""
        steps = int(np.floor(np.log(1 / LEAST_SHARE) / np.log(STEP) + 1e-9))
        shares = STEP ** -np.arange(steps, -1, -1.0)
        least = LEAST_A_CLASS * self._targets.shape[1]
        return shares[shares * believed.sum() >= least] if believed.any() else shares[-1:]

    def _spread(self, rows: Rows, seed: tuple[int, ...]) -> Rows:
        """An order of which any beginning holds the classes in their proportions."""
        random = np.random.default_rng(seed)
        place = np.empty(len(rows))
        labels = self._labels[rows]
        for label in np.unique(labels):
            own = np.flatnonzero(labels == label)
            place[random.permutation(own)] = (np.arange(len(own)) + random.random()) / len(own)
        return np.argsort(place, kind="stable")


def _repeats_of(share: float) -> int:
    return next(count for most, count in REPEATS if share <= most + 1e-9)
