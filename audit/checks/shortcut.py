"""Classes that can be told from the files alone, without looking at the pictures.

If all cats were saved at one JPEG quality and all dogs at another, a network can learn the
quality instead of the animal: it does well here and fails on the next image. A small decision
tree learns the class from measures of the files, on the folds of the model's own
cross-validation. Its skill for a class is the share of the class's images that it tells, less
the share of other images that it takes for it: 0 by chance, 1 for certain.

There are two groups of measures. *File*: size, aspect ratio, format, extension, pixel layout,
JPEG quality, frames, orientation. No class needs to differ in these, yet they reach the network
through decoding and resizing. *Look*: brightness, contrast, sharpness, colour, and bytes, which
measure texture. Here a class may differ honestly, so that only near certainty is flagged. A class
is flagged if its skill reaches the threshold of a group and permuted labels seldom give any class
as much. Named are the columns that tell the flagged classes best when each is used alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import finding, findings_table
from audit.checks._metadata import DERIVED, FILE, LOOK, Told, read_metadata, tell
from audit.types import CheckMeta, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit.checks._metadata import Metadata
    from audit.types import Evidence

META = CheckMeta(
    code="shortcut", title="Shortcuts in the files", about="dataset",
    cause="shortcut",
    needs=("given_label", "status", "group",
           *(name for name in (*FILE, *LOOK) if name not in DERIVED)),
    fix="Save all images in one format, size and quality, or collect each class from all sources.",
    thresholds={
        "skill": Threshold(0.4, "flag a class told from file columns with this skill or more",
                           "our choice: 0.00 on TrashNet, sign language digits and CIFAR-10, "
                           "whose files hardly vary", 0, 1),
        "look_skill": Threshold(0.9, "flag a class told by its look with this skill or more",
                                "our choice: honestly up to 0.81, the digit 1 among digits", 0, 1),
        "p_value": Threshold(0.05, "permuted labels may do as well less often than this",
                             "the usual 5 %", 0, 1),
    },
)

MOST_NAMED = 3
_LEAST_OF_BEST = 0.5
"""A column is named beside the best one if it alone has this share of the best one's skill."""


@dataclass(frozen=True)
class _Group:
    """A group of columns, what it tells, and which classes are flagged for it."""

    name: str
    words: str
    suggestion: str
    told: Told
    flagged: NDArray[np.int64]
    columns: Mapping[str, float]

    @property
    def by(self) -> str:
        """The columns that tell most alone, with their skill."""
        return ", ".join(f"{name} ({skill:.2f} alone)" for name, skill in self.columns.items())


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag classes that are told without their pictures, and name what tells them."""
    metadata = read_metadata(evidence)
    file = _look_at(metadata, "file", FILE, "facts of the files", "", thresholds["skill"],
                    thresholds["p_value"])
    look = _look_at(metadata, "look", LOOK, "light, colour and texture",
                    "See whether this is the classes' own look or the camera's; if it is the "
                    "camera's, vary it in training.",
                    thresholds["look_skill"], thresholds["p_value"])
    parts = [_sentence(group, metadata) for group in (file, look) if len(group.flagged)]
    told = {metadata.classes[index] for group in (file, look) for index in group.flagged}
    # A class may well be told by its look; only where that is flagged does it lower the score.
    skill = max(file.told.skill.max(), look.told.skill.max() if len(look.flagged) else 0)
    rows = [finding(META, "", 1 - skill, "; ".join(parts) or _figures(file, metadata),
                    is_flagged=bool(told),
                    suggestion="" if len(file.flagged) else look.suggestion if told else "")]
    rows += _class_rows(file, look, metadata)
    labels = evidence.images.loc[evidence.images["status"] != "unreadable", "given_label"]
    return Outcome(
        findings_table(rows), None, "; ".join(parts) or "none found",
        {"count": len(told), "share": float(labels.isin(list(told)).mean()),
         "images_used": len(metadata.labels), "chance": 1 / len(metadata.classes),
         **{group.name: _metrics(group, metadata) for group in (file, look)}},
        (f"From file columns alone: {_figures(file, metadata)}.",
         "From light, colour and texture alone, which may be the classes' own look: "
         + _figures(look, metadata) + "."))


def _look_at(metadata: Metadata, name: str, columns: tuple[str, ...], words: str,
             suggestion: str, least_skill: float, least_p_value: float) -> _Group:
    """Tell the classes from one group of columns, and see which of the columns does it."""
    told = tell(metadata, columns)
    flagged = np.flatnonzero((told.skill >= least_skill) & (told.p_value < least_p_value))
    best = int(told.skill.argmax())
    about = flagged if len(flagged) else np.array([best])
    alone = (_best_alone(metadata, columns, about) if told.p_value[best] < least_p_value else {})
    return _Group(name, words, suggestion, told, flagged, alone)


def _best_alone(metadata: Metadata, columns: tuple[str, ...], about: NDArray[np.int64],
                ) -> dict[str, float]:
    """The columns that tell the classes `about` best when used alone, best first."""
    alone = {column: float(tell(metadata, [column], permutations=0).skill[about].mean())
             for column in columns}
    best = sorted(alone, key=lambda column: -alone[column])[:MOST_NAMED]
    least = _LEAST_OF_BEST * alone[best[0]]
    return {column: alone[column] for column in best if alone[column] >= least > 0}


def _sentence(group: _Group, metadata: Metadata) -> str:
    worst = group.flagged[np.argsort(-group.told.skill[group.flagged], kind="stable")]
    named = ", ".join(f"{metadata.classes[index]} (skill {group.told.skill[index]:.2f})"
                      for index in worst[:MOST_NAMED])
    return (f"{len(worst)} of {len(metadata.classes)} classes "
            f"{'is' if len(worst) == 1 else 'are'} told from {group.words}, without the picture: "
            f"{named}; by {group.by or 'several columns together'}")


def _figures(group: _Group, metadata: Metadata) -> str:
    best = int(group.told.skill.argmax())
    text = (f"balanced accuracy {group.told.recall.mean():.2f} where chance gives "
            f"{1 / len(metadata.classes):.2f}")
    if not group.columns:
        return text
    return (f'{text}; "{metadata.classes[best]}" is told best, with skill '
            f"{group.told.skill[best]:.2f}, by {group.by}")


def _class_rows(file: _Group, look: _Group, metadata: Metadata) -> list[dict[str, object]]:
    """One row a flagged class; for a class of both groups, what its files are comes first."""
    rows = []
    seen: set[int] = set()
    for group in (file, look):
        for index in group.flagged.tolist():
            if index in seen:
                continue
            seen.add(index)
            told = group.told
            rows.append(finding(
                META, metadata.classes[index], 1 - told.skill[index],
                f"{100 * told.recall[index]:.0f} % of its images are told from {group.words}, and "
                f"{100 * told.false_rate[index]:.0f} % of all others are taken for it",
                about="class", suggestion=group.suggestion))
    return rows


def _metrics(group: _Group, metadata: Metadata) -> dict[str, object]:
    told = group.told
    best = int(told.skill.argmax())
    return {"balanced_accuracy": float(told.recall.mean()), "best_class": metadata.classes[best],
            "best_skill": float(told.skill[best]), "p_value": float(told.p_value[best]),
            "flagged_classes": [metadata.classes[index] for index in group.flagged],
            "columns_alone": dict(group.columns)}
