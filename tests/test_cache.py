"""What is kept comes back whole or not at all, whatever happens to the file."""

import multiprocessing
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import cache
from audit.cache import Store, cache_bound, cache_folder, key_of

KEYS = [key_of("a test", number) for number in range(8)]


@pytest.fixture
def store(tmp_path):
    with closing(Store(tmp_path)) as opened:
        yield opened


def in_the_file(store, statement, *values):
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(statement, values)


def test_what_is_kept_comes_back_after_reopening(store, tmp_path):
    store.put("measures", [(KEYS[0], b"one"), (KEYS[1], b"")])
    with closing(Store(tmp_path)) as again:
        assert again.get(KEYS[:3]) == {KEYS[0]: b"one", KEYS[1]: b""}
        assert [(one.kind, one.entries, one.bytes) for one in again.kept()] == [("measures", 2, 3)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None,
          max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.binary(max_size=200)), max_size=12))
def test_the_last_value_of_a_key_counts(store, written):
    store.clear()
    for one in written:
        store.put("any", [one])
    assert store.get(KEYS) == dict(written)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_keys_differ_where_their_parts_do(some, others):
    assert (key_of(*some) == key_of(*others)) == (some == others)


def test_a_flipped_bit_is_a_miss(store):
    store.put("any", [(KEYS[0], b"right"), (KEYS[1], b"other")])
    in_the_file(store, "update entries set value = ? where key = ?", b"wrong", KEYS[0])
    assert store.get(KEYS) == {KEYS[1]: b"other"}


@pytest.mark.parametrize("content", [
    b"no database" * 500, b"SQLite format 3\x00" + b"\xff" * 8_000])
def test_a_damaged_file_begins_anew_and_says_so(tmp_path, content):
    with closing(Store(tmp_path)) as first:
        path = first.path
    path.write_bytes(content)
    with closing(Store(tmp_path)) as store:
        assert store.get(KEYS) == {}
        store.put("any", [(KEYS[0], b"new")])
        assert store.get(KEYS) == {KEYS[0]: b"new"}
        assert "damaged" in store.problem
        assert "\n" not in store.problem


def test_a_folder_that_cannot_be_made_holds_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "cache")
    store.put("any", [(KEYS[0], b"lost")])
    store.remember([(b"/a", 1, 2, "00")])
    assert store.get(KEYS) == {}
    assert store.hashes([(b"/a", 1, 2)]) == {}
    assert "nothing is kept" in store.problem


def test_a_full_disk_costs_what_is_kept_and_nothing_else(store):
    store._connection.execute("pragma max_page_count = 12")
    store.put("any", [(KEYS[0], b"x" * 200_000)])
    assert store.get(KEYS) == {}
    assert "nothing is kept" in store.problem


def test_another_format_has_a_file_of_its_own(tmp_path):
    other = tmp_path / "cache-0.sqlite"
    other.write_bytes(b"of another version")
    with closing(Store(tmp_path)) as store:
        store.put("any", [(KEYS[0], b"ours")])
        store.clear()
    assert other.read_bytes() == b"of another version"


def test_what_was_used_longest_ago_goes_first(tmp_path):
    with closing(Store(tmp_path, bound=1_000)) as store:
        store.put("any", [(key, b"x" * 300) for key in KEYS[:3]])
        for age, key in enumerate((KEYS[1], KEYS[0], KEYS[2])):
            in_the_file(store, "update entries set used = ? where key = ?", age, key)
        store.put("any", [(KEYS[3], b"y" * 300)])
        assert set(store.get(KEYS)) == {KEYS[2], KEYS[3]}
        assert sum(one.bytes for one in store.kept()) <= 1_000


def test_what_is_read_counts_as_used(tmp_path):
    with closing(Store(tmp_path, bound=790)) as store:  # one of four has to go
        store.put("any", [(key, b"x" * 200) for key in KEYS[:3]])
        in_the_file(store, "update entries set used = used - 9999 - (key = ?)", KEYS[1])
        assert KEYS[1] in store.get(KEYS[1:2])
        store.put("any", [(KEYS[3], b"y" * 200)])
        assert KEYS[1] in store.get(KEYS), "it was the oldest until it was read"


@pytest.mark.parametrize(("bound", "most"), [(10_000, 500), (500, 10_000)])
def test_a_value_that_is_too_large_drives_nothing_out(tmp_path, monkeypatch, bound, most):
    monkeypatch.setattr(cache, "MOST_OF_ONE", most)
    with closing(Store(tmp_path, bound)) as store:
        store.put("any", [(KEYS[0], b"x" * 100)])
        store.put("any", [(KEYS[1], b"x" * 501)])
        assert set(store.get(KEYS)) == {KEYS[0]}
        assert store.problem == ""


def test_a_file_is_known_only_as_it_was(store):
    store.remember([(b"/a\xff", 10, 20, "aa"), (b"/b", 1, 2, "bb")])
    assert store.hashes([(b"/a\xff", 10, 20), (b"/b", 1, 3), (b"/c", 1, 2)]) == {b"/a\xff": "aa"}


def write_some(folder, number):
    with closing(Store(folder)) as store:
        for turn in range(20):
            store.put("any", [(key_of(number, turn), bytes([number]) * 50)])


def test_processes_that_write_at_once_do_not_harm_each_other(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_some, args=(tmp_path, number)) for number in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
        assert one.exitcode == 0
    with closing(Store(tmp_path)) as store:
        wanted = {key_of(number, turn): bytes([number]) * 50
                  for number in range(3) for turn in range(20)}
        assert store.get(wanted) == wanted


def test_place_and_bound_can_be_told(monkeypatch, tmp_path):
    monkeypatch.setenv("IMAGE_AUDIT_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("IMAGE_AUDIT_CACHE_BYTES", "123")
    assert cache_folder() == tmp_path / "here"
    assert cache_bound() == 123
    monkeypatch.delenv("IMAGE_AUDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("IMAGE_AUDIT_CACHE_BYTES", "much")
    assert cache_folder() == tmp_path / "image-audit"
    assert cache_bound() == 10 * 1024**3
