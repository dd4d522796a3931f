"""Tensors and thumbnails come back as they went in, whatever the order."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.imagestore import TensorStore, ThumbnailWriter


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
        np.testing.assert_array_equal(np.load(store.path), wanted)


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
