"""Learning curves: the accuracy to expect of more images, with an interval, and the images to need.

Accuracies measured at several numbers of training images are fitted by curves of the error

    error(n) = a + b * g(n),    0 <= a <= 1,  b >= 0,  g falling,

where g is a power law n^-c (Hestness et al., "Deep learning scaling is predictable, empirically",
2017; Hoiem et al., "Learning curves for analysis of deep networks", 2021), the curve of Morgan,
Mercer & Flodin, 1 / (1 + (n/s)^c), a straight line in log n, or an exponential exp(-n/s), all
reviewed in Viering & Loog, "The shape of learning curves: a review" (2021). Given its shape (c, s)
a curve is linear in a and b, so that all shapes of a grid are fitted at once, by weighted least
squares.

No form is believed: shapes are drawn as often as they are likely given the points, each form
having the same weight before, and a and b are drawn by fitting to points with noise added. What
is gained beyond the largest size is multiplied by a log-normal factor, for the true curve is of
none of these forms; its spread is greater where the smaller sizes of this very curve predict its
larger ones badly.

On simulated curves of these forms, and of one that is not among them, foretold at four times the
largest of five sizes, the 90 % interval held 93 % to 100 % of the measured accuracies (see
tests/test_learning_curve.py). It is wide where few images are held out, and no form is known
before a curve bends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DRAWS = 200
LEAST_SIZES = 3
"""A curve has three parameters."""

FARTHEST = 1024
"""An accuracy that takes so many times the largest size, ten doublings, is out of reach."""

LEAST_FORM_ERROR, MOST_FORM_ERROR = 0.15, 1.0
"""Bounds of the standard deviation of the logarithm of the factor on what more images bring."""

FALL_P_VALUE = 0.01
"""A fall that chance brings this rarely, over all pairs of sizes, is a fall."""

_PERCENTILES = (5, 95)
_POWER, _MMF, _LINE, _EXPONENTIAL = range(4)
_NOISE = ndtri((np.arange(20) + 0.5) / 20)
"""A normal distribution as 20 values of equal probability."""

_STEPS = 400
"""Of the grid of sizes that targets are looked up in: 3.5 % from one to the next."""

_ENDLESS = 1e150
"""A size beyond all change; its square is still a number."""

_TINY = 1e-12


def _shapes() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Form, scale (in largest sizes) and exponent of each shape `(m,)`.

    A scale beyond the largest size would let curves that are flat so far rise at will later.
    """
    exponents, scales = np.geomspace(0.05, 1.5, 30), 2.0 ** np.linspace(-5, 0, 12)
    steep, one = np.array([0.5, 0.75, 1, 1.5, 2]), np.ones(1)
    parts = [(_POWER, one, exponents), (_MMF, scales, steep), (_LINE, one, one),
             (_EXPONENTIAL, scales, one)]
    grids = [(form, *np.meshgrid(*grid)) for form, *grid in parts]
    return (np.concatenate([np.full(scale.size, form) for form, scale, _ in grids]),
            np.concatenate([scale.ravel() for _, scale, _ in grids]),
            np.concatenate([exponent.ravel() for _, _, exponent in grids]))


_FORMS, _SCALES, _EXPONENTS = _shapes()
_LOG_PRIOR = -np.log(np.bincount(_FORMS))[_FORMS]


