"""`audit gate`: a run and a policy → a verdict, told in as many forms as pipelines read.

read the policy → read the run → compare the data → judge → tell.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import UsageError
from audit.gate.blessing import BLESSING_FILE, bless
from audit.gate.junit import junit
from audit.gate.policy import default_text
from audit.gate.sarif import sarif
from audit.gate.summaries import dumped, github_annotations, markdown
from audit.gate.verdict import CLASS_SIZE, FAIL, FIX, PASS, SKIPPED, UNCERTIFIED, WARN
from audit.gate.words import SIGNS, counted, headline
from audit.gating import gate_run
from audit.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from audit.gate.verdict import Judgement, Verdict
    from audit.places import Place

POLICY_FILE = Path("audit.toml")
FAIL_ON = ("error", "warn")
_COLOURS = {PASS: "green", WARN: "yellow", FAIL: "red", SKIPPED: "dim", UNCERTIFIED: "magenta"}


@dataclass(frozen=True)
class GateOptions:
    """Options of `audit gate`; see its help and docs/gate.md."""

    run: Path
    policy: Path | None = None
    baseline: Path | None = None
    data: Place | None = None
    fail_on: str = "error"
    json: Path | None = None
    junit: Path | None = None
    sarif: Path | None = None
    markdown: Path | None = None
    blessing: Path | None = None
    blesses: bool = False
    annotates: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense before anything is read."""
        if self.fail_on not in FAIL_ON:
            raise UsageError(f'--fail-on must be error or warn. Got "{self.fail_on}" instead.')

    @property
    def policy_file(self) -> Path | None:
        """The policy: as told, else audit.toml here if it holds one, else None for the default."""
        if self.policy is not None or not POLICY_FILE.is_file():
            return self.policy
        try:
            return POLICY_FILE if "gate" in tomllib.loads(POLICY_FILE.read_text("utf-8")) else None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            return POLICY_FILE  # to be told what is wrong with it


def write_policy(path: Path) -> None:
    """Write the default policy, with its explanations.

    Raises:
        UsageError: the file is there already.
    """
    if path.exists():
        raise UsageError(f"{path} is there already. Move it away, or give --policy another name.")
    RunDir(path.parent).write(path.name, default_text().encode())


def gate(options: GateOptions) -> Verdict:
    """Judge a run, and write what was asked for.

    What an earlier verdict has left goes first: none of it outlives a run that cannot be judged.
    """
    blessing = options.blessing or options.run / BLESSING_FILE
    for path in (options.json, options.junit, options.sarif, options.markdown,
                 blessing if options.blesses else None):
        if path is not None and path.is_file():
            path.unlink()
    verdict = gate_run(options.run, policy=options.policy_file, baseline=options.baseline,
                       data=options.data, fails_on_warning=options.fail_on == "warn")
    forms: list[tuple[Path | None, Callable[[Verdict], bytes]]] = [
        (options.json, dumped), (options.junit, junit), (options.sarif, sarif),
        (options.markdown, markdown)]
    for path, form in forms:
        if path is not None:
            write_output(path, form(verdict))
    if options.blesses and not verdict.exit_code:
        RunDir(blessing.parent).write_json(
            blessing.name, bless(verdict, options.policy_file).as_json())
    return verdict


def write_output(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a pipe or a device is written to as it is."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        RunDir(path.parent).write(path.name, content)


def print_verdict(console: Console, verdict: Verdict, options: GateOptions) -> None:
    """Tell the verdict: what is broken and what to do, then what is well in one line."""
    from rich.text import Text  # noqa: PLC0415 - 30 ms that a quiet pipeline need not wait

    annotates = options.annotates or os.environ.get("GITHUB_ACTIONS") == "true"
    token = secrets.token_hex(16) if annotates else ""
    if token:  # names in the text may look like commands of the build server
        print(f"::stop-commands::{token}")  # noqa: T201 - as below
    colour = _COLOURS[verdict.status]
    console.print(Text(f"{SIGNS[verdict.status]} {headline(verdict)}", f"bold {colour}"))
    for reason in verdict.reasons:
        console.print(Text(f"  cannot certify: {reason}"))
    _print_broken(console, verdict, str(options.run))
    well = [one.title for one in verdict.judgements if one.status == PASS and not one.label]
    if well:
        console.print(Text(f"Well: {', '.join(well)}.", "dim"))
    skipped = [f"{one.title} ({one.broken})" for one in verdict.judgements
               if one.status == SKIPPED]
    if skipped:
        console.print(Text(f"Not checked: {'; '.join(skipped)}.", "dim"))
    for note in verdict.notes:
        console.print(Text(f"Note: {note}."))
    console.print(Text(f"Policy: {verdict.policy.source}.", "dim"), soft_wrap=True)
    if options.blesses and not verdict.exit_code:
        console.print(Text(f"Blessed: {options.blessing or options.run / BLESSING_FILE}"),
                      soft_wrap=True)
    if token:
        for line in (f"::{token}::", *github_annotations(verdict)):
            print(line)  # noqa: T201 - a command of the build server, not for people


def _print_broken(console: Console, verdict: Verdict, run: str) -> None:
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    told = [one for one in verdict.judgements if one.status in {FAIL, WARN}]
    if not told:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "check", "counted", "rule that is broken"):
        table.add_column(name, overflow="fold")
    for one in told:
        table.add_row(Text(f"{SIGNS[one.status]} {one.status}", _COLOURS[one.status]),
                      Text(_named(one)), Text(counted(one)), Text(one.broken))
    console.print(table)
    for one in told:
        if one.advice != FIX:
            console.print(Text(f"{_named(one)}: {one.advice}"))
    if any(one.advice == FIX for one in told):
        console.print(Text(f"Next: {FIX.replace('RUN', run)}"), soft_wrap=True)
    console.print(Text("`audit checks CODE` says what a check means: "
                       + ", ".join(dict.fromkeys(one.check for one in told
                                                 if one.check != CLASS_SIZE)) + ".", "dim"))


def _named(one: Judgement) -> str:
    return f"{one.title} of “{one.label}”" if one.label else one.title
