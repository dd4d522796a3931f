"""Images a second: our measuring against CleanVision, on the same folders, in one run, in turn.

    make bench ARGS="FOLDER [FOLDER ...] [--rounds 3] [--workers 2] [--decode-limit]"

Without a folder, the demo's digits. Ours starts its workers, reads, verifies, hashes and measures
each image, and writes its thumbnail and its tensor for the model; CleanVision looks for all its
default issues. Both then tell which images are duplicates by their hashes: the same file, and the
same perceptual hash. What confirming near duplicates on pixels adds to ours is given apart.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import statistics
import tempfile
import time
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import pandas as pd
import simplejpeg

from audit import tables
from audit.engines import map_isolated
from audit.formats import IMAGE_EXTENSIONS
from audit.imagestore import TensorStore, ThumbnailWriter
from audit.measures import UNREADABLE, MeasureImage
from audit.representations.duplicates import find_pairs
from pipelines.build_demo import build_demo

TENSOR_SIDE = 160
HASHES = ("file_sha256", "pixel_hash", "perceptual_hash")


def images_of(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*")
                  if path.suffix.lower() in IMAGE_EXTENSIONS)


def cpu_seconds() -> float:
    """Of this process and its children: on a machine that is not idle, the better measure."""
    return sum(os.times()[:4])


def measure_ours(folder: Path, workers: int, times: dict[str, float]) -> None:
    """Seconds until all is measured and duplicates by hash are known; and for confirming them."""
    begun, cpu_begun = time.perf_counter(), cpu_seconds()
    paths = images_of(folder)
    with tempfile.TemporaryDirectory() as work:
        tensors = TensorStore.create(Path(work) / "tensors.npy", len(paths), TENSOR_SIDE)
        thumbnails = ThumbnailWriter(Path(work) / "thumbnails.bin", len(paths))
        rows: list[dict[str, object]] = [{}] * len(paths)
        for _, one in map_isolated(MeasureImage(tensors), enumerate(paths), workers=workers,
                                   timeout_s=60):
            rows[one.row] = one.measures
            thumbnails.write(one.row, one.thumbnail)
        thumbnails.close()
        images = tables.make(tables.MEASURES, rows)
        for column in HASHES:
            known = images.loc[images[column] != "", column]
            known[known.duplicated(keep=False)].groupby(known).groups  # noqa: B018 - is computed
        measured = time.perf_counter()
        times["image-audit cpu"] = cpu_seconds() - cpu_begun
        find_pairs(images, tensors, None)
    times["image-audit"] = measured - begun
    times["confirming"] = time.perf_counter() - measured
    if (images["status"] == UNREADABLE).any():
        print(f"  {(images['status'] == UNREADABLE).sum()} images could not be read")


def measure_cleanvision(folder: Path, workers: int, times: dict[str, float]) -> None:
    from cleanvision import Imagelab  # noqa: PLC0415 - the peer, an extra

    begun, cpu_begun = time.perf_counter(), cpu_seconds()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(data_path=str(folder))
        lab.find_issues(n_jobs=workers, verbose=False)
    times["cleanvision"] = time.perf_counter() - begun
    times["cleanvision cpu"] = cpu_seconds() - cpu_begun


def read_and_decode(path: str, part: int) -> int:
    """What no pass over a photo can do without: at full size, or at a half of it."""
    data = Path(path).read_bytes()
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    return len(simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height // part),
                                      min_width=-(-width // part)))


def decode_limit(folder: Path, workers: int, part: int) -> float:
    """Images a second of nothing but reading and decoding, with as many processes."""
    paths = images_of(folder)
    with Pool(workers) as pool:
        pool.map(partial(read_and_decode, part=part), paths[:workers], chunksize=1)  # is started
        begun = time.perf_counter()
        pool.map(partial(read_and_decode, part=part), paths, chunksize=64)
        return len(paths) / (time.perf_counter() - begun)


def compare(folder: Path, rounds: int, workers: int, *, with_limit: bool) -> None:
    count = len(images_of(folder))
    measured = []
    for _ in range(rounds):
        times: dict[str, float] = {}
        measure_ours(folder, workers, times)
        measure_cleanvision(folder, workers, times)
        if with_limit:
            times |= {f"limit {part}": decode_limit(folder, workers, part) for part in (1, 2)}
        measured.append(times)
    table = pd.DataFrame(measured)
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{folder}: {count} images, {workers} workers, {rounds} rounds in turn; load {load}")
    for name in ("image-audit", "cleanvision"):
        print(f"  {name:12}{count / table[name].min():8.0f} images/s at best"
              f"{count / table[name].median():8.0f} median   {table[name].median():.2f} s, "
              f"{table[f'{name} cpu'].median():.2f} s of processors")
    ratios = table["cleanvision"] / table["image-audit"]
    best = table["cleanvision"].min() / table["image-audit"].min()
    print(f"  ratio       {best:8.1f} of the best {statistics.median(ratios):9.1f} median")
    cpu_ratio = statistics.median(table["cleanvision cpu"] / table["image-audit cpu"])
    print(f"  ratio of the processors' time {cpu_ratio:.1f} median")
    for part in (1, 2) if with_limit else ():
        limit = table[f"limit {part}"]
        print(f"  reading and decoding alone at 1/{part}: {limit.median():.0f} images/s; ours is "
              f"{statistics.median(count / table['image-audit'] / limit):.0%} of it, median")
    confirmed = table["image-audit"] + table["confirming"]
    print(f"  with near duplicates confirmed on pixels (+{table['confirming'].median():.2f} s): "
          f"ratio {statistics.median(table['cleanvision'] / confirmed):.1f} median", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--decode-limit", action="store_true",
                        help="measure reading and decoding alone too (JPEG only)")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as temporary:
        if not given.folders:
            folder = Path(temporary) / "digits"
            build_demo(folder)
            for broken in folder.rglob("*.jpg"):  # CleanVision stops at a broken file
                broken.unlink()
            for empty in [path for path in folder.rglob("*.png") if not path.stat().st_size]:
                empty.unlink()
            given.folders = [folder]
        for folder in given.folders:
            compare(folder, given.rounds, given.workers, with_limit=given.decode_limit)


if __name__ == "__main__":
    main()