@dataclass(frozen=True)
class LearningCurve:
    """Draws of the curve that measured points leave possible; `fit_curve` makes it.

    Attributes:
        largest: the largest number of images learned from.
        tested: held-out images that an accuracy at that size rests on.
        spread: standard deviation of the accuracy from one training to the next.
        is_monotone: no accuracy is significantly below that of a smaller size.
        shapes: `(k,)` shape of each draw, a row of the grid of shapes.
        asymptotes: `(k,)` the error `a` of each draw.
        heights: `(k,)` its `b`.
        factors: `(k,)` what its gain beyond the largest size is multiplied by.
    """

    largest: float
    tested: float
    spread: float
    is_monotone: bool
    shapes: NDArray[np.int64]
    asymptotes: NDArray[np.float64]
    heights: NDArray[np.float64]
    factors: NDArray[np.float64]

    def predict(self, size: float) -> tuple[float, float, float]:
        """Mean, and 90 % interval of an accuracy measured at this size.

        The interval holds the noise of the measurement, from as many held-out images as at the
        largest size; the mean is of the true accuracy, and never falls as the size grows.
        """
        error = self._errors(np.array([size], float))[:, 0]
        noise = np.sqrt(error * (1 - error) / self.tested + self.spread**2)
        measured = np.clip(1 - error[:, None] + noise[:, None] * _NOISE, 0, 1)
        mean = float(1 - error.mean())
        low, high = np.percentile(measured, _PERCENTILES)
        return mean, min(float(low), mean), max(float(high), mean)

    def gain(self, size: float, larger: float) -> tuple[float, float, float]:
        """True accuracy at a larger size less that at this one: mean and 90 % interval."""
        errors = self._errors(np.array([size, larger], float))
        difference = errors[:, 0] - errors[:, 1]
        low, high = np.percentile(difference, _PERCENTILES)
        return float(difference.mean()), float(low), float(high)

    @property
    def asymptote_upper(self) -> float:
        """95th percentile of the accuracy that no number of images exceeds."""
        return float(1 - np.percentile(self._errors(np.array([_ENDLESS])), _PERCENTILES[0]))

    def probability_reachable(self, target: float) -> float:
        """Share of the draws whose true accuracy reaches `target` within ten doublings."""
        return float(np.isfinite(self._needed(target)).mean())

    def images_for(self, target: float) -> tuple[float, float, float] | None:
        """Images for a true accuracy of `target`: median and 90 % interval.

        The upper end is infinite where more than 5 % of the draws do not reach it. None where
        half of them do not.
        """
        needed = self._needed(target)
        if np.isfinite(needed).mean() <= 0.5:  # noqa: PLR2004 - the median is infinite
            return None
        low, median, high = np.percentile(needed, (5, 50, 95), method="higher")
        return float(median), float(low), float(high)

    def _needed(self, target: float) -> NDArray[np.float64]:
        """Smallest size `(k,)` at which each draw reaches the target, infinite if none does."""
        sizes, accuracies = self._looked_up
        reached = accuracies >= target
        return np.where(reached.any(axis=1), sizes[reached.argmax(axis=1)], np.inf)

    @cached_property
    def _looked_up(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sizes `(q,)` from far below to far above the largest, and each draw's accuracies."""
        sizes = self.largest * np.geomspace(1 / FARTHEST, FARTHEST, _STEPS)
        return sizes, 1 - self._errors(sizes)

    def _errors(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Error `(k, q)` of each draw at each size, never rising with it."""
        def curve(where: NDArray[np.float64]) -> NDArray[np.float64]:
            falling = _bases(where / self.largest, self.shapes)
            return np.clip(self.asymptotes[:, None] + self.heights[:, None] * falling, 0, 1)

        known, last = curve(np.minimum(sizes, self.largest)), curve(np.array([self.largest]))
        return np.clip(known - self.factors[:, None] * (last - curve(np.maximum(
            sizes, self.largest))), 0, 1)


def fit_curve(sizes: ArrayLike, accuracies: ArrayLike, tested: ArrayLike, seed: int,
              ) -> LearningCurve:
    """Fit learning curves to accuracies measured at several numbers of training images.

    Args:
        sizes: `(p,)` numbers of images learned from, ascending, above 0.
        accuracies: `(p, r)` accuracy on held-out images in each of r repeats, in [0, 1]; NaN
            where there were fewer.
        tested: held-out images that an accuracy rests on, one number or `(p,)`. Repeats are
            taken to test the same images, so that repeating does not lessen that noise.
        seed: of the draws; the same points and seed give the same curve.

    Raises:
        ValueError: fewer than three sizes were measured, or an argument is not as above.
    """
    points = _Points.of(sizes, accuracies, tested)
    random = np.random.default_rng(seed)
    form_error = _form_error(points, random)
    shapes, asymptotes, heights = points.draw(random)
    factors = np.exp(form_error * random.standard_normal(DRAWS) - form_error**2 / 2)
    return LearningCurve(float(points.sizes[-1]), float(points.tested[-1]), points.spread,
                         _is_monotone(points), shapes, asymptotes, heights, factors)


@dataclass(frozen=True)
class _Points:
    """What was measured: mean error at each size, and the variance of that mean, all `(p,)`."""

    sizes: NDArray[np.float64]
    errors: NDArray[np.float64]
    variances: NDArray[np.float64]
    tested: NDArray[np.float64]
    spread: float

    @classmethod
    def of(cls, sizes: ArrayLike, accuracies: ArrayLike, tested: ArrayLike) -> _Points:
        """Check and average what was measured; sizes without any accuracy are left out."""
        size, accuracy = np.asarray(sizes, float), np.asarray(accuracies, float)
        if size.ndim != 1 or accuracy.shape[:1] != size.shape or accuracy.ndim != 2:  # noqa: PLR2004
            raise ValueError("sizes must be (p,) and accuracies (p, r). Got "
                             f"{size.shape} and {accuracy.shape} instead.")
        if (size <= 0).any() or (np.diff(size) <= 0).any():
            raise ValueError(f"sizes must ascend and be above 0. Got {size.tolist()} instead.")
        if ((accuracy < 0) | (accuracy > 1)).any():
            raise ValueError("accuracies must be in [0, 1].")
        count = np.isfinite(accuracy).sum(axis=1)
        known = count > 0
        if known.sum() < LEAST_SIZES:
            raise ValueError(f"accuracies of {LEAST_SIZES} sizes or more are needed. "
                             f"Got {known.sum()} instead.")
        images = np.broadcast_to(np.asarray(tested, float), size.shape)[known]
        if (images <= 0).any():
            raise ValueError("tested must be above 0.")
        repeats, accuracy = count[known], accuracy[known]
        mean = np.nanmean(accuracy, axis=1)
        # Two right and two wrong answers more (Agresti & Coull, 1998): no variance is then 0.
        share = (mean * images + 2) / (images + 4)
        binomial = share * (1 - share) / images
        freedom = (repeats - 1).sum()
        between = np.nansum((accuracy - mean[:, None]) ** 2) / max(freedom, 1)
        excess = max(0.0, float(between - binomial.mean())) if freedom else 0.0
        return cls(size[known], 1 - mean, binomial + excess / repeats, images, excess**0.5)

    def up_to(self, count: int) -> _Points:
        """The first `count` sizes."""
        return _Points(self.sizes[:count], self.errors[:count], self.variances[:count],
                       self.tested[:count], self.spread)

    def draw(self, random: np.random.Generator) -> tuple[
            NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Shapes, asymptotes and heights `(k,)` as likely as the points make them.

        Where not even the best curve passes within the noise of the points, the noise is taken
        for larger, by the ratio of Birge (1932).
        """
        falling = _bases(self.sizes / self.sizes[-1], np.arange(len(_FORMS)))
        asymptotes, heights = _fit_linear(falling, self.errors, self.variances)
        misfit = self._misfit(asymptotes, heights, falling)
        inflation = max(1.0, misfit.min() / max(len(self.sizes) - LEAST_SIZES, 1))
        log_weight = _LOG_PRIOR - misfit / inflation / 2
        weight = np.exp(log_weight - log_weight.max())
        shapes = random.choice(len(weight), DRAWS, p=weight / weight.sum())
        noise = random.standard_normal((DRAWS, len(self.sizes)))
        noisy = np.clip(self.errors + noise * np.sqrt(inflation * self.variances), 0, 1)
        return shapes, *_fit_linear(falling[shapes], noisy, self.variances)

    def _misfit(self, asymptotes: NDArray[np.float64], heights: NDArray[np.float64],
                falling: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chi-squared `(m,)` of each shape."""
        fitted = asymptotes[:, None] + heights[:, None] * falling
        return np.asarray(((self.errors - fitted) ** 2 / self.variances).sum(axis=1))


def _bases(relative: NDArray[np.float64], shapes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The falling g `(m, q)` of each shape at sizes `(q,)` that are relative to the largest one."""
    form, exponent = _FORMS[shapes, None], _EXPONENTS[shapes, None]
    scaled = np.maximum(relative, _TINY) / _SCALES[shapes, None]
    power = scaled**exponent
    return np.select([form == _POWER, form == _MMF, form == _LINE],
                     [1 / power, 1 / (1 + power), -np.log(scaled)], np.exp(-scaled))


def _fit_linear(falling: NDArray[np.float64], errors: NDArray[np.float64],
                variances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted least squares of errors on a + b * g with 0 <= a <= 1 and b >= 0.

    With two parameters the constrained optimum lies where the one that breaks its bound is at it.

    Args:
        falling: `(m, p)` g of each shape.
        errors: `(p,)` or `(m, p)`, in [0, 1].
        variances: `(p,)`.
    """
    weight = 1 / variances / (1 / variances).sum()
    mean, middle = (errors * weight).sum(axis=-1), (falling * weight).sum(axis=1)
    centred = falling - middle[:, None]
    square = np.maximum((weight * centred**2).sum(axis=1), _TINY**2)
    height = np.maximum((weight * centred * errors).sum(axis=1) / square, 0)
    asymptote = mean - height * middle
    through_zero = (weight * falling * errors).sum(axis=1) / (weight * falling**2).sum(axis=1)
    height = np.where(asymptote < 0, through_zero, height)
    return np.clip(asymptote, 0, 1), height


def _form_error(points: _Points, random: np.random.Generator) -> float:
    """Standard deviation of the logarithm of the factor on what more images bring.

    A back-test: the sizes up to half of the largest predict what the larger ones bring. The
    squared miss beyond noise and spread of the draws, relative to the squared gain.
    """
    half = int((points.sizes <= points.sizes[-1] / 2).sum())
    if half < LEAST_SIZES:
        return LEAST_FORM_ERROR
    known = points.up_to(half)
    shapes, asymptotes, heights = known.draw(random)
    falling = _bases(points.sizes / known.sizes[-1], shapes)
    drawn = np.clip(asymptotes[:, None] + heights[:, None] * falling, 0, 1)
    gain = drawn[:, [half - 1]] - drawn[:, half:]
    miss = (points.errors[half:] - drawn[:, half:].mean(axis=0)) ** 2
    beyond = miss - points.variances[half:] - drawn[:, half:].var(axis=0)
    ratio = float(beyond.mean() / max((gain.mean(axis=0) ** 2).mean(), _TINY))
    return float(np.clip(max(ratio, 0) ** 0.5, LEAST_FORM_ERROR, MOST_FORM_ERROR))


def _is_monotone(points: _Points) -> bool:
    """Whether no size has a significantly higher error than a smaller one (Bonferroni)."""
    first, second = np.triu_indices(len(points.sizes), 1)
    rise = points.errors[second] - points.errors[first]
    noise = np.sqrt(points.variances[first] + points.variances[second])
    return bool((rise / noise < ndtri(1 - FALL_P_VALUE / len(first))).all())
