"""Where the measuring runs. An engine maps a task over shards; it knows nothing of images."""

from audit.engines.local import Failure, LocalEngine, map_isolated
from audit.engines.ray import ray_engine
from audit.engines.shards import Engine, Shard, ShardTask

__all__ = ["Engine", "Failure", "LocalEngine", "Shard", "ShardTask", "map_isolated",
           "ray_engine"]
