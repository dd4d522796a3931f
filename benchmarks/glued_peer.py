"""The peer of `compare_audits`: what a person writes who glues existing parts together.

    python benchmarks/glued_peer.py TABLE.csv SCORES.parquet [--epochs 10] [--seed 0]

CleanVision with its default issues; a Keras network of three convolutions as tutorials have it, in
5 stratified folds, for out-of-fold probabilities; cleanlab for the labels. Uses nothing of this
project and runs in a process of its own. TABLE has `image_id,path,label`; SCORES gets
`image_id,label_score,is_label_issue`. It stops at a file that cannot be read, as such scripts do.

cleanlab's part is `filter.find_label_issues` and `rank.get_label_quality_scores` at their defaults,
not Datalab: that needs the package `datasets`, which no extra of this project installs. They are
what Datalab's issue type "label" comes down to: with cleanlab 2.9 and datasets 5.2, on 5,000 rows
of made probabilities, flags and scores of `Datalab.find_issues(pred_probs=...)` were the same. Its
other default issues on probabilities (outliers, imbalance, order) took 2 s more there and are left
out, in the peer's favour.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
BATCH = 64
LEARNING_RATE = 1e-3
SMALL_SIDE, PHOTO_SIDE = 32, 64
"""Sides of the network's input: for images of at most 64 px, as CIFAR's, and for larger ones."""


def look_for_image_issues(paths: list[str]) -> None:
    from cleanvision import Imagelab  # noqa: PLC0415 - before TensorFlow, since it forks

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        Imagelab(filepaths=paths).find_issues(verbose=False)


def load_images(paths: list[str]) -> NDArray[np.uint8]:
    """All images in memory, `(n, side, side, 3)`."""
    longest = []
    for path in paths[:100]:
        with Image.open(path) as image:
            longest.append(max(image.size))
    side = PHOTO_SIDE if np.median(longest) > PHOTO_SIDE else SMALL_SIDE
    pixels = np.empty((len(paths), side, side, 3), np.uint8)
    for row, path in enumerate(paths):
        with Image.open(path) as image:
            colour = image.convert("RGB")
            pixels[row] = np.asarray(
                colour if colour.size == (side, side) else colour.resize((side, side)))
    return pixels


def network(keras: Any, side: int, classes: int) -> Any:
    layers = keras.layers
    model = keras.Sequential([keras.Input((side, side, 3)), layers.Rescaling(1 / 255)])
    for filters in (32, 64, 128):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    return model


def cross_validate(pixels: NDArray[np.uint8], labels: NDArray[np.int64], epochs: int, seed: int,
                   ) -> NDArray[np.float64]:
    """Out-of-fold probabilities, `(n, classes)`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: PLC0415 - takes seconds, which are the peer's too
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    classes = int(labels.max()) + 1
    probabilities = np.zeros((len(labels), classes))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for training, held_out in folds.split(pixels, labels):
        model = network(keras, pixels.shape[1], classes)
        model.fit(pixels[training], labels[training], batch_size=BATCH, epochs=epochs, verbose=0)
        probabilities[held_out] = model.predict(pixels[held_out], verbose=0)
    return probabilities


def judge_labels(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    from cleanlab.filter import find_label_issues  # noqa: PLC0415
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    return pd.DataFrame({"label_score": get_label_quality_scores(labels, probabilities),
                         "is_label_issue": find_label_issues(labels, probabilities)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("scores")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table = pd.read_csv(given.table, dtype=str, keep_default_na=False)
    paths = table["path"].tolist()
    labels = np.unique(table["label"], return_inverse=True)[1].astype(np.int64)

    clock = [time.perf_counter()]
    look_for_image_issues(paths)
    clock.append(time.perf_counter())
    pixels = load_images(paths)
    clock.append(time.perf_counter())
    probabilities = cross_validate(pixels, labels, given.epochs, given.seed)
    clock.append(time.perf_counter())
    scores = judge_labels(labels, probabilities)
    clock.append(time.perf_counter())
    scores.insert(0, "image_id", table["image_id"])
    scores.to_parquet(given.scores, index=False)

    cleanvision, loading, folds, cleanlab = (after - before for before, after in pairwise(clock))
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    print(f"CleanVision {cleanvision:.1f} s, images into memory at {pixels.shape[1]} px "
          f"{loading:.1f} s, {FOLDS} folds of {given.epochs} epochs {folds:.1f} s, cleanlab "
          f"{cleanlab:.1f} s; out-of-fold accuracy on the given labels {accuracy:.2f}")


if __name__ == "__main__":
    main()
