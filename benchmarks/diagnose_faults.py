"""How often is the diagnosis right, and how often does it alarm on what is healthy?

    python -m benchmarks.diagnose_faults --half tuning --out FILE.jsonl [--audit] [--workers N]

Each configuration of `benchmarks.fault_configurations` is diagnosed: the model on its images, of
which the part to learn from is spoiled where the fault is one of the data. What was diagnosed
before stands in FILE and is not done again. `--audit` has the data audited too (wrong labels),
which takes 15 s each. At the end the figures, of all that stands in FILE.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from audit.diagnosis.conclude import conclude
from audit.diagnosis.control import halved_control, shuffled_control
from audit.diagnosis.data import causes_in_data
from audit.diagnosis.dataset import Images, split
from audit.diagnosis.diagnose import Budget, diagnose
from audit.diagnosis.subject import Regime, Subject
from benchmarks.fault_configurations import CONFIGURATIONS, MEASURED, Configuration, load
from pipelines.audit_dataset import audit_dataset
from pipelines.progress import Stages
from pipelines.settings import Settings

HEALTHY = "healthy"
DATA = {"label_noise", "too_few_images", "imbalance", "no_signal"}
"""Causes that no change of the model mends."""

BACK = 0.8
"""Of the healthy model's mean recall, that a proposed fix must bring back."""


def images_of(one: Configuration, seed: int) -> Images:
    pictures, labels, classes = load(one.dataset)
    images = split(pictures, np.asarray(labels, np.int64), tuple(classes), seed)
    if one.spoil is None:
        return images
    spoiled, given = one.spoil(images.pictures[images.learned], images.labels[images.learned],
                               np.random.default_rng(seed))
    count = len(given)
    return replace(images, pictures=np.concatenate([spoiled, images.pictures[images.judged]]),
                   labels=np.concatenate([given, images.labels[images.judged]]).astype(np.int64),
                   learned=np.arange(count), judged=count + np.arange(len(images.judged)))


def summary_of(images: Images) -> dict[str, Any]:
    """The summary of a short audit of the images that are learned from."""
    with tempfile.TemporaryDirectory() as folder:
        for row in images.learned.tolist():
            place = Path(folder) / "data" / f"class {images.labels[row]:02d}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.pictures[row]).save(place / f"{row}.png")
        done = audit_dataset(Settings(data=Path(folder) / "data", out=Path(folder) / "run",
                                      backbone="patches", effort="low"),
                             Stages(Console(quiet=True)))
        found: dict[str, Any] = json.loads((done.path / "summary.json").read_text("utf-8"))
        return found


def diagnosed(one: Configuration, seed: int, *, audits: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    images = images_of(one, seed)
    found = diagnose(Subject(one.name, one.build, Regime(one.epochs, one.batch_size)), images, seed,
                     Budget())
    shuffled = shuffled_control(images, found.reference, seed, Budget())
    halved = halved_control(images, found.reference, seed, Budget())
    told = conclude(found, causes_in_data(images, found.reference, shuffled, halved,
                                          summary_of(images) if audits else None))
    return {"name": one.name, "half": one.half, "truth": list(one.causes), "blame": told.blame,
            "healthy": one.healthy, "own": found.as_it_is.recall,
            "reference": found.reference.recall,
            "told": [cause.key for cause in told.causes],
            "after": told.causes[0].after if told.causes else None,
            "trials": [[trial.suspicion.cause, round(trial.suspicion.prior, 2),
                        round(trial.recovered, 2), trial.is_verified, trial.untried[:60]]
                       for trial in found.trials],
            "learned": [found.as_it_is.learned, found.reference.learned],
            "losses": [round(epoch.loss, 4) for epoch in found.as_it_is.epochs],
            "seconds": round(time.perf_counter() - begun, 1)}


def by_name(name: str, *, audits: bool) -> dict[str, Any]:
    return diagnosed(next(one for one in CONFIGURATIONS if one.name == name), 0, audits=audits)


def report(rows: list[dict[str, Any]]) -> None:
    """Faults found, right causes first, false alarms, and fixes that bring recall back."""
    healthy = [one for one in rows if not one["truth"]]
    faulty = [one for one in rows if one["truth"]]
    alarms = [one for one in healthy if one["told"]]
    detected = [one for one in faulty if one["told"]]
    first = [one for one in faulty if one["told"][:1] and one["told"][0] in one["truth"]]
    print(f"healthy: {len(alarms)} alarms of {len(healthy)}: "
          f"{', '.join(one['name'] for one in alarms)}")
    if not faulty:
        return
    print(f"faulty: {len(detected)} of {len(faulty)} detected "
          f"({len(detected) / len(faulty):.2f}), the right cause first in {len(first)} "
          f"({len(first) / len(faulty):.2f})")
    # Of a network that is in the other half, what whoever wrote the configurations measured.
    best = MEASURED | {one["name"]: one["own"] for one in healthy}
    fixed = [one for one in detected if not set(one["truth"]) & DATA ]
    back = [one for one in fixed if (one["after"] or 0) >= BACK * best[one["healthy"]]]
    if fixed:
        print(f"the fix of the first cause, applied, brings back {BACK:.0%} of the healthy recall "
              f"in {len(back)} of {len(fixed)} detected faults of model and settings "
              f"({len(back) / len(fixed):.2f})")
    by_cause = defaultdict(list)
    for one in faulty:
        by_cause[one["truth"][0]].append(one)
    for cause, own in sorted(by_cause.items()):
        right = sum(one["told"][:1] != [] and one["told"][0] in one["truth"] for one in own)
        missed = [f"{one['name']} → {one['told'][:2]}" for one in own
                  if not (one["told"][:1] and one["told"][0] in one["truth"])]
        print(f"  {cause:20} {right} of {len(own)}   {'; '.join(missed)}")


def main() -> None:
    """Diagnose what was not diagnosed before, and report."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("tuning", "final"), default="tuning")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--only", default="", help="regular expression of names")
    parser.add_argument("--workers", type=int, default=1, help="configurations at once")
    parser.add_argument("--every", type=int, default=1, help="take one of so many")
    chosen = parser.parse_args()
    rows = ([json.loads(line) for line in chosen.out.read_text("utf-8").splitlines()]
            if chosen.out.is_file() else [])
    done = {one["name"] for one in rows}
    wanted = [one.name for one in CONFIGURATIONS
              if one.half == chosen.half and re.search(chosen.only, one.name)][::chosen.every]
    task = partial(by_name, audits=chosen.audit)
    # A process each few configurations: TensorFlow gives no memory back.
    with get_context("spawn").Pool(chosen.workers, maxtasksperchild=8) as pool:
        for found in pool.imap_unordered(task, [name for name in wanted if name not in done]):
            rows.append(found)
            with chosen.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(found["name"], found["truth"], "→", found["told"][:3],
                  f"{found['own']:.2f} / {found['reference']:.2f}", found["seconds"], "s",
                  flush=True)
    report(rows)


if __name__ == "__main__":
    main()
