"""Progress of work whose parts are shares of a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 100


class Progress:
    """Tells of what was reached of the whole, in `STEPS`."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        """`advance` is told of steps since the last call."""
        self._advance = advance
        self._told = 0

    def reach(self, share: float) -> None:
        """So much of the whole is done."""
        steps = round(STEPS * share)
        self._advance(steps - self._told)
        self._told = steps
