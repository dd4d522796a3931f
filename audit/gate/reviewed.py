"""What people found of flags, by the contents of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audit.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LABEL = "label"
"""The check whose answers name a class."""

LEAST_REVIEWED = 30
"""Flags of a check that people must have settled before their share of real ones speaks for the
others: its 90 % interval is then at most 0.3 wide."""


@dataclass(frozen=True)
class Reviewed:
    """Answers that hold.

    An answer is about a picture under a label: that a picture is a cat keeps it among the cats, and
    says that it is wrong among the dogs.

    Attributes:
        kept: (check, content, label) → who found that nothing is wrong with it.
        real: (check, content, label) that people found to be as the check says; of an empty label,
            under whatever label it is.
        told: content → class that people found a picture to be, and who.
        digest: over all of it, hexadecimal, the same for the same answers; empty if there are none.
    """

    kept: Mapping[tuple[str, str, str], str]
    real: frozenset[tuple[str, str, str]]
    digest: str
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def keeper(self, check: str, content: str, label: str) -> str | None:
        """Who found that nothing is wrong with a flag; None where nobody did."""
        told = self.told.get(content) if check == LABEL else None
        if told is not None:
            return told[1] if told[0] == label else None
        return self.kept.get((check, content, label))

    def is_real(self, check: str, content: str, label: str) -> bool:
        """Whether people found it to be as the check says."""
        told = self.told.get(content) if check == LABEL else None
        if told is not None:
            return told[0] != label
        return (check, content, label) in self.real or (check, content, "") in self.real

    def share(self, check: str, flagged: Iterable[tuple[str, str]], deviations: float,
              ) -> tuple[float, float, float] | None:
        """Of flags of a check that people looked at, the share that is real, with an interval.

        Args:
            check: its code.
            flagged: content and label of all images that it flags.
            deviations: standard deviations of the interval to each side.

        Returns:
            None where too few were looked at.
        """
        different = set(flagged)
        real = sum(self.is_real(check, *one) for one in different)
        seen = real + sum(self.keeper(check, *one) is not None for one in different)
        if seen < LEAST_REVIEWED:
            return None
        return real / seen, *wilson(real, seen, deviations)
