"""A made-up dataset of any size as it is after measuring, with faults that are known.

Each image is a point in 32 dimensions: its class's centre and noise. Its embedding (128 columns) is
that point turned and bent, its picture a pattern of 8 x 8 patches that the point has a part in, and
its perceptual hash is that of the picture. A share of the images are copies of others: half of them
with the same file or the same pixels, half of them nearly (noise on the picture and on the point).
A share of the labels is replaced by another class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from audit.imagestore import TensorStore, Thumbnails
from audit.measures.hashes import _DCT

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 32
COPIES, WRONG = 0.04, 0.05
_POINT, _COLUMNS = 32, 128
_SPREAD = 3.4
"""Length of a class's centre, in standard deviations of its images: told right nine times in ten
where there are 50 classes."""

_CHUNK = 20_000
_THUMBNAILS = 500


@dataclass(frozen=True)
class MadeUp:
    """Images, and what was planted.

    Attributes:
        images: manifest and measures, `(n)` rows.
        embeddings: `(n, 128)`.
        source_of: `(n,)` row that an image is a copy of; its own where it is none.
        is_exact: `(n,)` copies of which file or pixels are the same.
        is_wrong: `(n,)` images whose given label was replaced.
    """

    images: pd.DataFrame
    embeddings: NDArray[np.float32]
    tensors: TensorStore
    thumbnails: Thumbnails
    source_of: NDArray[np.int64]
    is_exact: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]


def make_up(count: int, classes: int, folder: Path, seed: int = 0) -> MadeUp:
    """Make a dataset of `count` images; its pictures are written into `folder`."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, count)
    order = random.permutation(count)
    copies = order[:round(COPIES * count)]
    source_of = np.arange(count)
    source_of[copies] = random.choice(order[len(copies):], len(copies))
    true = true[source_of]
    is_exact = np.zeros(count, bool)
    is_exact[copies[:len(copies) // 2]] = True
    is_wrong = random.random(count) < WRONG
    given = np.where(is_wrong, (true + random.integers(1, classes, count)) % classes, true)

    shapes = np.random.default_rng(seed + 4)  # the same classes, however many the images
    centres = shapes.normal(size=(classes, _POINT))
    centres *= _SPREAD / np.linalg.norm(centres, axis=1, keepdims=True)
    turn = shapes.normal(size=(_POINT, _COLUMNS)).astype(np.float32) / _POINT**0.5
    patches = shapes.normal(size=(_POINT, 64)).astype(np.float32) / _POINT**0.5
    embeddings = np.empty((count, _COLUMNS), np.float32)
    hashes = np.empty(count, np.uint64)
    tensors = TensorStore.create(folder / "tensors.bin", count, SIDE)
    tints = shapes.uniform(0.8, 1.2, (classes, 3)).astype(np.float32)
    drawn = np.random.default_rng(seed + 1)
    for start in range(0, count, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, count))
        # An image is drawn from the number of its source, and a copy is so the same but for noise.
        points = centres[true[rows]] + _normal(source_of[rows], _POINT, seed + 1)
        nearly = (source_of[rows] != rows) & ~is_exact[rows]
        points[nearly] += 0.02 * drawn.normal(size=(int(nearly.sum()), _POINT))
        points = points.astype(np.float32)
        bent = np.tanh(points @ turn) + 0.2 * (points @ turn)
        embeddings[rows] = bent + 0.02 * _normal(source_of[rows], _COLUMNS, seed + 2)
        pattern = 0.5 * points @ patches + _normal(source_of[rows], 64, seed + 3)
        pattern[nearly] += 0.05 * drawn.normal(size=(int(nearly.sum()), 64))
        grey = np.clip(128 + 45 * pattern, 0, 255).astype(np.float32).reshape(-1, 8, 8)
        hashes[rows] = _write_pictures(tensors, rows, grey, tints[true[rows]])
    images = _table(count, classes, given, hashes, source_of, is_exact, random)
    return MadeUp(images, embeddings, tensors, _thumbnails(tensors, folder, count), source_of,
                  is_exact, is_wrong)


def _normal(rows: NDArray[np.int64], columns: int, seed: int) -> NDArray[np.float32]:
    """Normal numbers that hang on the row alone: a counter, mixed as SplitMix64 does."""
    counter = rows.astype(np.uint64)[:, None] * np.uint64(columns) + np.arange(
        columns, dtype=np.uint64) + np.uint64(seed << 40)
    uniform = [((_mixed(2 * counter + np.uint64(part)) >> np.uint64(11)).astype(np.float64) + 0.5)
               / 2**53 for part in (0, 1)]
    return (np.sqrt(-2 * np.log(uniform[0])) * np.cos(2 * np.pi * uniform[1])).astype(np.float32)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _write_pictures(tensors: TensorStore, rows: NDArray[np.int64], grey: NDArray[np.float32],
                    tints: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Write the pictures; their perceptual hashes as `audit.measures.hashes` has them."""
    colours = np.clip(grey[..., None] * tints[:, None, None, :], 0, 255).astype(np.uint8)
    luma = np.empty((len(rows), SIDE, SIDE), np.float32)
    for place, row in enumerate(rows.tolist()):
        picture = cv2.resize(colours[place], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        tensors.write(row, picture)
        luma[place] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    low = (_DCT @ luma @ _DCT.T).reshape(len(rows), 64)
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _table(count: int, classes: int, given: NDArray[np.int64], hashes: NDArray[np.uint64],
           source_of: NDArray[np.int64], is_exact: NDArray[np.bool_],
           random: np.random.Generator) -> pd.DataFrame:
    names = np.array([f"class_{number:03d}" for number in range(classes)], object)
    splits = np.where(random.random(count) < 0.8, "train", "test").astype(object)  # noqa: PLR2004
    pixels = np.where(is_exact, source_of, np.arange(count))
    same_file = is_exact & (np.arange(count) % 2 == 0)
    files = np.where(same_file, source_of, np.arange(count))
    labels = names[given]
    image_ids = [f"{split}/{label}/{row:07d}.jpg"
                 for row, (split, label) in enumerate(zip(splits, labels, strict=True))]
    brightness = random.normal(0.5, 0.1, count)
    text = {
        "image_id": image_ids, "path": [f"photos/{name}" for name in image_ids],
        "split": splits, "given_label": labels, "group": [""] * count, "status": ["ok"] * count,
        "problem_kind": [""] * count, "problem": [""] * count,
        "file_sha256": [f"{_hash(row):016x}" * 4 for row in files.tolist()],
        "pixel_hash": [f"{_hash(row):016x}" * 2 for row in pixels.tolist()],
        "perceptual_hash": [f"{one:016x}" for one in hashes.tolist()],
        "format": ["JPEG"] * count, "extension": [".jpg"] * count, "mode": ["RGB"] * count}
    numbers = {
        "file_bytes": random.integers(20_000, 60_000, count),
        "jpeg_quality": random.choice([75.0, 90.0, 95.0], count),
        "exif_orientation": np.ones(count, np.int64), "is_animated": np.zeros(count, bool),
        "width": random.choice([400, 500, 640], count), "height": np.full(count, 480),
        "brightness_p01": brightness - 0.35, "brightness_p05": brightness - 0.3,
        "brightness_p50": brightness, "brightness_p95": brightness + 0.3,
        "brightness_p99": brightness + 0.35,
        "sharpness": random.normal(0.9, 0.08, count).clip(0, 1),
        "contrast": random.normal(50, 10, count), "entropy": random.normal(7, 0.5, count),
        "colourfulness": random.normal(90, 15, count).clip(0)}
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in text.items()}
                        | numbers)


def _hash(row: int) -> int:
    return int(_mixed(np.array([row + 1], np.uint64))[0])


def _thumbnails(tensors: TensorStore, folder: Path, count: int) -> Thumbnails:
    """JPEGs of the first pictures, which stand for the others too: what is read is as much."""
    path = folder / "thumbnails.bin"
    spans = np.zeros((count, 2), np.int64)
    with path.open("wb") as file:
        for row, picture in enumerate(tensors.read(np.arange(min(_THUMBNAILS, count)), 128)):
            encoded = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
            spans[row::_THUMBNAILS] = file.tell(), len(encoded)
            file.write(encoded)
    return Thumbnails(path, spans)
