"""Where a training stands, on disk: what it takes to go on as if it had not been interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STATE, _VARIABLE, _BEST = "state", "variable_", "best_"


@dataclass
class Standing:
    """Where a training stands after an epoch.

    Attributes:
        epoch: epochs done.
        best_epoch: the epoch with the lowest validation loss so far, 1 for the first, 0 for none.
        best_loss: that loss.
        is_over: no epoch is to follow.
        history: one row an epoch.
        best: values of the network's weights after the best epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    is_over: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)


def save(path: Path, standing: Standing, variables: Sequence[Any]) -> None:
    """Write a standing and the values of all variables, whole or not at all."""
    state = {"epoch": standing.epoch, "best_epoch": standing.best_epoch,
             "best_loss": standing.best_loss, "is_over": standing.is_over,
             "history": standing.history}
    arrays: dict[str, Any] = {f"{_VARIABLE}{number}": np.asarray(one)
                              for number, one in enumerate(variables)}
    arrays |= {f"{_BEST}{number}": one for number, one in enumerate(standing.best)}
    arrays[_STATE] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    RunDir(path.parent).write_arrays(path.name, arrays)


def restore(path: Path, variables: Sequence[Any]) -> Standing:
    """Read a standing, and give all variables the values they had; a new one if there is none."""
    if not path.exists():
        return Standing()
    with np.load(path) as stored:
        standing = Standing(**json.loads(stored[_STATE].tobytes()))
        for number, variable in enumerate(variables):
            variable.assign(stored[f"{_VARIABLE}{number}"])
        count = sum(name.startswith(_BEST) for name in stored.files)
        standing.best = [stored[f"{_BEST}{number}"] for number in range(count)]
    return standing
