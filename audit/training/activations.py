"""What a network that is trained in its last blocks only is given: what passes to those blocks.

All before them stays as it is, so that it is computed once for all epochs, seeds and arms: of each
image to learn from as it is changed at random so many times, of others as they are and mirrored.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.half_floats import BYTES, HalfFloats

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.training.examples import Pictures

    Rows = NDArray[np.int64]
    Floats = NDArray[np.float32]

VARIANTS = 8
"""Changes at random of each image to learn from. With 4, a training on 7,200 photographs of 32 px
was as good as with new ones in each epoch."""

_BATCH = 64


class Activations:
    """Activations of images, float32, kept as half floats in a file that goes with the process."""

    dtype = "float32"

    def __init__(self, begin: Any, pictures: Pictures, learned: Rows, others: Rows, seed: int,
                 advance: Callable[[int], None] = lambda _: None) -> None:
        """Compute them.

        Args:
            begin: from pictures to activations.
            pictures: the images.
            learned: rows to learn from.
            others: rows to validate or to test with.
            seed: of the changes.
            advance: told of those done since the last call, `count_of_activations` in all.
        """
        self.shape: tuple[int, ...] = begin.output_shape[1:]
        self._begin = begin
        self._file = tempfile.TemporaryFile(dir=pictures.tensors.path.parent)  # noqa: SIM115
        self._kept = HalfFloats(self._file.fileno(), self.shape)
        self._learned = _places(learned, 0, VARIANTS)
        self._others = _places(others, len(learned) * VARIANTS, 2)
        at = 0
        for number, start in enumerate(range(0, len(learned), _BATCH)):
            rows = learned[start:start + _BATCH]
            random = np.random.default_rng((seed, number, 2))
            parts = [self._answers(pictures.changed(rows, random)) for _ in range(VARIANTS)]
            self._kept.write(at, np.stack(parts, axis=1).reshape(-1, *self.shape))
            at += len(rows) * VARIANTS
            advance(len(rows) * VARIANTS)
        for start in range(0, len(others), _BATCH):
            rows = others[start:start + _BATCH]
            parts = [self._answers(pictures.plain(rows, mirrored=mirrored))
                     for mirrored in (False, True)]
            self._kept.write(at, np.stack(parts, axis=1).reshape(-1, *self.shape))
            at += len(rows) * 2
            advance(len(rows) * 2)

    def plain(self, rows: Rows, *, mirrored: bool) -> Floats:
        """Of images that are not learned from.

        Raises:
            IndexError: an image is none of those.
        """
        return self._kept.read(_found(self._others, rows) + int(mirrored))

    def changed(self, rows: Rows, random: np.random.Generator) -> Floats:
        """Of images to learn from, each as it was changed some time.

        Raises:
            IndexError: an image is none of those.
        """
        return self._kept.read(_found(self._learned, rows)
                               + random.integers(VARIANTS, size=len(rows)))

    def _answers(self, pictures: NDArray[Any]) -> Floats:
        answers: Floats = self._begin.predict_on_batch(pictures)
        return answers


def count_of_activations(learned: int, others: int) -> int:
    """Activations kept of so many images to learn from, and others."""
    return VARIANTS * learned + 2 * others


def bytes_of_activations(begin: Any | None, learned: int, others: int) -> int:
    """Size of the file for so many images; 0 where no part of a network stays as it is."""
    if begin is None:
        return 0
    return BYTES * int(np.prod(begin.output_shape[1:])) * count_of_activations(learned, others)


def _places(rows: Rows, begin: int, each: int) -> Rows:
    """By row, the place of the first of its activations; -1 for none."""
    places = np.full(int(rows.max(initial=-1)) + 1, -1, np.int64)
    places[rows] = begin + each * np.arange(len(rows))
    return places


def _found(places: Rows, rows: Rows) -> Rows:
    found = places[rows]
    if len(found) and found.min() < 0:
        raise IndexError(f"nothing was kept of image {rows[found.argmin()]} in this use.")
    return found
