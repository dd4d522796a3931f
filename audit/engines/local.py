"""Worker processes on this machine that a crash or a hang in one item cannot take down.

Why not `concurrent.futures`: an image decoder that dies by a signal breaks its whole pool, and
one that never returns blocks it. Here the item that did it is reported and the others go on.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import connection
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import SpawnProcess

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 16
"""Items a worker is handed at a time: a worker never holds the whole list."""

START_TIMEOUT_S = 120.0
"""A worker that has not imported the function by then will not."""

_READY = "ready"


@dataclass(frozen=True)
class Failure:
    """An item whose worker did not return. `kind` is "timeout" or "crash"."""

    kind: str
    reason: str


@dataclass
class _Worker(Generic[Item]):
    process: SpawnProcess
    pipe: connection.Connection
    pending: deque[Item] = field(default_factory=deque)
    is_ready: bool = False
    deadline: float = 0.0


def map_isolated(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    timeout_s: float,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Apply `function` to each item in worker processes; results come as they are ready.

    Args:
        function: picklable, sent to each worker once. An exception in it is a bug of the
            function and is raised here.
        items: consumed lazily, `BATCH` at a time a worker.
        workers: number of processes, at least 1.
        timeout_s: a worker that spends longer on one item is killed and replaced.

    Yields:
        The item, and its result or why there is none, in no particular order.
    """
    waiting = iter(items)
    team: list[_Worker[Item]] = []
    spare: deque[Item] = deque()  # what a lost worker had not begun
    try:
        while True:
            _hand_out(team, waiting, spare, function, workers, timeout_s)
            busy = [worker for worker in team if worker.pending or not worker.is_ready]
            if not busy:
                return
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            ready = connection.wait([worker.pipe for worker in busy], patience)
            for worker in busy:
                if worker.pipe in ready:
                    yield from _receive(worker, team, spare, timeout_s)
                elif time.monotonic() > worker.deadline:
                    yield _lose(worker, team, spare, "timeout", f"not done in {timeout_s:.0f} s")
    finally:
        for worker in team:
            worker.process.kill()
        for worker in team:
            worker.process.join()


def _hand_out(team: list[_Worker[Item]], waiting: Iterator[Item], spare: deque[Item],
              function: Callable[[Item], Result], workers: int, timeout_s: float) -> None:
    """Give each worker without work a batch, starting workers up to the number allowed."""
    while True:
        worker = next((one for one in team if one.is_ready and not one.pending), None)
        if worker is None and len(team) >= workers:
            return
        batch = [spare.popleft() for _ in range(min(len(spare), BATCH))]
        batch = batch or list(islice(waiting, BATCH))
        if not batch:
            return
        if worker is None:
            worker = _start(function)
            team.append(worker)
        else:
            worker.deadline = time.monotonic() + timeout_s
        worker.pending.extend(batch)
        with suppress(OSError):  # a worker that is gone is noticed when it is waited for
            worker.pipe.send(batch)


def _start(function: Callable[[Item], Result]) -> _Worker[Item]:
    # Spawned, not forked: a fork copies the locks of threads it does not copy.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, deadline=time.monotonic() + START_TIMEOUT_S)


def _receive(worker: _Worker[Item], team: list[_Worker[Item]], spare: deque[Item],
             timeout_s: float) -> Iterator[tuple[Item, Result | Failure]]:
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        yield _lose(worker, team, spare, "crash",
                    f"the decoder died ({_manner_of_death(worker.process.exitcode)})")
        return
    worker.deadline = time.monotonic() + timeout_s
    if message == _READY:
        worker.is_ready = True
    elif isinstance(message, BaseException):
        raise message
    else:
        yield worker.pending.popleft(), message[0]


def _lose(worker: _Worker[Item], team: list[_Worker[Item]], spare: deque[Item], kind: str,
          reason: str) -> tuple[Item, Failure]:
    """End a worker, put back what it had not begun, and report the item it was at."""
    worker.process.kill()
    worker.process.join()
    team.remove(worker)
    if not worker.is_ready:
        message = f"a worker process did not start ({reason})"
        raise RuntimeError(message)
    item = worker.pending.popleft()
    spare.extend(worker.pending)
    return item, Failure(kind, reason)


def _manner_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


def _serve(function: Callable[[Item], Result], pipe: connection.Connection) -> None:
    """Body of a worker: announce itself, then answer each item of each batch with a message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        pipe.send(_READY)
        while True:
            for item in pipe.recv():
                pipe.send((function(item),))
    except (EOFError, BrokenPipeError):  # the parent is gone
        return
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        pipe.send(error)
