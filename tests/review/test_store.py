"""An answer that was acknowledged is there, once, whatever happened; leases go to one at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
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


def test_an_answer_ends_the_lease_and_counts_as_one(store):
    names = ["item1", "item2"]
    store.lease("Ada", names, 1, overlap=2, seconds=60, now=100)
    store.append([event(0)])
    assert store.lease("Ada", names, 2, overlap=2, seconds=60, now=100) == ["item2"]
    assert store.lease("Bob", names, 2, overlap=2, seconds=60, now=100) == names
    assert store.lease("Cem", names, 2, overlap=2, seconds=60, now=100) == []
    assert store.lease("Cem", names, 2, overlap=2, seconds=60, now=100,
                       for_all={"item1"}) == ["item1"]


def test_those_who_ask_at_once_never_share_a_question(tmp_path):
    path = tmp_path / "review.sqlite"
    ReviewStore(path).close()
    names = [f"item{number}" for number in range(60)]

    def ask(reviewer):
        own = ReviewStore(path)  # a connection of its own, as another process has
        taken = [name for _ in range(5) for name in own.lease(
            reviewer, [one for one in names if one not in taken_by[reviewer]], 3, overlap=1,
            seconds=60) if not taken_by[reviewer].add(name)]
        own.close()
        return taken

    taken_by = {f"reviewer {number}": set() for number in range(6)}
    with ThreadPoolExecutor(6) as pool:
        parts = list(pool.map(ask, taken_by))
    everything = [name for part in parts for name in part]
    assert len(everything) == len(set(everything)) > 0


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
