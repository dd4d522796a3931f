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

FEW_A_CLASS = 40
"""Images a class up to which it is asked whether more would help."""

DEFAULT_SIDE = 32


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

    def halved(self, seed: int) -> Images:
        """Half of the images to learn from, of each class, and at least one of it."""
        random = np.random.default_rng(seed)
        kept = []
        for one in range(len(self.classes)):
            rows = random.permutation(self.learned[self.labels[self.learned] == one])
            kept.append(rows[:-(-len(rows) // 2)])
        return replace(self, learned=np.sort(np.concatenate(kept)))


def typical_class(images: Images) -> float:
    """Median of the images to learn from a class."""
    return float(np.median(np.bincount(images.labels[images.learned],
                                       minlength=len(images.classes))))


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


def input_size(model: Any) -> tuple[int, int, int]:
    """Height, width and channels that a model takes; 32, 32 and 3 where it takes any."""
    try:
        shape = tuple(model.input_shape)
    except (AttributeError, TypeError):  # a model of a class of its own does not tell
        shape = ()
    if len(shape) != 4:  # noqa: PLR2004 - images, height, width, channels
        shape = (None, None, None, 3)
    return int(shape[1] or DEFAULT_SIDE), int(shape[2] or DEFAULT_SIDE), int(shape[3] or 3)


def shape_inputs(pictures: Pixels, model: Any, scale: float) -> NDArray[np.float32]:
    """`(n, height, width, channels)` float32, 0 to 255 times `scale`, as the model takes it."""
    height, width, channels = input_size(model)
    inputs = pictures if pictures.shape[1:3] == (height, width) else np.stack(
        [resize(one, (width, height)) for one in pictures]) if len(pictures) else np.empty(
            (0, height, width, 3), np.uint8)
    found = inputs.astype(np.float32)
    if channels == 1:  # ITU-R BT.601, as Pillow's "L"
        found = (found @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return np.asarray(found * np.float32(scale), np.float32)
