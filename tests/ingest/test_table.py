"""A CSV or Parquet table becomes the manifest, with every label as it stands."""

import pandas as pd
import pytest

from audit import tables
from audit.errors import UsageError
from audit.ingest.table import read_table


def read(tmp_path, content: str | bytes, label_column: str = "label"):
    table = tmp_path / "labels.csv"
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(table, tmp_path, label_column)


def test_rows_keep_their_order_labels_splits_and_groups(tmp_path):
    ingested = read(tmp_path, "path,label,split,group,note\nb.jpg,dog,Validation,7,x\n"
                              "sub/a.jpg,cat,fold3,,y\n")
    manifest = ingested.manifest
    assert tables.problems(manifest, tables.MANIFEST) == []
    assert manifest[["image_id", "given_label", "split", "group"]].to_numpy().tolist() == [
        ["b.jpg", "dog", "val", "7"], ["sub/a.jpg", "cat", "fold3", ""]]
    assert manifest["path"].tolist() == [str(tmp_path / "b.jpg"), str(tmp_path / "sub/a.jpg")]
    assert ingested.not_counted == {}


@pytest.mark.parametrize("label", ["NA", "nan", "None", "null", "007", "1.0", "True", "-"])
def test_labels_are_text_as_they_stand(tmp_path, label):
    manifest = read(tmp_path, f"path,label\na.jpg,{label}\n").manifest
    assert manifest["given_label"].tolist() == [label]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    assert len(read(tmp_path, b"\xef\xbb\xbfpath,label\na.jpg,cat\n").manifest) == 1


@pytest.mark.parametrize(("heading", "words"), [
    ("file,label", "path,label.*Got file,label instead"),
    ("path,class", "path,label.*Got path,class.*--label-column"),
    ("Path,label", "Got Path,label"),
])
def test_a_missing_column_is_named(tmp_path, heading, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, f"{heading}\na.jpg,cat\n")


def test_labels_from_a_column_of_the_users_choice(tmp_path):
    content = "path,label,worker\na.jpg,cat,dog\n"
    assert read(tmp_path, content, "worker").manifest["given_label"].tolist() == ["dog"]
    with pytest.raises(UsageError, match="path,expert"):
        read(tmp_path, content, "expert")


@pytest.mark.parametrize(("content", "words"), [
    ("", "cannot be read"),
    (b"path,label\n\xff\xfe.jpg,cat\n", "cannot be read.*UTF-8"),
    ("path,label\na,b.jpg,cat\n", "more cells than its heading"),
    ("path,label\na.jpg,cat\na,b.jpg,cat\n", "cannot be read"),
    ("path,label\na.jpg,cat,\n", "more cells than its heading"),
])
def test_a_table_that_would_be_misread_is_refused(tmp_path, content, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, content)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    table = tmp_path / "labels.parquet"
    table.write_bytes(b"path,label\n")
    with pytest.raises(UsageError, match="cannot be read as a table"):
        read_table(table, tmp_path)


def test_rows_without_label_or_path_are_listed_each(tmp_path):
    ingested = read(tmp_path, "path,label\na.jpg,\n,cat\nb.jpg,dog\na.jpg,\nshort.jpg\n,dog\n")
    assert ingested.manifest["image_id"].tolist() == ["b.jpg"]
    assert ingested.not_counted == {
        "a.jpg (row 2)": "its row has no label", "row 3": "its row has no path",
        "a.jpg (row 5)": "its row has no label", "short.jpg (row 6)": "its row has no label",
        "row 7": "its row has no path"}


def test_an_image_listed_twice_is_two_images(tmp_path):
    manifest = read(tmp_path, "path,label\na.jpg,cat\n./a.jpg,dog\n").manifest
    assert manifest["image_id"].tolist() == ["a.jpg", "a.jpg#2"]
    assert manifest["given_label"].tolist() == ["cat", "dog"]


def test_an_absolute_path_stays_what_it_is(tmp_path):
    elsewhere = tmp_path / "elsewhere" / "a.jpg"
    manifest = read(tmp_path, f"path,label\n{elsewhere},cat\n").manifest
    assert manifest["path"].tolist() == [str(elsewhere)]


def test_parquet_gives_what_csv_gives(tmp_path):
    frame = pd.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], "label": ["NA", "café", "3"],
                          "split": ["train", "test", ""]})
    frame.to_parquet(tmp_path / "labels.parquet")
    frame.to_csv(tmp_path / "labels.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "labels.parquet", tmp_path).manifest,
                                  read_table(tmp_path / "labels.csv", tmp_path).manifest)


def test_whole_numbers_beside_an_empty_cell_stay_whole(tmp_path):
    frame = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "label": pd.array([3, None], "Int64")})
    frame.to_parquet(tmp_path / "labels.parquet")
    ingested = read_table(tmp_path / "labels.parquet", tmp_path)
    assert ingested.manifest["given_label"].tolist() == ["3"]
    assert ingested.not_counted == {"b.jpg (row 3)": "its row has no label"}
