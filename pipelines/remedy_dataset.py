"""`audit fix`: a run and what reviewers decided → a plan, and a remedied dataset.

read the run → find its images again → plan → balance → write; source images are never changed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from audit import tables
from audit.errors import UnauditableError, UsageError
from audit.ingest import TEST, open_dataset, printable
from audit.places import is_remote
from audit.remedies import (
    AUTO,
    MODES,
    NONE,
    STRATEGIES,
    Choice,
    Options,
    balance_plan,
    build_case,
    choose_balance,
    count_actions,
    make_plan,
    match_decisions,
    read_decisions,
    refuse_target,
    training_rows,
    write_remedied,
)
from audit.review.decisions import decisions
from audit.review.items import Catalogue
from audit.review.store import REVIEW_FILE, ReviewStore
from audit.stored_run import StoredRun, read_run
from pipelines.seed import check_seed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from rich.console import Console

    from audit.places import Place
    from audit.types import ListedFile
    from pipelines.progress import Stages

FOLDS = 5
"""Of the trials of `--balance auto`."""

DROP, WEIGH = "drop", "weigh"
SUSPECTS = (DROP, WEIGH)

LEAST_SURE = 0.5
"""Below it another class may be as probable."""


@dataclass(frozen=True)
class RemedySettings:
    """Settings of `audit fix`; see its help and docs/fix.md for what they mean."""

    run: Path
    out: Path
    mode: str = "manifest"
    decisions: Path | None = None
    relabel_above: float | None = None
    class_floor: int | None = None
    include_eval: bool = False
    balance: str = NONE
    suspects: str = DROP
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no plan could make sense of."""
        if self.mode not in MODES:
            raise UsageError(f'--mode must be {", ".join(MODES)}. Got "{self.mode}" instead.')
        if self.balance not in {*STRATEGIES, AUTO}:
            raise UsageError(f'--balance must be {", ".join((*STRATEGIES, AUTO))}. '
                             f'Got "{self.balance}" instead.')
        if self.suspects not in SUSPECTS:
            raise UsageError(f'--suspects must be {", ".join(SUSPECTS)}. '
                             f'Got "{self.suspects}" instead.')
        if self.relabel_above is not None and not LEAST_SURE < self.relabel_above <= 1:
            raise UsageError("--relabel-above must be above 0.5 and at most 1. "
                             f"Got {self.relabel_above:g} instead.")
        if self.class_floor is not None and self.class_floor < 0:
            raise UsageError(f"--class-floor must be 0 or more. Got {self.class_floor} instead.")
        check_seed(self.seed)
        if self.decisions is not None and not self.decisions.is_file():
            raise UsageError(f"--decisions {self.decisions} does not exist. Give a file.")

    def as_json(self) -> dict[str, object]:
        """The options as plan.json records them: nothing that differs between machines."""
        return {"relabel_above": self.relabel_above, "class_floor": self.class_floor,
                "include_eval": self.include_eval, "balance": self.balance,
                "suspects": self.suspects, "seed": self.seed,
                "decisions": None if self.decisions is None else printable(self.decisions.name)}


@dataclass(frozen=True)
class Remedied:
    """A remedied dataset that was written.

    Attributes:
        path: its folder.
        plan: schema `tables.PLAN`.
        choice: how classes are balanced, and why.
    """

    path: Path
    plan: pd.DataFrame
    choice: Choice


def remedy(settings: RemedySettings, stages: Stages) -> Remedied:
    """Plan the remedies of a run and write the remedied dataset.

    Raises:
        UsageError: an option, a decision or a path is wrong, or the data are not what was audited.
    """
    with stages.stage("reading the run"):
        run = read_run(settings.run)
        sources = find_sources(run)
        refuse_target(settings.out, run.path, run.source.data, sources["path"])
    plan = plan_remedies(run, settings)
    choice = choose_strategy(run, plan, settings, stages)
    plan = balance_plan(plan, choice.strategy, settings.seed)
    sources = sources.set_index("image_id").loc[plan["image_id"]]
    files = 0 if settings.mode == "manifest" else int(plan["repeat"].sum())
    with stages.stage("writing", images=files) as advance:
        write_remedied(settings.out, settings.mode, plan, sources,
                       _about(run, settings, plan, choice), advance)
    return Remedied(settings.out, plan, choice)


