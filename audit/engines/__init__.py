"""Where the measuring runs. An engine maps a function over items; it knows nothing of images."""

from audit.engines.local import Failure, map_isolated

__all__ = ["Failure", "map_isolated"]
