"""The one seam between what is done to shards of items and where it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Row = TypeVar("Row", covariant=True)  # noqa: PLC0105 - a row of the manifest
Argument = TypeVar("Argument")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Shard(Generic[Item]):
    """Items that are done together; their results are one file."""

    number: int
    items: Sequence[Item]


class ShardTask(Protocol[Item, Row]):
    """What is done to a shard. Picklable, for it may be done on another machine.

    Attributes:
        each: applied to what `begin` gave, a call an item, in a process that may die of it.
        timeout_s: longest that one call may take.
        share: of the work on an item that `each` does, 0 to 1, for the progress.
    """

    @property
    def each(self) -> Callable[[Any], Any]:
        """Importable by its name."""
        ...

    @property
    def timeout_s(self) -> float:
        """In seconds."""
        ...

    @property
    def share(self) -> float:
        """1 if there is next to nothing to finish."""
        ...

    def begin(self, shard: Shard[Item]) -> Sequence[Any]:
        """What `each` is given, an entry an item."""
        ...

    def finish(self, shard: Shard[Item], given: Sequence[Any], answers: Sequence[Any],
               advance: Callable[[float], None]) -> Row:
        """Write the shard's file, whole or not at all, and say where it is.

        Args:
            shard: as `begin` got it.
            given: what `begin` gave.
            answers: of `each`, in the order of the items, or a `Failure` where it did not return.
            advance: told of items that are done, each `1 - share` of one.
        """
        ...


class Engine(Protocol):
    """Where shards are done."""

    @property
    def is_here(self) -> bool:
        """Whether all is done on this machine, by this process or its children."""
        ...

    def map_shards(self, task: ShardTask[Item, Row], shards: Sequence[Shard[Item]],
                   advance: Callable[[float], None] = lambda _: None) -> Iterator[Row]:
        """Do a task for each shard; rows come as they are ready, one a shard.

        A bug in the task is raised here. A shard whose machine or process is lost is done again.
        """
        ...

    def map_calls(self, function: Callable[[Argument], Result], arguments: Sequence[Argument],
                  ) -> Iterator[Result]:
        """Apply a function that keeps all processors of a machine busy; results in order."""
        ...
