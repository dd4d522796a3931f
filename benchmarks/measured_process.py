"""Runs a command and measures it with all processes it starts: time, processors, memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.2
"""How often memory is looked at: a peak shorter than this may be missed."""

_PROC = Path("/proc")
_PARENT, _RESIDENT_PAGES = 1, 21
"""Fields of /proc/PID/stat after the name in brackets, which may hold spaces: see proc(5)."""


@dataclass(frozen=True)
class Measured:
    """What a command did.

    Attributes:
        exit_code: 0 if it went well.
        seconds: wall time, from its start until it is noticed to have ended (50 ms at most).
        cpu_seconds: of it and all processes it waited for.
        peak_bytes: the largest sum of the resident memory of all its processes, in which memory
            that they share counts once for each; 0 where there is no /proc.
        output: what it wrote to its standard output.
        errors: what it wrote to its standard error.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str
    errors: str


def run_measured(command: list[str]) -> Measured:
    """Run a command to its end. It inherits the environment, and the current folder."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun, cpu_begun = time.perf_counter(), _cpu_of_ended_children()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        peak = 0
        try:
            while process.poll() is None:
                peak = max(peak, resident_bytes(process.pid))
                try:
                    process.wait(SAMPLE_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:  # we are interrupted, and take it along
                process.terminate()
                process.wait()
        seconds = time.perf_counter() - begun
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return Measured(process.returncode, seconds, _cpu_of_ended_children() - cpu_begun, peak,
                        *texts)


def resident_bytes(pid: int) -> int:
    """Sum of the resident memory of a process and of all below it; 0 where there is no /proc."""
    pages: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir() if _PROC.is_dir() else ():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        pages[int(folder.name)] = int(fields[_RESIDENT_PAGES])
        children.setdefault(int(fields[_PARENT]), []).append(int(folder.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += pages.get(one, 0)
        waiting += children.get(one, [])
    return total * os.sysconf("SC_PAGE_SIZE") if total else 0


def _cpu_of_ended_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
