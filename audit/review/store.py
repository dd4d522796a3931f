"""Answers of reviewers in `review.sqlite`: appended, never changed, and on disk before they count.

An undo is an answer too, that takes another back. Which answer stands follows from the order of
the events alone.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING

from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

REVIEW_FILE = "review.sqlite"

ANSWERS = ("class", "both", "neither", "unsure", "exclude", "keep")
UNDO = "undo"

VERSION = 1
"""Of the tables, in `user_version`."""

LEASE_SECONDS = 900.0
"""For which a question is one reviewer's."""

_BUSY_MS = 10_000
_PAUSE = 0.01


@dataclass(frozen=True)
class Event:
    """One answer, or one undo.

    Attributes:
        uuid: made where the answer was given, so that sending it twice is harmless.
        reviewer: who answered.
        item_id: of the question.
        check: that asked.
        sha256: of the (first) file that the question is about.
        answer: of `ANSWERS`, or `undo`.
        label: class name, or SHA-256 of the copy that is kept, or empty.
        note: in the reviewer's words.
        milliseconds: from when the question was shown to the answer.
        mode: `one`, `grid`, `adjudicate` or `import`.
        given: class the file had when the question was asked.
        batch: the same for all events of one act; empty for an act of one.
        undoes: of an undo, uuid of the event or the batch that it takes back.
        at: seconds since the epoch; 0 for now.
    """

    uuid: str
    reviewer: str
    item_id: str
    check: str
    sha256: str
    answer: str
    label: str
    note: str
    milliseconds: int
    mode: str
    given: str
    batch: str = ""
    undoes: str = ""
    at: float = 0.0


_COLUMNS = tuple(one.name for one in fields(Event))
_NUMBERS = {"milliseconds": "INTEGER", "at": "REAL"}
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)  # "check" is a word of SQL
_TYPED = ", ".join(f'"{name}" {_NUMBERS.get(name, "TEXT")} NOT NULL' for name in _COLUMNS)
_TABLES = (
    (f"CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, {_TYPED}, UNIQUE (uuid)) "
    "STRICT"),
    ("CREATE TABLE IF NOT EXISTS leases (item_id TEXT NOT NULL, reviewer TEXT NOT NULL, "
    "until REAL NOT NULL, PRIMARY KEY (item_id, reviewer)) STRICT, WITHOUT ROWID"))


