"""An answer that was acknowledged is there, once, whatever happened; leases go to one at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.review.store import Event, ReviewStore, Standing

ROOT = Path(__file__).parents[2]


def event(number, *, reviewer="Ada", item="item1", answer="class", label="cat", **more):
    given = {"note": "", "milliseconds": 900, "mode": "one", "given": "dog", "at": number + 1.0}
    return Event(uuid=f"uuid-{number}", reviewer=reviewer, item_id=item, check="label", sha256="ab",
                 answer=answer, label=label, **{**given, **more})


def undo(number, undoes, reviewer="Ada"):
    return event(number, reviewer=reviewer, answer="undo", label="", undoes=undoes)


@pytest.fixture
def store(tmp_path):
    opened = ReviewStore(tmp_path / "review.sqlite")
    yield opened
    opened.close()


def test_events_come_back_as_they_were_in_their_order(store):
    events = [event(0), event(1, item="item2", note="Ä\n'; DROP TABLE events; --"),
              event(2, answer="unsure", label="")]
    assert store.append(events[:2]) == ["uuid-0", "uuid-1"]
    store.append(events[2:])
    assert store.events() == events


def test_sending_an_answer_again_changes_nothing(store):
    store.append([event(0)])
    assert store.append([event(0), event(1)]) == ["uuid-0", "uuid-1"]
    assert store.events() == [event(0), event(1)]


def test_another_answer_under_a_known_uuid_is_refused_with_all_that_came_with_it(store):
    store.append([event(0)])
    with pytest.raises(ValueError, match="uuid-0 is stored with other content"):
        store.append([event(1), event(0, label="dog")])
    assert store.events() == [event(0)]


def test_the_time_is_of_the_clock_where_none_is_given(store):
    store.append([event(0, at=0.0)])
    assert store.events()[0].at > 1_700_000_000


def test_an_answer_is_flushed_to_the_disk_before_it_counts(store):
    """A power cut cannot be had in a test; that each commit is flushed (2, FULL) can be asked."""
    pragma = {name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
              for name in ("journal_mode", "synchronous", "busy_timeout")}
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000}


def test_answers_are_there_for_another_process_at_once(store):
    other = ReviewStore(store.path)
    assert other.standing().answer_of("Ada", "item1") is None
    store.append([event(0)])
    assert other.standing().answer_of("Ada", "item1") == event(0)
    other.close()


def test_an_undo_brings_back_what_stood_before(store):
    store.append([event(0), event(1, label="dog"), undo(2, "uuid-1")])
    assert store.standing().answer_of("Ada", "item1") == event(0)
    store.append([undo(3, "uuid-0")])
    assert store.standing().answer_of("Ada", "item1") is None
    assert store.standing().reviewers_of("item1") == set()
    assert len(store.events()) == 4, "nothing is ever removed"


def test_a_batch_is_undone_as_one(store):
    store.append([event(number, item=f"item{number}", batch="b") for number in range(30)])
    assert len(store.standing().answers()) == 30
    store.append([undo(99, "b")])
    assert store.standing().answers() == []


def test_nobody_can_undo_for_another(store):
    store.append([event(0), undo(1, "uuid-0", reviewer="Bob")])
    assert store.standing().answer_of("Ada", "item1") == event(0)
    store.append([undo(2, "uuid-0")])
    assert store.standing().answer_of("Ada", "item1") is None, "who answered still can"


def test_a_batch_takes_back_only_what_still_stands(store):
    store.append([event(0, batch="b"), event(1, item="item2", batch="b"), undo(2, "uuid-0"),
                  event(3), undo(4, "b")])
    assert store.standing().answers() == [event(3)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=40))
def test_undo_without_limit_ends_where_it_began(acts):
    """Acts and undos as a labeler's stack has them; the model is a list a question."""
    standing, stack, expected = Standing(), [], {}
    for number, (is_undo, item) in enumerate(acts):
        if is_undo and stack:
            undone = stack.pop()
            standing.take(undo(number, undone.uuid))
            expected[undone.item_id].remove(undone)
        elif not is_undo:
            one = event(number, item=f"item{item}", label=str(number))
            standing.take(one)
            stack.append(one)
            expected.setdefault(one.item_id, []).append(one)
    for item_id, events in expected.items():
        assert standing.answer_of("Ada", item_id) == (events[-1] if events else None)


def test_a_lease_is_one_reviewers_until_it_ends(store):
    names = ["item1", "item2", "item3"]
    assert store.lease("Ada", names, 2, overlap=1, seconds=60, now=100) == ["item1", "item2"]
    assert store.lease("Bob", names, 2, overlap=1, seconds=60, now=100) == ["item3"]
    assert store.lease("Ada", names, 2, overlap=1, seconds=60, now=110) == ["item1", "item2"]
    assert store.lease("Bob", names, 3, overlap=1, seconds=60, now=171) == names
    store.release("Bob", ["item2"])
    assert store.lease("Ada", names, 3, overlap=1, seconds=60, now=172) == ["item2"]
    kept = store._connection.execute("SELECT count(*) FROM leases WHERE until <= 172")
    assert kept.fetchone() == (0,), "what has ended is cleared away"


