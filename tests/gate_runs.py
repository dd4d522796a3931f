"""Runs on digits with known faults for the tests of `audit gate`, and what spoils them."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
EVIL = "<img src=x onerror=alert(1)>"
WRONG = [f"zero/wrong{number}.png" for number in range(4)]
BROKEN = "one/broken.png"
FAILS = """[gate.allow]
skipped = ["split_leak", "sufficiency"]
[gate.class_size]
warn_below = 0
"""
PASSES = FAILS + """[gate.checks.unreadable_file]
error_if = []
[gate.checks.label]
error_if = []
each_class.error_if = []
"""
QUIET = PASSES.replace("[gate.checks.label]\n", "[gate.checks.label]\nwarn_if = []\n") + """
[gate.checks.too_few_images]
warn_if = []
"""
FORMS = ("json", "junit", "sarif", "markdown")


def audited(audit_command, base, table, embeddings, out):
    """Audit `photos` in a folder by the probabilities and embeddings of a model of its own."""
    table.to_csv(base / "probs.csv", index=False)
    embeddings.assign(image_id=table["image_id"].tolist()).to_parquet(base / "embeddings.parquet")
    ended = audit_command("run", base / "photos", "--out", base / out, "--pred-probs",
                          base / "probs.csv", "--embeddings", base / "embeddings.parquet")
    assert ended.returncode == 0, ended.stderr
    return base / out


def copied(digits, base, rename):
    """Copy the digits under other names; returns their probabilities and embeddings."""
    shutil.copytree(digits / "photos", base / "photos")
    table = pd.read_csv(digits / "probs.csv", dtype={"image_id": str})
    embeddings = pd.read_parquet(digits / "embeddings.parquet").drop(columns="image_id")
    for name in [*table["image_id"], BROKEN]:
        new = base / "photos" / rename(name)
        new.parent.mkdir(exist_ok=True)
        (base / "photos" / name).rename(new)
    table = table.assign(image_id=table["image_id"].map(rename))
    return table, embeddings


def one_line(ended, code):
    """An error of a user is one line, and ends with a code."""
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("audit: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def rewritten(path, change):
    """Change a Parquet file of a run, whose columns stay of their kinds."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    frame = table.to_pandas()
    change(frame)
    pq.write_table(pa.Table.from_pandas(frame, table.schema, preserve_index=False), path)


def edited(path, change):
    """Change a JSON file of a run."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def flip_a_byte(photos):
    path = photos / "one" / sorted(os.listdir(photos / "one"))[3]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def add_a_file(photos):
    shutil.copy(photos / WRONG[0], photos / "two" / "added.png")


def move_to_another_class(photos):
    (photos / WRONG[0]).rename(photos / "two" / "right.png")


def remove_a_file(photos):
    (photos / WRONG[0]).unlink()
