"""Tensors and thumbnails come back as they went in, whatever the order."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.imagestore import TensorStore, ThumbnailWriter
from audit.resizing import resize


@given(count=st.integers(1, 12), size=st.integers(1, 9), data=st.data())
def test_rows_written_in_any_order_are_read_in_any_order(count, size, data):
    written = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    rows = np.array(data.draw(st.lists(st.integers(0, count - 1))), np.int64)
    wanted = np.zeros((count, size, size, 3), np.uint8)
    random = np.random.default_rng(count)
    with TemporaryDirectory() as folder:
        store = TensorStore.create(Path(folder) / "tensors.npy", count, size)
        for row in written:
            wanted[row] = random.integers(0, 256, (size, size, 3))
            store.write(row, wanted[row])
        np.testing.assert_array_equal(store.read(rows), wanted[rows])


@given(size=st.integers(1, 40), wanted=st.integers(1, 80), data=st.data())
def test_pictures_of_many_sides_are_read_as_if_each_were_resized_alone(size, wanted, data):
    sides = data.draw(st.lists(st.integers(0, size), min_size=1, max_size=8))  # 0: not written
    random = np.random.default_rng(size)
    pictures = [random.integers(0, 256, (side, side, 3), np.uint8) for side in sides]
    with TemporaryDirectory() as folder:
        store = TensorStore.create(Path(folder) / "tensors.npy", len(sides), size)
        for row, picture in enumerate(pictures):
            if len(picture):
                store.write(row, picture)
        rows = np.array(data.draw(st.permutations(range(len(sides)))))
        read = store.read(rows, wanted)
        assert read.shape == (len(sides), wanted, wanted, 3)
        for row, one in zip(rows, read, strict=True):
            np.testing.assert_array_equal(
                one, resize(pictures[row], (wanted, wanted)) if sides[row] else 0)
        assert store.read(rows).shape == (len(sides), size, size, 3)


def test_a_small_picture_may_replace_a_large_one(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 2, 8)
    store.write(1, np.full((8, 8, 3), 5, np.uint8))
    store.write(1, np.full((2, 2, 3), 7, np.uint8))
    assert (store.read(np.array([1])) == 7).all()
    assert not store.read(np.array([0])).any()


def test_small_pictures_take_little_space(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 1000, 224)
    picture = np.full((32, 32, 3), 9, np.uint8)
    for row in range(1000):
        store.write(row, picture)
    assert store.path.stat().st_blocks * 512 < 2 * 1000 * 4096
    assert (store.read(np.array([0, 999]), 32) == 9).all()


@pytest.mark.parametrize(("height", "width", "side"), [
    (32, 32, 32), (20, 30, 30), (1, 90, 90), (160, 20, 160), (500, 375, 160), (1, 1, 1)])
def test_a_picture_is_kept_at_its_longest_side_if_that_is_small(tmp_path, height, width, side):
    assert TensorStore(tmp_path, 1, 160).side_of(height, width) == side


@pytest.mark.parametrize("tensor", [
    np.zeros((4, 5, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), np.zeros((4, 4), np.uint8),
    np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_what_is_no_square_picture_of_the_store_is_refused(tmp_path, tensor):
    store = TensorStore.create(tmp_path / "tensors.npy", 1, 8)
    with pytest.raises(ValueError, match=r"must be uint8 of shape \(side, side, 3\), side 1 to 8"):
        store.write(0, tensor)


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_the_store_has_not_is_refused(tmp_path, row):
    store = TensorStore.create(tmp_path / "tensors.npy", 2, 8)
    with pytest.raises(IndexError):
        store.read(np.array([0, row]))


def test_a_store_sent_to_another_process_sees_and_shows_what_is_written(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 2, 4)
    assert not store.read(np.arange(2)).any()  # its file is open now
    sent = copy(store)  # as pickling does
    sent.write(1, np.full((4, 4, 3), 6, np.uint8))
    assert (store.read(np.array([1])) == 6).all()
    assert sent == store


def test_writers_side_by_side_do_not_disturb_each_other(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 64, 16)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: store.write(row, np.full((16, 16, 3), row, np.uint8)), range(64)))
    stored = store.read(np.arange(64))
    assert all((stored[row] == row).all() for row in range(64))


def test_what_was_read_is_a_copy_in_memory(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 2, 4)
    read = store.read(np.array([1]))
    read[:] = 9
    assert type(read) is np.ndarray
    assert not store.read(np.array([1])).any()


@pytest.mark.parametrize("count", [0, 3])
def test_no_rows_are_an_empty_array(tmp_path, count):
    store = TensorStore.create(tmp_path / "tensors.npy", count, 5)
    assert store.read(np.array([], np.int64)).shape == (0, 5, 5, 3)


def test_a_tensor_that_is_not_contiguous_is_written_as_it_looks(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 1, 4)
    tensor = np.arange(48, dtype=np.uint8).reshape(4, 4, 3).transpose(1, 0, 2)
    store.write(0, tensor)
    np.testing.assert_array_equal(store.read(np.array([0]))[0], tensor)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=10), st.randoms())
def test_thumbnails_come_back_whatever_the_order(contents, random):
    order = list(range(len(contents)))
    random.shuffle(order)
    with TemporaryDirectory() as folder:
        writer = ThumbnailWriter(Path(folder) / "thumbnails.bin", len(contents) + 1)
        for row in order:
            writer.write(row, contents[row])
        thumbnails = writer.close()
        assert [thumbnails.read(row) for row in range(len(contents))] == contents
        assert thumbnails.read(len(contents)) == b""  # never written


def test_the_typical_side_is_that_of_the_pictures_there_are(tmp_path):
    store = TensorStore.create(tmp_path / "tensors", 5, 64)
    assert store.typical_side(np.arange(5)) == 0
    for row, side in ((0, 8), (1, 32), (3, 64)):
        store.write(row, np.zeros((side, side, 3), np.uint8))
    assert store.typical_side(np.arange(5)) == 32
    assert store.typical_side(np.array([3, 4])) == 64


def test_pictures_are_read_in_another_order_than_they_were_written(tmp_path):
    store = TensorStore.create(tmp_path / "tensors.npy", 3, 4)
    for row in range(3):
        store.write(row, np.full((row + 2, row + 2, 3), row + 1, np.uint8))
    other = store.reordered(np.array([2, 0, 1]))
    for seen in (other, copy(other)):
        assert seen.read(np.array([0, 2]))[:, 0, 0, 0].tolist() == [3, 2]
        assert seen.typical_side(np.array([0])) == 4
        assert seen.places(np.array([1, 2])).tolist() == [0, 1]
    assert store.read(np.array([0]))[0, 0, 0, 0] == 1
