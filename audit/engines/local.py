"""Worker processes on this machine that a crash or a hang in one item cannot take down.

Why not `concurrent.futures`: an image decoder that dies by a signal breaks its whole pool, and
one that never returns blocks it. Here the item that did it is reported and the others go on.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
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
    team = _Team(function, iter(items), workers, timeout_s)
    try:
        while True:
            team.hand_out()
            busy = team.busy()
            if not busy:
                return
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            ready = connection.wait([worker.pipe for worker in busy], patience)
            for worker in busy:
                if worker.pipe in ready:
                    yield from team.receive(worker)
                # Asked again: while the caller was at what was yielded, it may have answered.
                elif time.monotonic() > worker.deadline and not worker.pipe.poll():
                    yield team.lose(worker, "timeout", f"not done in {timeout_s:g} s")
    finally:
        team.end()


@dataclass
class _Team(Generic[Item, Result]):
    """The workers, what they are at, and what waits for them."""

    function: Callable[[Item], Result]
    waiting: Iterator[Item]
    size: int
    timeout_s: float
    workers: list[_Worker[Item]] = field(default_factory=list)
    spare: deque[Item] = field(default_factory=deque)  # what a lost worker had not begun

    def busy(self) -> list[_Worker[Item]]:
        return [worker for worker in self.workers if worker.pending or not worker.is_ready]

    def hand_out(self) -> None:
        """Give each worker without work a batch, starting workers up to the number allowed."""
        while True:
            idle = next((one for one in self.workers if one.is_ready and not one.pending), None)
            if idle is None and len(self.workers) >= self.size:
                return
            batch = [self.spare.popleft() for _ in range(min(len(self.spare), BATCH))]
            batch = batch or list(islice(self.waiting, BATCH))
            if not batch:
                return
            if idle is None:
                with _signals_waiting():
                    idle = _start(self.function)
                    self.workers.append(idle)
            else:
                idle.deadline = time.monotonic() + self.timeout_s
            idle.pending.extend(batch)
            with suppress(OSError):  # a worker that is gone is noticed when it is waited for
                idle.pipe.send(batch)

    def receive(self, worker: _Worker[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            manner = _manner_of_death(worker.process.exitcode)
            yield self.lose(worker, "crash", f"the decoder died ({manner})")
            return
        worker.deadline = time.monotonic() + self.timeout_s
        if message == _READY:
            worker.is_ready = True
        elif isinstance(message, BaseException):
            raise message
        else:
            yield worker.pending.popleft(), message[0]

    def lose(self, worker: _Worker[Item], kind: str, reason: str) -> tuple[Item, Failure]:
        """End a worker, put back what it had not begun, and report the item it was at."""
        worker.process.kill()
        worker.process.join()
        self.workers.remove(worker)
        if not worker.is_ready:
            if kind == "timeout":
                reason = f"not within {START_TIMEOUT_S:g} s"
            message = f"a worker process did not start ({reason})"
            raise RuntimeError(message)
        item = worker.pending.popleft()
        self.spare.extend(worker.pending)
        return item, Failure(kind, reason)

    def end(self) -> None:
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()


def _start(function: Callable[[Item], Result]) -> _Worker[Item]:
    # Spawned, not forked: a fork copies the locks of threads it does not copy.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, deadline=time.monotonic() + START_TIMEOUT_S)


@contextmanager
def _signals_waiting() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait while a worker is born.

    A start that is broken off leaves a worker that nobody ends, and that complains of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    # Not a mask of the thread: another thread would take the signal, and interrupt this one.
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: caught.append(number))
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for pending in dict.fromkeys(caught):
            signal.raise_signal(pending)


def _manner_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


def _serve(function: Callable[[Item], Result], pipe: connection.Connection) -> None:
    """Body of a worker: announce itself, then answer each item of each batch with a message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with suppress(EOFError, ConnectionError):  # the parent is gone
        pipe.send(_READY)
        while True:
            for item in pipe.recv():
                pipe.send_bytes(_answer(function, item))


def _answer(function: Callable[[Item], Result], item: Item) -> bytes:
    """The result in a tuple, or the exception, pickled. An exception is raised in the parent."""
    try:
        return pickle.dumps((function(item),))
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)  # noqa: S301 - our own; some exceptions cannot be built again
        except Exception:  # noqa: BLE001 - whatever its class does
            return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        return pickled
