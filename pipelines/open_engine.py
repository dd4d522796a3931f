"""The engine that an audit asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from audit.engines import LocalEngine, ray_engine
from pipelines.settings import LOCAL, available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.engines import Engine
    from pipelines.progress import Stages
    from pipelines.settings import Settings


def threads_here() -> int:
    """Threads that sums are dealt out to on this machine."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) else available_cores()


@contextmanager
def open_engine(settings: Settings, stages: Stages) -> Iterator[Engine]:
    """Worker processes here, or a Ray cluster, which is left when the block ends.

    Raises:
        UsageError: there is no such cluster.
    """
    if settings.engine == LOCAL:
        yield LocalEngine(settings.workers)
        return
    with ExitStack() as stack:
        with stages.stage("joining the cluster"):
            engine = stack.enter_context(ray_engine(
                settings.ray_address, settings.workers, threads_here()))
        yield engine
