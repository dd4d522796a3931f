"""What people found of flags, by the contents of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEAST_REVIEWED = 30
"""Flags of a check that people must have settled before their share of real ones speaks for the
others: its 90 % interval is then at most 0.3 wide."""


@dataclass(frozen=True)
class Reviewed:
    """Answers that hold.

    Attributes:
        kept: (check, content) → who found that nothing is wrong with it.
        real: (check, content) that people found to be as the check says.
        digest: over all of it, hexadecimal, the same for the same answers; empty if there are none.
    """

    kept: Mapping[tuple[str, str], str]
    real: frozenset[tuple[str, str]]
    digest: str

    def share(self, check: str, contents: Iterable[str], deviations: float,
              ) -> tuple[float, float, float] | None:
        """Of flags of a check that people looked at, the share that is real, with an interval.

        Args:
            check: its code.
            contents: of all images that it flags.
            deviations: standard deviations of the interval to each side.

        Returns:
            None where too few were looked at.
        """
        different = set(contents)
        real = sum((check, one) in self.real for one in different)
        seen = real + sum((check, one) in self.kept for one in different)
        if seen < LEAST_REVIEWED:
            return None
        return real / seen, *wilson(real, seen, deviations)
