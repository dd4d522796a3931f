"""What a run is asked to do, checked before anything is read."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.places import Url, is_remote
from audit.remote import IN_ONE_PROCESS
from audit.representations import DEFAULT_EFFORT, RUNTIMES, choose_runtime, find_effort
from pipelines.seed import LEAST_FOLDS, MOST_FOLDS, check_seed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from audit.places import Place

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
AUTO_RUNTIME = RUNTIMES[0]

_READERS_A_CORE, _MOST_READERS = 4, 32
"""Of a store: a process waits most of its time for the network, and takes some 150 MB."""


def available_cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(data: Place) -> int:
    """Processes that read images: one a core, and more where they wait for a store."""
    cores = available_cores()
    return max(cores, min(_READERS_A_CORE * cores, _MOST_READERS)) if is_remote(data) else cores


@dataclass(frozen=True)
class Settings:
    """Settings of `audit run`; see its help for what they mean.

    Attributes:
        data: a path, or a `Url` of a folder or table in a store.
        labels: the same for the table.
        thresholds: check → name → value, in place of the check's own.
        disabled: codes of checks that are not run.
    """

    data: Place
    out: Path | None = None
    labels: Place | None = None
    label_column: str = "label"
    backbone: str = "auto"
    effort: str = DEFAULT_EFFORT
    folds: int = 5
    seed: int = 0
    workers: int = field(default_factory=available_cores)
    engine: str = LOCAL
    ray_address: str | None = None
    runtime: str = AUTO_RUNTIME
    pred_probs: Path | None = None
    embeddings: Path | None = None
    hold_out: str | None = None
    cache: bool = True
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what no run could make sense of."""
        if not LEAST_FOLDS <= self.folds <= MOST_FOLDS:
            raise UsageError(f"--folds must be from {LEAST_FOLDS} to {MOST_FOLDS}. "
                             f"Got {self.folds} instead.")
        _refuse_what_one_process_sees(self.data, self.labels)
        if self.workers < 1:
            raise UsageError(f"--workers must be 1 or more. Got {self.workers} instead.")
        check_seed(self.seed)
        find_effort(self.effort)
        if self.engine not in ENGINES:
            raise UsageError(f'--engine must be {" or ".join(ENGINES)}. Got "{self.engine}" '
                             "instead.")
        choose_runtime(self.runtime, 0)
        if self.ray_address is not None and self.engine != RAY:
            raise UsageError("--ray-address goes with --engine ray. Give both, or neither.")
        if self.engine == RAY and find_effort(self.effort).fine_tunes:
            raise UsageError(f"--effort {self.effort} trains a network on this machine from whole "
                             "pictures, which --engine ray leaves where they were decoded. Take "
                             "--effort normal, or --engine local.")
        for option, path in (("--pred-probs", self.pred_probs), ("--embeddings", self.embeddings)):
            if path is not None and not path.is_file():
                raise UsageError(f"{option} {path} does not exist. Give a file.")
        if self.out is not None and self.out.exists() and not self.out.is_dir():
            raise UsageError(f"--out {self.out} is a file. Give a folder.")

    def as_json(self) -> dict[str, object]:
        """The settings as run.json records them."""
        return {
            "data": str(self.data), "labels": _text(self.labels),
            "label_column": self.label_column, "backbone": self.backbone,
            "effort": self.effort, "folds": self.folds,
            "seed": self.seed, "workers": self.workers, "engine": self.engine,
            "ray_address": self.ray_address, "runtime": self.runtime,
            "pred_probs": _text(self.pred_probs), "embeddings": _text(self.embeddings),
            "hold_out": self.hold_out,
            "thresholds": {code: dict(values) for code, values in self.thresholds.items()},
            "disabled": sorted(self.disabled),
        }


def _refuse_what_one_process_sees(*places: Place | None) -> None:
    for place in places:
        if isinstance(place, Url) and place.scheme in IN_ONE_PROCESS:
            raise UsageError(f"{place} is seen by one process only, and images are read by "
                             "several. Give a folder, or a store that all can read.")


def read_config(path: Path) -> tuple[dict[str, dict[str, float]], frozenset[str]]:
    """Read thresholds and disabled checks from a TOML file.

    It holds a table a check: `[checks.dark]` with `score = 0.25`, or `enabled = false`.

    Raises:
        UsageError: the file cannot be read, or names what does not exist.
    """
    from audit.registry import find_check, thresholds_of  # noqa: PLC0415 - imports every check

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--config {path} cannot be read ({error}). Give a TOML file.") from error
    unknown = sorted(set(content) - {"checks"})
    if unknown or not isinstance(content.get("checks", {}), dict):
        raise UsageError(f"--config {path} must hold tables [checks.CODE] only. "
                         f"Got {', '.join(unknown) or 'checks that is no table'} instead.")
    thresholds: dict[str, dict[str, float]] = {}
    disabled = set()
    for code, given in content.get("checks", {}).items():
        check = find_check(code)
        values = _table(path, code, given)
        if not values.pop("enabled", True):
            disabled.add(code)
        thresholds[code] = {name: _number(path, code, name, value)
                            for name, value in values.items()}
        thresholds_of(check, thresholds[code])
    return thresholds, frozenset(disabled)


def _table(path: Path, code: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("enabled", True), bool):
        raise UsageError(f"--config {path}: [checks.{code}] must be a table of thresholds, "
                         "with enabled as true or false.")
    return dict(given)


def _number(path: Path, code: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"--config {path}: {name} of [checks.{code}] must be a number. "
                         f"Got {value!r} instead.")
    return float(value)


def _text(path: Place | None) -> str | None:
    return None if path is None else str(path)
