"""The images of a diagnosis: to learn from, and to judge by, shaped as a model takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.resizing import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Labels = NDArray[np.int64]

JUDGED_SHARE = 0.25
MOST_JUDGED = 600
"""Images that are judged by: at 600 an accuracy is known to 2 points."""

_DEFAULT_SIDE = 32


@dataclass(frozen=True)
class Images:
    """Pictures with labels.

    `pictures` is `(n, side, side, 3)` uint8, `labels` `(n,)` from 0 on; `learned` and `judged` are
    rows of both, disjoint.
    """

    pictures: Pixels
    labels: Labels
    classes: tuple[str, ...]
    learned: NDArray[np.int64]
    judged: NDArray[np.int64]

    @property
    def chance(self) -> float:
        """Mean recall without looking."""
        return 1 / max(1, len(self.classes))

    def shuffled(self, seed: int) -> Images:
        """The same with the labels to learn from in another order: nothing can be learned."""
        labels = self.labels.copy()
        labels[self.learned] = np.random.default_rng(seed).permutation(labels[self.learned])
        return replace(self, labels=labels)


def split(pictures: Pixels, labels: Labels, classes: tuple[str, ...], seed: int) -> Images:
    """Put aside images to judge by, each class in its share, and at least one of it."""
    random = np.random.default_rng(seed)
    share = min(JUDGED_SHARE, MOST_JUDGED / max(1, len(labels)))
    judged = []
    for one in range(len(classes)):
        rows = random.permutation(np.flatnonzero(labels == one))
        judged.append(rows[:max(1, round(share * len(rows)))] if len(rows) > 1 else rows[:0])
    rows = np.sort(np.concatenate(judged)) if judged else np.empty(0, np.int64)
    return Images(pictures, labels, classes, np.setdiff1d(np.arange(len(labels)), rows), rows)


def shape_inputs(pictures: Pixels, model: Any, scale: float) -> NDArray[np.float32]:
    """`(n, height, width, channels)` float32, 0 to 255 times `scale`, as the model takes it."""
    shape = model.input_shape if model.built else (None, None, None, 3)
    height, width = int(shape[1] or _DEFAULT_SIDE), int(shape[2] or _DEFAULT_SIDE)
    channels = int(shape[3] or 3)
    inputs = pictures if pictures.shape[1:3] == (height, width) else np.stack(
        [resize(one, (width, height)) for one in pictures]) if len(pictures) else np.empty(
            (0, height, width, 3), np.uint8)
    found = inputs.astype(np.float32)
    if channels == 1:  # ITU-R BT.601, as Pillow's "L"
        found = (found @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return np.asarray(found * np.float32(scale), np.float32)
