"""Many photos of one size, made of a few: each is another part of another photo, enlarged.

    python -m benchmarks.photos SOURCE FOLDER --count 20000 --size 500x375

SOURCE is a folder of photos, one sub-folder a class; FOLDER gets the same sub-folders. Noise of a
camera is added, so that a file holds as many bytes as one of a camera's at that size.
"""

from __future__ import annotations

import argparse
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image

from audit.formats import IMAGE_EXTENSIONS

NOISE = 5.0
"""Standard deviation in grey levels: 500 x 375 pixels then take 30 KiB at quality 85."""

LEAST_PART = 0.7
"""Of a photo's sides that is cut out."""


def make_one(number: int, sources: list[Path], root: Path, folder: Path, size: tuple[int, int],
             ) -> None:
    random = np.random.default_rng(number)
    source = sources[number % len(sources)]
    with Image.open(source) as file:
        photo = file.convert("RGB")
    part = random.uniform(LEAST_PART, 1)
    width, height = int(photo.width * part), int(photo.height * part)
    left = int(random.integers(0, photo.width - width + 1))
    top = int(random.integers(0, photo.height - height + 1))
    pixels = np.asarray(photo.crop((left, top, left + width, top + height)).resize(
        size, Image.Resampling.LANCZOS), np.float32)
    noisy = np.clip(pixels + random.normal(0, NOISE, pixels.shape), 0, 255).astype(np.uint8)
    target = folder / source.relative_to(root).parent / f"{number:06}.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy).save(target, quality=85)


def make_photos(root: Path, folder: Path, count: int, size: tuple[int, int]) -> None:
    sources = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS)
    with Pool() as pool:
        for _ in pool.imap_unordered(partial(make_one, sources=sources, root=root, folder=folder,
                                             size=size), range(count), chunksize=64):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))),
                        default=(500, 375))
    given = parser.parse_args()
    make_photos(given.source, given.folder, given.count, given.size)


if __name__ == "__main__":
    main()
