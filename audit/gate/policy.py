"""What a dataset must be like to be trained on: `audit.toml`, checked key by key."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.gate.conditions import METRIC, Condition
from audit.gate.waivers import Waiver, read_waivers
from audit.spelling import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VERSION = 1
DEFAULT_FILE = "default_policy.toml"
_GATE = ("version", "confidence", "longest_waiver_days", "allow", "class_size", "checks", "waivers")
_OTHERS = ("checks",)
"""Tables at the top that are `audit run --config`'s: one file may hold both."""


@dataclass(frozen=True)
class Rules:
    """When a check warns and when it fails; None for as in what stands above."""

    warn_if: tuple[Condition, ...] | None = None
    error_if: tuple[Condition, ...] | None = None

    def over(self, other: Rules) -> Rules:
        """These rules, and the others where these say nothing."""
        return Rules(other.warn_if if self.warn_if is None else self.warn_if,
                     other.error_if if self.error_if is None else self.error_if)


@dataclass(frozen=True)
class CheckPolicy:
    """The rules of a check: of all images, of each class, and of named classes."""

    whole: Rules = Rules()
    each_class: Rules = Rules()
    classes: Mapping[str, Rules] = field(default_factory=dict)

    def conditions(self) -> Iterator[Condition]:
        """All conditions, of whatever."""
        for one in (self.whole, self.each_class, *self.classes.values()):
            yield from one.warn_if or ()
            yield from one.error_if or ()

    def of_class(self, name: str) -> Rules:
        """The rules for images of one class."""
        return self.classes.get(name, Rules()).over(self.each_class)


@dataclass(frozen=True)
class Sizes:
    """Images of a class below which it warns and fails."""

    warn_below: int | None = None
    error_below: int | None = None


