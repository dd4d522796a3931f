"""Reasons why nothing can be certified, whatever was found: the gate fails closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.gate.conditions import METRIC
from audit.gate.policy import known_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.gate.policy import CheckPolicy, Policy
    from audit.gate.record import CheckState, GateRecord


def reasons_against(record: GateRecord, policy: Policy, digest: str | None = None,
                    ) -> Iterator[str]:
    """Why a run cannot be certified, a sentence each; nothing if it can.

    A check that crashed is never allowed. One that was skipped, or that the run does not know, is
    where the policy names it.

    Args:
        record: the run.
        policy: what is allowed.
        digest: of the data as they are now, where that was asked for.
    """
    yield from record.damage
    if not len(record.image_ids) and not policy.empty_dataset:
        yield "the dataset holds no images"
    for state in record.states.values():
        if state.status == "skipped" and state.code not in policy.skipped:
            yield (f'the check "{state.code}" was skipped ({state.reason}), and [gate.allow] '
                   "skipped does not name it")
        elif state.status not in {"ok", "skipped"}:
            yield f'the check "{state.code}" crashed ({state.reason or state.status})'
        elif state.status == "ok" and state.code in policy.checks:
            yield from _figures_that_are_not(state, policy.checks[state.code])
    for code in known_checks():
        if code not in record.states and code not in policy.missing:
            yield (f'the check "{code}" is missing: the run is of version {record.version}. Audit '
                   "again, or name it in [gate.allow] missing")
    if digest is not None and digest != record.digest:
        yield ("the data are not those that were audited: their digest is "
               f"{digest[:12]}, and that of the run is {record.digest[:12]}. Audit again")


def _figures_that_are_not(state: CheckState, rules: CheckPolicy) -> Iterator[str]:
    """Figures that the policy compares and the check has not: such a rule can never be broken."""
    for one in rules.conditions():
        if one.figure.startswith(METRIC):
            if one.value_in(state.metrics) is None:
                yield (f'the check "{state.code}" has no figure {one.figure}, which the policy '
                       "asks for")
        elif one.figure != "count" and not state.is_about_images:
            yield (f'the check "{state.code}" says nothing of single images, so it has no '
                   f"{one.figure}, which the policy asks for")
