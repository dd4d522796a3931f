"""Intervals of shares."""

from __future__ import annotations

DEVIATIONS_90 = 1.645
"""Standard deviations to each side of a normal distribution that hold 90 % of it."""


def wilson(successes: float, total: float, deviations: float) -> tuple[float, float]:
    """Interval of a share, so many standard deviations wide to each side.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927). Unlike
    the share plus and minus its standard error it stays in [0, 1] and is not empty at 0 and 1.
    It is all of [0, 1] where nothing was counted.
    """
    if total <= 0:
        return 0.0, 1.0
    share, weight = successes / total, deviations**2 / total
    centre = (share + weight / 2) / (1 + weight)
    reach = deviations / (1 + weight) * (share * (1 - share) / total + weight / total / 4) ** 0.5
    return max(0.0, min(centre - reach, share)), min(1.0, max(centre + reach, share))
