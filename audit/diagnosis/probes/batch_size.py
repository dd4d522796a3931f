"""A batch of a large part of the images makes few updates; one of one or two images, noisy ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.case import Case, Suspicion

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "batch_size"
LARGEST_SHARE, SMALLEST = 0.2, 2
USUAL = 32


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect batches of over a fifth of the images, or of one or two."""
    size, images = case.subject.regime.batch_size, len(case.images.learned)
    if SMALLEST < size <= max(USUAL, LARGEST_SHARE * images):
        return
    large = size > SMALLEST
    yield Suspicion(
        CAUSE, 0.75 if large else 0.5,
        f"A batch has {size:,} of {images:,} images" + (
            f": an epoch is {-(-images // size)} update{'s' if images > size else ''}." if large
            else ": each update follows one or two of them."),
        f"Use batch_size={USUAL}.", case.subject.edited(batch_size=USUAL))
