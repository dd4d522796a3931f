"""How often does the callback `Watch` speak, of trainings that go well and of those that do not?

    python -m benchmarks.watch_faults [--half tuning|final] [--workers N]

Each configuration of `benchmarks.fault_configurations` whose data are sound is trained once with
the callback and held-out images, as its owner would. It is watched from within: unlike
`audit diagnose` it knows no other network, and tries nothing. A training counts as failed if it
ends below half of what its healthy network reaches.
"""

from __future__ import annotations

import argparse
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from audit.diagnosis.dataset import shape_inputs
from audit.diagnosis.experiment import predicted
from audit.training import Watch
from benchmarks.diagnose_faults import images_of
from benchmarks.fault_configurations import CONFIGURATIONS, MEASURED, targets

HALF_AS_GOOD = 0.5
FAULTS = {"no_number", "runs_away", "stands_still", "swings"}


def watched(name: str, seed: int) -> dict[str, Any]:
    one = next(each for each in CONFIGURATIONS if each.name == name)
    images = images_of(one, seed)
    model = one.build()
    inputs = shape_inputs(images.pictures, model, 1.0)
    lines: list[str] = []
    watch = Watch(images=inputs[images.judged[:64]], say=lines.append)
    parts = [(inputs[rows], targets(model, images.labels[rows]))
             for rows in (images.learned, images.judged)]
    failure = ""
    try:
        model.fit(*parts[0], validation_data=parts[1], epochs=one.epochs,
                  batch_size=one.batch_size, verbose=0, callbacks=[watch])
    except Exception as error:  # noqa: BLE001 - what a configuration raises is told too
        failure = type(error).__name__
    scores = model.predict(parts[1][0], verbose=0, batch_size=256)
    right = predicted(scores, "softmax", len(images.classes)) == images.labels[images.judged]
    return {"name": name, "truth": list(one.causes), "healthy": one.healthy,
            "right": float(np.mean(right)), "told": sorted(set(watch.told) & FAULTS),
            "lines": lines, "failure": failure}


def main() -> None:
    """Train all, and report."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("tuning", "final"), default=None)
    parser.add_argument("--workers", type=int, default=1, help="trainings at once")
    chosen = parser.parse_args()
    names = [one.name for one in CONFIGURATIONS
             if one.spoil is None and chosen.half in (None, one.half)]
    with get_context("spawn").Pool(chosen.workers, maxtasksperchild=12) as pool:
        rows = list(pool.imap_unordered(partial(watched, seed=0), names))
    healthy = [one for one in rows if not one["truth"]]
    failed = [one for one in rows
              if one["truth"] and one["right"] < HALF_AS_GOOD * MEASURED[one["healthy"]]]
    for words, some in (("healthy", healthy), ("failed", failed)):
        told = [one for one in some if one["told"]]
        print(f"{words}: it spoke of {len(told)} of {len(some)}")
        for one in some:
            if bool(one["told"]) == (words == "healthy"):
                print(f"  {one['name']}: {one['right']:.2f} {one['failure']} "
                      f"{'; '.join(one['lines'])}")


if __name__ == "__main__":
    main()
