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


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    from audit.memory import keep_freed_memory  # noqa: PLC0415 - after the platform is set

    assert keep_freed_memory() is False
