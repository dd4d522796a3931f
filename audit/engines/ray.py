"""Shards as tasks of a Ray cluster: one started here for the purpose, or the caller's.

A task does its shard as `LocalEngine` does, with one worker process, so that an image that kills
the decoder is a failure of that image here too. Only where a file lies goes through Ray; pixels
stay on the machine that decoded them. Data, and the folder for results, must have the same path on
all machines.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from audit.engines.local import LocalEngine
from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from audit.engines.shards import Shard, ShardTask

Item = TypeVar("Item")
Row = TypeVar("Row")

LEAST_CPUS = 2
"""Of a cluster that is started here: with one, Ray can wait for itself (ray issue 44687)."""

RETRIES = 5
"""Times that a shard is begun again whose process or machine was lost."""

AHEAD = 2
"""Shards handed out a processor: one to work on and one to go on with."""

REACHED_S = 10.0
"""A cluster that has not answered by then is not there."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS")
_ENVIRONMENT = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
_HANDED_ON = ("KERAS_HOME",)


class RayEngine:
    """See the module. Made by `ray_engine`."""

    def __init__(self, ray: Any, threads: int) -> None:
        """Use what is connected, and so many threads a call of `map_calls`."""
        self._ray = ray
        self.threads = threads
        self._largest = max((int(node["Resources"].get("CPU", 1)) for node in ray.nodes()
                             if node["Alive"]), default=1)
        found = ray.cluster_resources()
        self.cpus = max(1, int(found.get("CPU", 1)))
        self._gpus = float(found.get("GPU", 0)) / self.cpus

    is_here = False

    def map_calls(self, function: Callable[[Item], Row], arguments: Sequence[Item],
                  ) -> Iterator[Row]:
        """See `Engine.map_calls`. A call has as many processors as this process would give it.

        With more or fewer threads the last digits of sums are others.
        """
        ray = self._ray
        threads = min(self.threads, self._largest)
        call = ray.remote(_call).options(
            num_cpus=threads, max_retries=RETRIES, runtime_env={"env_vars": _environment(threads)})
        told = ray.put(function)
        running = [call.remote(told, one) for one in arguments]
        try:
            for reference in running:
                yield self._result(reference, "a fit")
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def map_shards(self, task: ShardTask[Item, Row], shards: Sequence[Shard[Item]],
                   advance: Callable[[float], None] = lambda _: None) -> Iterator[Row]:
        """See `Engine.map_shards`.

        Raises:
            RuntimeError: a shard lost its process `RETRIES` times.
        """
        ray = self._ray
        run = ray.remote(_do).options(
            num_cpus=1, num_gpus=self._gpus, max_retries=RETRIES,
            runtime_env={"env_vars": _environment(1)})
        told = ray.put(task)
        waiting = iter(shards)
        running: dict[Any, Shard[Item]] = {}
        try:
            while True:
                for shard in waiting:
                    running[run.remote(told, shard)] = shard
                    if len(running) >= AHEAD * self.cpus:
                        break
                if not running:
                    return
                done, _ = ray.wait(list(running), num_returns=1)
                shard = running.pop(done[0])
                row = self._result(done[0], f"shard {shard.number} of {len(shard.items)} images")
                advance(len(shard.items))
                yield row
        finally:
            for one in running:
                ray.cancel(one, force=True)

    def _result(self, reference: Any, what: str) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from None  # a bug of the task's, as elsewhere
        except errors.RayError as error:
            raise RuntimeError(f"Ray lost {what} {RETRIES + 1} times "
                               f"({type(error).__name__})") from error


def _environment(threads: int) -> dict[str, str]:
    """Of a task that has so many processors, or a share of an accelerator."""
    return {**dict.fromkeys(_THREADS, str(threads)), **_ENVIRONMENT,
            **{name: os.environ[name] for name in _HANDED_ON if name in os.environ}}


def _call(function: Callable[[Item], Row], argument: Item) -> Row:
    """In a process of Ray's."""
    return function(argument)


def _do(task: ShardTask[Item, Row], shard: Shard[Item]) -> Row:
    """In a process of Ray's."""
    row, = LocalEngine(1).map_shards(task, [shard])
    return row


def _reach(address: str) -> None:
    """Ray waits for minutes for a cluster that is not there.

    Raises:
        OSError: nothing listens.
        ValueError: it is no address.
    """
    host, parted, port = address.removeprefix("ray://").rpartition(":")
    if parted and port.isdigit():  # else it is a name such as "auto", or Ray says what is wrong
        socket.create_connection((host, int(port)), REACHED_S).close()


@contextmanager
def ray_engine(address: str | None, cpus: int, threads: int = 1) -> Iterator[RayEngine]:
    """Connect to a cluster, or start one of so many processors on this machine.

    Only what is started or connected to here is ended or left again: where the caller is
    connected to a cluster already, that one is used and stays.

    Args:
        address: of a cluster, as `ray start` tells it; None to start one.
        cpus: of the one that is started.
        threads: that a call has which keeps a machine busy, as it would have here.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing phones home
    try:
        import ray  # noqa: PLC0415 - an extra that takes seconds to import
    except ImportError as error:
        raise UsageError("--engine ray needs Ray, which is not installed. Install "
                         "image-audit[ray], or leave --engine local.") from error
    if ray.is_initialized():
        yield RayEngine(ray, threads)
        return
    options: dict[str, Any] = {"address": address} if address else {
        "address": "local", "num_cpus": max(cpus, LEAST_CPUS), "include_dashboard": False,
        "_node_ip_address": "127.0.0.1"}
    try:
        if address is not None:
            _reach(address)
        ray.init(**options, log_to_driver=False, logging_level="error", configure_logging=True)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise UsageError(f"no Ray cluster answers at {address or 'this machine'} "
                         f"({' '.join(str(error).split())[:160]}). Start one with `ray start "
                         "--head`, and give --ray-address what it prints.") from error
    try:
        yield RayEngine(ray, threads)
    finally:
        ray.shutdown()
