"""Audits that are killed (SIGKILL) at random moments, and then run again: do they find the same?

    python -m benchmarks.kill_audits FOLDER [--kills 10] [--seed 0] [--options "--effort low"]

An unbroken audit first, with a cache of its own. Then, for each kill, an audit with an empty cache
is killed at a random moment of the time the unbroken one took, and the same command is given
again. Then two audits of the same data at once, with one cache. All must write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAME = ("findings.csv", "findings.parquet", "images.csv", "images.parquet", "summary.json",
        "pred_probs.parquet", "embeddings.npy", "measures.parquet")


def start(data: Path, out: Path, cache: Path, options: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "run", str(data), "--out", str(out), *options],
        env={**os.environ, "IMAGE_AUDIT_CACHE": str(cache)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(process: subprocess.Popen[bytes], name: str) -> None:
    if process.wait() != 0:
        raise SystemExit(f"{name} ended with {process.returncode}")


def different(one: Path, other: Path) -> list[str]:
    return [name for name in SAME if (one / name).exists()
            and (one / name).read_bytes() != (other / name).read_bytes()]


def told(run: Path) -> str:
    about = json.loads((run / "run.json").read_text())
    return "; ".join(about["reused"]) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=shlex.split, default=[], help="of audit run")
    given = parser.parse_args()
    moments = random.Random(given.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        begun = time.perf_counter()
        finish(start(given.data, base / "unbroken", base / "cache", given.options), "the unbroken")
        whole = time.perf_counter() - begun
        print(f"unbroken: {whole:.1f} s", flush=True)
        for number in range(given.kills):
            out, cache = base / f"run-{number}", base / f"cache-{number}"
            moment = moments.uniform(0, whole)
            process = start(given.data, out, cache, given.options)
            try:
                process.wait(moment)
                state = "had ended"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                state = "killed"
                if (out / "run.json").exists():
                    raise SystemExit("a killed audit looks like a finished one") from None
            begun = time.perf_counter()
            finish(start(given.data, out, cache, given.options), f"run {number}")
            seconds = time.perf_counter() - begun
            wrong = different(base / "unbroken", out)
            failed += bool(wrong)
            print(f"{state} at {moment:5.1f} s, again {seconds:5.1f} s, reused: {told(out)}"
                  f"{' DIFFERENT: ' + ', '.join(wrong) if wrong else ''}", flush=True)
        both = [start(given.data, base / name, base / "cache-both", given.options)
                for name in ("both-1", "both-2")]
        for number, process in enumerate(both, 1):
            finish(process, f"the {number}. of two at once")
            wrong = different(base / "unbroken", base / f"both-{number}")
            failed += bool(wrong)
            print(f"{number}. of two at once: {'DIFFERENT ' + str(wrong) if wrong else 'the same'}")
    print(f"{given.kills} kills, 2 at once: {failed} different")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
