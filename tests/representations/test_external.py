"""Probabilities and embeddings from the user's own files."""

import numpy as np
import pandas as pd
import pytest

from audit.errors import UsageError
from audit.imagestore import Looks, TensorStore
from audit.representations.external import GivenEmbeddings, read_probabilities

IDS = pd.Series([f"cat/{row}.jpg" for row in range(4)])
CLASSES = ("1", "cat")
READABLE = np.array([True, True, True, False])


def table_of(*rows, ids=IDS):
    table = pd.DataFrame(rows, columns=list(CLASSES), dtype=float)
    table.insert(0, "image_id", list(ids[:len(rows)]))
    return table


GOOD = table_of((0.9, 0.1), (0.2, 0.8), (1, 0), (0.5, 0.5))


def write(folder, table, kind="csv"):
    path = folder / f"table.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_probabilities_are_read_in_the_order_of_the_images(kind, tmp_path):
    shuffled = GOOD.iloc[[2, 0, 1]][["cat", "image_id", "1"]]
    values = read_probabilities(write(tmp_path, shuffled, kind), IDS, READABLE, CLASSES)
    np.testing.assert_allclose(values[:3], GOOD[list(CLASSES)].to_numpy()[:3])
    assert np.isnan(values[3]).all()


def test_probabilities_are_rescaled_to_sum_to_1(tmp_path):
    table = table_of((0.9, 0.1005), (0.2, 0.7995), (1, 0))
    values = read_probabilities(write(tmp_path, table), IDS, READABLE, CLASSES)
    np.testing.assert_allclose(values[:3].sum(axis=1), 1, atol=1e-15)


@pytest.mark.parametrize(("table", "message"), [
    (GOOD.drop(columns="cat"), r"a column for each class\. Missing: cat\."),
    (GOOD.drop(columns="image_id"), r"must have a column image_id\. Got 1, cat instead"),
    (GOOD.iloc[:2], r'no row for 1 of the readable images, such as "cat/2.jpg"'),
    (pd.concat([GOOD, GOOD.iloc[:1]]), "image_ids more than once"),
    (GOOD.assign(cat=0.3), r"rows sum to 1\. Got .* rows that sum to 0\.5 to 1\.3 instead"),
    (table_of((1.2, -0.2), (1, 0), (1, 0)), r"probabilities of 0 to 1 .* Got values from -0\.2"),
    (GOOD.assign(cat=["a", "b", "c", "d"]), "must hold numbers"),
    (GOOD.assign(cat=[0.1, np.nan, 0, 0.5]), r'1 have gaps, such as "cat/1.jpg"'),
    (table_of((1, 0), (np.inf, 0), (1, 0)), r'1 have gaps, such as "cat/1.jpg"'),
])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_wrong_probabilities_are_refused(table, message, kind, tmp_path):
    path = write(tmp_path, table, kind)
    with pytest.raises(UsageError, match=message) as caught:
        read_probabilities(path, IDS, READABLE, CLASSES)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [
    ("none.csv", None), ("none.parquet", None), ("empty.csv", b""), ("bad.parquet", b"no parquet"),
    ("bad.csv", b"\xff\xfe\x00\xd8"), ("ragged.csv", b"image_id,1\na,1\nb,1,2,3\n")])
def test_a_file_that_is_no_table_is_refused(name, content, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as a table"):
        read_probabilities(path, IDS, READABLE, CLASSES)


@pytest.mark.parametrize("kind", ["npy", "csv", "parquet"])
def test_embeddings_are_looked_up_by_row(kind, tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
    values[3] = np.nan  # not readable, so never asked for
    path = tmp_path / f"embeddings.{kind}"
    if kind == "npy":
        np.save(path, values)
    else:
        table = pd.DataFrame(values, columns=["x", "y", "z"]).assign(image_id=IDS)
        write(tmp_path, table.iloc[::-1], kind).rename(path)
    told = []
    given = GivenEmbeddings(path, IDS)
    found = given.embed(Looks(TensorStore(path, 4, 48)), np.array([2, 0, 1]), 0, told.append).rows
    own = values[[2, 0, 1]]
    expected = (own - own.mean(axis=0)) / own.std(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert sum(told) == 3


@pytest.mark.parametrize("values", [
    np.zeros((3, 2)), np.zeros(4), np.zeros((4, 2, 2)), np.zeros((4, 0))])
def test_embeddings_of_a_wrong_shape_are_refused(values, tmp_path):
    np.save(tmp_path / "e.npy", values)
    with pytest.raises(UsageError, match="one row for each of the 4 images") as caught:
        GivenEmbeddings(tmp_path / "e.npy", IDS)
    assert f"Got shape {values.shape} instead" in str(caught.value)


def save_zip(path):
    with path.open("wb") as file:
        np.savez(file, np.zeros((4, 2)))


@pytest.mark.parametrize("save", [
    lambda _: None, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"text"),
    lambda path: np.save(path, np.array([["a"]] * 4)), save_zip,
    lambda path: np.save(path, np.array([[{}]] * 4, object)),
], ids=["no file", "empty", "text", "strings", "zip", "pickle"])
def test_a_file_that_is_no_array_of_numbers_is_refused(save, tmp_path):
    path = tmp_path / "e.npy"
    save(path)
    with pytest.raises(UsageError, match=r"cannot be read as an array .* Give a \.npy of numbers"):
        GivenEmbeddings(path, IDS)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_readable_image_without_an_embedding_is_refused(bad, tmp_path):
    values = np.zeros((4, 2))
    values[1, 0] = bad
    np.save(tmp_path / "e.npy", values)
    given = GivenEmbeddings(tmp_path / "e.npy", IDS)
    with pytest.raises(UsageError, match=r'1 have none, such as "cat/1.jpg"'):
        given.embed(Looks(TensorStore(tmp_path, 4, 48)), np.array([0, 1, 2]), 0, lambda _: None)


def test_a_table_with_nothing_but_names_holds_no_embeddings(tmp_path):
    path = write(tmp_path, pd.DataFrame({"image_id": IDS}))
    with pytest.raises(UsageError, match=r"Got shape \(4, 0\) instead"):
        GivenEmbeddings(path, IDS)
