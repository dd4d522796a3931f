"""Nearest neighbours, against scikit-learn's brute force."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from audit.representations import neighbours as module
from audit.representations.neighbours import nearest


def brute_force(embeddings, count):
    known = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    search = NearestNeighbors(n_neighbors=min(count, len(known) - 1), metric="cosine",
                              algorithm="brute").fit(embeddings[known].astype(np.float64))
    distances, rows = search.kneighbors()
    return known, known[rows], distances


@pytest.mark.parametrize("shape", [(2, 5), (7, 3), (8, 400), (200, 16), (300, 256), (256, 500)])
@pytest.mark.parametrize("offset", [0.0, 3.0])  # activations after a ReLU are far from the origin
@pytest.mark.parametrize("unknown", [(), (0, 3, 5)])
def test_agrees_with_brute_force(shape, offset, unknown, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_CELLS", 1000)  # several blocks
    random = np.random.default_rng(len(unknown))
    embeddings = (random.normal(size=shape) + offset).astype(np.float32)
    embeddings[[row for row in unknown if row < len(embeddings) - 2], 0] = np.nan
    found = nearest(embeddings, 10)
    known, rows, distances = brute_force(embeddings, 10)
    kept = rows.shape[1]
    np.testing.assert_allclose(found.distances[known, :kept], distances, atol=1e-5)
    # Rows may differ only between neighbours that are equally far within single precision.
    own = embeddings.astype(np.float64) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    again = 1 - np.einsum("nd,nkd->nk", own[known], own[found.rows[known, :kept]])
    np.testing.assert_allclose(again, distances, atol=1e-5)
    absent = np.setdiff1d(np.arange(len(embeddings)), known)
    assert (found.rows[absent] == -1).all()
    assert np.isnan(found.distances[absent]).all()
    assert (found.rows[:, kept:] == -1).all()
    assert np.isnan(found.distances[:, kept:]).all()
    assert not (found.rows == np.arange(len(embeddings))[:, None]).any()
    assert not np.isin(found.rows, absent).any()


def test_many_dimensions_are_projected_without_moving_the_origin():
    random = np.random.default_rng(0)
    spread = random.normal(size=(400, 40)) @ random.normal(size=(40, 300))
    embeddings = (spread + 5 + 0.01 * random.normal(size=spread.shape)).astype(np.float32)
    _, rows, distances = brute_force(embeddings, 1)
    found = nearest(embeddings, 1)
    np.testing.assert_allclose(found.distances, distances, atol=1e-3)
    assert (found.rows == rows).mean() > 0.99


@pytest.mark.parametrize("embeddings", [np.zeros((0, 3)), np.ones((1, 3)),
                                        np.array([[1.0, 2], [np.nan, 1], [np.inf, 1]])])
def test_an_only_image_has_no_neighbour(embeddings):
    found = nearest(embeddings.astype(np.float32), 4)
    assert found.rows.shape == found.distances.shape == (len(embeddings), 4)
    assert (found.rows == -1).all()
    assert np.isnan(found.distances).all()


def test_copies_are_at_distance_zero():
    embeddings = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    found = nearest(np.tile(embeddings, (2, 1)), 1)
    assert (found.rows.ravel() == np.roll(np.arange(12), 6)).all()
    np.testing.assert_allclose(found.distances, 0, atol=1e-6)
