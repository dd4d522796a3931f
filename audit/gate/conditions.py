"""Conditions of a policy, such as `rate_low > 0.05`, and the figures that they compare."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

FIGURES = ("count", "rate", "rate_low", "rate_high")
METRIC = "metric."
_OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
PATTERN = (r"^\s*(count|rate|rate_low|rate_high|metric(\.[A-Za-z0-9_]+)+)\s*(>=|>|<=|<)\s*"
           r"([0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)\s*$")
"""What a condition looks like, for the JSON Schema too."""

_ENDS = {"low": 0, "high": 1}


@dataclass(frozen=True)
class Figures:
    """What was counted, of one check in all images or in one class.

    Attributes:
        count: what is to be fixed: flagged, and neither waived nor in the baseline.
        total: images it is a share of; None for a check that is not about images.
        confidence: of the interval of the share.
        share: `(estimate, low, high)` of the flags that people found real; None where too few
            were looked at: then each flag counts.
        certain: of `count`, those that people found real.
    """

    count: int
    total: int | None
    confidence: float
    share: tuple[float, float, float] | None = None
    certain: int = 0

    @property
    def rate(self) -> float | None:
        """Share of the images; where people have looked, of those that are believed to be real."""
        if not self.total:
            return None
        if self.share is None:
            return self.count / self.total
        return (self.certain + self.share[0] * (self.count - self.certain)) / self.total

    def _bound(self, side: int) -> float | None:
        if not self.total:
            return None
        share = 1.0 if self.share is None else self.share[1 + side]
        believed = self.certain + share * (self.count - self.certain)
        deviations = NormalDist().inv_cdf((1 + self.confidence) / 2)
        return wilson(believed, self.total, deviations)[side]

    @property
    def rate_low(self) -> float | None:
        """Lower bound of the share: with few images it is far below the share itself."""
        return self._bound(0)

    @property
    def rate_high(self) -> float | None:
        """Upper bound of the share."""
        return self._bound(1)


@dataclass(frozen=True)
class Condition:
    """One figure compared with a number.

    Attributes:
        figure: of `FIGURES`, or `metric.` and a name in summary.json.
        sign: of `>`, `>=`, `<`, `<=`.
        bound: the number.
    """

    figure: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, text: object, where: str) -> Condition:
        """Read a condition.

        Raises:
            UsageError: it is none.
        """
        found = re.match(PATTERN, text) if isinstance(text, str) else None
        if found is None:
            raise UsageError(
                f'{where}: a condition must be like "count > 0", "rate_low > 0.05" or '
                f'"metric.estimated_share > 0.1" ({", ".join(FIGURES)} or metric.NAME, and >, >=, '
                f"< or <=). Got {text!r} instead.")
        return cls(found[1], found[3], float(found[4]))

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.figure} {self.sign} {self.bound:g}"

    def value(self, figures: Figures, metrics: Mapping[str, Any]) -> float | None:
        """The figure; None where there is none."""
        if self.figure.startswith(METRIC):
            return self.value_in(metrics)
        found: float | None = getattr(figures, self.figure)
        return found

    def value_in(self, metrics: Mapping[str, Any]) -> float | None:
        """The figure of summary.json; None where there is none."""
        return _metric(metrics, self.figure.removeprefix(METRIC).split("."))

    def holds(self, value: float) -> bool:
        """Whether the figure is on the wrong side of the number."""
        return bool(_OPERATORS[self.sign](value, self.bound))


def _metric(found: Any, names: list[str]) -> float | None:
    for name in names:
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and len(found) == len(_ENDS) and name in _ENDS:
            found = found[_ENDS[name]]
        else:
            return None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and found == found else None  # noqa: PLR0124 - not NaN
