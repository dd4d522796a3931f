"""Items run in worker processes: one that crashes or hangs is reported, all others are answered."""

import multiprocessing
import os
import signal
import time
from itertools import count, islice

import pytest

from audit.engines import Failure, map_isolated
from audit.engines.local import BATCH


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


def test_items_are_pulled_a_batch_a_worker_and_no_further():
    pulled = []
    endless = (("", pulled.append(one) or one) for one in count())
    answers = map_isolated(work, endless, workers=2, timeout_s=30)
    for taken, _ in enumerate(islice(answers, 5 * BATCH), start=1):
        assert len(pulled) <= taken + 2 * BATCH
    answers.close()


def test_a_caller_that_takes_its_time_is_no_timeout():
    items = [("slow" if one in {0, BATCH} else "", one) for one in range(2 * BATCH)]
    answers = {}
    for item, answer in map_isolated(work, items, workers=2, timeout_s=1.5):
        if not answers:
            time.sleep(2)
        answers[item] = answer
    assert answers == {item: item[1] ** 2 for item in items}


def test_no_worker_outlives_the_iterator():
    before = _children()
    answers = map_isolated(work, (("", one) for one in count()), workers=2, timeout_s=30)
    next(answers)
    assert len(_children() - before) >= 1
    answers.close()
    assert _children() - before == set()


def _children():
    return {process.pid for process in multiprocessing.active_children()}
