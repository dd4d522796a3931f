"""From the results of checks to the ranked causes of not learning.

First what voids every other figure (labels without signal, a class that can be told from its
files), then causes by what fixing them was measured to gain, then those whose fix cannot be tried
here, then those whose fix has no measurable effect. Among those without a measured gain the order
is that of what they do to learning, and within that of the share of the images (or classes) they
touch:

1. nothing can be learned, or not from the pictures: labels without signal, shortcuts;
2. what is learned or measured is wrong: wrong labels, leaks between splits;
3. there is too little to learn from: imbalance, too few images, broken files;
4. the images are not what they could be: duplicates, image quality, odd images, groups of
   images that the model does worse on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.types import CheckResult, Gain


@dataclass(frozen=True)
class CauseKind:
    """A cause that checks can be evidence of. A lower tier comes first."""

    title: str
    tier: int


CAUSES: Mapping[str, CauseKind] = {
    "no_signal": CauseKind("Labels without signal", 1),
    "shortcut": CauseKind("Shortcuts in the files", 1),
    "wrong_labels": CauseKind("Wrong labels", 2),
    "split_leak": CauseKind("Test set leaks", 2),
    "imbalance": CauseKind("Class imbalance", 3),
    "too_few_images": CauseKind("Too few images", 3),
    "broken_files": CauseKind("Broken files", 3),
    "duplicates": CauseKind("Duplicates", 4),
    "image_quality": CauseKind("Image quality", 4),
    "odd_images": CauseKind("Odd images", 4),
    "weak_slices": CauseKind("Underperforming groups", 4),
}


@dataclass(frozen=True)
class Cause:
    """One ranked cause.

    Attributes:
        key: of `CAUSES`.
        title: for people.
        share: largest share of images or classes that one of its checks found touched.
        summary: what its checks found, worst first.
        checks: codes of the checks that found something, worst first.
        gain: what its best fix was measured to bring, None where none could be tried.
    """

    key: str
    title: str
    share: float
    summary: str
    checks: tuple[str, ...]
    gain: Gain | None = None

    @property
    def is_without_effect(self) -> bool:
        """Whether its fix was tried and brought nothing beyond doubt."""
        return self.gain is not None and not self.gain.is_measurable


def rank_causes(results: Sequence[CheckResult], gains: Mapping[str, Gain]) -> list[Cause]:
    """Causes that any check found something for, the first to fix first.

    Args:
        results: of all checks.
        gains: cause → the gain of its best fix, as far as they were measured.
    """
    causes = []
    for key, kind in CAUSES.items():
        found = [one for one in results if one.meta.cause == key and found_something(one)]
        # What is certain (a picture under two classes) stands before what is estimated.
        found.sort(key=lambda one: (one.meta.code != "label_conflict", -_share(one),
                                    one.meta.code))
        if found:
            causes.append(Cause(
                key, kind.title, max(_share(one) for one in found),
                "; ".join(f"{one.outcome.summary}" for one in found if one.outcome),
                tuple(one.meta.code for one in found), gains.get(key)))
    return sorted(causes, key=_place)


def _place(cause: Cause) -> tuple[int, float, float]:
    tier = CAUSES[cause.key].tier
    if tier == 1:
        return 0, 0, -cause.share
    if cause.gain is not None and cause.gain.is_measurable:
        return 1, -cause.gain.difference.change, -cause.share
    return (3 if cause.is_without_effect else 2), tier, -cause.share


def found_something(result: CheckResult) -> bool:
    """Whether the check ran and flagged anything."""
    return result.outcome is not None and bool(result.outcome.findings["is_flagged"].any())


def found_well(results: Sequence[CheckResult]) -> list[str]:
    """Titles of the checks that ran and flagged nothing."""
    return [one.meta.title for one in results
            if one.status == "ok" and not found_something(one)]


def not_checked(results: Sequence[CheckResult]) -> list[tuple[str, str]]:
    """Title and reason of each check that did not run or crashed."""
    return [(one.meta.title, one.reason if one.status == "skipped" else f"crashed: {one.reason}")
            for one in results if one.status != "ok"]


def _share(result: CheckResult) -> float:
    value = result.outcome.metrics.get("share", 0.0) if result.outcome else 0.0
    return float(value) if isinstance(value, int | float) else 0.0
