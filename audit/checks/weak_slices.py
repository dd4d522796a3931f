"""Groups of images that the model does worse on than their classes explain.

A slice is the quarter of the images that is darkest, brightest, lowest or highest in contrast,
least or most sharp, smallest, largest, narrowest or widest, or the images of one file format,
pixel layout or split, or those without colour, or with it. For each, the images inside that were
predicted rightly out of fold are compared with as many as would be if each class did inside as it
does outside: a slice that merely holds many images of a hard class is not flagged.

The test is that of Mantel and Haenszel ("Statistical aspects of the analysis of data from
retrospective studies of disease", 1959), stratified by class, one-sided, with continuity
correction; its p-values are corrected for the number of slices by Holm's method (1979). A slice
needs 30 images inside and outside, below which the normal approximation of the test is poor. At
most three are flagged, those that cost most wrong predictions, and none that shares more than
half of its images with one flagged before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from audit.checks._findings import finding, findings_table, images_word
from audit.checks._signal import NEEDS_SIGNAL, measure_signal, require_signal, scored_labels
from audit.types import CheckMeta, NotApplicableError, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from audit.types import Evidence

META = CheckMeta(
    code="weak_slices", title="Underperforming groups", about="dataset",
    cause="weak_slices",
    needs=("cross_validation", "given_label", "brightness_p50", "contrast", "sharpness",
           "colourfulness", "width", "height", "format", "mode", "split"),
    fix="Collect more such images, or make others like them by augmentation.",
    thresholds={
        "p_value": NEEDS_SIGNAL,
        "gap": Threshold(0.1, "flag a slice whose accuracy is lower than expected by this or more",
                         "our choice: less is seldom worth collecting images for", 0, 1),
        "slice_p_value": Threshold(0.05, "flag if chance gives such a gap less often than this, "
                                         "corrected for the number of slices", "the usual 5 %",
                                   0, 1),
        "floor": Threshold(30, "fewest images inside and outside of a slice",
                           "normal approximation, see above", 1),
    },
)

MOST_FLAGGED = 3
_MOST_SHARED = 0.5
"""Share of a slice's images that may be those of another flagged one: beyond it they are one."""

_ROUNDING = 1e-9
"""1 - 0.9 is a little less than 0.1 in binary; a gap is a ratio of whole numbers."""

_GREY_SPREAD = 3.0
"""As in the check grayscale: the rounding of JPEG's colour conversion."""


