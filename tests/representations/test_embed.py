"""From pictures to embeddings: what is learned without labels, on scikit-learn's real digits."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import cross_val_score

from audit.imagestore import Looks, TensorStore
from audit.keras_runtime import load_keras
from audit.representations.embed import embed, laid_out, rows_of
from audit.representations.inference import BATCH
from audit.representations.networks import Extractor, NetworkDescriber
from audit.representations.patches import SIDE, PatchDescriber

COUNT = 300


@pytest.fixture(scope="module")
def digits():
    pictures, labels = load_digits(return_X_y=True)
    grey = np.kron(pictures[:COUNT].reshape(-1, 8, 8), np.ones((4, 4))) * 255 / 16
    return np.repeat(grey[..., None], 3, axis=3).astype(np.uint8), labels[:COUNT]


def store_of(pictures, path):
    store = TensorStore.create(path, len(pictures), pictures.shape[1])
    for row, picture in enumerate(pictures):
        store.write(row, picture)
    return Looks(store)


@pytest.fixture(scope="module")
def store(digits, tmp_path_factory):
    return store_of(digits[0], tmp_path_factory.mktemp("store") / "tensors")


@pytest.fixture(scope="module")
def learned(store):
    describer = PatchDescriber(24)
    describer.learn(store, np.arange(COUNT), seed=0)
    return describer


def test_patches_tell_digits_apart(store, digits):
    told = []
    embeddings = embed([PatchDescriber(24)], store, np.arange(COUNT), 0, told.append)
    assert sum(told) == COUNT
    assert embeddings.rows.dtype == np.float32
    assert 0 < embeddings.mirrored < embeddings.rows.shape[1]
    accuracy = cross_val_score(RidgeClassifierCV(), embeddings.rows, digits[1], cv=5).mean()
    assert accuracy > 0.9
    again = embed([PatchDescriber(24)], store, np.arange(COUNT), 0, lambda _: None)
    np.testing.assert_array_equal(again.rows, embeddings.rows)


def test_a_mirrored_picture_differs_in_the_mirrored_block_only(learned, digits, tmp_path):
    some = digits[0][:20]
    blocks = [learned.describe(store_of(pictures, tmp_path / name), np.arange(20))
              for name, pictures in (("plain", some), ("mirrored", some[:, :, ::-1]))]
    (same, odd), (same_again, odd_again) = blocks
    np.testing.assert_allclose(same_again, same, atol=1e-4)
    np.testing.assert_allclose(odd_again, -odd, atol=1e-4)
    assert np.abs(odd).max() > 0.01


def test_brightness_and_contrast_hardly_matter_to_patches(learned, digits, tmp_path):
    some = digits[0][:20]
    dimmed = (some * 0.6 + 40).astype(np.uint8)
    plain, _ = learned.describe(store_of(some, tmp_path / "plain"), np.arange(20))
    changed, _ = learned.describe(store_of(dimmed, tmp_path / "dimmed"), np.arange(20))
    centred = plain - plain.mean(axis=0)
    own = np.linalg.norm(changed - plain, axis=1)
    assert np.median(own) < 0.5 * np.median(np.linalg.norm(centred, axis=1))


def test_pictures_without_content_are_described_by_numbers(tmp_path):
    flat = np.full((6, SIDE, SIDE, 3), 128, np.uint8)
    embeddings = embed([PatchDescriber(8)], store_of(flat, tmp_path / "flat"), np.arange(6), 0,
                       lambda _: None)
    assert np.isfinite(embeddings.rows).all()


def test_no_picture_has_no_embedding(store):
    embeddings = embed([PatchDescriber(8)], store, np.arange(0), 0, lambda _: None)
    assert (len(embeddings.rows), embeddings.mirrored) == (0, 0)


class FixedDescriber:
    """Two blocks of very different size and scale."""

    components = (4, 2)
    is_mirrored = False

    def __init__(self, blocks):
        self.blocks = blocks

    def learn(self, looks, rows, seed):
        pass

    def describe(self, looks, rows):
        del looks
        return [block[rows] for block in self.blocks]


def test_each_block_counts_the_same_and_rows_keep_their_order(store):
    random = np.random.default_rng(0)
    blocks = [random.normal(7, 100, (500, 4)).astype(np.float32),
              random.normal(0, 0.01, (500, 2)).astype(np.float32)]
    rows = random.permutation(500)[:300]
    embeddings = embed([FixedDescriber(blocks)], store, rows, 0, lambda _: None)
    assert (embeddings.rows.shape, embeddings.mirrored) == ((300, 6), 0)
    for block, columns in zip(blocks, (slice(0, 4), slice(4, 6)), strict=True):
        own = embeddings.rows[:, columns]
        assert (own**2).sum(axis=1).mean() == pytest.approx(1, abs=0.01)
        # All components are kept here, so that distances are but for the scale.
        expected = np.linalg.norm(block[rows[0]] - block[rows[1:]], axis=1)
        found = np.linalg.norm(own[0] - own[1:], axis=1)
        np.testing.assert_allclose(found / found.mean(), expected / expected.mean(), rtol=1e-3)


def test_many_embeddings_lie_in_a_file_and_are_the_same(digits, tmp_path, monkeypatch):
    looks = store_of(digits[0], tmp_path / "tensors")
    rows = np.flatnonzero(np.arange(COUNT) % 3)

    def embedded():
        known = embed([PatchDescriber(8)], looks, rows, 0, lambda _: None).rows
        everywhere = laid_out(known, rows, COUNT)
        return everywhere, rows_of(everywhere, rows[5:])

    in_memory = embedded()
    monkeypatch.setattr(sys.modules[embed.__module__], "MOST_IN_MEMORY", 1_000)
    in_files = embedded()
    for one, other in zip(in_memory, in_files, strict=True):
        assert isinstance(other, np.memmap)
        assert not isinstance(one, np.memmap)
        np.testing.assert_array_equal(one, other)
    assert np.isnan(in_files[0][::3]).all()


@pytest.fixture(scope="module")
def network():
    """Four scales, in the last of which is a product whose shape is the batch's."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = inputs
    for number, filters in enumerate((4, 5, 6, 7)):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", name=f"down{number}")(x)
        x = layers.ReLU(name=f"last{number}")(x)
    x = layers.Dense(7, activation="sigmoid")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def extractor(network, size=SIDE, small=SIDE, *, with_mirror=False):
    return Extractor(network, tenths, size, small, with_mirror=with_mirror)


