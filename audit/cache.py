"""Bytes by key in one SQLite file: bounded, checked when read, and never in the way of a run.

Whatever is wrong with the file (damaged, read-only, full disk, another version), an audit goes on
without it: a value that cannot be had is computed. What is read is compared with its checksum, so
that a flipped bit is a miss and never a result.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

FORMAT = 1
"""Of the file; another one has a file of its own, which is not touched."""

MOST_BYTES = 10 * 1024**3
"""Default bound of what is kept."""

PLACE, BOUND = "IMAGE_AUDIT_CACHE", "IMAGE_AUDIT_CACHE_BYTES"
"""Environment variables: another folder, another bound."""

MOST_OF_ONE = 900 * 1024**2
"""Of one value, which is not kept if it is larger: SQLite takes 10^9 bytes at most."""

_KEPT_SHARE = 0.8
"""Of the bound, that is kept when it was passed: else each value would drive one out."""

USED_WITHIN_S = 600
"""When an entry was used last is known to so many seconds: to write it down each time takes as long
as to read the entry."""

_AT_ONCE = 500
_WAIT_S = 10.0
_TABLES = """
create table if not exists entries (
    key blob primary key, kind text not null, value blob not null, check_sum blob not null,
    bytes integer not null, used integer not null) without rowid;
create index if not exists by_age on entries (used, bytes);
create index if not exists by_kind on entries (kind, bytes);
create table if not exists files (
    path blob primary key, bytes integer not null, changed integer not null, sha256 text not null,
    used integer not null) without rowid;
create index if not exists by_sum on files (sha256);
"""


@dataclass(frozen=True)
class Kept:
    """Of one kind of entry: how many there are, and their bytes."""

    kind: str
    entries: int
    bytes: int


def cache_folder() -> Path:
    """Where the cache is: `IMAGE_AUDIT_CACHE`, else the user's cache folder."""
    told = os.environ.get(PLACE)
    if told:
        return Path(told)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "image-audit"


def cache_bound() -> int:
    """Most bytes to keep: `IMAGE_AUDIT_CACHE_BYTES`, else `MOST_BYTES`; 0 turns the cache off."""
    told = os.environ.get(BOUND, "")
    return int(told) if told.isdigit() else MOST_BYTES


def key_of(*parts: object) -> bytes:
    """A key of 32 bytes; parts that differ, or are parted otherwise, give another."""
    digest = blake2b(digest_size=32)
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


class Store:
    """The cache of this machine's user. See the module for what happens when it fails.

    A store whose file cannot be used holds nothing and keeps nothing; `problem` says why.
    """

    def __init__(self, folder: Path, bound: int = MOST_BYTES) -> None:
        """Open or create the file in `folder`, which is made."""
        self.path = folder / f"cache-{FORMAT}.sqlite"
        self.bound = bound
        self.problem = ""
        self._connection: sqlite3.Connection | None = None
        self._open()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # read-only, locked, full
                self._give_up(error)
                return
            self._begin_anew(error)
        except OSError as error:
            self._give_up(error)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None,
                                     check_same_thread=False)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_anew(self, error: Exception) -> None:
        """Put a damaged file aside and begin another."""
        self.close()
        try:
            for name in (self.path.name, f"{self.path.name}-wal", f"{self.path.name}-shm"):
                (self.path.parent / name).unlink(missing_ok=True)
            self._connection = self._connect()
            self.problem = f"the cache {self.path} was damaged ({error}) and begins anew"
        except (sqlite3.Error, OSError) as again:
            self._give_up(again)

    def _give_up(self, error: Exception) -> None:
        self.close()
        self.problem = f"the cache {self.path} cannot be used ({error}); nothing is kept"

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _ask(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Rows of a query; none where the file does not give them."""
        return self._guarded(lambda db: db.execute(query, values).fetchall())

    def _tell(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        """Carry out a statement for each row, all or none."""
        def work(connection: sqlite3.Connection) -> list[Any]:
            connection.execute("begin immediate")
            try:
                connection.executemany(statement, rows)
                connection.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("rollback")
                raise
            return []

        self._guarded(work)

    def _guarded(self, work: Callable[[sqlite3.Connection], list[Any]]) -> list[Any]:
        if self._connection is None:
            return []
        try:
            return work(self._connection)
        except sqlite3.OperationalError as error:
            self._give_up(error)
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
        return []

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Values of those keys that are there and whole."""
        found: dict[bytes, bytes] = {}
        now = int(time.time())
        for some in _parts(list(keys)):
            query = f"select key, value, check_sum, used from entries where key in ({_marks(some)})"  # noqa: S608 - marks only
            rows = [row for row in self._ask(query, some) if _check_sum(row[1]) == row[2]]
            found |= {row[0]: row[1] for row in rows}
            stale = [row[0] for row in rows if row[3] < now - USED_WITHIN_S]
            if stale:
                self._tell(f"update entries set used = ? where key in ({_marks(stale)})",  # noqa: S608 - marks only
                           [(now, *stale)])
        return found

    def put(self, kind: str, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep values; those there are replaced, and what was used longest ago goes if need be.

        A value that is too large, for the file or for the bound, is not kept.
        """
        now = int(time.time())
        most = min(MOST_OF_ONE, int(_KEPT_SHARE * self.bound))
        for some in _parts([one for one in values if len(one[1]) <= most]):
            self._tell("insert or replace into entries values (?, ?, ?, ?, ?, ?)", [
                (key, kind, value, _check_sum(value), len(value), now) for key, value in some])
        self._trim()

    def _trim(self) -> None:
        total = sum(one.bytes for one in self.kept())
        if total <= self.bound:
            return
        surplus = total - int(_KEPT_SHARE * self.bound)
        gone = []
        for key, size in self._ask("select key, bytes from entries order by used"):
            if surplus <= 0:
                break
            gone.append((key,))
            surplus -= size
        self._tell("delete from entries where key = ?", gone)
        self._ask("vacuum")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._ask("select 1 from entries limit 1")

    def kept(self) -> list[Kept]:
        """What is kept, by kind."""
        return [Kept(*row) for row in self._ask(
            "select kind, count(*), sum(bytes) from entries group by kind order by kind")]

    def hashes(self, files: Iterable[tuple[bytes, int, int]]) -> dict[bytes, str]:
        """Path → SHA-256 of files that are as they were when they were hashed.

        Args:
            files: path, bytes and time of the last change in ns of each.
        """
        asked = {path: (size, changed) for path, size, changed in files}
        found: dict[bytes, str] = {}
        for some in _parts(list(asked)):
            query = f"select path, bytes, changed, sha256 from files where path in ({_marks(some)})"  # noqa: S608 - marks only
            rows = self._ask(query, some)
            found |= {path: sha for path, size, changed, sha in rows
                      if asked[path] == (size, changed)}
        return found

    def has_seen(self, hashes: Iterable[str]) -> bool:
        """Whether a file with one of these SHA-256 was hashed before, by whatever path."""
        return any(self._ask(f"select 1 from files where sha256 in ({_marks(some)}) limit 1", some)  # noqa: S608 - marks only
                   for some in _parts(list(hashes)))

    def remember(self, files: Iterable[tuple[bytes, int, int, str]]) -> None:
        """Keep the hashes of files: path, bytes, time of the last change in ns, SHA-256."""
        now = int(time.time())
        self._tell("insert or replace into files values (?, ?, ?, ?, ?)",
                   [(*one, now) for one in files])

    def clear(self) -> None:
        """Forget everything."""
        self._tell("delete from entries")
        self._tell("delete from files")
        self._ask("vacuum")


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _check_sum(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start:start + _AT_ONCE]
