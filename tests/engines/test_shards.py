"""One contract for every engine: each shard once, whatever dies on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from engines.shard_tasks import SquareNumbers, square

from audit.engines import LocalEngine, Shard, ray_engine
from audit.errors import UsageError

TESTS = Path(__file__).parents[1]
COUNT, SIZE = 7, 20


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, for all tests of this file."""
    pytest.importorskip("ray", reason="Ray is not installed (the extra `ray`)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        with ray_engine(None, cpus=2) as engine:
            yield engine


@pytest.fixture(params=["local with 1", "local with 2", "ray"])
def engine(request):
    if request.param == "ray":
        return request.getfixturevalue("cluster")
    return LocalEngine(int(request.param[-1]))


def shards(*special):
    """Shards of numbers, of which some are `(number, what to do)`."""
    told = dict(special)
    return [Shard(number, [(told.get(one, ""), one)
                           for one in range(number * SIZE, (number + 1) * SIZE)])
            for number in range(COUNT)]


def rows(paths):
    """All lines of the files, in the order of the shards."""
    return [line for path in paths for line in path.read_text().splitlines()]


def run(engine, task, *special):
    done = list(engine.map_shards(task, shards(*special)))
    assert sorted(number for number, _ in done) == list(range(COUNT)), "each shard once"
    return rows(path for _, path in sorted(done))


SQUARES = [str(number * number) for number in range(COUNT * SIZE)]


def test_every_shard_is_done_once_and_its_rows_are_in_order(engine, tmp_path):
    assert run(engine, SquareNumbers(tmp_path)) == SQUARES
    assert not list(tmp_path.glob("*.tmp"))


def test_progress_adds_up_to_all_items(engine, tmp_path):
    told = []
    list(engine.map_shards(SquareNumbers(tmp_path), shards(), told.append))
    assert sum(told) == pytest.approx(COUNT * SIZE)


def test_nothing_to_do_is_done(engine, tmp_path):
    assert list(engine.map_shards(SquareNumbers(tmp_path), [])) == []


@pytest.mark.parametrize(("what", "kind"), [("crash", "crash"), ("hang", "timeout")])
def test_an_item_that_takes_its_process_down_is_told_and_all_others_are_done(
        engine, tmp_path, what, kind):
    found = run(engine, SquareNumbers(tmp_path, timeout_s=2.0), (33, what), (90, what))
    for number, (one, expected) in enumerate(zip(found, SQUARES, strict=True)):
        if number in {33, 90}:
            assert f"kind='{kind}'" in one
        else:
            assert one == expected


def test_calls_give_their_results_in_order(engine):
    assert list(engine.map_calls(square, [("", number) for number in range(9)])) == [
        number * number for number in range(9)]
    with pytest.raises(ValueError, match="the task has a bug"):
        list(engine.map_calls(square, [("bug", 1)]))


def test_a_bug_of_the_task_is_raised_here(engine, tmp_path):
    with pytest.raises(ValueError, match="the task has a bug"):
        list(engine.map_shards(SquareNumbers(tmp_path), shards((50, "bug"))))
    assert run(engine, SquareNumbers(tmp_path)) == SQUARES, "and the engine is still of use"


def test_a_worker_of_ray_that_is_killed_in_the_middle_of_a_shard_loses_and_doubles_no_row(
        cluster, tmp_path):
    killed = []

    def kill_twice():
        notes = tmp_path / "at-work"
        while len(killed) < 2:
            time.sleep(0.05)
            seen = notes.read_text().splitlines() if notes.exists() else []
            for line in seen:
                pid, shard = map(int, line.split())
                if len(killed) < 2 and pid not in {one for one, _ in killed}:
                    os.kill(pid, signal.SIGKILL)
                    killed.append((pid, shard))
                    break

    thread = threading.Thread(target=kill_twice, daemon=True)
    thread.start()
    assert run(cluster, SquareNumbers(tmp_path, wait_s=0.5)) == SQUARES
    thread.join(10)
    begun = Counter(int(line.split()[1])
                    for line in (tmp_path / "at-work").read_text().splitlines())
    assert len(killed) == 2
    for _, shard in killed:
        assert begun[shard] > 1, "it was begun again"


def test_a_cluster_that_the_caller_started_is_not_ended(cluster, tmp_path):
    ray = pytest.importorskip("ray")
    with ray_engine(None, cpus=2) as engine:
        assert run(engine, SquareNumbers(tmp_path)) == SQUARES
    assert ray.is_initialized()
    assert run(cluster, SquareNumbers(tmp_path)) == SQUARES


def test_without_ray_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"needs Ray.*image-audit\[ray\]"), ray_engine(None, 2):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "127.0.0.1:99999"])
def test_where_no_cluster_answers_the_message_says_so_at_once(address):
    pytest.importorskip("ray")
    script = f"from audit.engines import ray_engine\nwith ray_engine({address!r}, 2): pass"
    ended = subprocess.run([sys.executable, "-c", script], cwd=TESTS.parent, timeout=60,
                           capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert "UsageError: no Ray cluster answers at" in last
    assert "ray start --head" in last
