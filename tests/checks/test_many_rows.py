"""What checks do otherwise for many images than for few gives the same answers."""

import time

import numpy as np
import pandas as pd
import pytest

from audit import noise, tables
from audit.checks import _confident_joint, _signal
from audit.checks._confident_joint import ConfidentJoint
from audit.checks._sets import image_sets
from audit.checks._signal import measure_signal
from audit.noise import fit_label_noise, temperature_scaled
from audit.types import Evidence


def answers(count, classes, right, seed=0):
    random = np.random.default_rng(seed)
    labels = random.choice(classes, count, p=random.dirichlet(np.full(classes, 3)))
    peak = np.where(random.random(count) < right, labels, random.integers(0, classes, count))
    probabilities = random.dirichlet(np.full(classes, 0.5), count) + np.eye(classes)[peak]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_tables_have_the_distribution_of_permuted_labels():
    labels, probabilities = answers(2_000, 7, 0.3)
    predicted = probabilities.argmax(axis=1)
    random = np.random.default_rng(1)
    permuted = [(predicted == random.permutation(labels)).mean() for _ in range(4_000)]
    drawn = np.concatenate([_signal._accuracies_by_table(
        np.bincount(labels, minlength=7), np.bincount(predicted, minlength=7), random)
        for _ in range(4)])
    assert np.mean(drawn) == pytest.approx(np.mean(permuted), abs=4 * np.std(permuted) / 4_000**0.5)
    assert np.std(drawn) == pytest.approx(np.std(permuted), rel=0.07)


@pytest.mark.parametrize(("right", "is_known"), [(0.0, False), (0.05, True)])
def test_signal_of_many_images(right, is_known):
    labels, probabilities = answers(150_000, 10, right)
    begun = time.perf_counter()
    signal = measure_signal(labels, probabilities, seed=0)
    assert time.perf_counter() - begun < 1, "permuting one by one takes three seconds"
    assert signal.baseline == pytest.approx(
        (np.bincount(labels) / 150_000) @ np.bincount(probabilities.argmax(axis=1)) / 150_000,
        abs=1e-4)
    assert (signal.p_value < 0.01) == is_known
    assert measure_signal(labels, probabilities, seed=0) == signal


def test_a_sample_that_is_far_off_is_estimated_as_well(monkeypatch):
    labels, probabilities = answers(400, 5, 0.8)
    hard = np.argsort(probabilities[np.arange(400), labels])[:60]  # their thresholds are low
    expected = ConfidentJoint(labels[hard], probabilities[hard]).off_diagonal(np.arange(60))
    monkeypatch.setattr(_confident_joint, "_DEVIATIONS", 0)
    monkeypatch.setattr(_confident_joint, "_ROWS", 7)
    assert ConfidentJoint(labels, probabilities).off_diagonal(hard) == expected


def test_noise_of_many_images_is_computed_piece_by_piece(monkeypatch):
    labels, probabilities = answers(3_000, 4, 0.9)
    scores = np.log(probabilities)
    whole = fit_label_noise(scores, labels), temperature_scaled(scores, labels)
    monkeypatch.setattr(noise, "_AT_ONCE", 999)
    pieces = fit_label_noise(scores, labels), temperature_scaled(scores, labels)
    np.testing.assert_allclose(pieces[0].posterior, whole[0].posterior, rtol=1e-12)
    np.testing.assert_allclose(pieces[1], whole[1], rtol=1e-12)


def test_sets_are_made_of_all_pairs_at_once():
    count = 20_000
    random = np.random.default_rng(0)
    names = [f"{number:05d}.jpg" for number in random.permutation(count)]
    row_a = np.arange(0, count, 4)
    pairs = pd.concat([
        pd.DataFrame({"row_a": row_a, "row_b": row_a + 2, "kind": "file", "similarity": 1.0}),
        pd.DataFrame({"row_a": row_a[::2], "row_b": row_a[::2] + 1, "kind": "near",
                      "similarity": 0.97})], ignore_index=True).astype({"kind": object})
    assert not tables.problems(pairs, tables.PAIRS)
    images = pd.DataFrame({"image_id": pd.Series(names, dtype=object)})
    begun = time.perf_counter()
    sets = list(image_sets(Evidence(images=images, classes=("cat",), pairs=pairs)))
    assert time.perf_counter() - begun < 1, "one by one, sets take two seconds"
    assert len(sets) == count / 4
    assert [one.names for one in sets] == sorted(one.names for one in sets)
    for one in sets[:50]:
        assert one.names == tuple(sorted(one.names)) == tuple(names[row] for row in one.rows)
        first = min(one.rows)
        if first % 8 == 0:
            assert (set(one.rows), one.kind, one.similarity) == (
                {first, first + 1, first + 2}, "near", 0.97)
        else:
            assert (set(one.rows), one.kind, one.similarity) == ({first, first + 2}, "file", 1.0)
