"""The classifier: it learns what can be learned, and sees nothing of what it is tested on."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.kernel_ridge import KernelRidge

from audit.noise import fit_label_noise
from audit.representations.head import Choices, cross_validate_head
from audit.representations.kernel import GaussianKernel, kernel_features
from audit.representations.least_squares import FoldedLeastSquares
from audit.representations.progress import STEPS

COUNT, CLASSES, FOLDS = 240, 3, 4
KNOWN = Choices(columns=16, width=0.25, ridge=0.1, correction_rounds=2)


def answered(embeddings, labels, folds, *options, **more):
    answer, = cross_validate_head(embeddings, labels, [folds], *options, **more)
    return answer


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
    answer = answered(embeddings, labels, folds, CLASSES, 0, told.append)
    assert answer.probabilities.shape == (COUNT, CLASSES)
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-12)
    assert (answer.probabilities.argmax(axis=1) == labels).mean() > 0.95
    assert answer.training_accuracy > 0.95
    assert sum(told) == STEPS
    again = answered(embeddings, labels, folds, CLASSES, 0)
    np.testing.assert_array_equal(again.probabilities, answer.probabilities)


def test_labels_of_held_out_images_do_not_leak(folds):
    # More dimensions than images: random labels can be learned by heart, and by nothing else.
    random = np.random.default_rng(2)
    embeddings = random.normal(size=(COUNT, 400)).astype(np.float32)
    labels = random.integers(0, CLASSES, COUNT)
    answer = answered(embeddings, labels, folds, CLASSES, 0)
    accuracy = (answer.probabilities.argmax(axis=1) == labels).mean()
    deviation = np.sqrt(1 / CLASSES * (1 - 1 / CLASSES) / COUNT)
    assert abs(accuracy - 1 / CLASSES) < 4 * deviation
    assert answer.training_accuracy > 0.9


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_changed_label_moves_no_prediction_of_its_own_fold(rounds, separable, folds):
    # Not even through the labels of others that it helped to correct.
    embeddings, labels = separable
    choices = replace(KNOWN, correction_rounds=rounds)
    scores = []
    for own in (labels, np.where(folds == 0, (labels + 1) % CLASSES, labels)):
        answer = answered(embeddings, own, folds, CLASSES, 0, choices=choices)
        logs = np.log(answer.probabilities)  # but for the temperature, which is one for all
        logs -= logs.mean(axis=1, keepdims=True)
        scores.append(logs / logs[folds == 0].std())
    np.testing.assert_allclose(scores[1][folds == 0], scores[0][folds == 0], atol=1e-3)
    assert np.abs(scores[1] - scores[0])[folds != 0].max() > 0.05


def test_correcting_labels_helps_where_they_are_wrong():
    pixels, labels = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    given = np.where(random.random(len(labels)) < 0.3, random.integers(0, 10, len(labels)), labels)
    folds = random.permutation(np.arange(len(labels)) % 5)
    pixels = pixels.astype(np.float32)
    free = answered(pixels, given, folds, 10, 0)
    assert free.choices.correction_rounds > 0
    plain = answered(pixels, given, folds, 10, 0,
                                choices=replace(free.choices, correction_rounds=0))
    accuracies = [(one.probabilities.argmax(axis=1) == labels).mean() for one in (plain, free)]
    assert 1 - accuracies[1] < 0.8 * (1 - accuracies[0])
    wrong = given != labels
    found = fit_label_noise(np.log(free.probabilities), given).is_wrong > 0.5
    assert wrong[found].mean() > 0.9
    assert found[wrong].mean() > 0.9


def test_optional_columns_are_used_only_where_they_help(folds):
    random = np.random.default_rng(3)
    labels = random.integers(0, CLASSES, COUNT)
    embeddings = np.eye(CLASSES, 16)[labels] + 0.5 * random.normal(size=(COUNT, 16))
    noise = 8 * random.normal(size=(COUNT, 64))
    embeddings, noise = embeddings.astype(np.float32), noise.astype(np.float32)
    harmful = np.concatenate([embeddings, noise], axis=1)
    assert answered(harmful, labels, folds, CLASSES, 0,
                               optional=64).choices.columns == 16
    helpful = np.concatenate([noise / 80, embeddings], axis=1)
    assert answered(helpful, labels, folds, CLASSES, 0,
                               optional=16).choices.columns == 80


@pytest.mark.parametrize("landmarks", [COUNT // 2, COUNT // 8])
def test_an_assignment_to_folds_is_answered_the_same_alone(landmarks, separable, folds):
    # As it is on several machines; with many landmarks they are the same for all, with few not.
    embeddings, labels = separable
    both = [folds, np.roll(folds, 1)]
    first, second = cross_validate_head(embeddings, labels, both, CLASSES, 0, landmarks=landmarks)
    assert second.choices == first.choices
    alone, = cross_validate_head(embeddings, labels, both[1:], CLASSES, 0, landmarks=landmarks,
                                 choices=first.choices, begun=1)
    np.testing.assert_array_equal(second.probabilities, alone.probabilities)


def test_few_landmarks_are_others_in_each_assignment_to_folds(separable, folds):
    embeddings, labels = separable
    for landmarks, are_alike in ((COUNT // 2, True), (COUNT // 8, False)):
        one, other = cross_validate_head(embeddings, labels, [folds, folds], CLASSES, 0,
                                         landmarks=landmarks)
        assert np.array_equal(one.probabilities, other.probabilities) == are_alike


# --- what it is made of --------------------------------------------------------------------------

def test_kernel_features_multiply_to_the_kernel():
    embeddings = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    kernel = GaussianKernel.of(embeddings, 0.5)
    values = kernel.between(embeddings, embeddings)
    np.testing.assert_allclose(np.diag(values), 1, atol=1e-5)
    assert np.median(values[~np.eye(60, dtype=bool)]) == pytest.approx(np.exp(-0.5), abs=1e-3)
    exact = kernel_features(embeddings, kernel, 60, np.random.default_rng(0))
    np.testing.assert_allclose(exact @ exact.T, values, atol=1e-3)
    fewer = kernel_features(embeddings, kernel, 30, np.random.default_rng(0))
    assert fewer.shape == (60, 30)
    assert np.abs(fewer @ fewer.T - values).mean() < 0.05


def test_copies_and_constant_embeddings_do_no_harm():
    copies = np.ones((20, 4), np.float32)
    features = kernel_features(copies, GaussianKernel.of(copies, 0.5), 20,
                               np.random.default_rng(0))
    assert np.isfinite(features).all()
    labels = np.arange(20) % 2
    answer = answered(copies, labels, np.arange(20) // 2 % 2, 2, 0)
    np.testing.assert_allclose(answer.probabilities, 0.5, atol=1e-3)


def test_the_folds_agree_with_kernel_ridge_regression_on_each_training_set(separable, folds):
    embeddings, labels = separable
    kernel = GaussianKernel.of(embeddings, 0.25)
    features = kernel_features(embeddings, kernel, COUNT, np.random.default_rng(0))
    squares = FoldedLeastSquares(features, folds)
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    for left_out in ((0,), (1, 3)):
        weights = squares.solve(squares.factor(0.1, left_out), squares.crossed(targets), left_out)
        inside = ~np.isin(folds, left_out)
        peer = KernelRidge(alpha=0.1, kernel="precomputed").fit(
            kernel.between(embeddings[inside], embeddings[inside]), targets[inside])
        expected = peer.predict(kernel.between(embeddings, embeddings[inside]))
        np.testing.assert_allclose(features @ weights, expected, atol=0.01)
