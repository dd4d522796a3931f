"""Images a second: our one pass against CleanVision, on the same folder, in one run, in turn.

    make bench ARGS="FOLDER [ROUNDS]"

Without a folder, the demo's digits. Ours reads, verifies, hashes, measures, and writes thumbnail
and model tensor; CleanVision computes its pixel issues and hashes. Both may use all cores.
"""

from __future__ import annotations

import contextlib
import io
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from audit.engines import map_isolated
from audit.imagestore import TensorStore
from audit.ingest import open_dataset
from audit.measures import MeasureImage
from pipelines.build_demo import build_demo
from pipelines.settings import available_cores

TENSOR_SIDE = 160


def measure_ours(folder: Path) -> int:
    paths = open_dataset(folder).manifest["path"].tolist()
    with tempfile.TemporaryDirectory() as work:
        tensors = TensorStore.create(Path(work) / "tensors.npy", len(paths), TENSOR_SIDE)
        answers = list(map_isolated(MeasureImage(tensors), enumerate(paths),
                                    workers=available_cores(), timeout_s=60))
    return len(answers)


def measure_cleanvision(folder: Path) -> int:
    from cleanvision import Imagelab  # noqa: PLC0415 - the peer, an extra

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(data_path=str(folder))
        lab.find_issues(n_jobs=available_cores(), verbose=False)
    return len(lab.issues)


def timed(function, folder: Path) -> tuple[int, float]:
    begun = time.perf_counter()
    count = function(folder)
    return count, time.perf_counter() - begun


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary) / "digits"
            build_demo(folder)
            for broken in folder.rglob("*.jpg"):  # CleanVision stops at a broken file
                broken.unlink()
            for empty in [path for path in folder.rglob("*.png") if not path.stat().st_size]:
                empty.unlink()
        rates: dict[str, list[float]] = {"image-audit": [], "cleanvision": []}
        for _ in range(rounds):
            for name, function in (("image-audit", measure_ours),
                                   ("cleanvision", measure_cleanvision)):
                count, seconds = timed(function, folder)
                rates[name].append(count / seconds)
    print(f"{folder.name}, {count} images, {available_cores()} cores, {platform.machine()}, "
          f"Python {platform.python_version()}, {rounds} rounds in turn")
    for name, values in rates.items():
        print(f"{name:12} {statistics.median(values):8.0f} images/s "
              f"({min(values):.0f} to {max(values):.0f})")
    ratio = statistics.median(ours / theirs for ours, theirs
                              in zip(rates["image-audit"], rates["cleanvision"], strict=True))
    print(f"ratio        {ratio:8.1f}")


if __name__ == "__main__":
    main()
