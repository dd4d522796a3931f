"""A name that is none: which one was meant?"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def refuse_unknown(given: Iterable[Any], known: Sequence[str], where: str, what: str = "key",
                   ) -> None:
    """Refuse names that are not among those known.

    Raises:
        UsageError: with the one that is most like it, or all.
    """
    for one in given:
        if one not in known:
            close = difflib.get_close_matches(str(one), known, 1, 0.5)
            hint = f'Did you mean "{close[0]}"?' if close else f"There is {', '.join(known)}."
            raise UsageError(f'{where} has no {what} "{one}". {hint}')
