"""The range of `--seed`, apart from the settings of `audit run`, which are slow to import."""

from __future__ import annotations

from audit.errors import UsageError

LEAST_FOLDS, MOST_FOLDS = 2, 50
MOST_SEED = 2**32 - 1 - MOST_FOLDS
"""NumPy's limit, with room for a seed a fold."""


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy would, in the middle of a run.

    Raises:
        UsageError: it is out of range.
    """
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed must be from 0 to {MOST_SEED}. Got {seed} instead.")