def plan_remedies(run: StoredRun, settings: RemedySettings) -> pd.DataFrame:
    """The plan of a run, schema `tables.PLAN`, before classes are balanced.

    Raises:
        UsageError: the decisions cannot be read, or do not fit the run.
    """
    case = build_case(run.images, run.findings, run.classes, run.probabilities,
                      is_own_model=run.is_own_model, include_eval=settings.include_eval)
    decided = match_decisions(case, _decided(run, settings))
    return make_plan(case, Options(decided, settings.relabel_above, settings.class_floor,
                                   weighs=settings.suspects == WEIGH))


def _decided(run: StoredRun, settings: RemedySettings) -> pd.DataFrame:
    """Decisions of the table that was given, else what was answered on the review page."""
    if settings.decisions is not None:
        return read_decisions(settings.decisions)
    if not (run.path / REVIEW_FILE).is_file():
        return tables.make(tables.DECISIONS, [])
    store = ReviewStore(run.path / REVIEW_FILE)
    try:
        standing = store.standing()
        catalogue = Catalogue(run, answered={one.item_id for one in standing.answers()})
        return decisions(catalogue, standing, run.images["given_label"].tolist())
    finally:
        store.close()


def choose_strategy(run: StoredRun, plan: pd.DataFrame, settings: RemedySettings, stages: Stages,
                    ) -> Choice:
    """How classes are balanced: as asked for, or by trying."""
    if settings.balance == AUTO:
        return _choose(run, plan, settings.seed, stages)
    return Choice(settings.balance, "asked for")


def find_sources(run: StoredRun) -> pd.DataFrame:
    """The images of a run where they are now.

    Returns:
        `image_id`, `path`, and, as audited, `file_bytes` and `group`.

    Raises:
        UsageError: they are gone, or are not the images that were audited.
    """
    source = run.source
    for path in (source.data, source.labels):
        if path is not None and not is_remote(path) and not os.path.exists(path):
            raise UsageError(f"the data of this run are not there any more: {path} does not exist. "
                             "Put them back, or audit them where they are now.")
    try:
        ingested = open_dataset(source.data, source.labels, source.label_column)
    except UnauditableError as error:
        raise UsageError(f"{error} The run audited {len(run.images):,} images there. "
                         "Run the audit again.") from error
    manifest = ingested.manifest
    facts = ["image_id", "given_label", "split"]
    known = run.images[[*facts, "file_bytes", "group"]]
    if run.held_out is not None:  # nothing is known of them but that they are there
        known = pd.concat([known, run.held_out[[*facts, "group"]].assign(file_bytes=0)],
                          ignore_index=True)
        manifest = manifest.assign(split=manifest["split"].mask(
            manifest["image_id"].isin(run.held_out["image_id"]), TEST))
    both = manifest[[*facts, "path"]].merge(known, on="image_id", how="outer",
                                            suffixes=("", "_audited"), indicator=True)
    for side, what in (("right_only", "are not there any more"), ("left_only", "have come")):
        _refuse(both["image_id"][both["_merge"] == side], what, source.data)
    _refuse(both["image_id"][(both["given_label"] != both["given_label_audited"])
                             | (both["split"] != both["split_audited"])],
            "have another label or split", source.data)
    _refuse(_of_another_size(both, ingested.listed), "have changed or are gone", source.data)
    return both[["image_id", "path", "file_bytes", "group"]]


def _of_another_size(images: pd.DataFrame, listed: Mapping[str, ListedFile]) -> pd.Series:
    """Names of images in a store that are not there, or not of the size that was audited.

    An image that was missing when it was audited has no size.
    """
    if not any(map(is_remote, images["path"])):
        return images["image_id"][:0]
    differs = [is_remote(path) and size > 0 and (path not in listed or listed[path].bytes
                                                 not in {size, -1})
               for path, size in zip(images["path"], images["file_bytes"], strict=True)]
    return images["image_id"][differs]


def _refuse(names: pd.Series, what: str, data: Place) -> None:
    if len(names):
        raise UsageError(f"{data} is not what was audited: {len(names):,} images {what} since, "
                         f"as {min(names)}. Run the audit again.")


