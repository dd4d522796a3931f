"""Planted against found, a kind a row: how well the audit did on the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path

PLANTED_FILE = "planted.csv"

FOUND_BY = {
    "wrong label": ("label",),
    "exact duplicate": ("exact_duplicates",),
    "near duplicate": ("near_duplicates",),
    "conflict": ("label_conflict",),
    "leak": ("split_leak",),
    "dark": ("dark",),
    "blurry": ("blurry",),
    "truncated": ("damaged_file", "unreadable_file"),
    "zero bytes": ("empty_file",),
    "text named .jpg": ("unreadable_file",),
    "rare class": ("class_imbalance",),
}
"""Kind of fault → checks of which any must flag it."""


COPIES = ("conflict", "leak")
"""Kinds that are planted as copies of a file: exact duplicates too."""


@dataclass(frozen=True)
class KindScore:
    """One kind: faults planted, of those found, and what the same checks flagged beside them."""

    kind: str
    checks: tuple[str, ...]
    planted: int
    found: int
    also_flagged: int


def is_demo(data: Path) -> bool:
    """Whether `data` is a folder that `audit demo` made, and not one with a file named alike."""
    try:
        planted = pd.read_csv(data / PLANTED_FILE, dtype=str, keep_default_na=False)
    except (OSError, ValueError):
        return False
    return list(planted.columns) == ["kind", "image_id", "detail"] and (
        set(planted["kind"]) <= set(FOUND_BY))


def score_demo(data: Path, run: Path) -> tuple[list[KindScore], float]:
    """Compare `planted.csv` with the findings of a run.

    Returns:
        A row a kind, and the average precision of the label score against the planted labels
        over all images that were scored (NaN if none was).
    """
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - slow to import

    planted = pd.read_csv(data / PLANTED_FILE, dtype=str, keep_default_na=False)
    findings = pd.read_parquet(run / "findings.parquet")
    findings = findings[findings["is_flagged"]]
    scores = []
    for kind, group in planted.groupby("kind"):
        checks = FOUND_BY[str(kind)]
        flagged = _flagged(findings[findings["check"].isin(checks)])
        wanted = set(group["detail"] if kind == "rare class" else group["image_id"])
        expected = _expected_of(checks, planted)
        scores.append(KindScore(str(kind), checks, len(wanted), len(wanted & flagged),
                                len(flagged - wanted - expected)))
    images = pd.read_parquet(run / "images.parquet")
    scored = images[images["label_score"].notna()]
    wrong = scored["image_id"].isin(planted.loc[planted["kind"] == "wrong label", "image_id"])
    precision = (float(average_precision_score(wrong, 1 - scored["label_score"]))
                 if wrong.any() else float("nan"))
    return scores, precision


def print_planted_against_found(data: Path, run: Path) -> None:
    """Print the table that ends an audit of the demo."""
    scores, precision = score_demo(data, run)
    table = Table(title="Planted against found", title_justify="left", box=None, pad_edge=False)
    table.add_column("fault")
    for heading in ("planted", "found", "flagged beside them"):
        table.add_column(heading, justify="right")
    table.add_column("by")
    for one in scores:
        table.add_row(one.kind, str(one.planted), str(one.found), str(one.also_flagged),
                      ", ".join(one.checks))
    console = Console()
    console.print()
    console.print(table)
    console.print(f"Average precision of the label score against the planted labels: "
                  f"{precision:.3f}")


def _expected_of(checks: tuple[str, ...], planted: pd.DataFrame) -> set[str]:
    """Images that these checks are right to flag: planted in, or copied from, of any kind."""
    right = {kind for kind, by in FOUND_BY.items()
             if {*by} & {*checks} or ("exact_duplicates" in checks and kind in COPIES)}
    theirs = planted[planted["kind"].isin(right)]
    copies = theirs[theirs["kind"] != "wrong label"]  # whose detail is the true class
    return set(theirs["image_id"]) | set(copies["detail"])


def _flagged(findings: pd.DataFrame) -> set[str]:
    """Everything that findings are about: images, all members of sets, classes."""
    names = set(findings["subject"])
    for related in findings["related"]:
        names |= set(json.loads(related))
    return names
