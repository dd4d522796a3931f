"""What reviewers answered, for other tools: CSV, JSON Lines, Label Studio, CVAT, FiftyOne."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pandas as pd

from audit.review.items import LABEL
from audit.rundir import safe_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from audit.review.items import Catalogue
    from audit.review.store import Event

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


@dataclass(frozen=True)
class Reviewed:
    """An image and what is known of it now.

    Attributes:
        image_id: as in the run.
        path: of the file.
        file_sha256: of the file that was audited.
        width: in pixels, 0 if unknown.
        height: the same.
        check: that asked.
        given_label: class in the dataset.
        suggested_label: by the model; empty where it suggests none.
        answer: of the reviewers; empty for a question that is open.
        label: class that it is of by the reviewers; empty where it is of none, or open.
        reviewer: who answered.
        note: in the reviewer's words.
    """

    image_id: str
    path: str
    file_sha256: str
    width: int
    height: int
    check: str
    given_label: str
    suggested_label: str
    answer: str
    label: str
    reviewer: str
    note: str


def reviewed_images(catalogue: Catalogue, settled: Mapping[str, Event], paths: Sequence[str],
                    given: Sequence[str]) -> list[Reviewed]:
    """Every image that was asked about, the open questions too.

    Questions whose answer was known are left out: they are about reviewers.

    Args:
        catalogue: the questions.
        settled: item_id → the answer that stands.
        paths: of the files, by row.
        given: classes in the dataset, by row.
    """
    found = []
    for item in catalogue.items:
        if item.truth:
            continue
        event = settled.get(item.item_id)
        for row, sha in zip(item.rows, item.sha256, strict=True):
            width, height = catalogue.size_of(row)
            answer, label = _answer(event, sha, given[row])
            found.append(Reviewed(
                catalogue.image_ids[row], paths[row], sha, width, height, item.check, given[row],
                item.suggested, answer, label, event.reviewer if event else "",
                event.note if event else ""))
    return found


def _answer(event: Event | None, sha: str, given: str) -> tuple[str, str]:
    """Answer and class of one image of a question."""
    if event is None:
        return "", ""
    if event.answer == "class":
        return "class", event.label
    if event.answer == "keep" and event.label:  # of copies, the one with this file is kept
        return ("keep", given) if sha == event.label else ("exclude", "")
    return event.answer, given if event.answer in {"keep", "both"} else ""


def as_csv(images: Sequence[Reviewed], _classes: Sequence[str]) -> dict[str, bytes]:
    """A table of the answered questions, safe for spreadsheets."""
    names = [*Reviewed.__dataclass_fields__]
    table = pd.DataFrame([asdict(one) for one in _answered(images)], columns=names)
    return {"": safe_csv(table).encode("utf-8", "backslashreplace")}


def as_json_lines(images: Sequence[Reviewed], _classes: Sequence[str]) -> dict[str, bytes]:
    """One object a line, of the answered questions."""
    return {"": "".join(json.dumps(asdict(one), ensure_ascii=True) + "\n"
                        for one in _answered(images)).encode()}


def as_label_studio(images: Sequence[Reviewed], _classes: Sequence[str]) -> dict[str, bytes]:
    """Tasks for Label Studio: answers as annotations, suggestions for what is open as predictions.

    For a labelling configuration of `Choices` named `label` on an `Image` named `image`; pictures
    by its local file serving, of the root folder.
    """
    tasks = []
    for one in images:
        if one.check != LABEL:
            continue
        task: dict[str, Any] = {"data": {
            "image": "/data/local-files/?d=" + quote(_bytes(one.path.lstrip("/"))),
            "image_id": one.image_id, "file_sha256": one.file_sha256,
            "given_label": one.given_label}}
        if one.label:
            task["annotations"] = [{"result": [_choice(one.label)], "was_cancelled": False,
                                    "completed_by": {"email": one.reviewer}}]
        elif not one.answer and one.suggested_label:
            task["predictions"] = [{"model_version": "audit",
                                    "result": [_choice(one.suggested_label)]}]
        tasks.append(task)
    return {"": json.dumps(tasks, indent=1, ensure_ascii=True).encode()}


def as_cvat(images: Sequence[Reviewed], classes: Sequence[str]) -> dict[str, bytes]:
    """Tags in "CVAT for images 1.1", of the answered questions."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    answered = [one for one in _answered(images) if one.label]
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    for name, value in (("name", "audit"), ("size", str(len(answered))), ("mode", "annotation")):
        ET.SubElement(task, name).text = value
    labels = ET.SubElement(task, "labels")
    for name in classes:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = _xml(name)
        ET.SubElement(label, "type").text = "tag"
    for number, one in enumerate(answered):
        image = ET.SubElement(root, "image", {
            "id": str(number), "name": _xml(one.image_id), "width": str(one.width),
            "height": str(one.height)})
        ET.SubElement(image, "tag", {"label": _xml(one.label), "source": "manual"})
    ET.indent(root)
    return {"": ET.tostring(root, encoding="utf-8", xml_declaration=True)}


def as_fiftyone(images: Sequence[Reviewed], classes: Sequence[str]) -> dict[str, bytes]:
    """A `FiftyOneImageClassificationDataset`: `data.json` says where files are, `labels.json` what.

    It is a folder; nothing is copied.
    """
    answered = {one.file_sha256 or one.image_id: one for one in _answered(images) if one.label}
    place = {name: number for number, name in enumerate(classes)}
    return {
        "data.json": json.dumps({key: one.path for key, one in answered.items()},
                                indent=1).encode(),
        "labels.json": json.dumps({
            "classes": list(classes),
            "labels": {key: place[one.label] for key, one in answered.items()
                       if one.label in place}}, indent=1).encode()}


FORMATS: Mapping[str, Callable[[Sequence[Reviewed], Sequence[str]], dict[str, bytes]]] = {
    "csv": as_csv, "jsonl": as_json_lines, "label-studio": as_label_studio, "cvat": as_cvat,
    "fiftyone": as_fiftyone}
"""Name → what makes its files: name (empty for a format of one file) → content."""


def _answered(images: Sequence[Reviewed]) -> list[Reviewed]:
    return [one for one in images if one.answer]


def _choice(label: str) -> dict[str, object]:
    return {"from_name": "label", "to_name": "image", "type": "choices",
            "value": {"choices": [label]}}


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
