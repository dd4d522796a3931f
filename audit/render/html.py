"""report.html: one file that opens offline, with pictures, plots and no scripts."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.render import plots, readings, words
from audit.results import predicted_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.causes import Cause
    from audit.imagestore import Thumbnails
    from audit.types import CheckResult, Evidence

MOST_CARDS = 24
"""Pictures shown a check: enough to see a pattern; findings.csv has all."""

MOST_SETS = 12
MOST_IN_SET = 6
MOST_CLASSES_IN_MAP = 25

_CURVES = "sufficiency"
"""Code of the check whose figures are the learning curves."""


@dataclass(frozen=True)
class ReportData:
    """All that the report and the console's summary say."""

    name: str
    digest: str
    seconds: float
    evidence: Evidence
    results: Sequence[CheckResult]
    causes: Sequence[Cause]
    found_well: Sequence[str]
    not_checked: Sequence[tuple[str, str]]
    accuracy: float | None
    model: str
    stages: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    not_counted: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    reused: Sequence[str] = ()
    changed: str = ""

    @property
    def label_flags(self) -> int:
        """Images flagged for their label."""
        return self._count("label", "image")

    @property
    def largest_share(self) -> float:
        """Share of the images that the largest class holds."""
        counts = self.evidence.images["given_label"].value_counts()
        return float(counts.max() / counts.sum())

    @property
    def conflicts(self) -> int:
        """Pictures under two classes."""
        return self._count("label_conflict", "set")

    def _count(self, code: str, about: str) -> int:
        for one in self.results:
            if one.meta.code == code and one.outcome is not None:
                found = one.outcome.findings
                return int((found["is_flagged"] & (found["about"] == about)).sum())
        return 0


