"""The JSON Schema of `audit.toml`, for editors that complete and check it while it is written."""

from __future__ import annotations

from typing import Any

from audit.gate.conditions import PATTERN
from audit.gate.policy import VERSION, known_checks

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """The schema. It refuses what `read_policy` refuses, but for what hangs on the day."""
    condition = {"type": "string", "pattern": PATTERN}
    conditions = {"anyOf": [condition, {"type": "array", "items": condition}]}
    rules = {"warn_if": conditions, "error_if": conditions}
    of_class = _table(rules)
    sizes = {name: {"type": "integer", "minimum": 0} for name in ("warn_below", "error_below")}
    code = {"enum": list(known_checks())}
    codes = {"type": "array", "items": code}
    text = {"type": "string", "minLength": 1}
    check = _table({**rules, "each_class": of_class,
                    "class": {"type": "object", "additionalProperties": of_class}})
    # A TOML date becomes a text where a schema looks at it.
    waiver = _table({
        "id": text, "check": code, "class": text, "reason": text, "owner": text,
        "images": {"type": "array", "items": text, "minItems": 1},
        "expires": {"type": "string", "format": "date"}},
        required=["id", "check", "reason", "owner", "expires"])
    gate = _table({
        "version": {"const": VERSION},
        "confidence": {"type": "number", "minimum": 0.5, "maximum": 0.999},
        "longest_waiver_days": {"type": "integer", "minimum": 1, "maximum": 3660},
        "allow": _table({"skipped": codes, "missing": codes, "empty_dataset": {"type": "boolean"}}),
        "class_size": _table({**sizes, "class": {
            "type": "object", "additionalProperties": _table(sizes)}}),
        "checks": _table(dict.fromkeys(known_checks(), check)),
        "waivers": {"type": "array", "items": waiver}})
    return {"$schema": _DIALECT, "title": "Policy of audit gate (audit.toml)",
            **_table({"gate": gate, "checks": {
                "type": "object",
                "description": "Thresholds of audit run --config; not the gate's."}},
                required=["gate"])}


def _table(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False,
            **({"required": required} if required else {})}
