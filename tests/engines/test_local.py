"""Items run in worker processes: one that crashes or hangs is reported, all others are answered."""

import os
import signal
import subprocess
import sys
import time
from itertools import count, islice
from pathlib import Path

import cv2
import pytest

from audit.engines import Failure, map_isolated, worker
from audit.engines.local import BATCH

ROOT = Path(__file__).resolve().parents[2]


class StubbornError(Exception):
    """It is pickled but cannot be built again, as many exceptions with two arguments."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def work(item):
    """`(what to do, number)` → the number squared."""
    what, number = item
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "exit":
        os._exit(7)
    elif what == "hang":
        time.sleep(600)
    elif what == "slow":
        time.sleep(0.9)
    elif what == "value error":
        raise ValueError("the function has a bug")
    elif what == "end of file":
        raise EOFError("looks as if the parent were gone")
    elif what == "stubborn":
        raise StubbornError("two", "arguments")
    elif what == "not picklable":
        return lambda: number
    return number * number


def work_and_note(item):
    """`(what to do, number, file)`: note the number in the file, then work."""
    what, number, file = item
    with open(file, "a") as notes:
        notes.write(f"{number} ")
    return work((what, number))


def threads_of_libraries(_):
    return cv2.getNumThreads()


def die_on_arrival():
    os._exit(3)


class CannotArrive:
    """Kills the worker that unpickles it."""

    def __reduce__(self):
        return die_on_arrival, ()

    def __call__(self, item):
        return item


def run(items, **options):
    return dict(map_isolated(work, items, **{"workers": 2, "timeout_s": 30.0} | options))


@pytest.mark.parametrize("number", [0, 1, BATCH, 3 * BATCH + 1])
def test_every_item_is_answered_once(number):
    answers = list(map_isolated(work, (("", one) for one in range(number)), workers=2,
                                timeout_s=30))
    assert sorted(answers) == [(("", one), one * one) for one in range(number)]


@pytest.mark.parametrize("workers", [1, 2])
def test_crashes_and_hangs_cost_only_their_own_items(workers):
    bad = {3: "crash", 4: "crash", 20: "hang", 39: "exit"}
    items = [(bad.get(one, ""), one) for one in range(40)]
    answers = run(items, workers=workers, timeout_s=1.5)
    assert set(answers) == set(items)
    failures = {item[1]: answer for item, answer in answers.items() if isinstance(answer, Failure)}
    assert {one: failure.kind for one, failure in failures.items()} == {
        3: "crash", 4: "crash", 20: "timeout", 39: "crash"}
    assert "SIGSEGV" in failures[3].reason
    assert "1.5 s" in failures[20].reason
    assert "exit code 7" in failures[39].reason
    assert all(answer == item[1] ** 2 for item, answer in answers.items() if not item[0])


@pytest.mark.parametrize(("what", "error", "words"), [
    ("value error", ValueError, "the function has a bug"),
    ("end of file", EOFError, "looks as if"),
    ("stubborn", RuntimeError, "StubbornError: two arguments"),
    ("not picklable", Exception, "pickle"),
])
def test_an_exception_is_a_bug_and_is_raised_here(what, error, words):
    with pytest.raises(error, match=words):
        run([("", 1), (what, 2)], workers=1)


def test_a_worker_that_cannot_start_is_no_fault_of_an_item():
    with pytest.raises(RuntimeError, match=r"did not start.*exit code 3"):
        list(map_isolated(CannotArrive(), [1], workers=1, timeout_s=30))


@pytest.mark.parametrize("what", ["crash", "hang"])
@pytest.mark.parametrize("culprit", [0, 1, BATCH // 2, BATCH - 1, BATCH, 2 * BATCH])
def test_the_item_that_did_it_is_named_and_no_other_is_lost(tmp_path, what, culprit):
    notes = tmp_path / "notes"
    items = [(what if one == culprit else "", one, str(notes)) for one in range(2 * BATCH + 1)]
    answers = list(map_isolated(work_and_note, items, workers=1, timeout_s=1))
    assert sorted(item for item, _ in answers) == sorted(items)
    assert [item[1] for item, answer in answers if isinstance(answer, Failure)] == [culprit]
    begun = [int(one) for one in notes.read_text().split()]
    assert begun.count(culprit) == 1
    # What was done but not yet sent is done again; nothing of another batch is.
    again = {one for one in range(2 * BATCH + 1) if begun.count(one) > 1}
    assert again <= set(range(culprit // BATCH * BATCH, culprit))
    assert max(begun.count(one) for one in range(2 * BATCH + 1)) <= 2


def test_slow_results_do_not_wait_for_their_batch():
    answers = map_isolated(work, [("slow", 0), ("hang", 1)], workers=1, timeout_s=30)
    begun = time.monotonic()
    assert next(answers) == (("slow", 0), 0)
    assert time.monotonic() - begun < 15
    answers.close()


def test_items_too_large_to_be_sent_ahead_do_not_block():
    items = [("hang" if one == 3 else "", f"{one}" * 50_000) for one in range(6)]
    answers = dict(map_isolated(measure_length, items, workers=1, timeout_s=1))
    assert {item[1][0]: isinstance(answer, Failure) for item, answer in answers.items()} == {
        "0": False, "1": False, "2": False, "3": True, "4": False, "5": False}


def measure_length(item):
    return work((item[0], len(item[1])))


def test_a_worker_does_not_run_the_main_module_again(tmp_path):
    script = tmp_path / "main.py"
    script.write_text("from audit.engines import map_isolated\n"
                      "print('main')\n"
                      "print(list(map_isolated(abs, [-5], workers=1, timeout_s=30)))\n")
    ended = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)},
                           capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split("\n") == ["main", "[(-5, 5)]", ""]
    assert ended.stderr == ""


def test_a_worker_has_one_thread():
    assert next(map_isolated(threads_of_libraries, [0], workers=1, timeout_s=30)) == (0, 1)


def test_a_worker_is_deaf_to_ctrl_c_from_its_first_moment(monkeypatch, capfd):
    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            for _ in range(20):
                os.kill(self.pid, signal.SIGINT)
                time.sleep(0.01)

    monkeypatch.setattr(worker.subprocess, "Popen", Interrupted)
    assert run([("", 3)], workers=1) == {("", 3): 9}
    assert capfd.readouterr().err == ""


def test_ctrl_c_while_a_worker_is_born_ends_it_too(monkeypatch):
    class Interrupting(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            os.kill(os.getpid(), signal.SIGINT)

    started = []
    monkeypatch.setattr(worker.subprocess, "Popen", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        run([("", 3)], workers=1)
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def test_items_are_pulled_two_batches_a_worker_and_no_further():
    pulled = []
    endless = (("", pulled.append(one) or one) for one in count())
    answers = map_isolated(work, endless, workers=2, timeout_s=30)
    for taken, _ in enumerate(islice(answers, 5 * BATCH), start=1):
        assert len(pulled) <= taken + (2 * 2 + 1) * BATCH  # one is being yielded
    answers.close()


def test_a_caller_that_takes_its_time_is_no_timeout():
    items = [("slow" if one in {0, BATCH} else "", one) for one in range(2 * BATCH)]
    answers = {}
    for item, answer in map_isolated(work, items, workers=2, timeout_s=1.5):
        if not answers:
            time.sleep(2)
        answers[item] = answer
    assert answers == {item: item[1] ** 2 for item in items}


def test_no_worker_outlives_the_iterator(monkeypatch):
    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    started = []
    monkeypatch.setattr(worker.subprocess, "Popen", Recorded)
    answers = map_isolated(work, (("", one) for one in count()), workers=2, timeout_s=30)
    next(answers)
    assert [process.poll() for process in started] == [None, None]
    answers.close()
    assert [process.poll() for process in started] == [-signal.SIGKILL] * 2