class ReviewStore:
    """The answers of one run. One writer at a time in this process; others wait for their turn."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            UsageError: it is none of ours, or of another version, or cannot be opened.
        """
        self.path = path
        self._lock = threading.RLock()
        self._standing = Standing()
        self._last = 0
        try:
            self._connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None,
                                               check_same_thread=False)
            with ExitStack() as refused:
                refused.callback(self._connection.close)
                self._prepare()
                refused.pop_all()
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be opened as a store of answers ({error}). Move it "
                             "away, or free the disk.") from error

    def _prepare(self) -> None:
        """Refuse a file that is none of ours before anything is written to it; make the tables."""
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        # Version and tables are written as one, and read as one: of ours, 0 has no tables.
        version, tables = self._connection.execute(
            "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
        ).fetchone()
        if version == 0 and tables:
            raise UsageError(f"{self.path} is a database of another program, not a store of "
                             "answers. Move it away.")
        if version not in {0, VERSION}:
            raise UsageError(f"{self.path} is of version {version}, and this program knows version "
                             f"{VERSION}. Use the version of the program that wrote it.")
        self._switch_to_wal()
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._writing():
            for table in _TABLES:
                self._connection.execute(table)
            self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def _switch_to_wal(self) -> None:
        """Of two that open a new file at once, SQLite refuses one without waiting: ask again."""
        until = time.monotonic() + _BUSY_MS / 1000
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def append(self, events: Sequence[Event]) -> list[str]:
        """Store events, all or none, and return when they are on disk.

        Returns:
            Their uuids; one that was stored before is not stored again.

        Raises:
            ValueError: an event has the uuid of another that is stored; nothing is stored.
        """
        now = time.time()
        with self._lock, self._writing():
            for event in events:
                stored = self._connection.execute(
                    f"SELECT {_NAMES} FROM events WHERE uuid = ?",  # noqa: S608 - names of ours
                    (event.uuid,)).fetchone()
                if stored is None:
                    self._connection.execute(
                        f"INSERT INTO events ({_NAMES}) VALUES "  # noqa: S608 - names of ours
                        f"({', '.join('?' * len(_COLUMNS))})",
                        astuple(event if event.at else replace(event, at=now)))
                    if event.answer == UNDO:
                        self._take_again(event, now)
                    else:
                        self._connection.execute(
                            "DELETE FROM leases WHERE item_id = ? AND reviewer = ?",
                            (event.item_id, event.reviewer))
                elif replace(Event(*stored), at=0) != replace(event, at=0):
                    raise ValueError(f"the event {event.uuid} is stored with other content")
        return [event.uuid for event in events]

    def _take_again(self, undo: Event, now: float) -> None:
        """Lease what was taken back to whoever did: it is on the screen there."""
        self._connection.execute(
            "INSERT OR REPLACE INTO leases SELECT DISTINCT item_id, reviewer, ? FROM events "
            "WHERE reviewer = ? AND ? IN (uuid, batch) AND ? != ''",
            (now + LEASE_SECONDS, undo.reviewer, undo.undoes, undo.undoes))

    def events(self) -> list[Event]:
        """All events, the oldest first."""
        with self._lock:
            return [Event(*row) for row in self._connection.execute(
                f"SELECT {_NAMES} FROM events ORDER BY number")]  # noqa: S608 - names of ours

    def standing(self) -> Standing:
        """Which answers stand now, those of other processes too."""
        with self._lock:
            for number, *row in self._connection.execute(
                    f"SELECT number, {_NAMES} FROM events WHERE number > ? "  # noqa: S608 - names of ours
                    "ORDER BY number", (self._last,)):
                self._standing.take(Event(*row))
                self._last = number
            return self._standing

    def lease(self, reviewer: str, candidates: Sequence[str], count: int, *, overlap: int,
              seconds: float, for_all: Collection[str] = (), now: float | None = None,
              ) -> list[str]:
        """Questions that are this reviewer's for some time, in the order of the candidates.

        At most `overlap` people answer a question or hold it. Two processes that ask at once never
        get more. Those that the reviewer has answered are none of it.

        Args:
            reviewer: who asks.
            candidates: questions that may be had.
            count: how many are wanted.
            overlap: people that are to answer each.
            seconds: how long.
            for_all: questions that everybody is to answer.
            now: seconds since the epoch; None for the time of the clock.
        """
        now = time.time() if now is None else now
        taken: list[str] = []
        with self._lock, self._writing():
            standing = self.standing()
            holders: dict[str, set[str]] = {}
            for item_id, holder in self._connection.execute(
                    "SELECT item_id, reviewer FROM leases WHERE until > ?", (now,)):
                holders.setdefault(item_id, set()).add(holder)
            for item_id in candidates:
                if len(taken) >= count:
                    break
                answered = standing.reviewers_of(item_id)
                others = (answered | holders.get(item_id, set())) - {reviewer}
                if reviewer not in answered and (item_id in for_all or len(others) < overlap):
                    taken.append(item_id)
            self._connection.execute("DELETE FROM leases WHERE until <= ?", (now,))
            self._connection.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?)",
                [(item_id, reviewer, now + seconds) for item_id in taken])
        return taken

    def release(self, reviewer: str, item_ids: Sequence[str]) -> None:
        """Give questions back that were not answered."""
        with self._lock, self._writing():
            self._connection.executemany(
                "DELETE FROM leases WHERE item_id = ? AND reviewer = ?",
                [(item_id, reviewer) for item_id in item_ids])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that has the right to write from its beginning on."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself where the disk is full, and has not where only the
            # commit failed.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


class Standing:
    """Which answers stand, from events taken one after the other; threads may share it."""

    def __init__(self) -> None:
        """Begin with no event."""
        self._lock = threading.RLock()
        self._stacks: dict[tuple[str, str], list[Event]] = {}
        self._by_act: dict[tuple[str, str], list[Event]] = {}
        self._reviewers: dict[str, set[str]] = {}

    def take(self, event: Event) -> None:
        """Take the next event; an undo takes back what its own reviewer did, and no other's."""
        with self._lock:
            if event.answer == UNDO:
                for undone in self._by_act.pop((event.reviewer, event.undoes), ()):
                    self._take_back(undone)
                return
            self._stacks.setdefault((event.reviewer, event.item_id), []).append(event)
            for act in {event.uuid, event.batch} - {""}:
                self._by_act.setdefault((event.reviewer, act), []).append(event)
            self._reviewers.setdefault(event.item_id, set()).add(event.reviewer)

    def _take_back(self, event: Event) -> None:
        key = event.reviewer, event.item_id
        stack = self._stacks.get(key, [])
        if event not in stack:  # undone before, alone or with its batch
            return
        stack.remove(event)
        if not stack:
            del self._stacks[key]
            self._reviewers[event.item_id].discard(event.reviewer)

    def answer_of(self, reviewer: str, item_id: str) -> Event | None:
        """The answer of a reviewer to a question that stands: the last that is not undone."""
        with self._lock:
            stack = self._stacks.get((reviewer, item_id))
            return stack[-1] if stack else None

    def reviewers_of(self, item_id: str) -> set[str]:
        """Those whose answer to a question stands."""
        with self._lock:
            return set(self._reviewers.get(item_id, ()))

    def answers(self) -> list[Event]:
        """All answers that stand, by question, in the order of their first answers."""
        with self._lock:
            return [stack[-1] for stack in self._stacks.values()]

    def of_item(self, item_id: str) -> list[Event]:
        """The answers to a question that stand, one a reviewer, by name."""
        with self._lock:
            return [self._stacks[reviewer, item_id][-1]
                    for reviewer in sorted(self._reviewers.get(item_id, ()))]