def test_an_answer_ends_the_lease_and_counts_as_one(store):
    names = ["item1", "item2"]
    store.lease("Ada", names, 1, overlap=2, seconds=60, now=100)
    store.append([event(0)])
    assert store.lease("Ada", names, 2, overlap=2, seconds=60, now=100) == ["item2"]
    assert store.lease("Bob", names, 2, overlap=2, seconds=60, now=100) == names
    assert store.lease("Cem", names, 2, overlap=2, seconds=60, now=100) == []
    assert store.lease("Cem", names, 2, overlap=2, seconds=60, now=100,
                       for_all={"item1"}) == ["item1"]


KILLED = """
    import sys
    from pathlib import Path
    from audit.review.store import Event, ReviewStore
    store = ReviewStore(Path(sys.argv[1]))
    for number in range(100_000):
        for uuid in store.append([Event(f"{number}-{part}", "Ada", f"item{number}", "label", "ab",
                                        "class", "cat", "", 5, "one", "dog") for part in range(3)]):
            print(uuid, flush=True)
"""


def test_a_process_that_is_killed_has_lost_nothing_it_acknowledged(tmp_path):
    path = tmp_path / "review.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    acknowledged = [process.stdout.readline().strip() for _ in range(100)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    store = ReviewStore(path)
    stored = [one.uuid for one in store.events()]
    assert len(stored) == len(set(stored))
    complete = [name for name in acknowledged if name in set(stored)]
    assert complete[:100] == acknowledged[:100]
    assert set(acknowledged[:-1]) <= set(stored)  # the last line may be cut
    assert len(stored) % 3 == 0, "a transaction is there whole or not at all"
    store.append([replace(store.events()[0])])
    store.close()


RACING = """
    import sys
    from pathlib import Path
    from audit.review.store import ReviewStore
    print("ready", flush=True)
    sys.stdin.readline()
    store = ReviewStore(Path(sys.argv[1]))
    names, taken = [f"item{number}" for number in range(40)], set()
    while found := store.lease(sys.argv[2], [one for one in names if one not in taken], 1,
                               overlap=2, seconds=600):
        taken.update(found)
    print(*sorted(taken))
"""


def test_processes_that_race_for_leases_share_each_question_as_often_as_asked(tmp_path):
    """They open the same new file at once, too."""
    started = [subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RACING), str(tmp_path / "review.sqlite"), name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}) for name in ("Ada", "Bob", "Cem")]
    for one in started:
        assert one.stdout.readline() == "ready\n"
    for one in started:
        one.stdin.write("go\n")
        one.stdin.flush()
    taken = [one.communicate()[0].split() for one in started]
    assert [one.returncode for one in started] == [0, 0, 0]
    held = Counter(name for names in taken for name in names)
    assert held == {f"item{number}": 2 for number in range(40)}


def test_of_two_that_open_a_new_file_at_once_none_is_refused(tmp_path):
    """SQLite lets nobody wait for the switch to its journal: the second must ask again."""
    path = tmp_path / "review.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    timer.start()
    ReviewStore(path).close()
    timer.join()
    other.close()


def test_a_full_disk_is_told_and_nothing_of_the_request_is_stored(store):
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.append([event(number, note="x" * 3000) for number in range(20)])
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert store.events() == []
    store.append([event(0)])
    assert store.events() == [event(0)]


class FailsToCommit:
    """A connection whose first commit meets a fault of the disk."""

    def __init__(self, connection):
        self.connection = connection
        self.has_failed = False

    def execute(self, statement, *values):
        if statement == "COMMIT" and not self.has_failed:
            self.has_failed = True
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(statement, *values)

    def __getattr__(self, name):
        return getattr(self.connection, name)


def test_a_commit_that_fails_stores_nothing_and_the_next_one_works(store):
    store._connection = FailsToCommit(store._connection)
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        store.append([event(0)])
    store.append([event(1)])
    assert store.events() == [event(1)]


def test_threads_read_what_stands_while_others_answer():
    """As the server's do: one asks for the next question while another one's answer is taken."""
    standing, failures, is_over = Standing(), [], threading.Event()
    for number in range(2000):
        standing.take(event(number, item=f"old{number}"))

    def read(look, most):
        try:
            while not is_over.is_set():
                assert most - 1 <= len(look()) <= most
        except (AssertionError, LookupError, RuntimeError) as error:
            failures.append(error)

    readers = [threading.Thread(target=read, args=one) for one in (
        (standing.answers, 2001), (lambda: standing.of_item("new"), 1))]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    for one in readers:
        one.start()
    for number in range(10_000, 13_000):
        standing.take(event(number, item="new"))
        standing.take(undo(-number, f"uuid-{number}"))
    is_over.set()
    for one in readers:
        one.join()
    sys.setswitchinterval(interval)
    assert failures == []


def test_a_database_of_another_program_is_left_as_it_was(tmp_path):
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE events (theirs TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="of another program"):
        ReviewStore(path)
    assert path.read_bytes() == before


def test_a_file_of_another_version_or_kind_is_refused(tmp_path):
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="version 99"):
        ReviewStore(newer)
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(UsageError, match="cannot be opened as a store of answers"):
        ReviewStore(other)


def test_what_is_taken_back_is_leased_again_to_whoever_took_it_back(store):
    items = ["a", "b", "c"]
    assert store.lease("Ada", items, 3, overlap=1, seconds=900) == items
    store.append([event(1, item="a"), event(2, item="b", batch="act"),
                  event(3, item="c", batch="act")])
    store.append([undo(4, "act"), undo(5, "")])
    assert store.lease("Bob", items, 3, overlap=1, seconds=900) == []
    assert store.lease("Ada", items, 3, overlap=1, seconds=900) == ["b", "c"]