@dataclass(frozen=True)
class _Slice:
    """Which scored images are inside, in words, and how they did.

    Attributes:
        compared: images inside whose class has images outside too.
        accuracy: share of them that was predicted rightly.
        expected: what it would be if each class did inside as it does outside.
    """

    words: str
    inside: NDArray[np.bool_]
    compared: int
    accuracy: float
    expected: float
    p_value: float

    @property
    def gap(self) -> float:
        """How much lower the accuracy is than expected."""
        return self.expected - self.accuracy

    @property
    def sentence(self) -> str:
        """What the report says of it."""
        return (f"{images_word(int(self.inside.sum()))} {self.words}: accuracy "
                f"{self.accuracy:.2f} where {self.expected:.2f} is expected of their classes")


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag the slices that cost most wrong predictions beyond those their classes explain."""
    rows, labels, probabilities, _ = scored_labels(evidence)
    require_signal(measure_signal(labels, probabilities, evidence.seed), thresholds["p_value"])
    correct = probabilities.argmax(axis=1) == labels
    slices = _measure_slices(evidence.images.iloc[rows], labels, correct, thresholds["floor"])
    if not slices:
        raise NotApplicableError("there are too few images, or they are all alike")
    corrected = _holm(np.array([one.p_value for one in slices]))
    weak = [one for one, p_value in zip(slices, corrected, strict=True)
            if one.gap >= thresholds["gap"] - _ROUNDING and p_value < thresholds["slice_p_value"]]
    flagged = _most_costly(weak)
    worst = max(slices, key=lambda one: one.gap)
    found = [finding(META, "", 1 - max(one.gap, 0), one.sentence, is_flagged=bool(flagged))
             for one in (flagged or [worst])]
    touched = np.zeros(len(rows), np.bool_)
    for one in flagged:
        touched |= one.inside
    return Outcome(
        findings_table(found), None, "; ".join(one.sentence for one in flagged) or "none found",
        {"count": len(flagged), "share": float(touched.mean()), "accuracy": float(correct.mean()),
         "slices": [{"slice": one.words, "images": int(one.inside.sum()),
                     "accuracy": one.accuracy, "expected": one.expected,
                     "p_value": float(p_value)}
                    for one, p_value in zip(slices, corrected, strict=True)]},
        (f"{len(slices)} groups were compared, {len(weak)} did worse.",))


def _measure_slices(images: pd.DataFrame, labels: NDArray[np.int64],
                    correct: NDArray[np.bool_], floor: float) -> list[_Slice]:
    """Compare each slice that is large enough; of two with the same images, the first."""
    measured: dict[bytes, _Slice] = {}
    for words, inside in _slices(images):
        if min(inside.sum(), (~inside).sum()) < floor or inside.tobytes() in measured:
            continue
        one = _compare(words, inside, labels, correct)
        if one.compared >= floor:
            measured[inside.tobytes()] = one
    return list(measured.values())


def _slices(images: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Words that complete "30 images ...", and which images they are."""
    width, height = images["width"].to_numpy(float), images["height"].to_numpy(float)
    for low_words, high_words, values, unit in (
            ("that are darkest (median brightness", "that are brightest (median brightness",
             images["brightness_p50"].to_numpy(float), ""),
            ("of least contrast (standard deviation", "of most contrast (standard deviation",
             images["contrast"].to_numpy(float), ""),
            ("that are least sharp (sharpness", "that are sharpest (sharpness",
             images["sharpness"].to_numpy(float), ""),
            ("that are smallest (mean side", "that are largest (mean side",
             np.sqrt(width * height), " pixels"),
            ("that are narrowest (width to height", "that are widest (width to height",
             width / np.maximum(height, 1), "")):
        if np.isfinite(values).any():
            # Values that images have, so that the words are true of a column of few values too.
            low = np.nanpercentile(values, 25, method="lower")
            high = np.nanpercentile(values, 75, method="higher")
            yield f"{low_words} at most {low:.3g}{unit})", values <= low
            yield f"{high_words} at least {high:.3g}{unit})", values >= high
    grey = images["colourfulness"].to_numpy(float) <= _GREY_SPREAD
    yield "without colour", grey
    yield "with colour", ~grey
    for column, words in (("format", "of the format"), ("mode", "of the pixel layout"),
                          ("split", "of the split")):
        values = images[column].to_numpy(object)
        for value in sorted(set(values) - {""}):
            yield f"{words} {value}", np.asarray(values == value, np.bool_)


def _compare(words: str, inside: NDArray[np.bool_], labels: NDArray[np.int64],
             correct: NDArray[np.bool_]) -> _Slice:
    """Compare with the rest of each class; classes that are all inside or outside say nothing."""
    count = int(labels.max()) + 1
    total, total_right = np.bincount(labels, minlength=count), np.bincount(labels[correct],
                                                                           minlength=count)
    within, right = (np.bincount(labels[inside], minlength=count),
                     np.bincount(labels[inside & correct], minlength=count))
    usable = (within > 0) & (within < total)
    total, total_right, within, right = (one[usable].astype(float) for one in
                                         (total, total_right, within, right))
    outside = total - within
    compared = within.sum()
    if not compared:
        return _Slice(words, inside, 0, 0.0, 0.0, 1.0)
    expected = (within * (total_right - right) / outside).sum() / compared
    mean = (within * total_right / total).sum()
    variance = (within * outside * total_right * (total - total_right)
                / (total**2 * (total - 1))).sum()
    excess = mean - right.sum() - 0.5  # the continuity correction
    p_value = float(norm.sf(excess / variance**0.5)) if variance > 0 else 1.0
    return _Slice(words, inside, int(compared), float(right.sum() / compared), float(expected),
                  p_value)


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm, "A simple sequentially rejective multiple test procedure" (1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.minimum(p_values[order] * np.arange(len(p_values), 0, -1), 1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(steps)
    return corrected


def _most_costly(weak: Sequence[_Slice]) -> list[_Slice]:
    """Up to `MOST_FLAGGED` slices that do not overlap much, those that cost most first."""
    chosen: list[_Slice] = []
    for one in sorted(weak, key=lambda one: -one.gap * one.compared):
        shared = [(one.inside & other.inside).sum() / min(one.inside.sum(), other.inside.sum())
                  for other in chosen]
        if all(share <= _MOST_SHARED for share in shared):
            chosen.append(one)
    return chosen[:MOST_FLAGGED]
