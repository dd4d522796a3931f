"""A process that applies a function to the items it is sent, and shows at which it is.

It is started plainly, not by `multiprocessing`, whose new processes import the caller's main
module anew, with all that module imports: for a command line, more than the function needs.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READY = "ready"

_FLUSH_S = 0.1
"""Results are sent a batch at a time, but kept back no longer than this."""

_BUFFER_BYTES = 2**17
"""Of the socket, each way, so that a batch can be sent to a worker that is not listening."""

_PROGRESS = struct.Struct("=dq")

_ENVIRONMENT = {
    # There is a worker a core: threads of libraries would only be in each other's way.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                     "OPENCV_FOR_THREADS_NUM"), "1"),
    # Memory of one item is kept for the next: taking it anew from the system costs a tenth of
    # the time of a photo. Larger blocks (32 MiB) and what is left at the end (64 MiB) go back.
    "MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26),
}

_BOOTSTRAP = ("import sys; pipe, progress, *sys.path = sys.argv[1:]; "
              "from audit.engines.worker import serve; serve(int(pipe), int(progress))")


class Progress(NamedTuple):
    """When, by the monotonic clock, a worker began an item, and how many it has begun."""

    since: float
    begun: int


class WorkerProcess:
    """The parent's end of a worker."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        """Start it. `function` must be importable by its name, not one of the main module.

        Called within `signals_waiting`.
        """
        near, far = socket.socketpair()
        with near, far, tempfile.TemporaryFile() as file:
            for end in (near, far):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            file.truncate(_PROGRESS.size)
            self._progress = mmap.mmap(file.fileno(), _PROGRESS.size)
            numbers = far.fileno(), file.fileno()
            self.process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-c", _BOOTSTRAP, *map(str, numbers),
                 *(path for path in sys.path if isinstance(path, str))],
                pass_fds=numbers, stdin=subprocess.DEVNULL, env={**os.environ, **_ENVIRONMENT})
            self.pipe = Connection(near.detach())
        self.send(pickle.dumps(function))

    def send(self, message: bytes) -> None:
        """Send it something pickled; that it is gone is noticed when it is waited for."""
        with suppress(OSError):
            self.pipe.send_bytes(message)

    def progress(self) -> Progress:
        """At which item it is."""
        return Progress(*_PROGRESS.unpack(self._progress))

    def kill(self) -> None:
        """End it at once, whatever it is at."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self._progress.close()

    def manner_of_death(self) -> str:
        """Wait for the end of a process that is about to end, and say how it did."""
        code = self.process.wait()
        if code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit code {code}"


@contextmanager
def signals_waiting() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait while a worker is born, and keep Ctrl-C from the worker.

    A start that is broken off leaves a worker that nobody ends, and that complains of it. The
    worker inherits a mask without SIGINT, until it ignores it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Not only a mask: another thread would take the signal, and interrupt the main one.
    caught: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()  # only it is interrupted
    before = {number: signal.signal(number, lambda number, _frame: caught.append(number))
              for number in ((signal.SIGINT, signal.SIGTERM) if is_main else ())}
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for pending in dict.fromkeys(caught):
            signal.raise_signal(pending)


def serve(pipe_number: int, progress_number: int) -> None:
    """Body of a worker: announce itself, then answer each batch of items."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    pipe = Connection(pipe_number)
    progress = mmap.mmap(progress_number, _PROGRESS.size)
    os.close(progress_number)
    with suppress(EOFError, ConnectionError):  # the parent is gone
        function = pipe.recv()
        pipe.send(READY)
        begun = 0
        while True:
            batch = pipe.recv()
            for message in _answers(function, batch, begun, progress):
                pipe.send_bytes(message)
            begun += len(batch)


def _answers(function: Callable[[Any], Any], batch: list[Any], begun: int, progress: mmap.mmap,
             ) -> Iterator[bytes]:
    """Lists of results in the order of the items, or an exception, pickled."""
    results: list[Any] = []
    try:
        now = sent = time.monotonic()
        for number, item in enumerate(batch, start=begun + 1):
            _PROGRESS.pack_into(progress, 0, now, number)
            results.append(function(item))
            now = time.monotonic()
            if now - sent > _FLUSH_S or number == begun + len(batch):
                message = pickle.dumps(results)
                yield message
                results.clear()
                now = sent = time.monotonic()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        yield _pickled(error)


def _pickled(error: Exception) -> bytes:
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)  # noqa: S301 - our own; some exceptions cannot be built again
    except Exception:  # noqa: BLE001 - whatever its class does
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return pickled
