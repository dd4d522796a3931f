"""Worker processes on this machine that a crash or a hang in one item cannot take down.

Why not `concurrent.futures`: an image decoder that dies by a signal breaks its whole pool, and
one that never returns blocks it. Here the item that did it is reported and the others go on.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from audit.engines.worker import READY, Progress, WorkerProcess, signals_waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from audit.engines.shards import Shard, ShardTask

Item = TypeVar("Item")
Result = TypeVar("Result")
Row = TypeVar("Row")

BATCH = 16
"""Items a worker is handed at a time: a worker never holds the whole list."""

START_TIMEOUT_S = 120.0
"""A worker that has not imported the function by then will not."""

_AHEAD_BYTES = 2**15
"""A larger batch waits until its worker listens: sending it before could block for ever."""


@dataclass(frozen=True)
class Failure:
    """An item whose worker did not return. `kind` is "timeout" or "crash"."""

    kind: str
    reason: str


class _Placed(NamedTuple):
    """What `each` is given, and whose answer it is."""

    shard: int
    place: int
    given: Any


@dataclass(frozen=True)
class _Each:
    """Applies a function to what was placed."""

    function: Callable[[Any], Any]

    def __call__(self, placed: _Placed) -> Any:
        return self.function(placed.given)


@dataclass
class _Open(Generic[Item]):
    """A shard that is being done."""

    shard: Shard[Item]
    given: Sequence[Any]
    answers: list[Any]
    missing: int


@dataclass(frozen=True)
class LocalEngine:
    """Worker processes for the items; a shard is finished in this process.

    Attributes:
        workers: number of processes, at least 1.
    """

    workers: int

    is_here = True

    def map_calls(self, function: Callable[[Item], Result], arguments: Sequence[Item],
                  ) -> Iterator[Result]:
        """See `Engine.map_calls`."""
        return map(function, arguments)

    def map_shards(self, task: ShardTask[Item, Row], shards: Sequence[Shard[Item]],
                   advance: Callable[[float], None] = lambda _: None) -> Iterator[Row]:
        """See `Engine.map_shards`. The next shard is begun while the last items are awaited."""
        begun: dict[int, _Open[Item]] = {}

        def placed() -> Iterator[_Placed]:
            for shard in shards:
                given = task.begin(shard)
                begun[shard.number] = _Open(shard, given, [None] * len(given), len(given))
                for place, one in enumerate(given):
                    yield _Placed(shard.number, place, one)

        for item, answer in map_isolated(_Each(task.each), placed(), workers=self.workers,
                                         timeout_s=task.timeout_s):
            at = begun[item.shard]
            at.answers[item.place] = answer
            at.missing -= 1
            advance(task.share)
            if not at.missing:
                del begun[item.shard]
                yield task.finish(at.shard, at.given, at.answers, advance)


def map_isolated(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    timeout_s: float,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Apply `function` to each item in worker processes; results come as they are ready.

    An item whose result is lost with its worker, because a later one of its batch crashed or
    hung, is done a second time.

    Args:
        function: picklable, importable by its name, and sent to each worker once. An exception
            in it is a bug of the function and is raised here.
        items: consumed lazily, at most two batches of `BATCH` a worker ahead.
        workers: number of processes, at least 1.
        timeout_s: a worker that spends longer on one item is killed and replaced.

    Yields:
        The item, and its result or why there is none, in no particular order.
    """
    team = _Team(function, iter(items), workers, timeout_s)
    try:
        while True:
            team.hand_out()
            busy = [worker for worker in team.workers if worker.is_busy]
            if not busy:
                return
            deadline = min(worker.deadline(timeout_s) for worker in busy)
            ready = connection.wait([worker.process.pipe for worker in busy],
                                    max(0.0, deadline - time.monotonic()))
            for worker in busy:
                if worker.process.pipe in ready:
                    yield from team.receive(worker)
                else:
                    yield from team.give_up(worker)
    finally:
        team.end()


