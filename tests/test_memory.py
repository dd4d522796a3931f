"""Freed memory is used again without asking the system for it."""

import subprocess
import sys

import pytest

FAULTS = """
import sys
from audit.memory import keep_freed_memory
told = sys.argv[1] == "keep" and keep_freed_memory()
import resource
import numpy as np
np.ones(8_000_000).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8_000_000).sum()
print(int(told), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True,
                          check=True)
    told, count = done.stdout.split()
    return told == "1", int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is told, which is Linux's")
def test_memory_that_was_freed_costs_no_page_faults_again():
    told, kept = faults("keep")
    if not told:
        pytest.skip("the C library of this machine is not glibc")
    _, given_back = faults("plain")
    pages = 8_000_000 * 8 / 4096
    assert kept < pages
    assert kept < given_back / 2


RESIDENT = """
from audit.memory import give_back_freed_memory, keep_freed_memory
told = keep_freed_memory()
import numpy as np
def resident():
    return int(open("/proc/self/statm").read().split()[1])
blocks = [np.ones(1_000_000) for _ in range(20)]
last = np.ones(1)  # above them, so that the heap cannot shrink
del blocks
before = resident()
give_back_freed_memory()
print(int(told), before, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is told, which is Linux's")
def test_memory_that_was_kept_can_be_given_back():
    done = subprocess.run([sys.executable, "-c", RESIDENT], capture_output=True, text=True,
                          check=True)
    told, before, after = map(int, done.stdout.split())
    if not told:
        pytest.skip("the C library of this machine is not glibc")
    pages = 20 * 8_000_000 / 4096
    assert before - after > 0.9 * pages


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    from audit.memory import (  # noqa: PLC0415 - after the platform is set
        give_back_freed_memory,
        keep_freed_memory,
    )

    assert keep_freed_memory() is False
    assert give_back_freed_memory() is False
