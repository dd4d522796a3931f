"""Confident learning's estimate of the share of wrong labels, quick enough for a bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE = 1e-6
_LEAST_THRESHOLD = 2e-6
"""Both as in `cleanlab.count`, so that the estimate and the flags agree."""

_DEVIATIONS = 6
"""Standard deviations of a mean that those of samples hardly ever stray by; it is made sure."""

_ROWS = 65_536


class ConfidentJoint:
    """The confident joint of given and true label, of samples of the same images.

    It is that of the paper's equation 1 (Northcutt, Jiang & Chuang, 2021), with rows scaled to the
    number of given labels (equation 2), as `cleanlab.count.estimate_joint` has it but for its
    rounding to whole images: an image that is confident of several classes counts for its most
    probable one, and each class has at least one image on the diagonal. cleanlab is 50 times
    slower, which a bootstrap feels.

    An image is confident of a class whose probability reaches the class's threshold, a mean over
    the sample. Few probabilities come near it, and only these are kept.
    """

    def __init__(self, labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> None:
        """Take given labels `(n,)` and out-of-fold probabilities `(n, c)`."""
        self._labels, self._probabilities = labels, probabilities
        self._classes = probabilities.shape[1]
        self._own = probabilities[np.arange(len(labels)), labels]
        self._likeliest = probabilities.argmax(axis=1)
        counts = np.bincount(labels, minlength=self._classes)
        thresholds = self._thresholds(counts, labels, self._own)
        squares = np.bincount(labels, self._own**2, minlength=self._classes)
        used = np.maximum(counts, 1)
        means = np.where(counts > 0, thresholds, 0)
        deviations = np.sqrt(np.maximum(squares / used - means**2, 0) / used)
        self._keep(thresholds - _DEVIATIONS * deviations)

    def off_diagonal(self, chosen: NDArray[np.int64]) -> float:
        """Off-diagonal mass of the joint of a sample: rows `(m,)`, with repeats."""
        labels = self._labels[chosen]
        counts = np.bincount(labels, minlength=self._classes)
        least = np.maximum(self._thresholds(counts, labels, self._own[chosen]),
                           _LEAST_THRESHOLD) - _TOLERANCE
        if (least < self._floors).any():  # a sample that is far off
            self._keep(np.minimum(self._floors, least))
        confident = self._values >= least[self._columns]
        rows, columns = self._rows[confident], self._columns[confident]
        times = np.bincount(rows, minlength=len(self._labels))
        guess = self._likeliest.copy()
        only = times[rows] == 1
        guess[rows[only]] = columns[only]
        cells = labels * self._classes + guess[chosen]
        joint = np.bincount(cells[times[chosen] > 0], minlength=self._classes**2).reshape(
            self._classes, self._classes)
        right = np.maximum(np.diag(joint), 1)
        wrong = 1 - right / (joint.sum(axis=1) - np.diag(joint) + right)
        return float((wrong * counts).sum() / counts.sum())

    def _thresholds(self, counts: NDArray[np.int64], labels: NDArray[np.int64],
                    own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean probability of the given label, of each class; no image reaches that of none."""
        thresholds = np.bincount(labels, own, minlength=self._classes) / np.maximum(counts, 1)
        thresholds[counts == 0] = np.inf
        return thresholds

    def _keep(self, floors: NDArray[np.float64]) -> None:
        """Keep the probabilities that reach the floor of their class."""
        self._floors = floors
        found = [np.nonzero(self._probabilities[start:start + _ROWS] >= floors)
                 for start in range(0, len(self._labels), _ROWS)]
        self._rows = np.concatenate([rows + number * _ROWS
                                     for number, (rows, _) in enumerate(found)])
        self._columns = np.concatenate([columns for _, columns in found])
        self._values = self._probabilities[self._rows, self._columns]