@dataclass
class _Worker(Generic[Item]):
    """A process, and what it was handed and has not answered, in order."""

    process: WorkerProcess
    pending: deque[Item] = field(default_factory=deque)
    answered: int = 0
    is_ready: bool = False
    heard: float = field(default_factory=time.monotonic)
    """When it was last heard of, or handed something while it had nothing to do."""

    @property
    def is_busy(self) -> bool:
        return bool(self.pending) or not self.is_ready

    def deadline(self, timeout_s: float, progress: Progress | None = None) -> float:
        """When to give it up, by the monotonic clock."""
        if not self.is_ready:
            return self.heard + START_TIMEOUT_S
        return max(self.heard, (progress or self.process.progress()).since) + timeout_s

    def hand(self, batch: list[Item]) -> bool:
        """Send it a batch, unless it must first have done what it has."""
        message = pickle.dumps(batch)
        if self.pending and len(message) > _AHEAD_BYTES:
            return False
        if self.is_ready and not self.pending:
            self.heard = time.monotonic()
        self.pending.extend(batch)
        self.process.send(message)
        return True


@dataclass
class _Team(Generic[Item, Result]):
    """The workers, what they are at, and what waits for them."""

    function: Callable[[Item], Result]
    waiting: Iterator[Item]
    size: int
    timeout_s: float
    workers: list[_Worker[Item]] = field(default_factory=list)
    spare: deque[Item] = field(default_factory=deque)  # what a lost worker had not answered

    def hand_out(self) -> None:
        """Give each worker a batch to work on and one to go on with, starting those allowed."""
        while True:
            least = min(self.workers, key=lambda one: len(one.pending), default=None)
            if (least is None or least.pending) and len(self.workers) < self.size:
                least = None
            elif least is None or len(least.pending) > BATCH:
                return
            batch = [self.spare.popleft() for _ in range(min(len(self.spare), BATCH))]
            batch = batch or list(islice(self.waiting, BATCH))
            if not batch:
                return
            if least is None:
                with signals_waiting():
                    least = _Worker(WorkerProcess(self.function))
                    self.workers.append(least)
            if not least.hand(batch):
                self.spare.extendleft(reversed(batch))
                return

    def receive(self, worker: _Worker[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """Take what a worker has sent: results, a bug, or that it is gone."""
        try:
            message = worker.process.pipe.recv()
        except (EOFError, OSError):
            manner = worker.process.manner_of_death()
            progress = worker.process.progress()
            yield self.lose(worker, progress, "crash", f"the decoder died ({manner})")
            return
        worker.heard = time.monotonic()
        if message == READY:
            worker.is_ready = True
        elif isinstance(message, BaseException):
            raise message
        else:
            worker.answered += len(message)
            items = [worker.pending.popleft() for _ in message]
            self.hand_out()  # first, for the caller may take its time over each
            yield from zip(items, message, strict=True)

    def give_up(self, worker: _Worker[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """End a worker that has been at one item for too long."""
        progress = worker.process.progress()  # kept, for it may get on before it is killed
        # Whether it has answered is asked last: while the caller was at what was yielded, it may.
        if (time.monotonic() > worker.deadline(self.timeout_s, progress)
                and not worker.process.pipe.poll()):
            yield self.lose(worker, progress, "timeout", f"not done in {self.timeout_s:g} s")

    def lose(self, worker: _Worker[Item], progress: Progress, kind: str, reason: str,
             ) -> tuple[Item, Failure]:
        """End a worker, put back what it had not answered, and report the item it was at."""
        worker.process.kill()
        self.workers.remove(worker)
        if not worker.is_ready:
            if kind == "timeout":
                reason = f"not within {START_TIMEOUT_S:g} s"
            raise RuntimeError(f"a worker process did not start ({reason})")
        # One that died before it began anything is taken to have died of what it was to begin.
        culprit = max(0, progress.begun - worker.answered - 1)
        item = worker.pending[culprit]
        del worker.pending[culprit]
        self.spare.extend(worker.pending)
        return item, Failure(kind, reason)

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.process.kill()