def tenths(pictures):
    return pictures / 255


@pytest.mark.parametrize("with_mirror", [False, True])
def test_a_network_is_read_at_its_last_three_scales(with_mirror, store, network):
    frozen = extractor(network, with_mirror=with_mirror)
    rows = np.arange(10)
    activations = frozen.describe(store.pictures, rows)
    assert (activations >= 0).all(), "after the activation, not before it"
    describer = NetworkDescriber(frozen.widths)
    blocks = describer.describe(Looks(store.pictures, activations), rows)
    assert [block.shape for block in blocks] == [(10, 5), (10, 6), (10, 7)]
    for block in blocks:
        np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("with_mirror", [False, True])
def test_what_a_network_says_of_a_picture_hangs_on_no_other(with_mirror, store, network):
    """To the last bit: else a picture looked up would not be as one that is shown again."""
    frozen = extractor(network, with_mirror=with_mirror)
    rows = np.arange(2 * BATCH + 5)
    together = frozen.describe(store.pictures, rows)
    shuffled = np.random.default_rng(0).permutation(rows)
    np.testing.assert_array_equal(frozen.describe(store.pictures, shuffled), together[shuffled])
    np.testing.assert_array_equal(frozen.describe(store.pictures, rows[7:10]), together[7:10])


@pytest.mark.parametrize(("pictures", "shown"), [(32, 48), (64, 48), (65, 96), (100, 96)])
def test_small_pictures_are_shown_smaller(pictures, shown, tmp_path):
    keras = load_keras()
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(4, 3, strides=2, padding="same")(inputs))
    sides = []

    def preprocess(batch):
        sides.append(batch.shape[1])
        return batch

    store = TensorStore.create(tmp_path / "tensors.npy", 3, 128)
    for row in range(3):
        store.write(row, np.zeros((pictures, pictures, 3), np.uint8))
    Extractor(network, preprocess, 96, 48, with_mirror=False).describe(store, np.arange(3))
    assert sides == [shown]


def test_pictures_of_two_sizes_are_each_shown_at_theirs(network, tmp_path):
    mixed = TensorStore.create(tmp_path / "mixed", 4, 128)
    random = np.random.default_rng(0)
    for row, side in enumerate((32, 100, 32, 128)):
        mixed.write(row, random.integers(0, 256, (side, side, 3), np.uint8))
    frozen = extractor(network, 96, 48)
    together = frozen.describe(mixed, np.arange(4))
    for row in range(4):
        np.testing.assert_array_equal(frozen.describe(mixed, np.array([row]))[0], together[row])


def test_a_network_with_other_weights_or_another_side_has_another_key(network):
    keras = load_keras()
    other = keras.models.clone_model(network)
    keys = [extractor(network).key, extractor(other).key, extractor(network, 64).key,
            extractor(network, with_mirror=True).key]
    assert len(set(keys)) == 4
    assert extractor(network).key == keys[0]
