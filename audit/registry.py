"""Finds the checks, and runs them so that one that fails cannot stop or fake another."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import time
import traceback
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from audit.errors import UsageError
from audit.types import CheckMeta, CheckResult, Evidence, NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from audit.types import Outcome

_DATASET_NEEDS = ("pairs", "neighbours", "cross_validation", "learning_curve", "splits")


@dataclass(frozen=True)
class Check:
    """A check as its file in `audit.checks` defines it.

    Attributes:
        meta: the file's `META`.
        function: the file's `check(evidence, thresholds)`.
        documentation: the file's docstring.
    """

    meta: CheckMeta
    function: Callable[[Evidence, Mapping[str, float]], Outcome]
    documentation: str


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, in the alphabetical order of their codes."""
    package = importlib.import_module("audit.checks")
    found = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.append(Check(module.META, module.check, inspect.getdoc(module) or ""))
    return tuple(sorted(found, key=lambda one: one.meta.code))


def find_check(code: str) -> Check:
    """The check of that code.

    Raises:
        UsageError: there is none.
    """
    for one in all_checks():
        if one.meta.code == code:
            return one
    known = ", ".join(one.meta.code for one in all_checks())
    message = f'there is no check "{code}". Give one of {known}.'
    raise UsageError(message)


def thresholds_of(check: Check, overrides: Mapping[str, float]) -> dict[str, float]:
    """Thresholds of a check, with the user's own in place of the defaults.

    Raises:
        UsageError: a name is unknown or a value out of its range.
    """
    known = check.meta.thresholds
    for name, value in overrides.items():
        if name not in known:
            message = (f'check "{check.meta.code}" has no threshold "{name}". '
                       f"It has {', '.join(known) or 'none'}.")
            raise UsageError(message)
        low, high = known[name].low, known[name].high
        if not low <= value <= high:
            message = (f'threshold "{name}" of check "{check.meta.code}" must be from {low:g} to '
                       f"{high:g}. Got {value:g} instead.")
            raise UsageError(message)
    return {name: overrides.get(name, threshold.value) for name, threshold in known.items()}


def run_checks(checks: Sequence[Check], evidence: Evidence,
               overrides: Mapping[str, Mapping[str, float]] | None = None,
               disabled: frozenset[str] = frozenset()) -> Iterator[CheckResult]:
    """Run each check; one that raises ends as `error`, and the next one runs all the same."""
    for one in checks:
        if one.meta.code in disabled:
            yield CheckResult(one.meta, "skipped", "turned off by the configuration")
        else:
            yield run_check(one, evidence, (overrides or {}).get(one.meta.code, {}))


def run_check(check: Check, evidence: Evidence, overrides: Mapping[str, float]) -> CheckResult:
    """Run one check, or say why it cannot be run."""
    reason = next((why for need in check.meta.needs if (why := _lacks(evidence, need))), "")
    if reason:
        return CheckResult(check.meta, "skipped", reason)
    begun = time.perf_counter()
    thresholds = thresholds_of(check, overrides)
    try:
        outcome = check.function(evidence, thresholds)
    except NotApplicableError as why:
        return CheckResult(check.meta, "skipped", str(why))
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - reported as an error, never taken for a pass
        last = traceback.extract_tb(error.__traceback__)[-1]
        return CheckResult(
            check.meta, "error",
            f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})")
    return CheckResult(check.meta, "ok", outcome=outcome,
                       seconds=time.perf_counter() - begun, thresholds=thresholds)


def _lacks(evidence: Evidence, need: str) -> str:
    """Why `need` is not there; empty if it is."""
    if evidence.images.empty:
        return "there are no images"
    if need == "splits":
        splits = evidence.images.get("split")
        if splits is None or splits[splits != ""].nunique() < 2:  # noqa: PLR2004
            return "the data has no splits (train, val, test)"
        return ""
    if need in _DATASET_NEEDS:
        absent = getattr(evidence, need) is None
        return evidence.missing.get(need, f"{need} was not made") if absent else ""
    return "" if need in evidence.images.columns else f"the column {need} is missing"
