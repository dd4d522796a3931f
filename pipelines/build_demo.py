"""`audit demo`: scikit-learn's scanned digits as a folder, with planted and recorded faults.

The pictures are real: 1,797 handwritten digits (NIST, 8 x 8 pixels, 16 levels). Each is written as
a 48 px PNG. What is planted is written to `planted.csv` beside the class folders, `kind,image_id`
and, for wrong labels, the true class; the audit never reads it before it has finished.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from audit.errors import UsageError
from pipelines.score_demo import PLANTED_FILE
from pipelines.seed import check_seed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDE = 48
TEST_SHARE = 0.2
WRONG_SHARE = 0.05
RARE_CLASS = "9"
RARE_COUNT = 12
"""Below 0.1 / K of the images, which is where cleanlab calls a class rare."""

COPIES = 4
"""Faults of each kind that are planted one by one."""


@dataclass
class _Demo:
    """Pictures by name, `split/class/file`, and what was done to which."""

    files: dict[str, bytes] = field(default_factory=dict)
    planted: list[tuple[str, str, str]] = field(default_factory=list)  # kind, image_id, detail

    def plant(self, kind: str, name: str, content: bytes, detail: str = "") -> None:
        self.files[name] = content
        self.planted.append((kind, name, detail))


def build_demo(folder: Path, seed: int = 0) -> int:
    """Write the demo into `folder`, and return how many image files it has.

    Raises:
        UsageError: the folder is there and holds something, or the seed is out of range.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} is there already and not an empty folder. Give another, or remove it."
        raise UsageError(message)
    check_seed(seed)
    demo = _digits(np.random.default_rng(seed))
    for name, content in demo.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with (folder / PLANTED_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "image_id", "detail"])
        writer.writerows(sorted(demo.planted))
    return len(demo.files)


def _digits(random: np.random.Generator) -> _Demo:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import

    digits = load_digits()
    pictures = [_picture(array) for array in digits.images]
    labels = [str(target) for target in digits.target]
    order = random.permutation(len(labels)).tolist()
    rare = [index for index in order if labels[index] == RARE_CLASS]
    order = [index for index in order if index not in set(rare[RARE_COUNT:])]
    common = [index for index in order if labels[index] != RARE_CLASS]
    wrong = set(common[:round(WRONG_SHARE * len(common))])
    taken = iter(common[len(wrong):])  # each fault gets images of its own, rightly labelled

    demo = _Demo()
    names: dict[int, str] = {}
    for index in order:
        split = "test" if random.random() < TEST_SHARE else "train"
        given = labels[index]
        if index in wrong:
            given = str(random.choice([one for one in sorted(set(labels)) if one not in
                                       {given, RARE_CLASS}]))
        names[index] = f"{split}/{given}/digit_{index:04d}.png"
        if index in wrong:
            demo.plant("wrong label", names[index], _png(pictures[index]), labels[index])
        else:
            demo.files[names[index]] = _png(pictures[index])
    demo.planted.append(("rare class", "", RARE_CLASS))
    _plant_copies(demo, names, pictures, labels, taken)
    _plant_pixels(demo, names, pictures, taken)
    _plant_broken(demo, names, pictures, taken)
    return demo


def _plant_copies(demo: _Demo, names: dict[int, str], pictures: list[Image.Image],
                  labels: list[str], taken: Iterator[int]) -> None:
    """Copies in the same folder, under another class, and in another split."""
    for index in _next(taken):
        copy = names[index].replace(".png", "_copy.png")
        demo.plant("exact duplicate", copy, demo.files[names[index]], names[index])
    for index in _next(taken):
        copy = names[index].replace(".png", "_small.jpg")
        smaller = pictures[index].resize((40, 40), Image.Resampling.BILINEAR)
        demo.plant("near duplicate", copy, _encoded(smaller, "JPEG", quality=85), names[index])
    for index in _next(taken):
        split = names[index].split("/")[0]
        other = str((int(labels[index]) + 1) % 9)
        demo.plant("conflict", f"{split}/{other}/copy_{index:04d}.png",
                   demo.files[names[index]], names[index])
    for index in _next(taken):
        split, label, file = names[index].split("/")
        other = "train" if split == "test" else "test"
        demo.plant("leak", f"{other}/{label}/copy_{file}", demo.files[names[index]], names[index])


def _plant_pixels(demo: _Demo, names: dict[int, str], pictures: list[Image.Image],
                  taken: Iterator[int]) -> None:
    """Pictures made dark or blurry."""
    for index in _next(taken):
        dark = ImageEnhance.Brightness(pictures[index]).enhance(0.2)
        demo.plant("dark", names[index], _png(dark))
    for index in _next(taken):
        blurred = pictures[index].filter(ImageFilter.GaussianBlur(2.5))
        demo.plant("blurry", names[index], _png(blurred))


def _plant_broken(demo: _Demo, names: dict[int, str], pictures: list[Image.Image],
                  taken: Iterator[int]) -> None:
    """Files cut short, empty, and of text."""
    for index in _next(taken):
        whole = _encoded(pictures[index], "JPEG", quality=95)
        del demo.files[names[index]]
        demo.plant("truncated", names[index].replace(".png", ".jpg"), whole[:len(whole) * 2 // 3])
    for index in _next(taken):
        demo.plant("zero bytes", names[index], b"")
    for index in _next(taken):
        del demo.files[names[index]]
        demo.plant("text named .jpg", names[index].replace(".png", ".jpg"),
                   b"This is a note, not a picture.\n")


def _next(taken: Iterator[int]) -> list[int]:
    return [next(taken) for _ in range(COPIES)]


def _picture(array: np.ndarray) -> Image.Image:
    """An 8 x 8 scan of 0 to 16 as a sharp 48 px picture: each pixel becomes 6 x 6."""
    levels = np.round(array * 255 / 16).astype(np.uint8)
    return Image.fromarray(levels).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _png(picture: Image.Image) -> bytes:
    return _encoded(picture, "PNG")


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
