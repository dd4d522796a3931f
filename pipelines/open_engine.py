"""The engine that an audit asked for."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from audit.engines import LocalEngine, ray_engine
from pipelines.settings import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.engines import Engine
    from pipelines.progress import Stages
    from pipelines.settings import Settings


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
            engine = stack.enter_context(ray_engine(settings.ray_address, settings.workers))
        yield engine
