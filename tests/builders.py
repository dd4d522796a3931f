"""Builders of pictures, and of evidence that is clean or has one planted defect of every kind."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
from PIL import Image

from audit import tables
from audit.types import CrossValidation, Evidence, MeasuredCurve, Neighbours

CLEAN = {"status": "ok", "format": "JPEG", "extension": ".jpg", "mode": "RGB",
         "jpeg_quality": 90.0, "exif_orientation": 1, "width": 200, "height": 150,
         "brightness_p01": 0.05, "brightness_p05": 0.1, "brightness_p50": 0.5,
         "brightness_p95": 0.8, "brightness_p99": 0.9, "sharpness": 0.95, "contrast": 50.0,
         "entropy": 7.0, "colourfulness": 100.0}
NEIGHBOURS = 10


def png(array):
    buffer = io.BytesIO()
    picture = Image.fromarray(np.round(array * 255 / 16).astype(np.uint8))
    picture.resize((32, 32), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def images_of(labels, columns=None, splits=None):
    """Manifest and measures of clean images with these labels; `columns` replaces whole columns."""
    count = len(labels)
    names = [f"{label}/{index:04d}.jpg" for index, label in enumerate(labels)]
    manifest = tables.make(tables.MANIFEST, [
        {"image_id": name, "path": f"data/{name}", "given_label": label,
         "split": splits[index] if splits is not None else ""}
        for index, (name, label) in enumerate(zip(names, labels, strict=True))])
    measures = tables.make(tables.MEASURES, [
        {**CLEAN, "file_sha256": f"{index:064x}", "pixel_hash": f"{index:032x}",
         "perceptual_hash": f"{index:016x}", "file_bytes": 1000 + index % 7}
        for index in range(count)])
    images = pd.concat([manifest, measures], axis=1)
    for name, values in (columns or {}).items():
        images[name] = values
    return images


def probabilities_of(labels, classes, seed=0, wrong=()):
    """A good model's probabilities; it takes the rows `wrong` for the class after their own."""
    random = np.random.default_rng(seed)
    codes = np.array([classes.index(label) for label in labels], int)
    codes[list(wrong)] = (codes[list(wrong)] + 1) % len(classes)
    sure = random.uniform(0.85, 0.95, len(labels))
    sure[list(wrong)] = 0.96  # above the usual: confident learning counts these
    rest = (1 - sure) / max(len(classes) - 1, 1)
    probabilities = np.repeat(rest[:, None], len(classes), axis=1)
    probabilities[np.arange(len(labels)), codes] = sure if len(classes) > 1 else 1.0
    return probabilities


def neighbours_of(count, seed=0):
    """Neighbours at much the same distance everywhere."""
    random = np.random.default_rng(seed)
    kept = min(NEIGHBOURS, max(count - 1, 0))
    rows = np.full((count, NEIGHBOURS), -1)
    distances = np.full((count, NEIGHBOURS), np.nan)
    for row in range(count):
        rows[row, :kept] = random.permutation(np.delete(np.arange(count), row))[:kept]
        distances[row, :kept] = np.sort(random.uniform(0.2, 0.3, kept))
    return Neighbours(rows, distances)


def level(images, _):
    return 0.99 - 0.2 / images


def curve_of(labels, recall=level, seed=0, given=None):
    """Hits of classifiers whose recall of a class is `recall(images of that class, class)`.

    `given` is the same where labels that are not believed are learned too.
    """
    random = np.random.default_rng(seed)
    shares = 2.0 ** np.arange(-5, 0.5, 0.5)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    repeats = np.where(shares <= 1 / 4, 4, 1)

    def drawn(share, function):
        chance = [function(max(share * 0.8 * counts[code], 1), label)
                  for label, code in zip(labels, codes, strict=True)]
        return random.random(len(labels)) < np.clip(chance, 0, 1)

    hits = np.full((len(shares), repeats.max(), len(labels)), -1, np.int8)
    for size, share in enumerate(shares):
        for repeat in range(repeats[size]):
            hits[size, repeat] = drawn(share, recall)
    sizes = np.maximum(np.round(shares * 0.8 * len(labels)), np.arange(1, len(shares) + 1))
    return MeasuredCurve(sizes.astype(np.int64), shares, hits,
                         drawn(1, given or recall).astype(np.int8))


