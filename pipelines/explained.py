"""Errors meant for the user, Ctrl-C and a stop: one line and an exit code each."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED = 130
"""Exit code of a run ended by Ctrl-C: 128 + SIGINT, as shells have it."""

USAGE = 2


@contextmanager
def explained(*, debug: bool = False,
              unfinished: str = "a run that has no run.json is not finished.") -> Iterator[None]:
    """Turn errors meant for the user into one line and an exit code.

    Args:
        debug: show where they come from instead.
        unfinished: what an interruption leaves, as a sentence.

    Raises:
        SystemExit: with the code, after the line was printed.
    """
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)  # a pipeline's stop is as clean as Ctrl-C
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign that it cannot show is no failure
            stream.reconfigure(errors="replace")
    try:
        yield
    except AuditError as error:
        if debug:
            raise
        _complain(str(error))
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as error:
        _complain(f"interrupted; {unfinished}")
        _hush()
        raise SystemExit(INTERRUPTED) from error
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        _hush()
    except OSError as error:
        if debug:
            raise
        _complain(f"{error.strerror or error}: {error.filename or 'no file named'}. The run is not "
                  "finished; mend it and run again.")
        raise SystemExit(USAGE) from error


def _complain(text: str) -> None:
    print(f"audit: {text}", file=sys.stderr)  # noqa: T201 - the one line for the user


def _hush() -> None:
    """Keep the interpreter from complaining while it shuts down."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the very end
