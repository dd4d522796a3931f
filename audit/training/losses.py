"""Losses for labels that may be wrong and classes that may be rare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.training.settings import LossName

EXPONENT = 0.7
"""Of the generalised cross-entropy: 0 is cross-entropy, 1 the mean absolute error; 0.7 in the
paper."""


class Loss:
    """A loss of one-hot labels `(n, classes)` and logits `(n, classes)`: `(n,)`."""

    def __init__(self, name: LossName, label_smoothing: float, classes: int) -> None:
        """Choose it.

        Args:
            name: `cross_entropy`, or `generalised_cross_entropy` (Zhang & Sabuncu, "Generalized
                cross entropy loss for training deep neural networks with noisy labels", 2018,
                equation 6).
            label_smoothing: share of a label that is spread over all classes (Szegedy et al.,
                "Rethinking the inception architecture for computer vision", 2016).
            classes: number of classes.
        """
        self._name = name
        self._smoothing = label_smoothing
        # A variable, so that one compiled network serves trainings with and without.
        self._shift = load_keras().Variable(np.zeros(classes, np.float32), trainable=False)

    def favour_none(self, shares: NDArray[np.floating] | None) -> None:
        """Learn as if the classes were of one size, or, with None, as they are.

        Menon et al., "Long-tail learning via logit adjustment", 2021, equation 10: the logarithms
        of the shares are added to the logits while learning; without them common classes are
        favoured.

        Args:
            shares: `(classes,)` of the classes in the training data, above 0.
        """
        self._shift.assign(np.zeros(self._shift.shape, np.float32) if shares is None
                           else np.log(shares).astype(np.float32))

    def __call__(self, labels: Any, logits: Any) -> Any:
        """Loss of each image."""
        ops = load_keras().ops
        scores = ops.log_softmax(logits + self._shift)
        smooth = labels * (1 - self._smoothing) + self._smoothing / labels.shape[-1]
        if self._name == "cross_entropy":
            return -ops.sum(smooth * scores, axis=-1)
        # p^q by the logarithm: the gradient of a power is not finite at 0.
        return ops.sum(smooth * (1 - ops.exp(EXPONENT * scores)), axis=-1) / EXPONENT
