"""A folder of class folders becomes the manifest; what is no image is listed with its reason."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import tables
from audit.errors import UsageError
from audit.ingest.folder import read_folder
from audit.ingest.naming import class_name, printable, with_unique_ids

PNG_START = b"\x89PNG\r\n\x1a\n"


def lay_out(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG_START)
    return root


def labels(root: Path) -> dict[str, str]:
    manifest = read_folder(root).manifest
    return dict(zip(manifest["image_id"], manifest["given_label"], strict=True))


def test_class_folders_become_labels_in_a_stable_order(tmp_path):
    lay_out(tmp_path, "dog/b.png", "cat/2.jpg", "cat/10.jpg", "cat/deep/er/3.jpg")
    ingested = read_folder(tmp_path)
    assert labels(tmp_path) == {"cat/10.jpg": "cat", "cat/2.jpg": "cat", "cat/deep/er/3.jpg": "cat",
                                "dog/b.png": "dog"}
    assert ingested.manifest["image_id"].tolist() == sorted(ingested.manifest["image_id"])
    assert tables.problems(ingested.manifest, tables.MANIFEST) == []
    assert all(Path(path).is_file() for path in ingested.manifest["path"])
    assert (ingested.not_counted, ingested.notes, ingested.empty_classes) == ({}, (), ())
    assert set(ingested.manifest["split"]) == {""}


@pytest.mark.parametrize(("folders", "splits"), [
    (("train", "validation", "test"), {"train", "val", "test"}),
    (("Training", "valid", "TESTING"), {"train", "val", "test"}),
    (("train",), {"train"}),
])
def test_split_folders_are_splits(tmp_path, folders, splits):
    lay_out(tmp_path, *(f"{folder}/{label}/1.png" for folder in folders for label in "ab"))
    manifest = read_folder(tmp_path).manifest
    assert set(manifest["split"]) == splits
    assert set(manifest["given_label"]) == {"a", "b"}


def test_a_split_beside_a_class_is_taken_for_a_class_and_said(tmp_path):
    ingested = read_folder(lay_out(tmp_path, "train/1.png", "cat/1.png", "dog/1.png"))
    assert set(ingested.manifest["given_label"]) == {"train", "cat", "dog"}
    [note] = ingested.notes
    assert all(word in note for word in ('"train"', '"cat"', '"dog"', "split"))


def test_hidden_and_foreign_files_are_listed_and_not_counted(tmp_path):
    lay_out(tmp_path, "cat/1.png", "cat/._1.png", "cat/.cache/2.png", "__MACOSX/cat/1.png",
            ".git/x.png", "loose.png", "cat/Thumbs.db")
    (tmp_path / "cat" / "notes.txt").write_text("BMW is no bitmap")
    (tmp_path / "README").write_text("hello")
    ingested = read_folder(tmp_path)
    assert ingested.manifest["image_id"].tolist() == ["cat/1.png"]
    assert ingested.not_counted == {
        "__MACOSX": "hidden", ".git": "hidden", "cat/._1.png": "hidden", "cat/.cache": "hidden",
        "cat/Thumbs.db": "hidden", "cat/notes.txt": "not an image", "README": "not an image",
        "loose.png": "an image outside any class folder"}


def test_images_directly_in_a_split_are_not_counted(tmp_path):
    ingested = read_folder(lay_out(tmp_path, "train/cat/1.png", "train/2.png"))
    assert ingested.manifest["image_id"].tolist() == ["train/cat/1.png"]
    assert "outside any class folder" in ingested.not_counted["train/2.png"]


def test_what_should_be_an_image_is_counted_even_if_it_cannot_be(tmp_path):
    lay_out(tmp_path, "cat/whole", "cat/scan.tga")  # by content, and by an unsupported extension
    (tmp_path / "cat" / "empty.jpg").touch()
    (tmp_path / "cat" / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "cat" / "gone").symlink_to("nowhere")
    ingested = read_folder(tmp_path)
    assert set(ingested.manifest["image_id"]) == {
        "cat/whole", "cat/scan.tga", "cat/empty.jpg", "cat/gone.jpg"}
    assert ingested.not_counted == {"cat/gone": "a link to nothing"}


@pytest.mark.timeout(20)
def test_a_named_pipe_is_not_waited_for(tmp_path):
    lay_out(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    ingested = read_folder(tmp_path)
    assert len(ingested.manifest) == 1
    assert ingested.not_counted == {"cat/pipe.jpg": "not a regular file",
                                    "pipe": "not a regular file"}


@pytest.mark.parametrize("place", ["loop", "cat/loop", "cat/deep/loop"])
@pytest.mark.parametrize("target", [".", "..", "../..", "itself"])
def test_links_in_a_circle_do_not_multiply_images(tmp_path, place, target):
    root = lay_out(tmp_path / "outer" / "data", "cat/1.png", "cat/deep/2.png", "dog/1.png")
    link = root / place
    steps = min(target.count(".."), place.count("/"))  # no further up than the data set
    link.symlink_to(link.name if target == "itself" else "/".join([".."] * steps) or ".")
    ingested = read_folder(root)
    assert set(ingested.manifest["image_id"]) == {"cat/1.png", "cat/deep/2.png", "dog/1.png"}
    assert "link" in ingested.not_counted[place]
    assert ingested.empty_classes == ()


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    lay_out(tmp_path / "elsewhere", "1.png")
    root = lay_out(tmp_path / "data", "dog/1.png")
    (root / "cat").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert labels(root) == {"cat/1.png": "cat", "dog/1.png": "dog"}


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    lay_out(tmp_path, f"train/{composed}/1.png", f"test/{decomposed}/2.png")
    assert set(labels(tmp_path).values()) == {composed}


def test_a_name_that_is_not_utf8_is_printable_and_can_be_opened(tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    os.mkdir(folder)
    for name in (b"\xff.png", b"\\xff.png"):  # the second is what the first is printed as
        with open(os.path.join(folder, name), "wb") as file:
            file.write(PNG_START)
    manifest = read_folder(tmp_path).manifest
    assert set(manifest["image_id"]) == {"caf\\xe9/\\xff.png", "caf\\xe9/\\xff.png#2"}
    assert set(manifest["given_label"]) == {"caf\\xe9"}
    assert all(os.path.isfile(path) for path in manifest["path"])


def test_empty_class_folders_are_named(tmp_path):
    lay_out(tmp_path, "train/cat/1.png", "test/dog/1.png")
    (tmp_path / "train" / "dog").mkdir()
    assert read_folder(tmp_path).empty_classes == ("train/dog",)


@pytest.mark.parametrize(("names", "hinted"), [
    (("photos/cat/1.png", "photos/dog/1.png"), True),
    (("photos/train/cat/1.png",), True),
    (("photos/cat/1.png",), False),
    (("cat/1.png", "dog/x/1.png", "dog/y/1.png"), False),
    (("cat/1.png",), False),
    (("train/cat/1.png", "test/cat/1.png"), False),
])
def test_a_path_one_level_too_high_is_noticed(tmp_path, names, hinted):
    notes = read_folder(lay_out(tmp_path, *names)).notes
    assert [f"{tmp_path}/photos" in note for note in notes] == [True] * hinted


def test_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    lay_out(tmp_path, "cat/1.png", "dog/1.png", "dog/sub/2.png")
    locked = {str(tmp_path / "dog" / "sub")}
    whole = os.scandir

    def scandir(path):
        if str(path) in locked:
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    ingested = read_folder(tmp_path)
    assert len(ingested.manifest) == 2
    assert ingested.not_counted == {"dog/sub": "cannot be listed: Permission denied"}
    locked.add(str(tmp_path))
    with pytest.raises(UsageError, match=r"cannot be listed.*Permission denied"):
        read_folder(tmp_path)


@given(st.lists(st.sampled_from(["a", "a#2", "a#2#2", "a#3", "b"])))
def test_ids_are_made_unique_and_stay_what_they_are_when_they_were(names):
    rows = with_unique_ids([{"image_id": name} for name in names])
    ids = [row["image_id"] for row in rows]
    assert len(set(ids)) == len(names)
    assert all(one.startswith(name) for one, name in zip(ids, names, strict=True))
    assert [ids[names.index(name)] for name in dict.fromkeys(names)] == list(dict.fromkeys(names))
    again = [row["image_id"] for row in with_unique_ids([{"image_id": one} for one in ids])]
    assert again == ids


@given(st.binary(min_size=1))
def test_any_name_becomes_text_that_utf8_takes(name):
    text = class_name(os.fsdecode(name))
    assert text.encode("utf-8")
    assert printable(text) == text == unicodedata.normalize("NFC", text)
