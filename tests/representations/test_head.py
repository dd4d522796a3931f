"""The linear head: it learns what can be learned, and sees nothing of what it is tested on."""

import numpy as np
import pytest

from audit.representations.head import STEPS, cross_validate_head, softmax

COUNT, CLASSES, FOLDS = 240, 3, 4


@pytest.fixture(scope="module")
def separable():
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, COUNT)
    centres = 4 * random.normal(size=(CLASSES, 16))
    embeddings = centres[labels] + random.normal(size=(COUNT, 16))
    return embeddings.astype(np.float32), labels


@pytest.fixture(scope="module")
def folds():
    return np.random.default_rng(1).permutation(np.arange(COUNT) % FOLDS)


def test_what_is_separable_is_learned_out_of_fold(separable, folds):
    embeddings, labels = separable
    told = []
    probabilities, trained = cross_validate_head(embeddings, labels, folds, CLASSES, 0,
                                                 told.append)
    assert probabilities.shape == (COUNT, CLASSES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (probabilities >= 0).all()
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.95
    assert trained > 0.95
    assert 0 < sum(told) <= STEPS
    again, _ = cross_validate_head(embeddings, labels, folds, CLASSES, 0)
    np.testing.assert_array_equal(again, probabilities)
    other, _ = cross_validate_head(embeddings, labels, folds, CLASSES, 1)
    assert (other != probabilities).any()


def test_labels_of_held_out_images_do_not_leak(folds):
    # More dimensions than images: random labels can be learned by heart, and by nothing else.
    random = np.random.default_rng(2)
    embeddings = random.normal(size=(COUNT, 400)).astype(np.float32)
    labels = random.integers(0, CLASSES, COUNT)
    probabilities, trained = cross_validate_head(embeddings, labels, folds, CLASSES, 0)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    deviation = np.sqrt(1 / CLASSES * (1 - 1 / CLASSES) / COUNT)
    assert abs(accuracy - 1 / CLASSES) < 4 * deviation
    assert trained > 0.9


def test_a_changed_label_moves_no_prediction_of_its_own_fold(separable, folds):
    embeddings, labels = separable
    before, _ = cross_validate_head(embeddings, labels, folds, CLASSES, 0)
    changed = np.where(folds == 0, (labels + 1) % CLASSES, labels)
    after, _ = cross_validate_head(embeddings, changed, folds, CLASSES, 0)
    np.testing.assert_allclose(after[folds == 0], before[folds == 0], atol=1e-6)
    assert np.abs(after[folds != 0] - before[folds != 0]).max() > 0.05


def test_softmax_bears_large_logits():
    probabilities = softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]], np.float32))
    np.testing.assert_allclose(probabilities, [[1, 0], [0.5, 0.5]])