def render_report(report: ReportData, thumbnails: Thumbnails) -> str:
    """Render the report. Everything that comes from the data is escaped.

    Args:
        report: what to say.
        thumbnails: pictures by row of `report.evidence.images`.
    """
    environment = Environment(
        loader=PackageLoader("audit.render"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"duration": words.duration, "percent": words.percent,
                            "gain": words.gain_in_words,
                            "thousands": lambda number: f"{number:,}"}
    gallery = _Gallery(report.evidence, thumbnails)
    by_code = {one.meta.code: one for one in report.results}
    sections = [{
        "cause": cause, "anchor": cause.key,
        "checks": [gallery.show(by_code[code]) for code in cause.checks],
    } for cause in report.causes]
    classes = len(report.evidence.classes)
    return environment.get_template("report.html.j2").render(
        report=report, sections=sections, classes=_class_rows(report),
        heat=_heat_map(report.evidence), checks=_check_rows(report.results),
        gains=_gains_plot(report.causes), curves=_learning_curves(report),
        headline=words.headline(report.name, len(report.evidence.images), classes,
                                report.seconds, report.digest),
        trust=words.trust(report.accuracy, report.model, report.largest_share),
        next_step=words.next_step(report.label_flags, report.conflicts),
        verdict=words.verdict(report.causes, len(report.not_checked)),
        what_a_gain_is=words.WHAT_A_GAIN_IS,
        not_counted=list(report.not_counted.items())[:200])


class _Gallery:
    """Turns the findings of a check into pictures."""

    def __init__(self, evidence: Evidence, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._row_of = pd.Index(evidence.images["image_id"], dtype=object)
        self._given = evidence.images["given_label"].to_numpy()
        self._split = evidence.images["split"].to_numpy()
        self._predicted = predicted_labels(evidence)
        self._sources: dict[int, str] = {}

    def show(self, result: CheckResult) -> dict[str, Any]:
        """A check's part of the report: its summary, pictures and rows of text."""
        outcome = result.outcome
        if outcome is None:
            message = f"{result.meta.code} has no outcome to show"
            raise ValueError(message)
        flagged = outcome.findings[outcome.findings["is_flagged"]]
        images = flagged[flagged["about"] == "image"]
        sets = flagged[flagged["about"] == "set"]
        rest = flagged[~flagged["about"].isin(["image", "set"])]
        with_suggestion = result.meta.code == "label"
        return {
            "meta": result.meta, "summary": outcome.summary,
            "details": outcome.details,
            "cards": [self._card(row["subject"],
                                 f"{100 * (1 - row['score']):.1f} % sure that it is wrong"
                                 if with_suggestion else row["evidence"], row["score"],
                                 with_suggestion=with_suggestion)
                      for row in images.head(MOST_CARDS).to_dict("records")],
            "cards_left": max(0, len(images) - MOST_CARDS),
            "sets": [self._set(row) for row in sets.head(MOST_SETS).to_dict("records")],
            "sets_left": max(0, len(sets) - MOST_SETS),
            "rows": rest.to_dict("records"),
        }

    def _card(self, name: str, text: str, score: float, *, with_suggestion: bool = False,
              ) -> dict[str, Any]:
        row = int(self._row_of.get_indexer_for([name])[-1])
        return {"name": name, "text": text, "score": score, "source": self._source(row),
                "given": self._given[row], "split": self._split[row],
                "predicted": self._predicted[row] if with_suggestion else ""}

    def _set(self, found: Mapping[Any, Any]) -> dict[str, Any]:
        names = [found["subject"], *json.loads(found["related"])]
        return {"text": found["evidence"], "left": max(0, len(names) - MOST_IN_SET),
                "cards": [self._card(name, "", found["score"]) for name in names[:MOST_IN_SET]]}

    def _source(self, row: int) -> str:
        """The picture itself as a data URI; empty if it could not be decoded."""
        if row not in self._sources:
            encoded = self._thumbnails.read(row)
            self._sources[row] = (
                "data:image/jpeg;base64," + base64.b64encode(encoded).decode() if encoded else "")
        return self._sources[row]


def _class_rows(report: ReportData) -> list[dict[str, Any]]:
    """Images and estimated label noise of each class, largest class first."""
    images = report.evidence.images
    counts = images["given_label"].value_counts()
    noise: Mapping[str, float] = {}
    for one in report.results:
        if one.meta.code == "label" and one.outcome is not None:
            value = one.outcome.metrics["noise_by_class"]
            noise = value if isinstance(value, dict) else {}
    largest = max(int(counts.max()), 1) if len(counts) else 1
    rows = [{"name": str(name), "count": int(count), "width": 100 * int(count) / largest,
             "noise": noise.get(str(name))} for name, count in counts.items()]
    return rows + [{"name": name, "count": 0, "width": 0.0, "noise": None}
                   for name in report.evidence.empty_classes]


def _plot(svg: str, reading: str, name: str = "") -> dict[str, Any]:
    """A plot, what it says, and what to write over it.

    The SVG is trusted: `svg.to_svg` escaped the text in it.
    """
    return {"name": name, "svg": Markup(svg), "reading": reading}  # noqa: S704


def _gains_plot(causes: Sequence[Cause]) -> dict[str, Any] | None:
    """Gains of the causes; None where none was measured."""
    svg = plots.gains_of_causes(causes)
    return _plot(svg, readings.of_gains(causes)) if svg else None


def _learning_curves(report: ReportData) -> dict[str, Any] | None:
    """What the check of the learning curves measured; None where it did not end well."""
    outcome = next((one.outcome for one in report.results
                    if one.meta.code == _CURVES and one.outcome is not None), None)
    if outcome is None:
        return None
    figures = cast("Mapping[str, Any]", outcome.metrics)
    target, overall, classes = figures["target"], figures["overall"], figures["classes"]
    is_told = any(_CURVES in cause.checks for cause in report.causes)
    return {
        "code": _CURVES, "target": f"{target:.2f}",
        "overall": _plot(plots.learning_curve(overall, target) if "curve" in overall else "",
                         readings.of_curve(overall, target)),
        "classes": [_plot(svg, readings.of_curve(classes[name], target), name)
                    for name, svg in plots.class_curves(classes, target).items()],
        "recalls": _plot(plots.class_recalls(classes, target),
                         readings.of_class_recalls(classes, target)),
        "recalls_left": max(0, len(report.evidence.classes) - plots.MOST_CLASSES),
        "details": () if is_told else outcome.details,
    }


def _heat_map(evidence: Evidence) -> dict[str, Any] | None:
    """Given class against predicted class, as a share of the given; None without predictions."""
    predicted = np.array(predicted_labels(evidence), object)
    given = evidence.images["given_label"].to_numpy()
    known = predicted != ""
    if not known.any():
        return None
    mixed = pd.crosstab(given[known], predicted[known]).reindex(
        index=evidence.classes, columns=evidence.classes, fill_value=0).to_numpy()
    shown = _classes_for_map(mixed, evidence.classes)
    names = [evidence.classes[number] for number in shown]
    table: list[dict[str, Any]] = []
    for number, name in zip(shown, names, strict=True):
        total = max(int(mixed[number].sum()), 1)
        counts = mixed[number, shown].tolist()
        table.append({"name": name, "cells": [
            {"count": count, "share": count / total, "other": other, "is_own": other == name}
            for count, other in zip(counts, names, strict=True)]})
    worst = max(((cell["count"], cell["share"], row["name"], cell["other"])
                 for row in table for cell in row["cells"] if not cell["is_own"]), default=None)
    return {"names": names, "rows": table, "worst": worst,
            "left": len(evidence.classes) - len(names)}


def _classes_for_map(mixed: np.ndarray, classes: Sequence[str]) -> list[int]:
    """All classes, or those that are mixed up most where there are too many to show.

    Args:
        mixed: `(c, c)` images by given and predicted class.
        classes: their names, sorted.

    Returns:
        Numbers of the classes, ascending.
    """
    if len(classes) <= MOST_CLASSES_IN_MAP:
        return list(range(len(classes)))
    wrong = mixed.sum(axis=0) + mixed.sum(axis=1) - 2 * np.diag(mixed)
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES_IN_MAP].tolist())


def _check_rows(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    return [{"code": one.meta.code, "title": one.meta.title, "status": one.status,
             "text": one.outcome.summary if one.outcome else one.reason,
             "flagged": _flagged(one.outcome.findings) if one.outcome else None,
             "thresholds": ", ".join(f"{name} {value:g}"
                                     for name, value in one.thresholds.items())}
            for one in results]


def _flagged(findings: pd.DataFrame) -> int:
    return int(findings["is_flagged"].sum())