@dataclass(frozen=True)
class Policy:
    """When a dataset is good enough; see docs/gate.md.

    Attributes:
        confidence: of the intervals of shares, in (0.5, 1).
        longest_waiver_days: from today.
        skipped: codes of checks that may be skipped.
        missing: codes of checks that the run need not know.
        empty_dataset: whether a dataset without images may pass.
        class_size: of each class, and of named ones.
        class_sizes: name → sizes, in place of `class_size`.
        checks: code → rules.
        waivers: what is not to count, for a while.
        source: where it came from, in words.
    """

    confidence: float
    longest_waiver_days: int
    skipped: frozenset[str]
    missing: frozenset[str]
    empty_dataset: bool
    class_size: Sizes
    class_sizes: Mapping[str, Sizes]
    checks: Mapping[str, CheckPolicy]
    waivers: tuple[Waiver, ...]
    source: str

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, hexadecimal; comments and the order of keys do not matter."""
        said = asdict(self) | {"skipped": sorted(self.skipped), "missing": sorted(self.missing)}
        del said["source"]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def known_checks() -> tuple[str, ...]:
    """Codes of all checks, without importing them."""
    return tuple(sorted(one.name.removesuffix(".py")
                        for one in files("audit").joinpath("checks").iterdir()
                        if one.name.endswith(".py") and not one.name.startswith("_")))


def default_text() -> str:
    """The default policy as a file, with its explanations."""
    return files("audit.gate").joinpath(DEFAULT_FILE).read_text(encoding="utf-8")


def read_policy(path: Path | None) -> Policy:
    """Read a policy file over the default policy; the default alone where no file is given.

    Raises:
        UsageError: it cannot be read, or a key, a check or a value is none that there is.
    """
    default = _parse(tomllib.loads(default_text()), "the default policy", None)
    if path is None:
        return default
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--policy {path} cannot be read ({error}). Give a TOML file; `audit gate "
                         "--init` writes one.") from error
    if "gate" not in content:
        raise UsageError(f"--policy {path} holds no table [gate]. `audit gate --init` writes one.")
    refuse_unknown(content, ("gate", *_OTHERS), f"--policy {path}")
    return _parse(content, str(path), default)


def _parse(content: Mapping[str, Any], source: str, default: Policy | None) -> Policy:
    gate = _table(content["gate"], f"{source}: [gate]")
    refuse_unknown(gate, _GATE, f"{source}: [gate]")
    if gate.get("version", VERSION) != VERSION:
        raise UsageError(f"{source}: version must be {VERSION}. Got {gate['version']!r} instead.")
    allow = _table(gate.get("allow", {}), f"{source}: [gate.allow]")
    refuse_unknown(allow, ("skipped", "missing", "empty_dataset"), f"{source}: [gate.allow]")
    sizes = _table(gate.get("class_size", {}), f"{source}: [gate.class_size]")
    named = _table(sizes.get("class", {}), f"{source}: [gate.class_size.class]")
    where = f"{source}: [gate]"
    longest = _number(gate, "longest_waiver_days", where, 1, 3_660,
                      default.longest_waiver_days if default else 90)
    checks = {code: default.checks[code] for code in default.checks} if default else {}
    for code, told in _table(gate.get("checks", {}), f"{source}: [gate.checks]").items():
        refuse_unknown([code], known_checks(), f"{source}: [gate.checks]", "check")
        checks[code] = _check(told, f"{source}: [gate.checks.{code}]",
                              checks.get(code, CheckPolicy()))
    empty = allow.get("empty_dataset", default.empty_dataset if default else False)
    if not isinstance(empty, bool):
        raise UsageError(f"{source}: empty_dataset of [gate.allow] must be true or false. Got "
                         f"{empty!r} instead.")
    return Policy(
        confidence=_number(gate, "confidence", where, 0.5, 0.999,
                           default.confidence if default else 0.9),
        longest_waiver_days=int(longest),
        skipped=_codes(allow, "skipped", source, default.skipped if default else frozenset()),
        missing=_codes(allow, "missing", source, default.missing if default else frozenset()),
        empty_dataset=empty,
        class_size=_sizes(sizes, f"{source}: [gate.class_size]",
                          default.class_size if default else Sizes(), ("class",)),
        class_sizes={name: _sizes(one, f'{source}: [gate.class_size.class."{name}"]', Sizes())
                     for name, one in named.items()},
        checks=checks,
        waivers=read_waivers(gate.get("waivers", []), known_checks(), int(longest), source),
        source=source)


def _check(told: Any, where: str, default: CheckPolicy) -> CheckPolicy:
    table = _table(told, where)
    refuse_unknown(table, ("warn_if", "error_if", "each_class", "class"), where)
    named = _table(table.get("class", {}), f"{where[:-1]}.class]")
    return CheckPolicy(
        _rules(table, where).over(default.whole),
        _class_rules(table.get("each_class", {}), f"{where[:-1]}.each_class]").over(
            default.each_class),
        {**default.classes, **{
            name: _class_rules(one, f'{where[:-1]}.class."{name}"]')
            for name, one in named.items()}})


def _class_rules(told: Any, where: str) -> Rules:
    table = _table(told, where)
    refuse_unknown(table, ("warn_if", "error_if"), where)
    rules = _rules(table, where)
    for one in (*(rules.warn_if or ()), *(rules.error_if or ())):
        if one.figure.startswith(METRIC):
            raise UsageError(f'{where}: "{one}" is a figure of the whole dataset, not of a class. '
                             "Give count or a rate.")
    return rules


def _rules(table: Mapping[str, Any], where: str) -> Rules:
    found: dict[str, tuple[Condition, ...] | None] = {}
    for key in ("warn_if", "error_if"):
        if key not in table:
            found[key] = None
            continue
        told = table[key]
        several = told if isinstance(told, list) else [told]
        found[key] = tuple(Condition.parse(one, f"{where} {key}") for one in several)
    return Rules(**found)


def _sizes(told: Any, where: str, default: Sizes, more: tuple[str, ...] = ()) -> Sizes:
    table = _table(told, where)
    refuse_unknown(table, ("warn_below", "error_below", *more), where)
    return Sizes(*(int(_number(table, key, where, 0, 10**9, 0)) if key in table
                   else getattr(default, key) for key in ("warn_below", "error_below")))


def _codes(table: Mapping[str, Any], key: str, source: str, default: frozenset[str],
           ) -> frozenset[str]:
    if key not in table:
        return default
    where = f"{source}: {key} of [gate.allow]"
    if not isinstance(table[key], list):
        raise UsageError(f"{where} must be a list of checks. Got {table[key]!r} instead.")
    refuse_unknown(table[key], known_checks(), where, "check")
    return frozenset(table[key])


def _table(told: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise UsageError(f"{where} must be a table. Got {told!r} instead.")
    return told


def _number(table: Mapping[str, Any], key: str, where: str, low: float, high: float,
            default: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or (
            not low <= value <= high):
        raise UsageError(f"{where}: {key} must be a number from {low:g} to {high:g}. Got "
                         f"{value!r} instead.")
    return value
