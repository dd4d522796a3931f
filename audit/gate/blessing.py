"""A file that says what was certified: these data, by this policy, from these findings.

It holds digests, no secret: it shows that something was changed after the verdict, not who wrote
it. Keep it where only the pipeline writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from audit import __version__
from audit.errors import AuditError
from audit.gate.record import digest_of_files
from audit.gate.verdict import PASS, WARN

if TYPE_CHECKING:
    from pathlib import Path

    from audit.gate.verdict import Verdict

BLESSING_FILE = "blessing.json"
FORMAT = 1


class NotBlessedError(AuditError):
    """There is no blessing, or it is of something else."""

    exit_code = 3


@dataclass(frozen=True)
class Blessing:
    """What was certified.

    Attributes:
        verdict: `pass` or `warn`.
        data: digest of the dataset that was audited.
        policy: digest of the policy.
        findings: digest of the files that the run wrote.
        decisions: digest of what people answered; empty if they did not.
        policy_file: where the policy was; empty for the default.
        baseline: run that findings were compared with; empty for none.
        until: last day on which it holds, as a waiver ends then; empty if none was needed.
        made: moment in UTC, ISO 8601.
        version: of this package.
    """

    verdict: str
    data: str
    policy: str
    findings: str
    decisions: str
    policy_file: str
    baseline: str
    until: str
    made: str
    version: str

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"format": FORMAT, **vars(self)}


def bless(verdict: Verdict, policy_file: Path | None) -> Blessing:
    """The blessing of a verdict.

    Raises:
        NotBlessedError: the verdict is none that lets anything through.
    """
    if verdict.status not in {PASS, WARN}:
        raise NotBlessedError(f"the verdict is {verdict.status}: nothing is blessed.")
    return Blessing(
        verdict.status, verdict.record.digest, verdict.policy.digest,
        digest_of_files(verdict.record.path), verdict.reviewed.digest,
        str(policy_file.resolve()) if policy_file else "", verdict.baseline,
        str(verdict.flags.until or ""), datetime.now(UTC).isoformat(timespec="seconds"),
        __version__)


def read_blessing(path: Path) -> Blessing:
    """Read a blessing.

    Raises:
        NotBlessedError: it is not there, or is none.
    """
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise NotBlessedError(f"{path} is not there: nothing was certified. Run `audit gate RUN "
                              "--bless` first.") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotBlessedError(f"{path} is no blessing ({type(error).__name__}: {error}). Run "
                              "`audit gate RUN --bless` again.") from error


def _parsed(content: dict[str, Any]) -> Blessing:
    if content.pop("format") != FORMAT:
        raise ValueError("another format")
    found = Blessing(**content)
    if not all(isinstance(one, str) for one in vars(found).values()):
        raise TypeError("not all of it is text")
    return found
