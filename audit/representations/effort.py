"""How much time to spend on the representation, by three names."""

from __future__ import annotations

from dataclasses import dataclass

from audit.errors import UsageError


@dataclass(frozen=True)
class Effort:
    """What an effort buys.

    Attributes:
        filters: patches in the dictionary learned from the images, where there is no network.
        beside: the same, beside a network.
        side: pixels at which a pretrained network is shown pictures.
        small_side: the same for small pictures (`networks.SMALL_PICTURE`): enlarging them further
            costs time, and on 10,000 of 32 px held-out labels were less likely at 160 px.
        with_mirror: average its activations with those of the mirror image.
        landmarks: images that the kernel of the classifier is approximated from.
        trial_landmarks: the same, where learning curves and gains are measured.
        repeats: cross-validations with other folds, whose answers are averaged.
        fine_tunes: train the last blocks of the network too, for each fold.
    """

    name: str
    filters: int
    beside: int
    side: int
    small_side: int
    with_mirror: bool
    landmarks: int
    trial_landmarks: int
    repeats: int
    fine_tunes: bool


EFFORTS = {effort.name: effort for effort in (
    Effort("low", filters=200, beside=64, side=96, small_side=96, with_mirror=False,
           landmarks=2_000, trial_landmarks=1_000, repeats=1, fine_tunes=False),
    Effort("normal", filters=800, beside=64, side=160, small_side=128, with_mirror=True,
           landmarks=4_000, trial_landmarks=2_000, repeats=3, fine_tunes=False),
    Effort("high", filters=1_600, beside=256, side=160, small_side=128, with_mirror=True,
           landmarks=6_000, trial_landmarks=3_000, repeats=3, fine_tunes=True),
)}
DEFAULT_EFFORT = "normal"


def find_effort(name: str) -> Effort:
    """The effort of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in EFFORTS:
        raise UsageError(f'--effort must be {", ".join(EFFORTS)}. Got "{name}" instead.')
    return EFFORTS[name]