def build_evidence(labels=None, *, columns=None, splits=None, pairs=(), wrong=(),
                   probabilities=None, training_accuracy=1.0, **fields):
    """Evidence of clean images (80 of each of three classes unless told) with what is planted."""
    labels = np.repeat(["cat", "dog", "owl"], 80).tolist() if labels is None else list(labels)
    images = images_of(labels, columns, splits)
    classes = tuple(sorted(set(labels)))
    if probabilities is None:
        probabilities = probabilities_of(labels, classes, wrong=wrong)
    validation = CrossValidation(np.asarray(probabilities, float), np.arange(len(labels)) % 5,
                                 training_accuracy, "a model")
    table = tables.make(tables.PAIRS, [
        dict(zip(("row_a", "row_b", "kind", "similarity"), pair, strict=True)) for pair in pairs])
    given = {"images": images, "classes": classes, "pairs": table,
             "neighbours": neighbours_of(len(labels)), "cross_validation": validation,
             "learning_curve": curve_of(labels)}
    return Evidence(**(given | fields))


def build_faulty():
    """One defect of every kind, unreadable rows, and a class that cannot be scored."""
    labels = [*np.repeat(["cat", "dog", "owl"], 80).tolist(), "yak"]
    splits = np.where(np.arange(len(labels)) % 4 == 3, "test", "train").tolist()
    evidence = build_evidence(
        labels, splits=splits, wrong=range(40, 54), empty_classes=("zebu",),
        not_scorable=("yak",), pairs=[
            (20, 21, "file", 1.0), (22, 23, "pixels", 1.0), (24, 25, "near", 0.97),
            (24, 28, "near", 0.96), (26, 100, "near", 0.955), (27, 30, "file", 1.0)])
    images = evidence.images.copy()
    for row, kind in ((0, "corrupt"), (1, "empty"), (2, "bomb")):
        blank = tables.make(tables.MEASURES, [
            {"status": "unreadable", "problem_kind": kind, "problem": "why", "extension": ".jpg"}])
        for name in tables.MEASURES:
            images.loc[row, name] = blank.loc[0, name]
    for row, changes in {
            3: {"status": "damaged", "problem_kind": "truncated", "problem": "cut short"},
            4: {"brightness_p99": 0.1}, 5: {"brightness_p05": 0.99}, 6: {"entropy": 1.0},
            7: {"sharpness": 0.1}, 8: {"width": 1000, "height": 100},
            9: {"width": 5000, "height": 5000}, 10: {"colourfulness": 0.0}, 11: {"mode": "CMYK"},
            12: {"is_animated": True}, 13: {"extension": ".png"}, 14: {"sharpness": np.nan},
    }.items():
        for name, value in changes.items():
            images.loc[row, name] = value
    probabilities = evidence.cross_validation.probabilities.copy()
    probabilities[[0, 1, 2, len(labels) - 1]] = np.nan
    neighbours = Neighbours(evidence.neighbours.rows.copy(), evidence.neighbours.distances.copy())
    neighbours.rows[:3], neighbours.distances[:3] = -1, np.nan
    neighbours.distances[60] = 0.9
    hits = evidence.learning_curve.hits.copy()
    hits[:, :, [0, 1, 2, len(labels) - 1]] = -1
    return replace(
        evidence, images=images, neighbours=neighbours,
        learning_curve=replace(evidence.learning_curve, hits=hits),
        cross_validation=replace(evidence.cross_validation, probabilities=probabilities))
