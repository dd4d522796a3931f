"""Whether there are enough images: what more would bring, over all and for each class.

The classifier learns from a 32nd of the images, from more and more, and from all (samples hold
the smaller ones; classes keep their proportions), and is tested on images it has not seen. Curves
are fitted to what it reaches and drawn on (`audit.learning_curve`: power laws and others, averaged,
with an interval). Images whose label is more probably wrong than right are left out of both: the
curve is that of the data after its labels were seen to. Accuracy over all is the mean recall of the
classes.

The curve of a class is its recall by the number of its own images, while all classes grow alike.
"About 300 more" is what the middle curve needs to reach the target, "next round" at most as many
as there are, after which the curve should be looked at again. It cannot be told where a class has
fewer than 20 images, where more images made it worse, where the answer is beyond four times what
there is, or where the target lies above what the curve can reach. The back-test draws the curve
from a quarter of the images and says how far it was off at all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table
from audit.checks._signal import measure_signal, require_signal, scored_labels
from audit.intervals import DEVIATIONS_90, wilson
from audit.learning_curve import LEAST_SIZES, LearningCurve, fit_curve
from audit.types import CheckMeta, NotApplicableError, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit.types import Evidence, MeasuredCurve

META = CheckMeta(
    code="sufficiency", title="Enough images", about="class", cause="too_few_images",
    needs=("cross_validation", "learning_curve", "given_label"),
    fix="Collect more images of the classes named, then audit again.",
    thresholds={
        "target": Threshold(0.9, "recall that is aimed at", "our choice; set your own", 0, 1),
        "doubling": Threshold(0.02, "flag a class, or all, that twice the images bring this much",
                              "our choice: two images of a hundred", 0, 1),
        "least_images": Threshold(20, "nothing is told of a class with fewer images",
                                  "a recall cannot be told to 20 points then", 2),
        "p_value": Threshold(0.01, "skip if permuted labels are as accurate this often",
                             "our choice: a number of images must not be made up", 0, 1),
    },
)

FARTHEST = 4
"""Nothing is told beyond so many times the images there are."""

BACK_TEST = 1 / 4
MOST_CLASSES = 100
"""Of more classes only those of the lowest recall are looked at: a curve takes 30 ms."""

_NAMED = 4
_DRAWN_SIZES = 25
_DRAWN_CLASSES = 12


@dataclass(frozen=True)
class _Told:
    """What can be told of a class or of all of them. Sizes are of all images there are."""

    recall: float
    interval: tuple[float, float]
    images: int
    why_not: str
    curve: LearningCurve | None = None
    target: float = 1.0

    @property
    def expected(self) -> float:
        """Recall to expect of all images there are; it was measured without those of a fold."""
        return self.curve.predict(self.images)[0] if self.curve else self.recall

    @property
    def gain(self) -> tuple[float, float, float]:
        """Of twice the images: mean and 90 % interval."""
        if self.curve is None:
            return 0.0, 0.0, 0.0
        return self.curve.gain(self.images, 2 * self.images)

    @property
    def more(self) -> tuple[int, int, float] | None:
        """More images to reach the target: median, and 90 % interval, perhaps without an end."""
        needed = self.curve.images_for(self.target) if self.curve else None
        if needed is None or self.why_not:
            return None
        median, low, high = (one - self.images for one in needed)
        return max(0, round(median)), max(0, round(low)), max(0.0, high)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Say of all images and of each class what more of them would bring."""
    _, given, probabilities, _ = scored_labels(evidence)
    require_signal(measure_signal(given, probabilities, evidence.seed), thresholds["p_value"])
    measured = evidence.learning_curve
    if measured is None or not (measured.hits[-1, 0] >= 0).any():
        message = "no image whose label is believed was tested on"
        raise NotApplicableError(message)
    labels = evidence.images["given_label"].to_numpy()
    tested = measured.hits[-1, 0] >= 0
    names, codes = np.unique(labels[tested], return_inverse=True)
    by_class = _recalls(measured.hits[:, :, tested], codes, len(names))
    counts = np.bincount(codes)
    seed = evidence.seed
    mean = by_class.mean(axis=2)
    overall = _tell(measured, mean, int(counts.sum()), _images_of_mean(counts), thresholds, seed)
    worst = np.sort(np.argsort(by_class[-1, 0], kind="stable")[:MOST_CLASSES])
    recalls = {"": mean} | {str(names[code]): by_class[:, :, code] for code in worst}
    told = {str(names[code]): _tell(measured, by_class[:, :, code], int(counts[code]),
                                    float(counts[code]), thresholds, seed) for code in worst}
    rows = [_finding("", overall, thresholds, "dataset")]
    rows += [_finding(name, one, thresholds, "class") for name, one in told.items()]
    back_test = _back_test(measured, mean, counts, seed)
    as_given = float(_recalls(measured.as_given[None, None, tested], codes, len(names)).mean())
    flagged = [row for row in rows if row["is_flagged"]]
    metrics = _metrics(measured, overall, told, recalls, back_test, as_given, thresholds["target"])
    metrics |= {"count": len(flagged), "share": len(flagged) / len(rows)}
    return Outcome(findings_table(rows), None,
                   _summary(overall, told, flagged) if flagged else "none found", metrics,
                   _details(overall, back_test, as_given))


