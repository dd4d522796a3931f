"""How well each class is told from measures of the files alone, without their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.checks._sets import image_sets
from audit.types import NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from audit.types import Evidence

FILE = ("width", "height", "aspect_ratio", "format", "extension", "mode", "jpeg_quality",
        "is_animated", "exif_orientation")
"""What a file is, whatever its picture shows."""

LOOK = ("brightness_p05", "brightness_p50", "brightness_p95", "contrast", "sharpness",
        "colourfulness", "file_bytes", "bytes_per_pixel")
"""What may be the honest look of a class. A file's bytes are among them: at one size and quality
they measure texture. Alone they tell a class of honest hands with skill 0.22, the digit 1 with
0.67."""

DERIVED = {"aspect_ratio": ("width", "height"), "bytes_per_pixel": ("file_bytes", "width",
                                                                    "height")}
MOST_IMAGES = 4_000
"""A share of one in ten of these is known to 2.5 points (95 %), and 10 classes take a second."""

FOLDS = 5
LEAST_LEAF = 10
"""Fewest images a leaf is learned from: a size that one image alone has tells nothing."""

PERMUTATIONS = 1_000


@dataclass(frozen=True)
class Metadata:
    """Columns of m images in the order of image_id, each class with as many as others if it can.

    Attributes:
        features: column → `(m,)` numbers; text is numbered in alphabetical order.
        labels: `(m,)` places in `classes`.
        folds: `(m,)`; what belongs together shares a fold.
        classes: names of the classes, at least two, all of them among the labels.
        seed: of the tree and the permutations.
    """

    features: Mapping[str, NDArray[np.float64]]
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]
    classes: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Told:
    """How well each class is told out of fold.

    Attributes:
        recall: `(c,)` share of a class's images that are told to be of it.
        false_rate: `(c,)` share of all other images that are taken for it.
        p_value: `(c,)` how often permuted labels have any class told as well as this one.
    """

    recall: NDArray[np.float64]
    false_rate: NDArray[np.float64]
    p_value: NDArray[np.float64]

    @property
    def skill(self) -> NDArray[np.float64]:
        """`(c,)` recall less false rate: 0 by chance, 1 for certain.

        Informedness: Powers, "Evaluation: from precision, recall and F-measure to ROC,
        informedness, markedness and correlation" (2011). Where classes are equally large its
        mean is the balanced accuracy above chance, as a share of what is possible.
        """
        return self.recall - self.false_rate


def read_metadata(evidence: Evidence) -> Metadata:
    """Columns, labels and folds of the readable images, or of `MOST_IMAGES` of them.

    Raises:
        NotApplicableError: there is nothing to tell apart, or nothing to learn it from.
    """
    images = evidence.images
    folds = _leak_safe_folds(evidence)
    rows = np.flatnonzero((images["status"] != "unreadable").to_numpy() & (folds >= 0))
    rows = rows[np.argsort(images["image_id"].to_numpy()[rows], kind="stable")]
    rows = rows[_even_sample(images["given_label"].iloc[rows], evidence.seed)]
    classes, labels = np.unique(images["given_label"].to_numpy(object)[rows], return_inverse=True)
    if len(classes) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        raise NotApplicableError("readable images of fewer than 2 classes")
    if len(np.unique(folds[rows])) < 2:  # noqa: PLR2004 - to learn from, and to predict
        raise NotApplicableError("too few images to learn from some and tell the class of others")
    return Metadata(_features(images.iloc[rows]), labels.astype(np.int64), folds[rows],
                    tuple(classes.tolist()), evidence.seed)


def tell(metadata: Metadata, columns: Sequence[str], permutations: int = PERMUTATIONS) -> Told:
    """Learn the class from these columns, tell it out of fold, and count.

    Args:
        metadata: of the images.
        columns: of `Metadata.features`.
        permutations: of the labels, for the p-values; with 0 they are all 1.
    """
    labels, predicted = metadata.labels, _predict(metadata, columns)
    recall, false_rate = _rates(labels, predicted, len(metadata.classes))
    random = np.random.default_rng(metadata.seed)
    best = np.empty(permutations)
    for index in range(permutations):  # as in _signal: each prediction was made without its label
        rates = _rates(random.permutation(labels), predicted, len(metadata.classes))
        best[index] = (rates[0] - rates[1]).max()
    reached = (best[:, None] >= (recall - false_rate)[None] - 1e-12).sum(axis=0)
    return Told(recall, false_rate, (1 + reached) / (1 + permutations))


def _predict(metadata: Metadata, columns: Sequence[str]) -> NDArray[np.int64]:
    """Out-of-fold predictions of one small tree, all classes of equal weight."""
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - slow to import

    known = [metadata.features[name] for name in columns]
    varying = [values for values in known if values.min() != values.max()]
    predicted = np.zeros(len(metadata.labels), np.int64)
    if not varying:  # taking all for one class has no skill
        return predicted
    table = np.column_stack(varying)
    for fold in np.unique(metadata.folds):
        inside = metadata.folds == fold
        tree = DecisionTreeClassifier(min_samples_leaf=LEAST_LEAF, class_weight="balanced",
                                      random_state=metadata.seed)
        tree.fit(table[~inside], metadata.labels[~inside])
        predicted[inside] = tree.predict(table[inside])
    return predicted


def _rates(labels: NDArray[np.int64], predicted: NDArray[np.int64], count: int,
           ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and false rate of each of `count` classes, `(count,)` each."""
    of_class = np.bincount(labels, minlength=count)
    as_class = np.bincount(predicted, minlength=count)
    hits = np.bincount(labels[labels == predicted], minlength=count)
    return hits / of_class, (as_class - hits) / (len(labels) - of_class)


