"""A task for shards of numbers, importable by its name in any process."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


def square(item):
    """`(what to do, number)` → the number squared."""
    what, number = item
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "hang":
        time.sleep(600)
    elif what == "bug":
        raise ValueError("the task has a bug")
    return number * number


@dataclass(frozen=True)
class SquareNumbers:
    """Writes a file of squares for each shard."""

    folder: Path
    wait_s: float = 0.0
    timeout_s: float = 20.0
    share: float = 0.5

    each = staticmethod(square)

    def begin(self, shard):
        return list(shard.items)

    def finish(self, shard, given, answers, advance):
        with (self.folder / "at-work").open("a") as notes:
            notes.write(f"{os.getpid()} {shard.number}\n")
        time.sleep(self.wait_s)
        path = self.folder / f"{shard.number}.txt"
        temporary = self.folder / f"{shard.number}.{os.getpid()}.tmp"
        temporary.write_text("\n".join(map(str, answers)))
        temporary.replace(path)
        advance((1 - self.share) * len(given))
        return shard.number, path
