"""One pass over one file: it is opened once, and nothing a file can hold stops the run."""

import io
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from audit import tables
from audit.engines import map_isolated
from audit.imagestore import TensorStore
from audit.measures import UNREADABLE, MeasureImage, measure

HOSTILE = Path(__file__).parents[2].parent / "shared" / "data" / "hostile-images.zip"
SIZE = 64


@pytest.fixture
def tensors(tmp_path):
    return TensorStore.create(tmp_path / "tensors.npy", 3, SIZE)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "photo.JPG"
    Image.fromarray(load_sample_image("china.jpg")).save(path, "JPEG", quality=90)
    return path


@pytest.fixture
def measured(tensors):
    """Measure a file as row 1."""
    return lambda path: MeasureImage(tensors)((1, str(path)))


_opened: list[str] = []


def _record(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        _opened.append(arguments[0])


sys.addaudithook(_record)  # sees every way Python has of opening a file; it cannot be taken off


def test_an_image_gives_a_whole_row_a_tensor_and_a_thumbnail(measured, tensors, image):
    one = measured(image)
    row = one.measures
    table = tables.make(tables.MEASURES, [row])
    assert set(row) == set(tables.MEASURES)
    assert tables.problems(table, tables.MEASURES) == []
    assert (row["status"], row["problem"], row["problem_kind"]) == ("ok", "", "")
    assert (row["format"], row["extension"], row["width"], row["height"]) == (
        "JPEG", ".jpg", 640, 427)
    assert row["file_bytes"] == image.stat().st_size
    stored = tensors.read(np.arange(3))
    assert not stored[[0, 2]].any()
    small = Image.open(image).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
    assert np.abs(stored[1].astype(int) - np.asarray(small, int)).mean() < 6
    assert max(Image.open(io.BytesIO(one.thumbnail)).size) == 128


@pytest.mark.parametrize("extension", [".jpg", ".png", ".gif", ".tif", ".webp", ".avif", ".bmp"])
def test_each_image_is_opened_exactly_once(tmp_path, measured, extension):
    path = tmp_path / f"one{extension}"
    exif = Image.Exif()
    exif[0x0112] = 6  # which makes the reader look twice
    Image.fromarray(load_sample_image("china.jpg")).save(path, exif=exif)
    _opened.clear()
    assert measured(path).measures["status"] == "ok"
    assert _opened.count(str(path)) == 1


@pytest.mark.parametrize(("name", "extension"), [
    ("photo.JPG", ".jpg"), ("a.tar.gz", ".gz"), (".jpg", ""), ("photo.", ""), ("photo", ""),
    ("in.folder/photo", ""), ("..jpg", ".jpg"), ("\u00e4.\u00c4", ".\u00e4")])
def test_the_extension_is_as_pathlib_has_it(name, extension):
    assert measure.extension_of(name) == Path(name).suffix.lower() == extension


def test_a_file_that_grows_while_it_is_read_is_read_whole(measured, image, monkeypatch):
    content = image.read_bytes()
    short = os.stat_result([0o100644, *[0] * 5, len(content) // 2, 0, 0, 0])
    monkeypatch.setattr(measure.os, "fstat", lambda _handle: short)
    row = measured(image).measures
    assert (row["status"], row["file_bytes"]) == ("ok", len(content))


def test_measuring_twice_gives_the_same(measured, image):
    assert repr(measured(image)) == repr(measured(image))


@pytest.mark.parametrize("index", range(0, 100, 25))
def test_tiny_images_are_measured_and_kept_as_they_are(tmp_path, measured, tensors, index):
    path = tmp_path / "digit.png"
    Image.fromarray(np.uint8(load_digits().images[index] * 15)).save(path)
    row = measured(path).measures
    assert (row["status"], row["width"], row["height"], row["mode"]) == ("ok", 8, 8, "L")
    assert row["colourfulness"] == 0
    stored = tensors.read(np.array([1]), size=8)[0]
    np.testing.assert_array_equal(stored, np.asarray(Image.open(path).convert("RGB")))


def test_damage_is_measured_all_the_same(measured, image):
    image.write_bytes(image.read_bytes()[:-20_000])
    one = measured(image)
    assert (one.measures["status"], one.measures["problem_kind"]) == ("damaged", "truncated")
    assert one.measures["problem"]
    assert one.measures["entropy"] > 1
    assert one.thumbnail


def make_nothing(path):
    assert not path.exists()


def make_folder(path):
    path.mkdir()


def make_loop(path):
    path.symlink_to(path.name)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("make", "kind", "words"), [
    (lambda path: path.write_bytes(b""), "empty", "0 bytes"),
    (lambda path: path.write_text("a note"), "not_an_image", "no known image format"),
    (make_nothing, "missing", "cannot be opened: No such file"),
    (os.mkfifo, "not_an_image", "not a regular file"),
    (make_folder, "not_an_image", "not a regular file"),
    (make_loop, "corrupt", "cannot be opened: Too many levels"),
    (lambda path: path.symlink_to("/dev/zero"), "not_an_image", "not a regular file"),
    (lambda path: path.write_bytes(b"\xff\xd8\xff\xd9"), "corrupt", "cannot identify"),
])
def test_what_is_no_image_is_unreadable_for_a_reason(tmp_path, measured, tensors, make, kind,
                                                     words):
    path = tmp_path / "file.jpg"
    make(path)
    one = measured(path)
    assert (one.measures["status"], one.measures["problem_kind"]) == (UNREADABLE, kind)
    assert words in one.measures["problem"]
    assert one.thumbnail == b""
    assert tables.problems(tables.make(tables.MEASURES, [one.measures]), tables.MEASURES) == []
    assert not tensors.read(np.arange(3)).any()


@pytest.mark.parametrize("path", ["a\0b.jpg", "x" * 5000 + ".jpg", ""])
def test_a_path_that_no_file_can_have(measured, path):
    assert measured(path).measures["status"] == UNREADABLE


def test_a_file_too_large_to_read_is_not_read(tmp_path, measured):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(measure.MAX_FILE_BYTES + 1)  # sparse: it takes no space
    assert measured(path).measures["problem_kind"] == "bomb"


def test_running_out_of_memory_is_a_finding(measured, image, monkeypatch):
    def decode(*_, **__):
        raise MemoryError
    monkeypatch.setattr(measure, "decode", decode)
    assert measured(image).measures["problem_kind"] == "bomb"


def test_a_name_that_is_not_utf8_is_measured(tmp_path, measured, image):
    path = os.path.join(os.fsencode(tmp_path), b"\xe9.j\xffg")
    shutil.copy(image, path)
    row = measured(os.fsdecode(path)).measures
    assert row["status"] == "ok"
    assert str(row["extension"]).encode("utf-8") == ".j\ufffdg".encode()


@pytest.mark.shared
@pytest.mark.skipif(not HOSTILE.is_file(), reason="the shared hostile images are not here")
def test_every_hostile_file_is_answered(tmp_path):
    with zipfile.ZipFile(HOSTILE) as archive:
        archive.extractall(tmp_path)
    paths = sorted(str(path) for path in (tmp_path / "hostile").rglob("*") if path.is_file())
    tensors = TensorStore.create(tmp_path / "tensors.npy", len(paths), SIZE)
    answers = dict(map_isolated(MeasureImage(tensors), enumerate(paths), workers=2, timeout_s=10))
    assert set(answers) == set(enumerate(paths))
    rows = [answers[item].measures for item in enumerate(paths)]  # a Failure has none
    table = tables.make(tables.MEASURES, rows)
    assert set(table["status"]) == {"ok", "damaged", UNREADABLE}
    assert (table["problem"] == "").equals(table["status"] == "ok")
    assert ((table["width"] > 0) == (table["status"] != UNREADABLE)).all()
    is_real = np.array(["orientation" in path for path in paths])
    assert (table["status"][is_real] == "ok").all()
