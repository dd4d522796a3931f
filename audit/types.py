"""Small frozen records that pass between stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from audit.places import Place

About = Literal["image", "class", "dataset"]
Status = Literal["ok", "skipped", "error"]


class NotApplicableError(Exception):
    """Raised by a check that, having looked, has nothing it could say; the text is the reason."""


class ListedFile(NamedTuple):
    """What the listing of a store told of a file, which then needs no request of its own.

    Attributes:
        bytes: its size; -1 if it was not told.
        mark: a number that is another when the content is; None where nothing such was told.
    """

    bytes: int = -1
    mark: int | None = None


@dataclass(frozen=True)
class Ingested:
    """A dataset as it was found, before any image was opened.

    Attributes:
        root: folder that the image_ids are relative to.
        manifest: one row an image, schema `tables.MANIFEST`, in stable order.
        not_counted: path → why the file is no part of the dataset.
        empty_classes: class folders that hold no image.
        notes: sentences the user should read about how the data was understood.
        listed: path → what was told of it, of images that are in a store and not on a disk.
    """

    root: Place
    manifest: pd.DataFrame
    not_counted: Mapping[str, str] = field(default_factory=dict)
    empty_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    listed: Mapping[str, ListedFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Neighbours:
    """The k nearest images of each image by cosine distance of their embeddings.

    `rows` `(n, k)` int, `distances` `(n, k)` float in [0, 2], ascending. Rows of images without
    an embedding hold -1 and NaN, as do neighbours beyond the number of other images.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold predictions: each image is predicted by a model that never saw it.

    Attributes:
        probabilities: `(n, classes)`, rows sum to 1, NaN for images that were not predicted.
        folds: `(n,)` the fold an image was held out in, -1 for none.
        training_accuracy: mean over folds of the accuracy on the images trained on, or NaN
            where the probabilities came from the user's own model.
        model: the model in words, for the report.
        repeats: the probabilities of each cross-validation, of which `probabilities` is the
            mean; empty where they came from the user's own model. `folds` are of the first.
        chosen: what was chosen by the likelihood of held-out labels, for run.json.
    """

    probabilities: NDArray[np.float64]
    folds: NDArray[np.int64]
    training_accuracy: float
    model: str
    repeats: tuple[NDArray[np.floating], ...] = ()
    chosen: Mapping[str, float] = field(default_factory=dict)


NOT_MEASURED = -1
"""In `MeasuredCurve`, beside 1 for right and 0 for wrong."""


@dataclass(frozen=True)
class MeasuredCurve:
    """Whether images were told right by classifiers that learned from fewer and more of the others.

    Attributes:
        sizes: `(p,)` images learned from, ascending.
        shares: `(p,)` the same as shares of all that could be learned from, the last 1.
        hits: `(p, repeats, n)`, 1 right, 0 wrong, or `NOT_MEASURED`; n are all images.
        as_given: `(n,)` the same for all images to learn from, with labels that are not believed
            among them.
    """

    sizes: NDArray[np.int64]
    shares: NDArray[np.float64]
    hits: NDArray[np.int8]
    as_given: NDArray[np.int8]


class Suspects(Enum):
    """What is done about labels that are more probably wrong than right."""

    KEEP = "keep"
    DROP = "drop"
    RELABEL = "relabel"


@dataclass(frozen=True)
class Trial:
    """A dataset as it would be after a fix, to be learned from.

    Attributes:
        cause: that the fix is for, a key of `causes.CAUSES`.
        action: the fix in words, as in "repeated images left out".
        keep: `(n,)` images that are learned from.
        balanced: weight classes so that each counts the same.
        suspects: what is done about suspected labels; who is suspected is found out anew, by
            classifiers that have not seen the images tested on.
    """

    cause: str
    action: str
    keep: NDArray[np.bool_]
    balanced: bool = False
    suspects: Suspects = Suspects.KEEP


@dataclass(frozen=True)
class Difference:
    """Two shares, and the second minus the first with its 90 % interval."""

    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """The second share minus the first."""
        return self.after - self.before

    @property
    def is_measurable(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low > 0 or self.high < 0

    def in_points(self) -> str:
        """The change in percentage points, as in `+7.1 points, 90 % interval 4.0 to 10.2`."""
        return (f"{100 * self.change:+.1f} points, 90 % interval "
                f"{100 * self.low:.1f} to {100 * self.high:.1f}")


@dataclass(frozen=True)
class Gain:
    """What a fix does to the mean recall of the classes, and the fix in words."""

    action: str
    difference: Difference

    @property
    def is_measurable(self) -> bool:
        """Whether it is a gain beyond doubt: the interval is above 0."""
        return self.difference.low > 0


@dataclass(frozen=True)
class Evidence:
    """All that the checks may read. A check never opens an image.

    Attributes:
        images: manifest and measures side by side, one row an image.
        classes: class names, sorted; the order of the columns of probabilities.
        missing: what is not there → why, e.g. "cross_validation" → "only one class".
        not_scorable: classes too small for out-of-fold predictions.
    """

    images: pd.DataFrame
    classes: tuple[str, ...]
    empty_classes: tuple[str, ...] = ()
    pairs: pd.DataFrame | None = None
    neighbours: Neighbours | None = None
    cross_validation: CrossValidation | None = None
    learning_curve: MeasuredCurve | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    not_scorable: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Threshold:
    """A number a check compares with: what it means and where it comes from."""

    value: float
    meaning: str
    source: str
    low: float = 0.0
    high: float = float("inf")


@dataclass(frozen=True)
class Outcome:
    """What the function of a check returns.

    Attributes:
        findings: schema `tables.FINDINGS`.
        scores: schema `tables.SCORES`, one row an image in the order of `Evidence.images`;
            None for a check that is about classes or the dataset.
        metrics: figures for summary.json: numbers, text, lists and dictionaries of these.
        summary: one sentence for the report, figures with units.
        details: more sentences for the report, below the summary.
    """

    findings: pd.DataFrame
    scores: pd.DataFrame | None
    summary: str
    metrics: Mapping[str, object] = field(default_factory=dict)
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckMeta:
    """What a check is, apart from its function. Its documentation is its module's docstring.

    Attributes:
        code: name in files and on the command line, in the field's own words.
        title: name in the report.
        cause: the cause of not learning that it is evidence of, a key of `causes.CAUSES`.
        needs: columns of `Evidence.images` and fields of `Evidence` without which it is skipped.
        fix: what to do about a finding.
    """

    code: str
    title: str
    about: About
    cause: str
    needs: tuple[str, ...]
    fix: str
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """How a check ended, and the thresholds it used. The outcome is there only if it is ok."""

    meta: CheckMeta
    status: Status
    reason: str = ""
    outcome: Outcome | None = None
    seconds: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