def _images_of_mean(counts: NDArray[np.int64]) -> float:
    """Images whose share would have the variance that the mean of the classes' recalls has."""
    return float(len(counts) ** 2 / (1 / counts).sum())


def _recalls(hits: NDArray[np.int8], codes: NDArray[np.int64], classes: int,
             ) -> NDArray[np.float64]:
    """Recall of each class, `(p, repeats, classes)`; NaN where a repeat was not made."""
    recalls = np.full((*hits.shape[:2], classes), np.nan)
    counts = np.bincount(codes, minlength=classes)
    for size, repeats in enumerate(hits):
        for repeat, one in enumerate(repeats):
            if (one >= 0).any():
                recalls[size, repeat] = np.bincount(codes, one, minlength=classes) / counts
    return recalls


def _tell(measured: MeasuredCurve, recalls: NDArray[np.float64], images: int, tested: float,
          thresholds: Mapping[str, float], seed: int) -> _Told:
    """Fit a curve to recalls `(p, repeats)` of so many images, and see what it can tell."""
    recall, target = float(recalls[-1, 0]), thresholds["target"]
    interval = wilson(recall * tested, tested, DEVIATIONS_90)
    if images < thresholds["least_images"]:
        return _Told(recall, interval, images, f"it has fewer than "
                     f"{thresholds['least_images']:.0f} images whose labels are believed")
    if len(recalls) < LEAST_SIZES:
        return _Told(recall, interval, images, "there are too few images to learn from fewer")
    # The sizes of folds' outsides, for which the recalls were measured, are smaller than what
    # there is: a curve over shares, scaled to the images of this class.
    largest = images * measured.sizes[-1] / max((measured.hits[-1, 0] >= 0).sum(), 1)
    curve = fit_curve(measured.shares * largest, recalls, tested, seed)
    told = _Told(recall, interval, images, "", curve, target)
    needed = curve.images_for(target)
    if not curve.is_monotone:
        why = "more images made it worse"
    elif curve.asymptote_upper < target:
        why = f"a recall of {target:.2f} is above what its curve can reach"
    elif told.expected < target and (needed is None or needed[0] > FARTHEST * images):
        why = f"a recall of {target:.2f} is more than {FARTHEST} times the images away"
    else:
        return told
    return _Told(recall, interval, images, why, curve, target)


def _finding(name: str, told: _Told, thresholds: Mapping[str, float], about: str,
             ) -> dict[str, object]:
    gain, low, high = told.gain
    is_tellable = told.curve is not None and told.curve.is_monotone
    is_flagged = (is_tellable and low > 0 and gain >= thresholds["doubling"]
                  and told.expected < thresholds["target"])
    recall = "mean recall" if about == "dataset" else "recall"
    text = (f"{recall} {told.recall:.2f} (90 % interval {told.interval[0]:.2f}–"
            f"{told.interval[1]:.2f}) with {told.images:,} images")
    if told.curve is not None:
        text += f"; twice as many: {_points(gain)} points ({_points(low)} to {_points(high)})"
    if told.expected < thresholds["target"]:
        text += f"; {_more(told, thresholds['target'])}"
    return finding(META, name, told.recall, text, about=about, is_flagged=is_flagged,
                   suggestion=_suggestion(told))


def _more(told: _Told, target: float) -> str:
    more = told.more
    if more is None:
        chance = (f"; it can be reached with a probability of "
                  f"{told.curve.probability_reachable(target):.2f}" if told.curve else "")
        return f"how many more for {target:.2f} cannot be told: {told.why_not}{chance}"
    median, low, high = more
    end = f"{round(high):,}" if np.isfinite(high) else "no end"
    return f"about +{median:,} images (90 % interval {low:,} to {end}) for {target:.2f}"


