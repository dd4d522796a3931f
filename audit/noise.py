"""A model of wrong labels: the class of an image, given its label and what was predicted.

An out-of-fold model that was trained on labels some of which are wrong gives scores; its doubt has
two sources, that the image is hard and that labels are wrong, and a single number of doubt (the
self-confidence) cannot tell them apart. Here both are fitted together, by maximum likelihood of
the given labels:

    P(given = k | image) = sum over j of P(true = j | image) * T[j, k],
    P(true = j | image) = softmax(sharpness * scores)[j]

with a transition matrix T of true to given labels, as in Patrini et al., "Making deep neural
networks robust to label noise" (2017), by expectation-maximisation. The posterior of the true
class follows by Bayes' rule. Rows of T are drawn towards one rate of error, spread evenly over the
other classes, by a Dirichlet prior, so that a rare class does not get a row of its own from a
handful of images.

Measured with wrong labels planted in two clean data sets of photos (uniformly, in pairs of
classes, and more often in hard images, 5 % to 30 %): see docs/adr/0002-label-noise.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RATE_PRIOR = 0.2
DIRECTION_PRIOR = 3.0
"""Weights of the prior against the errors of a class of mean size: on how many of its labels are
wrong, and on which they are. At 1, pairs of classes that are confused are learned sooner; at 10,
hardly. 3 lost nothing where errors were uniform."""

SMALL_CLASS = 40
"""Images a class from which the prior counts as much as in a smaller one. On 8 images a class the
transitions could else be drawn so that all doubt is wrong labels: on 80 clean photos of 10 classes,
told right in 29 %, the share was 0.72 (0.075 with this; 0.037 with 100)."""

ROUNDS = 20
FIRST_SHARE = 0.1
FITTED_AT_MOST = 5_000
"""Images that the parameters are fitted on; the posterior is of all."""

_AT_ONCE = 65_536
"""Images whose probabilities are computed at once: intermediate results take several times the
memory of the scores."""

_LOG_RANGE = (-3.0, 5.0)
_TINY = 1e-12


@dataclass(frozen=True)
class LabelNoise:
    """What the fit says.

    Attributes:
        posterior: `(n, c)` probability that an image is of each class, given its label too.
        is_wrong: `(n,)` probability that the given label is not the true class.
        share: mean of `is_wrong`, the expected share of wrong labels.
        log_likelihood: mean over the images fitted of the log-probability of the given label;
            what competing models of the same labels are compared by.
        sharpness: what the scores are multiplied by, 1 for probabilities that needed nothing.
    """

    posterior: NDArray[np.float64]
    is_wrong: NDArray[np.float64]
    share: float
    log_likelihood: float
    sharpness: float

    def share_interval(self, deviations: float) -> tuple[float, float]:
        """`share` less and plus so many standard deviations of what sampling images does to it."""
        count = max(len(self.is_wrong), 1)
        chance = np.mean(self.is_wrong * (1 - self.is_wrong))
        reach = deviations * np.sqrt((np.var(self.is_wrong) + chance) / count)
        return max(0.0, self.share - float(reach)), min(1.0, self.share + float(reach))


def fit_label_noise(scores: NDArray[np.floating], labels: NDArray[np.int64]) -> LabelNoise:
    """Fit the model to out-of-fold scores and the given labels.

    Args:
        scores: `(n, c)` logits or log-probabilities, finite, of models that did not see the image.
        labels: `(n,)` given labels from 0 to `c` - 1.
    """
    stride = -(-len(labels) // FITTED_AT_MOST)
    fitted, own = np.asarray(scores[::stride], np.float64), labels[::stride]
    classes = scores.shape[1]
    transitions = _even(classes, FIRST_SHARE)
    sharpness = _sharpest(fitted, own, transitions, *_LOG_RANGE)
    for number in range(ROUNDS):
        if number:
            near = np.log(sharpness)
            sharpness = _sharpest(fitted, own, transitions, near - 0.3, near + 0.3)
        posterior, _ = _bayes(fitted, own, transitions, sharpness)
        transitions = _transitions(posterior, own)
    _, likelihood = _bayes(fitted, own, transitions, sharpness)
    posterior = _by_rows(lambda part, own: _bayes(part, own, transitions, sharpness)[0],
                         scores, labels)
    wrong = 1 - posterior[np.arange(len(labels)), labels]
    return LabelNoise(posterior, wrong, float(wrong.mean()) if len(wrong) else 0.0, likelihood,
                      sharpness)


def temperature_scaled(scores: NDArray[np.floating], labels: NDArray[np.int64],
                       ) -> NDArray[np.float64]:
    """Probabilities `(n, c)` of the given label: softmax of the scores at the best temperature.

    Temperature scaling of Guo et al., "On calibration of modern neural networks" (2017). The
    scores are out of fold, and one number is fitted to all of them.
    """
    even = np.eye(scores.shape[1])
    stride = -(-len(labels) // FITTED_AT_MOST)
    sharpness = _sharpest(np.asarray(scores[::stride], np.float64), labels[::stride], even,
                          *_LOG_RANGE)
    return _by_rows(lambda part, _: _softmax(sharpness * part), scores, labels)


def _by_rows(compute: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]],
             scores: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities `(n, c)` that are computed of scores and labels, some rows at a time."""
    if len(labels) <= _AT_ONCE:
        return compute(np.asarray(scores, np.float64), labels)
    found = np.empty(scores.shape)
    for rows in np.array_split(np.arange(len(labels)), -(-len(labels) // _AT_ONCE)):
        part = slice(rows[0], rows[-1] + 1)
        found[part] = compute(np.asarray(scores[part], np.float64), labels[part])
    return found


def _even(classes: int, share: float) -> NDArray[np.float64]:
    """Transitions with one rate of error, spread evenly over the other classes."""
    off = share / max(classes - 1, 1)
    return np.full((classes, classes), off) + (1 - share - off) * np.eye(classes)


def _transitions(posterior: NDArray[np.float64], labels: NDArray[np.int64],
                 ) -> NDArray[np.float64]:
    """T `(c, c)`, rows true and columns given, from expected counts and the prior."""
    classes = posterior.shape[1]
    counts = np.zeros((classes, classes))
    np.add.at(counts.T, labels, posterior)
    totals = counts.sum(axis=1)
    right = np.diag(counts).copy()
    share = 1 - right.sum() / totals.sum()
    typical = max(len(labels) / classes, SMALL_CLASS)
    rates = (totals - right + RATE_PRIOR * typical * share) / (totals + RATE_PRIOR * typical)
    counts += DIRECTION_PRIOR * typical * share / max(classes - 1, 1) + _TINY
    np.fill_diagonal(counts, 0)
    others = rates[:, None] * counts / np.maximum(counts.sum(axis=1, keepdims=True), _TINY)
    return np.asarray(others + np.diag(1 - others.sum(axis=1)))


def _bayes(scores: NDArray[np.float64], labels: NDArray[np.int64],
           transitions: NDArray[np.float64], sharpness: float,
           ) -> tuple[NDArray[np.float64], float]:
    """Posterior of the true class, and the mean log-likelihood of the given labels."""
    joint = _softmax(sharpness * scores) * transitions[:, labels].T
    evidence = joint.sum(axis=1, keepdims=True)
    return joint / np.maximum(evidence, _TINY), float(np.log(evidence + _TINY).mean())


def _sharpest(scores: NDArray[np.float64], labels: NDArray[np.int64],
              transitions: NDArray[np.float64], low: float, high: float) -> float:
    """The sharpness between e^low and e^high that makes the given labels most likely."""
    centred = scores - scores.max(axis=1, keepdims=True)
    given = np.ascontiguousarray(transitions[:, labels].T)
    powers = np.empty_like(centred)

    def loss(exponent: float) -> float:
        np.exp(np.multiply(centred, np.exp(exponent), out=powers), out=powers)
        evidence = np.einsum("nc,nc->n", powers, given) / powers.sum(axis=1)
        return -float(np.log(evidence + _TINY).mean())

    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
