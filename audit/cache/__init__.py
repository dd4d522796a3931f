"""What an earlier audit found, to be reused: on by default, bounded, and never needed."""

from audit.cache.store import Kept, Store, cache_bound, cache_folder, key_of

__all__ = ["Kept", "Store", "cache_bound", "cache_folder", "key_of"]