def _suggestion(told: _Told) -> str:
    more = told.more
    if more is None:
        return ("How many more is not known. Collect some, at most as many again, and audit again."
                if told.curve and told.curve.is_monotone else META.fix)
    if not more[0]:
        return "There are enough for the recall aimed at."
    return f"Next round: collect about {min(more[0], told.images):,}, then audit again."


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _summary(overall: _Told, told: Mapping[str, _Told], flagged: list[dict[str, object]]) -> str:
    gain, low, high = overall.gain
    first = (f"twice the images: {_points(gain)} points of mean recall "
             f"({_points(low)} to {_points(high)})")
    names = [str(row["subject"]) for row in flagged if row["subject"]]
    names.sort(key=lambda name: told[name].recall)
    named, left = names[:_NAMED], len(names) - _NAMED
    known = [f"{name} about {more[0]:,} more" for name in named if (more := told[name].more)]
    unknown = ", ".join(f"{name} {_points(told[name].gain[0])}" for name in named
                        if told[name].more is None)
    if unknown:
        known.append(f"{unknown} points (how many more for the target cannot be told)")
    return "; ".join([first, *known, *([f"{left} more classes"] if left > 0 else [])])


def _back_test(measured: MeasuredCurve, recalls: NDArray[np.float64], counts: NDArray[np.int64],
               seed: int) -> dict[str, float] | None:
    """The curve from a quarter of the images against what was measured with all."""
    known = measured.shares <= BACK_TEST + 1e-9
    if known.sum() < LEAST_SIZES:
        return None
    curve = fit_curve(measured.sizes[known], recalls[known], _images_of_mean(counts), seed)
    mean, low, high = curve.predict(float(measured.sizes[-1]))
    return {"predicted": mean, "low": low, "high": high, "measured": float(recalls[-1, 0]),
            "from_images": int(measured.sizes[known][-1]), "to_images": int(measured.sizes[-1])}


def _details(overall: _Told, back_test: Mapping[str, float] | None, as_given: float,
             ) -> tuple[str, ...]:
    held_down = overall.recall - as_given
    noise = (f"With the labels that are not believed among what is learned, mean recall is "
             f"{as_given:.3f} instead of {overall.recall:.3f}: suspected labels hold the curve "
             f"down by {100 * held_down:.1f} points.")
    lines = [noise]
    if back_test:
        off = 100 * (back_test["predicted"] - back_test["measured"])
        lines.append(
            f"Back-test: from {back_test['from_images']:,} images the curve told "
            f"{back_test['predicted']:.3f} ({back_test['low']:.3f}–{back_test['high']:.3f}) for "
            f"{back_test['to_images']:,}; measured {back_test['measured']:.3f}, {off:+.1f} points "
            "off.")
    return tuple(lines)


def _metrics(measured: MeasuredCurve, overall: _Told, told: Mapping[str, _Told],
             recalls: Mapping[str, NDArray[np.float64]], back_test: Mapping[str, float] | None,
             as_given: float, target: float) -> dict[str, object]:
    """Figures for summary.json and for the plots; recalls `(p, repeats)` by name, "" for all."""
    worst = sorted(told, key=lambda name: told[name].recall)[:_DRAWN_CLASSES]
    return {
        "target": target,
        "doubling": _difference(overall) if overall.curve is not None else None,
        "back_test": dict(back_test) if back_test else None,
        "as_given": as_given,
        "overall": _figures(overall) | _drawn(measured, overall, recalls[""]),
        "classes": {name: _figures(one) | (
            _drawn(measured, one, recalls[name]) if name in worst else {})
            for name, one in told.items()},
    }


def _difference(told: _Told) -> dict[str, float]:
    gain, low, high = told.gain
    return {"before": told.expected, "after": told.expected + gain, "low": low, "high": high}


def _figures(told: _Told) -> dict[str, object]:
    more = told.more
    return {
        "recall": told.recall, "interval_90": list(told.interval), "images": told.images,
        "doubling": _difference(told) if told.curve is not None else None,
        "more": None if more is None else [one if np.isfinite(one) else None for one in more],
        "cannot_tell": told.why_not,
        "probability_of_target": told.curve.probability_reachable(told.target)
        if told.curve is not None else None}


def _drawn(measured: MeasuredCurve, told: _Told, recalls: NDArray[np.float64],
           ) -> dict[str, object]:
    """Points `[images, mean recall]`, and the curve as `[images, mean, low, high]`."""
    if told.curve is None:
        return {}
    sizes = measured.shares * told.curve.largest
    ends = np.geomspace(sizes[0], FARTHEST * told.images, _DRAWN_SIZES)
    return {"measured": [[float(size), float(np.nanmean(row))]
                         for size, row in zip(sizes, recalls, strict=True)],
            "curve": [[float(size), *told.curve.predict(float(size))] for size in ends]}