def _choose(run: StoredRun, plan: pd.DataFrame, seed: int, stages: Stages) -> Choice:
    """Try the strategies on the images to train with, by leak-safe folds."""
    from audit.representations import assign_folds  # noqa: PLC0415 - slow

    embeddings = run.embeddings()
    if embeddings is None:
        return Choice(NONE, "the run has no embeddings to try the strategies on")
    # Rows of the run in the order of the plan, which is sorted by image_id.
    in_plan = run.images["image_id"].argsort(kind="stable").to_numpy()
    usable = np.zeros(len(plan), bool)
    usable[training_rows(plan)] = True
    usable &= np.asarray(np.isfinite(embeddings).all(axis=1), bool)[in_plan]
    folds = assign_folds(plan["label"], groups_of(run, plan), usable, FOLDS, seed)
    if folds is None:
        return Choice(NONE, "fewer than two classes have two unrelated images")
    rows = np.flatnonzero(folds.fold >= 0)
    with stages.stage("trying to balance", images=len(rows), steps=folds.count) as advance:
        return choose_balance(embeddings[in_plan[rows]], plan["label"].to_numpy(object)[rows],
                              folds.fold[rows], seed, advance)


def groups_of(run: StoredRun, plan: pd.DataFrame) -> NDArray[np.int64]:
    """Number of the group of each image of the plan: what is alike or was given one is together."""
    from audit.representations import group_together  # noqa: PLC0415 - slow

    given = run.images.set_index("image_id")["group"].loc[plan["image_id"]].reset_index(drop=True)
    return group_together(_sets(run, plan), given)


def _sets(run: StoredRun, plan: pd.DataFrame) -> NDArray[np.int64]:
    """Number of the set of alike images that each image of the plan is in."""
    found = run.findings[run.findings["about"] == "set"]
    number = np.arange(len(plan))
    row_of = {name: row for row, name in enumerate(plan["image_id"])}
    for subject, related in zip(found["subject"], found["related"], strict=True):
        members = [row_of[name] for name in (subject, *json.loads(related))]
        for row in members:  # sets of several checks may overlap
            number[number == number[row]] = number[members[0]]
    return number


def _about(run: StoredRun, settings: RemedySettings, plan: pd.DataFrame, choice: Choice,
           ) -> dict[str, object]:
    """What plan.json says beside what was written."""
    return {
        "run": {"digest": run.digest}, "options": settings.as_json(), "images": len(plan),
        "counts": count_actions(plan), "balance": choice.strategy, "balance_reason": choice.reason,
        "balance_trials": [{
            "strategy": one.strategy, "mean_recall": one.difference.after,
            "mean_recall_without": one.difference.before, "gain": one.difference.change,
            "gain_low": one.difference.low, "gain_high": one.difference.high}
            for one in choice.trials]}


def print_remedied(console: Console, done: Remedied, settings: RemedySettings) -> None:
    """Print what the plan comes to, and what to do next."""
    plan, choice = done.plan, done.choice
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("action", "rule"):
        table.add_column(heading, no_wrap=True)
    table.add_column("images", justify="right")
    for action, rules in count_actions(plan).items():
        for rule, images in rules.items():
            table.add_row(action, rule, f"{images:,}")
    console.print(table)
    console.print()
    if choice.trials:
        _print_trials(console, choice)
    for line in _sentences(done, settings):
        console.print(Text(line), soft_wrap=True)


def _print_trials(console: Console, choice: Choice) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("balance", no_wrap=True)
    table.add_column("mean recall", justify="right")
    table.add_column("against none", no_wrap=True)
    table.add_row(NONE, f"{100 * choice.trials[0].difference.before:.1f} %", "")
    for one in choice.trials:
        table.add_row(one.strategy, f"{100 * one.difference.after:.1f} %",
                      one.difference.in_points())
    console.print(table)
    console.print()


def _sentences(done: Remedied, settings: RemedySettings) -> list[str]:
    plan, choice = done.plan, done.choice
    kept = int((plan["repeat"] > 0).sum())
    lines = [f"{kept:,} of {len(plan):,} images stay. Source images were not changed."]
    saved = int(((plan["rule"] == "label") & (plan["action"] == "keep")).sum())
    if saved:
        lines.append(f"{saved:,} suspected label{'s' if saved > 1 else ''} stayed, since classes "
                     "would fall below their floor.")
    refused = int(((plan["rule"] == "review") & plan["reason"].str.contains(
        "not done to evaluation splits", regex=False)).sum())
    if refused:
        lines.append(f"{refused:,} decision{'s' if refused > 1 else ''} on evaluation splits were "
                     "left undone. --include-eval does them.")
    if settings.balance != NONE:
        lines.append(f"Balance: {choice.strategy} ({choice.reason}).")
    what = done.path / ("remedied.csv" if settings.mode == "manifest" else "images")
    lines += [f"Plan: {done.path / 'plan.csv'}", f"Next: audit run {what}, or train with it."]
    return lines
