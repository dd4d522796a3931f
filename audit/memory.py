"""Memory that was freed is kept for what comes next in a stage, and given back at its end.

A convolution over a batch of pictures writes tens of megabytes that live for milliseconds. glibc
takes a block of that size from the system and gives it back at once, and each page of it costs a
fault and is cleared: measured on two cores, half of the time that a network takes to describe
images, in processors' time of the system. Kept for good it would be counted against the next
stage, which asks for blocks of other sizes that do not fit into the gaps.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Of `mallopt(3)`."""

_MOST_KEPT = 2**31 - 1
"""Bytes free at the end of the heap before it shrinks: the largest `mallopt` takes."""


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory; elsewhere do nothing.

    To be called before NumPy is imported: its threads get heaps of their own, which shrink each
    time, unless there is one for all.

    Returns:
        Whether it was told.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _MOST_KEPT, _M_ARENA_MAX: 1}
    taken = [mallopt(name, value) for name, value in settings.items()]  # each, whatever the others
    return all(taken)


def give_back_freed_memory() -> bool:
    """Give what was freed back to the system, where the C library is glibc.

    Returns:
        Whether there was anything.
    """
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
