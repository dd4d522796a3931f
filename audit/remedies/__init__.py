"""Remedies: a run and what reviewers decided → a plan, one row an image, and the dataset of it."""

from audit.remedies.balance import (
    AUTO,
    LOGIT_ADJUSTMENT,
    NONE,
    STRATEGIES,
    balance_plan,
    training_rows,
)
from audit.remedies.case import build_case
from audit.remedies.choose_balance import Choice, choose_balance
from audit.remedies.decisions import match_decisions, read_decisions
from audit.remedies.plan import count_actions, make_plan
from audit.remedies.rules import Options
from audit.remedies.staging import refuse_target
from audit.remedies.write import MODES, write_remedied

__all__ = [
    "AUTO",
    "LOGIT_ADJUSTMENT",
    "MODES",
    "NONE",
    "STRATEGIES",
    "Choice",
    "Options",
    "balance_plan",
    "build_case",
    "choose_balance",
    "count_actions",
    "make_plan",
    "match_decisions",
    "read_decisions",
    "refuse_target",
    "training_rows",
    "write_remedied",
]
