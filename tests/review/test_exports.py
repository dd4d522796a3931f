"""What was answered reaches other tools whole and harmless, and comes back from them."""

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from audit.errors import UsageError
from audit.review.agreement import settled
from audit.review.exports import FORMATS, Reviewed, reviewed_images
from audit.review.imports import read_answers
from audit.review.store import Event, Standing

EVIL = Reviewed("=cmd|'/c calc'!A1.jpg", "/data/=cmd|'/c calc'!A1.jpg", "ab" * 32, 4, 3, "label",
                "<img onerror=alert(1)>", "ünï 数字", "class", "ünï 数字", "Ada", "a\x0bb\r=1+1")
CLASSES = ("<img onerror=alert(1)>", "ünï 数字", "x" * 200)


def export(form, images, classes=CLASSES):
    return FORMATS[form](images, classes)


@pytest.fixture
def reviewed(run, catalogue):
    """Two labels answered, one unsure, the rest open."""
    labels = [one for one in catalogue.items if one.kind == "label" and not one.truth]
    standing = Standing()
    for number, (word, label) in enumerate((("class", labels[0].suggested),
                                            ("class", labels[1].given), ("exclude", ""))):
        one = labels[number]
        standing.take(Event(f"{number}", "Ada", one.item_id, one.check, one.sha256[0], word, label,
                            "", 900, "one", one.given))
    paths = [str(run.source.data / name) for name in catalogue.image_ids]
    return labels, reviewed_images(catalogue, settled(catalogue.items, standing), paths,
                                   run.images["given_label"].tolist())


def test_every_question_but_the_known_ones_is_there(catalogue, reviewed):
    labels, images = reviewed
    asked = {row for one in catalogue.items if not one.truth for row in one.rows}
    assert {one.image_id for one in images} == {catalogue.image_ids[row] for row in asked}
    assert [one.answer for one in images if one.answer] == ["class", "class", "exclude"]
    first = next(one for one in images if one.answer)
    assert (first.label, first.given_label) == (labels[0].suggested, labels[0].given)


def test_a_table_opens_in_a_spreadsheet_and_runs_nothing():
    content = export("csv", [EVIL, replace(EVIL, answer="")])[""].decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert len(rows) == 1, "open questions are not answers"
    assert rows[0]["image_id"] == "'" + EVIL.image_id
    assert rows[0]["label"] == EVIL.label
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in rows[0].values())


def test_lines_of_json_hold_all_of_it():
    lines = export("jsonl", [EVIL, EVIL])[""].decode().splitlines()
    assert [Reviewed(**json.loads(line)) for line in lines] == [EVIL, EVIL]


def test_label_studio_gets_answers_as_annotations_and_the_rest_to_do():
    still_open = replace(EVIL, answer="", label="")
    tasks = json.loads(export("label-studio", [EVIL, still_open])[""])
    answered, todo = tasks
    assert answered["annotations"][0]["result"][0]["value"]["choices"] == [EVIL.label]
    assert answered["data"]["image"].startswith("/data/local-files/?d=data/")
    assert " " not in answered["data"]["image"]
    assert todo["predictions"][0]["result"][0]["value"]["choices"] == [EVIL.suggested_label]
    assert "annotations" not in todo


def test_cvat_gets_tags_in_well_formed_xml():
    root = ET.fromstring(export("cvat", [EVIL])[""])  # noqa: S314 - our own
    assert [one.text for one in root.findall("meta/task/labels/label/name")] == list(CLASSES)
    image = root.find("image")
    assert (image.get("name"), image.get("width"), image.get("height")) == (EVIL.image_id, "4", "3")
    assert image.find("tag").get("label") == EVIL.label
    strange = export("cvat", [replace(EVIL, image_id="a\x01\udc80b")])[""]
    assert "\x01" not in ET.fromstring(strange).find("image").get("name")  # noqa: S314 - our own


def test_fiftyone_gets_paths_and_numbers_of_classes():
    files = {name: json.loads(content) for name, content in export("fiftyone", [EVIL]).items()}
    assert files["data.json"] == {EVIL.file_sha256: EVIL.path}
    assert files["labels.json"] == {"classes": list(CLASSES), "labels": {EVIL.file_sha256: 1}}


def given_of(run):
    return run.images["given_label"].tolist()


@pytest.mark.parametrize("form", ["csv", "jsonl", "label-studio"])
def test_what_was_written_is_read_back_as_the_same_answers(run, catalogue, reviewed, tmp_path,
                                                            form):
    labels, images = reviewed
    path = tmp_path / {"csv": "a.csv", "jsonl": "a.jsonl", "label-studio": "a.json"}[form]
    path.write_bytes(FORMATS[form](images, run.classes)[""])
    events = read_answers(path, catalogue, given_of(run))
    told = [(one.item_id, one.answer, one.label) for one in events]
    expected = [(labels[0].item_id, "class", labels[0].suggested),
                (labels[1].item_id, "class", labels[1].given)]
    assert told[:2] == expected
    assert len(told) == (2 if form == "label-studio" else 3)
    assert {one.mode for one in events} == {"import"}
    again = read_answers(path, catalogue, given_of(run))
    assert [one.uuid for one in again] == [one.uuid for one in events]


def test_an_export_of_label_studio_with_file_names_only_is_understood(run, catalogue, tmp_path):
    wrong = next(name for name in catalogue.image_ids if "wrong0" in name)
    path = tmp_path / "short.csv"
    pd.DataFrame({"image": ["/data/upload/3/wrong0.png"], "choice": ["two"], "annotator": [7]}
                 ).to_csv(path, index=False)
    event, = read_answers(path, catalogue, given_of(run))
    assert catalogue.image_ids[catalogue.item(event.item_id).rows[0]] == wrong
    assert (event.answer, event.label, event.reviewer) == ("class", "two", "7")


@pytest.mark.parametrize(("table", "message"), [
    ({"image_id": ["no.png"], "label": ["one"]}, 'is about "no.png", which names no image'),
    ({"image_id": ["one/copy.png"], "label": ["seven"]}, 'a class of the data. Got "seven"'),
    ({"image_id": ["one/copy.png"]}, "holds no answer"),
    ({"image": ["copy.png"], "label": ["one"]}, "names several images")])
def test_answers_that_fit_nothing_are_refused_in_one_line(run, catalogue, tmp_path, table, message):
    path = tmp_path / "answers.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.raises(UsageError, match=message) as refused:
        read_answers(path, catalogue, given_of(run))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("name", "content"), [
    ("a.json", b"{"), ("a.json", b'{"a": 1}'), ("a.csv", b"\xff\xfe\x00"), ("a.parquet", b"x"),
    ("missing.csv", None)])
def test_a_file_that_cannot_be_read_is_refused(run, catalogue, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot be read|holds no answer"):
        read_answers(tmp_path / name, catalogue, given_of(run))
