"""Which images come in which update, and what becomes of their pictures on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.imagestore import TensorStore
from audit.training import Examples, Pictures, training_batches
from audit.training.examples import SHIFT, augment

COUNT = 60


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory):
    """Pictures of one value each, their own number: what `augment` does not change."""
    store = TensorStore.create(tmp_path_factory.mktemp("plain") / "tensors", COUNT, 8)
    for row in range(COUNT):
        store.write(row, np.full((8, 8, 3), row, np.uint8))
    return store


def batches_of(examples, begin, end, *, batch_size=4, seed=0, classes=COUNT):
    return list(training_batches(examples, classes, batch_size, seed, begin, end)
                .as_numpy_iterator())


def rows_seen(batches):
    return np.concatenate([pictures[:, 0, 0, 0] for pictures, _, _ in batches])


def as_they_are(store, rows):
    rows = np.asarray(rows, np.int64)
    return Examples(Pictures(store, 8), rows, rows, 1 + rows.astype(np.float32))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=30), st.integers(1, 40),
       st.integers(0, 2**32))
def test_every_example_comes_once_an_epoch_and_a_repeated_one_as_often_as_it_is_repeated(
        plain_store, rows, batch_size, seed):
    epochs = 3
    updates = -(-epochs * len(rows) // batch_size)
    batches = batches_of(as_they_are(plain_store, rows), 0, updates, batch_size=batch_size,
                         seed=seed)
    assert {len(pictures) for pictures, _, _ in batches} == {batch_size}, "always full"
    seen = rows_seen(batches)[:epochs * len(rows)].reshape(epochs, len(rows))
    for epoch in seen:
        assert sorted(epoch) == sorted(rows)


def test_epochs_are_in_different_orders_and_so_are_seeds(plain_store):
    examples = as_they_are(plain_store, range(COUNT))
    first, second = (rows_seen(batches_of(examples, begin, begin + 15)) for begin in (0, 15))
    other = rows_seen(batches_of(examples, 0, 15, seed=1))
    assert sorted(first) == sorted(second) == sorted(other)
    assert (first != second).any()
    assert (first != other).any()


def test_labels_and_weights_are_those_of_the_picture(plain_store):
    for pictures, labels, weights in batches_of(as_they_are(plain_store, [3, 5, 5, 9, 20]), 0, 6):
        rows = pictures[:, 0, 0, 0]
        np.testing.assert_array_equal(labels, np.eye(COUNT)[rows])
        np.testing.assert_array_equal(weights, 1 + rows)


@pytest.mark.parametrize("begin", [1, 6, 7, 11])
def test_batches_from_any_update_on_are_those_of_a_run_from_the_first(examples, begin):
    some = examples(range(50))
    unbroken = batches_of(some, 0, 12, batch_size=8, classes=3)
    resumed = batches_of(some, begin, 12, batch_size=8, classes=3)
    assert len(resumed) == 12 - begin
    for before, after in zip(unbroken[begin:], resumed, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_plain_pictures_are_those_of_the_rows_in_their_order(digits):
    rows = np.array([5, 3, 3, 8, 40])
    pictures = Pictures(digits[0], 16)
    plain = pictures.plain(rows, mirrored=False)
    np.testing.assert_array_equal(plain, digits[0].read(rows))
    np.testing.assert_array_equal(pictures.plain(rows, mirrored=True), plain[:, :, ::-1])


pictures_of_noise = st.builds(
    lambda count, side, seed: np.random.default_rng(seed).integers(
        0, 256, (count, side, side, 3)).astype(np.uint8),
    st.integers(0, 6), st.integers(2, 24), st.integers(0, 2**32))


@settings(max_examples=40, deadline=None)
@given(pictures_of_noise, st.integers(0, 2**32))
def test_a_changed_picture_is_a_crop_with_edges_repeated_or_its_mirror_image(pictures, seed):
    original = pictures.copy()
    changed = augment(pictures, np.random.default_rng(seed))
    assert (changed.shape, changed.dtype) == (pictures.shape, pictures.dtype)
    np.testing.assert_array_equal(pictures, original, "what it is given stays")
    np.testing.assert_array_equal(augment(pictures, np.random.default_rng(seed)), changed)
    side = pictures.shape[1]
    reach = max(1, round(SHIFT * side))
    for before, after in zip(pictures, changed, strict=True):
        padded = np.pad(before, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
        crops = [padded[down:down + side, right:right + side]
                 for down in range(2 * reach + 1) for right in range(2 * reach + 1)]
        assert any((after == crop).all() or (after == crop[:, ::-1]).all() for crop in crops)


def test_half_of_the_pictures_are_mirrored_and_most_are_moved():
    ramp = np.tile(np.arange(16, dtype=np.uint8)[None, None, :, None], (400, 16, 1, 3))
    changed = augment(ramp, np.random.default_rng(0))
    mirrored = changed[:, 0, 0, 0] > changed[:, 0, -1, 0]
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.6 < (changed[~mirrored] != ramp[~mirrored]).any(axis=(1, 2, 3)).mean() < 1
