"""`audit gate` answers at once."""

import json
import os
import secrets
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gate_runs import (
    FORMS,
    ROOT,
)

from audit.digest import digest_of_rows
from audit.gate.policy import known_checks
from audit.gate.record import read_record

IMAGES, FLAGGED = 50_000, {"label": 2_500, "blurry": 1_500, "exact_duplicates": 1_000}


@pytest.fixture(scope="module")
def large(digits, tmp_path_factory):
    """A run of 50,000 images by hand: all checks ran, and three of them flag thousands."""
    run = tmp_path_factory.mktemp("large")
    real = digits / "run"
    labels = np.array([f"class{number % 20:02d}" for number in range(IMAGES)])
    names = np.array([f"{label}/{number:06d}.jpg" for number, label in enumerate(labels)])
    random = np.random.default_rng(0)
    flags = {code: np.sort(random.choice(IMAGES, count, replace=False))
             for code, count in FLAGGED.items()}

    def table(file, **columns):
        """With all columns that the real run's has."""
        schema = pq.read_schema(real / file)
        missing = {"string": "", "large_string": "", "double": 0.5, "bool": False, "int64": 1}
        arrays = [pa.array(columns.get(one.name, [missing[str(one.type)]] * IMAGES), one.type)
                  for one in schema]
        pq.write_table(pa.table(arrays, [one.name for one in schema]), run / file)

    hashes = [secrets.token_hex(32) for _ in range(IMAGES)]
    about = {"image_id": names, "given_label": labels, "split": [""] * IMAGES}
    table("images.parquet", **about, **{f"is_{code}_issue": np.isin(np.arange(IMAGES), rows)
                                        for code, rows in flags.items()})
    table("measures.parquet", **about, file_sha256=hashes, status=["ok"] * IMAGES)
    rows = [(code, row) for code in flags for row in flags[code]]
    pq.write_table(pa.Table.from_pylist([
        {"check": code, "about": "image", "subject": names[row], "score": 0.5, "is_flagged": True,
         "evidence": f"what was seen of image {row}", "suggestion": "look at it", "related": ""}
        for code, row in rows]), run / "findings.parquet")
    digest = digest_of_rows(hashes, labels.tolist(), about["split"])
    summary = json.loads((real / "summary.json").read_text(encoding="utf-8"))
    summary["dataset"] |= {"images": IMAGES, "classes": sorted(set(labels)), "digest": digest}
    for one in summary["checks"]:
        one |= {"status": "ok", "reason": "", "flagged": FLAGGED.get(one["code"], 0),
                "metrics": one["metrics"] or {}}
    (run / "summary.json").write_text(json.dumps(summary))
    told = json.loads((real / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps(told | {"digest": digest}))
    return run


MEASURED = """import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"""


def used(*arguments, cwd):
    """Exit code, CPU seconds and peak MiB of a Python program.

    A small one starts it: Linux counts the memory of what starts a program as the program's.
    """
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, *map(str, arguments)], cwd=cwd,
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    return json.loads(ended.stdout)


def test_50_000_images_take_a_second_and_300_mib(large, tmp_path):
    """Of the processor; on one that is busy with others an empty program takes longer too."""
    empty = min(used("-c", "pass", cwd=tmp_path)[1] for _ in range(3))
    command = ("-m", "pipelines.cli", "gate", large, "--json", "told.json")
    runs = [used(*command, cwd=tmp_path) for _ in range(3)]
    assert {code for code, *_ in runs} == {0}
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["check"]: one["count"] for one in told["checks"] if one.get("total")
            and one["count"]} == FLAGGED
    assert min(seconds for _, seconds, _ in runs) < max(1, empty / 0.015)
    assert max(peak for *_, peak in runs) < 300


def test_the_gate_imports_nothing_that_is_slow(digits, renamed, tmp_path):
    slow = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "cleanlab", "cv2", "PIL",
            "jinja2", "matplotlib"}
    options = ["gate", str(renamed), "--policy", str(digits / "fails.toml"), "--baseline",
               str(digits / "run"), "--annotate"]
    for name in FORMS:
        options += [f"--{name}", str(tmp_path / name)]
    script = f"""import sys
import pipelines.cli
try:
    pipelines.cli.app({options!r}, standalone_mode=False)
except SystemExit as ended:
    print("CODE", ended.code)
print("LOADED", *(one for one in sys.modules if "." not in one))"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True,
                           timeout=60, check=True)
    assert "CODE 0" in ended.stdout
    loaded = set(ended.stdout.rpartition("LOADED")[2].split())
    assert {"pyarrow", "numpy"} <= loaded
    assert not loaded & slow


def test_the_checks_that_a_policy_may_name_are_those_of_a_run(digits):
    assert set(known_checks()) == set(read_record(digits / "run").states)