def _features(images: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Numbers of each column; -1 for none (the sharpness of a flat image, the quality of a PNG)."""
    width, height = (np.maximum(images[name].to_numpy(float), 1) for name in ("width", "height"))
    features = {"aspect_ratio": width / height,
                "bytes_per_pixel": images["file_bytes"].to_numpy(float) / (width * height)}
    for name in (*FILE, *LOOK):
        if name in DERIVED:
            continue
        if pd.api.types.is_numeric_dtype(images[name]):
            features[name] = np.nan_to_num(images[name].to_numpy(float), nan=-1.0)
        else:
            features[name] = np.unique(images[name].to_numpy(object),
                                       return_inverse=True)[1].astype(float)
    return features


def _even_sample(labels: pd.Series, seed: int) -> NDArray[np.int64]:
    """At most `MOST_IMAGES` places in `labels`, ascending; large classes give way first."""
    if len(labels) <= MOST_IMAGES:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = labels.iloc[shuffled].groupby(labels.to_numpy()[shuffled]).cumcount().to_numpy()
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:MOST_IMAGES]])


def _leak_safe_folds(evidence: Evidence) -> NDArray[np.int64]:
    """Folds of the cross-validation; if it has none, own ones that keep duplicates together."""
    validation = evidence.cross_validation
    if validation is not None and (validation.folds >= 0).any():
        return validation.folds
    images = evidence.images
    together = np.arange(len(images)).astype(str).astype(object)
    for one in image_sets(evidence):
        together[list(one.rows)] = str(one.rows[0])
    groups = images["group"].to_numpy()
    together = np.where(groups != "", "group " + groups, together)
    order = np.argsort(images["image_id"].to_numpy(), kind="stable")
    first = pd.DataFrame({"label": images["given_label"].to_numpy()[order],
                          "together": together[order]}).drop_duplicates("together")
    first = first.sample(frac=1, random_state=evidence.seed)
    first["fold"] = first.groupby("label").cumcount() % FOLDS  # each class is dealt out evenly
    return first.set_index("together")["fold"].loc[together].to_numpy(np.int64)
