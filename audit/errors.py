"""Every error this project raises on purpose, as one tree.

    AuditError
    ├── UsageError          exit 2: an option, a file of settings or a path is wrong
    └── UnauditableError    exit 3: the data cannot be audited at all

A message is one line: what happened, what was expected, what to do.
"""

import re


class AuditError(Exception):
    """Base of every error whose message is written for the user."""

    exit_code = 1


class UsageError(AuditError):
    """What the user asked for cannot be understood; nothing was read or written."""

    exit_code = 2


class UnauditableError(AuditError):
    """The request is clear but the data holds nothing to audit."""

    exit_code = 3


_LONGEST = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def in_one_line(error: BaseException) -> str:
    """What a library raised, for a message: its class and how its text begins, in one line."""
    text = "".join(one if one.isprintable() else " " for one in _COLOURS.sub("", str(error)))
    return f"{type(error).__name__}: {' '.join(text.split())[:_LONGEST]}"
