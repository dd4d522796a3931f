"""Losses against their formulas, and what they are for: wrong labels and rare classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.keras_runtime import load_keras, load_tensorflow
from audit.training import Loss
from audit.training.losses import EXPONENT

CLASSES = 4
LABELS = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 3, 1, 1]]
LOGITS = np.random.default_rng(0).normal(scale=3, size=LABELS.shape).astype(np.float32)
EXTREME = arrays(np.float32, LABELS.shape, elements=st.floats(-1e4, 1e4, width=32))


def loss_of(name="cross_entropy", smoothing=0.0):
    return Loss(name, smoothing, CLASSES)


def probabilities_of(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_cross_entropy_is_that_of_keras(smoothing):
    keras = load_keras()
    expected = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction=None)(LABELS, LOGITS)
    found = loss_of(smoothing=smoothing)(LABELS, LOGITS)
    assert found.shape == (len(LABELS),)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_generalised_cross_entropy_is_equation_6():
    own = probabilities_of(LOGITS)[LABELS == 1]
    np.testing.assert_allclose(loss_of("generalised_cross_entropy")(LABELS, LOGITS),
                               (1 - own**EXPONENT) / EXPONENT, rtol=1e-4)


@settings(max_examples=50, deadline=None)
@given(EXTREME, st.sampled_from([0.0, 0.1]))
def test_generalised_cross_entropy_is_bounded_and_below_cross_entropy(logits, smoothing):
    found = np.asarray(loss_of("generalised_cross_entropy", smoothing)(LABELS, logits))
    assert (found >= 0).all()
    assert (found <= 1 / EXPONENT + 1e-5).all()
    assert (found <= np.asarray(loss_of(smoothing=smoothing)(LABELS, logits)) + 1e-5).all()


def test_a_label_that_is_surely_wrong_weighs_far_less():
    """By the gradient, which is what a network learns from: that of a cross-entropy stays 1."""
    label = np.array([[0, 1, 0, 0]], np.float32)
    logits = np.array([[12, 0, 0, 0]], np.float32)
    steep, flat = (np.abs(gradient_of(loss_of(name), label, logits)).max()
                   for name in ("cross_entropy", "generalised_cross_entropy"))
    assert steep > 0.99
    assert flat < steep / 100


@settings(max_examples=30, deadline=None)
@given(EXTREME, st.sampled_from(["cross_entropy", "generalised_cross_entropy"]))
def test_gradients_are_finite_whatever_the_logits(logits, name):
    assert np.isfinite(gradient_of(loss_of(name, 0.1), LABELS, logits)).all()


def gradient_of(loss, labels, logits):
    tensorflow = load_tensorflow()
    logits = tensorflow.constant(logits)
    with tensorflow.GradientTape() as tape:
        tape.watch(logits)
        found = loss(tensorflow.constant(labels), logits)
    return tape.gradient(found, logits).numpy()


@pytest.mark.parametrize("name", ["cross_entropy", "generalised_cross_entropy"])
def test_to_favour_none_shifts_by_the_shares_until_it_is_undone(name):
    loss = loss_of(name, 0.1)
    before = np.asarray(loss(LABELS, LOGITS))
    shares = np.array([0.7, 0.2, 0.06, 0.04])
    loss.favour_none(shares)
    np.testing.assert_allclose(loss(LABELS, LOGITS - np.log(shares).astype(np.float32)), before,
                               rtol=1e-4)
    loss.favour_none(None)
    np.testing.assert_array_equal(loss(LABELS, LOGITS), before)


def test_the_shift_is_equation_10_of_menon():
    shares = np.array([0.7, 0.2, 0.06, 0.04])
    loss = loss_of()
    loss.favour_none(shares)
    powers = shares * np.exp(LOGITS.astype(float))
    expected = -np.log((powers / powers.sum(axis=1, keepdims=True))[LABELS == 1])
    np.testing.assert_allclose(loss(LABELS, LOGITS), expected, rtol=1e-4)
