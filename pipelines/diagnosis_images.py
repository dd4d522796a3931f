"""The images that a diagnosis is made on: some of the user's, squeezed into squares; or digits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from audit.diagnosis.dataset import Images, split
from audit.errors import UnauditableError, UsageError
from audit.formats import EXTENSIONS
from audit.ingest import open_dataset
from audit.places import is_remote
from audit.remote import read_file

if TYPE_CHECKING:
    from audit.places import Place


def read_images(data: Place, labels: Place | None, column: str, side: int, most: int, seed: int,
                ) -> tuple[Images, int]:
    """Read some of the images, squeezed into squares, and put some aside to judge by.

    Returns:
        The images, and how many there are in all. What cannot be read is left out.

    Raises:
        UnauditableError: fewer than two classes have two images that can be read.
    """
    manifest = open_dataset(data, labels, column).manifest
    manifest = manifest[~manifest["split"].isin(["val", "test"])]
    total = len(manifest)
    if total > most:
        manifest = manifest.groupby("given_label", group_keys=False).sample(
            frac=most / total, random_state=seed)
    pictures, given = [], []
    for path, label in zip(manifest["path"], manifest["given_label"], strict=True):
        try:
            file = io.BytesIO(read_file(path)) if is_remote(path) else path
            with Image.open(file, formats=list(EXTENSIONS)) as image:
                image.draft("RGB", (side, side))
                upright = ImageOps.exif_transpose(image).convert("RGB")
                pictures.append(np.asarray(upright.resize((side, side), Image.Resampling.BOX)))
                given.append(label)
        except UsageError:  # a store that does not answer is no fault of the picture
            raise
        except Exception:  # noqa: BLE001, S112 - whatever a decoder raises; the audit tells of it
            continue
    counts = {name: given.count(name) for name in set(given)}
    classes = tuple(sorted(name for name, count in counts.items() if count > 1))
    if len(classes) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        raise UnauditableError(f"{data} has {len(classes)} class{'es' * (len(classes) != 1)} with "
                               "two images that can be read. Two are needed to tell them apart.")
    kept = [row for row, name in enumerate(given) if name in classes]
    number = {name: place for place, name in enumerate(classes)}
    return split(np.stack([pictures[row] for row in kept]),
                 np.array([number[given[row]] for row in kept], np.int64), classes, seed), total


def digits_for(classes: int, seed: int) -> Images:
    """Real digits of so many classes, at most ten: images that are known to be learned easily."""
    digits = load_digits()
    wanted = digits.target < max(2, classes)
    small = (digits.images[wanted] * (255 / 16)).astype(np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(one).convert("RGB").resize((32, 32)))
                         for one in small])
    names = tuple(str(one) for one in range(max(2, classes)))
    return split(pictures, digits.target[wanted].astype(np.int64), names, seed)
