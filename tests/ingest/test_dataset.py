"""A folder is told from a table, and what is neither is refused with what to do."""

import pytest

from audit.errors import UnauditableError, UsageError
from audit.ingest import open_dataset


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "data" / "cat" / "1.png").touch()
    return tmp_path / "data"


def test_a_folder_and_a_table_are_told_apart(folder):
    assert open_dataset(folder).manifest["given_label"].tolist() == ["cat"]
    table = folder / "LABELS.CSV"
    table.write_text("path,label,expert\ncat/1.png,dog,owl\n")
    assert open_dataset(table).manifest["given_label"].tolist() == ["dog"]
    with_labels = open_dataset(folder, table, "expert")
    assert with_labels.manifest["given_label"].tolist() == ["owl"]
    assert with_labels.manifest["path"].tolist() == [str(folder / "cat" / "1.png")]


def test_labels_may_lie_apart_from_the_images(folder, tmp_path):
    table = tmp_path / "elsewhere.csv"
    table.write_text("path,label\ncat/1.png,dog\n")
    ingested = open_dataset(folder, table)
    assert ingested.manifest["path"].tolist() == [str(folder / "cat" / "1.png")]


@pytest.mark.parametrize(("data", "labels", "words"), [
    ("nowhere", None, r"nowhere does not exist.*one sub-folder a class"),
    ("data", "nowhere.csv", r"nowhere\.csv does not exist"),
    ("notes.txt", None, r"neither a folder nor a table \(\.csv, \.parquet\)"),
    ("labels.csv", "labels.csv", "with --labels, DATA must be a folder"),
])
def test_what_is_no_dataset_is_refused(folder, tmp_path, data, labels, words):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(UsageError, match=words):
        open_dataset(folder.parent / data, labels and folder.parent / labels)


@pytest.mark.parametrize(("files", "words"), [
    ((), r"no images under .*it is empty.*--labels"),
    (("a.txt", "b.TXT", "README"), r"no images .*looked at 3 files: 2 \.txt, 1 without extension"),
    (("a.png",), r"no class folders with images .*1 \.png"),
])
def test_a_folder_without_images_says_what_was_looked_at(tmp_path, files, words):
    for name in files:
        content = b"\x89PNG\r\n\x1a\n" if name.endswith("png") else b"x"
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnauditableError, match=words):
        open_dataset(tmp_path)


def test_a_table_of_which_no_path_exists_is_for_another_folder(folder, tmp_path):
    table = tmp_path / "elsewhere.csv"
    table.write_text("path,label\ndata/cat/1.png,dog\ndata/cat/2.png,dog\n")
    looked_for = f"{folder}/data/cat/1.png".replace(".", r"\.")
    with pytest.raises(UsageError, match=rf"no image .*{looked_for}.*relative to {folder};"):
        open_dataset(folder, table)
    table.rename(folder / "table.csv")
    with pytest.raises(UsageError, match=r"no image .*table\.csv exists"):
        open_dataset(folder / "table.csv")


def test_a_table_of_which_some_paths_are_missing_stays_as_it_is(folder, tmp_path):
    table = tmp_path / "some.csv"
    table.write_text("path,label\nnowhere.png,dog\ncat/1.png,dog\n")
    assert len(open_dataset(folder, table).manifest) == 2


def test_a_table_without_rows_is_named_as_a_file(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(UnauditableError, match=r"no images in .*labels\.csv \("):
        open_dataset(tmp_path / "labels.csv")
