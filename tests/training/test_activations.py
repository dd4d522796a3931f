"""What the first blocks make of pictures is kept, and is what they would make of them again."""

import numpy as np
import pytest

from audit.keras_runtime import load_keras
from audit.training import Activations, Pictures, count_of_activations
from audit.training.activations import VARIANTS, bytes_of_activations
from audit.training.examples import augment

LEARNED, OTHERS = np.array([4, 90, 7, *range(100, 200)]), np.array([3, 300, 12])


@pytest.fixture(scope="module")
def begin():
    """Gives each picture at half its side: the mean of four pixels, from 0 to 1."""
    keras = load_keras()
    pictures = keras.Input((16, 16, 3))
    return keras.Model(pictures, keras.layers.AveragePooling2D(2)(
        keras.layers.Rescaling(1 / 255)(pictures)))


@pytest.fixture(scope="module")
def pictures(digits):
    return Pictures(digits[0], 16)


@pytest.fixture(scope="module")
def kept(begin, pictures):
    told = []
    return Activations(begin, pictures, LEARNED, OTHERS, 0, told.append), told


def test_pictures_that_are_not_learned_from_are_kept_plain_and_mirrored(kept, begin, pictures):
    for mirrored in (False, True):
        rows = OTHERS[[2, 0, 2]]
        np.testing.assert_allclose(
            kept[0].plain(rows, mirrored=mirrored),
            begin.predict_on_batch(pictures.plain(rows, mirrored=mirrored)), atol=1e-3)


def test_pictures_to_learn_from_are_kept_as_they_are_changed(kept, begin, pictures):
    """Every answer is one to a crop of the picture or of its mirror image."""
    source, _ = kept
    some = LEARNED[[1, 5]]
    random = np.random.default_rng(0)
    plain = pictures.plain(some, mirrored=False)
    possible = begin.predict_on_batch(np.concatenate([augment(plain, random)
                                                      for _ in range(1_500)]))
    for place in range(2):
        own = possible[place::2]
        answers = np.concatenate([source.changed(some, random)[place:place + 1]
                                  for _ in range(100)])
        for answer in answers:
            assert np.abs(own - answer).max(axis=(1, 2, 3)).min() < 1e-3
        assert 1 < len(np.unique(answers.reshape(100, -1), axis=0)) <= VARIANTS


def test_the_same_draw_is_the_same_answer(kept, begin, pictures):
    source, _ = kept
    rows = LEARNED[:40]
    first = source.changed(rows, np.random.default_rng(3))
    np.testing.assert_array_equal(source.changed(rows, np.random.default_rng(3)), first)
    again = Activations(begin, pictures, LEARNED, OTHERS, 0)
    np.testing.assert_array_equal(again.changed(rows, np.random.default_rng(3)), first)
    other = Activations(begin, pictures, LEARNED, OTHERS, 1)
    assert (other.changed(rows, np.random.default_rng(3)) != first).any()


@pytest.mark.parametrize("row", [3, 5, 201, 10_000])
def test_an_image_that_was_not_kept_to_learn_from_is_refused(kept, row):
    with pytest.raises(IndexError):
        kept[0].changed(np.array([4, row]), np.random.default_rng(0))


def test_an_image_to_learn_from_is_none_to_test_with(kept):
    with pytest.raises(IndexError, match="image 4 "):
        kept[0].plain(np.array([3, 4]), mirrored=False)


def test_the_file_is_as_large_as_was_said_and_progress_is_told(kept, begin):
    source, told = kept
    assert sum(told) == count_of_activations(len(LEARNED), len(OTHERS))
    assert max(told) < sum(told)
    size = source._file.seek(0, 2)
    assert size == bytes_of_activations(begin, len(LEARNED), len(OTHERS))
    assert bytes_of_activations(None, 5, 5) == 0


def test_nothing_is_left_beside_the_pictures(kept, digits):
    assert kept
    assert [path.name for path in digits[0].path.parent.iterdir()] == ["tensors"]
