"""What is done otherwise for many images than for few gives the same answers, or nearly."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from audit.representations import duplicates, hash_pairs, inverted_lists, neighbours
from audit.representations.cross_validate import cross_validate
from audit.representations.duplicates import find_pairs
from audit.representations.folds import Folds
from audit.representations.hash_pairs import pairs_within
from audit.representations.head import Choices, HeadAnswer
from audit.representations.neighbours import nearest
from benchmarks.made_up_rows import make_up

COUNT = 3_000


def brute_force(hashes, radius):
    return [(a, b) for a in range(len(hashes)) for b in range(a + 1, len(hashes))
            if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= radius]


def pairs_of(hashes, radius=8):
    return list(zip(*(rows.tolist() for rows in pairs_within(np.array(hashes, np.uint64), radius)),
                    strict=True))


# --- hashes ---------------------------------------------------------------------------------------

flips = st.sets(st.integers(0, 63), max_size=12).map(lambda bits: sum(1 << bit for bit in bits))
near_hashes = st.lists(st.tuples(st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]), flips),
                       max_size=40).map(lambda drawn: [seed ^ flip for seed, flip in drawn])


@settings(max_examples=200, deadline=None)
@given(near_hashes, st.integers(0, 8))
@example([0b111, 0b111 << 3], 6)
def test_pairs_of_hashes_are_those_of_brute_force(hashes, radius):
    expected = brute_force(hashes, radius)
    assert pairs_of(hashes, radius) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hash_pairs, "BRUTE_FORCE_TO", 1)  # by the tables, however few there are
        patch.setattr(hash_pairs, "_BANDS", 5)  # of fewer bits, which are filled sooner
        patch.setattr(hash_pairs, "_CANDIDATES", 7)
        patch.setattr(hash_pairs, "_QUERIES", 3)
        assert pairs_of(hashes, radius) == expected


def test_pairs_of_many_hashes_are_those_of_brute_force(monkeypatch):
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 20, np.uint64)[random.integers(0, 20, COUNT)]
    for bit in range(64):
        hashes ^= (random.random(COUNT) < 0.1).astype(np.uint64) << np.uint64(bit)
    by_brute_force = pairs_within(hashes, 8)
    monkeypatch.setattr(hash_pairs, "BRUTE_FORCE_TO", 0)
    np.testing.assert_array_equal(pairs_within(hashes, 8), by_brute_force)
    assert len(by_brute_force[0]) > COUNT


@pytest.mark.parametrize("by_tables", [False, True])
def test_where_all_hashes_are_near_each_image_is_compared_with_a_few(by_tables, monkeypatch):
    random = np.random.default_rng(0)
    hashes = np.zeros(COUNT, np.uint64)
    for bit in range(64):
        hashes ^= (random.random(COUNT) < 0.06).astype(np.uint64) << np.uint64(bit)
    hashes[:500] = hashes[0]
    monkeypatch.setattr(hash_pairs, "MOST_PAIRS", 10_000)
    if by_tables:
        monkeypatch.setattr(hash_pairs, "BRUTE_FORCE_TO", 0)
    row_a, row_b = pairs_within(hashes, 8)
    assert (row_a < row_b).all()
    assert len(row_a) <= COUNT * hash_pairs.OF_ONE_HASH * (1 + hash_pairs.NEAREST)
    assert (np.bitwise_count(hashes[row_a] ^ hashes[row_b]) <= 8).all()
    same = pd.DataFrame({"row_a": row_a, "row_b": row_b})[row_b < 500]
    assert len(set(duplicates.sets_of(same, 500))) == 1, "copies hang together"
    for row in range(500, 600):
        distance = np.sort(np.bitwise_count(hashes ^ hashes[row]))[1]
        others = np.r_[row_b[row_a == row], row_a[row_b == row]]
        if distance <= 8:
            assert np.bitwise_count(hashes[others] ^ hashes[row]).min() == distance


def test_with_too_much_to_look_at_the_radius_is_lowered(monkeypatch):
    hashes = np.array([0, 0b1, 0b11, 0b111111, *(np.arange(1, 200) << 40)], np.uint64)
    monkeypatch.setattr(hash_pairs, "BRUTE_FORCE_TO", 0)
    everything = pairs_of(hashes)
    monkeypatch.setattr(hash_pairs, "MOST_LOOKED_AT", 20_000)
    fewer = pairs_of(hashes)
    assert set(fewer) < set(everything)
    assert (0, 1) in fewer
    monkeypatch.setattr(hash_pairs, "MOST_LOOKED_AT", 0)
    assert pairs_of(np.r_[hashes, hashes[0]]) == [(0, len(hashes))]


# --- neighbours -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def clustered():
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 8))
    points = centres[random.integers(0, 40, COUNT)] + 0.3 * random.normal(size=(COUNT, 8))
    vectors = (points @ random.normal(size=(8, 32))).astype(np.float32)
    vectors[5] = np.nan
    vectors[100:160] = vectors[99]
    return vectors


@pytest.fixture
def few_are_many(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbours, "EXACT_TO", 1_000)
    monkeypatch.setattr(inverted_lists, "OF_A_LIST", 60)


@pytest.mark.usefixtures("few_are_many")
def test_nearly_all_neighbours_of_many_images_are_found(clustered, monkeypatch):
    found = nearest(clustered)
    monkeypatch.setattr(neighbours, "EXACT_TO", COUNT)
    exact = nearest(clustered)
    known = np.delete(np.arange(COUNT), 5)
    assert (found.rows[known] >= 0).all()
    assert not (found.rows == np.arange(COUNT)[:, None]).any(), "no image is its own neighbour"
    assert (np.diff(found.distances[known], axis=1) >= 0).all()
    assert (found.rows[5] == -1).all()
    assert np.isnan(found.distances[5]).all()
    assert not (found.rows == 5).any()
    alone = np.delete(known, np.arange(98, 159))  # copies have more neighbours than are kept
    hits = [len(np.intersect1d(*rows)) for rows in zip(found.rows[alone], exact.rows[alone],
                                                       strict=True)]
    assert np.mean(hits) > 9.7
    np.testing.assert_allclose(found.distances[99:160], 0, atol=1e-6)
    np.testing.assert_allclose(found.distances[known].mean(), exact.distances[known].mean(),
                               rtol=0.01)


@pytest.mark.usefixtures("few_are_many")
def test_neighbours_do_not_hang_on_the_number_of_threads(clustered, monkeypatch):
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr(inverted_lists.os, "cpu_count", lambda threads=threads: threads)
        with threadpool_limits(threads):
            answers.append(nearest(clustered))
    for name in ("rows", "distances"):
        np.testing.assert_array_equal(*(getattr(one, name) for one in answers))


@pytest.mark.usefixtures("few_are_many")
def test_without_the_extra_neighbours_of_many_images_are_exact(clustered, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(neighbours, "EXACT_TO", COUNT)
        exact = nearest(clustered)
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(inverted_lists, "find_spec", lambda _: None)
    np.testing.assert_array_equal(nearest(clustered).rows, exact.rows)


# --- duplicates and predictions -------------------------------------------------------------------

def test_planted_copies_are_found_and_nothing_else(tmp_path, monkeypatch):
    made = make_up(COUNT, 10, tmp_path)
    near = nearest(made.embeddings)
    pairs = find_pairs(made.images, made.tensors, near)
    sets = duplicates.sets_of(pairs, COUNT)
    copies = np.flatnonzero(made.source_of != np.arange(COUNT))
    assert (sets[copies] == sets[made.source_of[copies]]).all()
    assert (made.source_of[pairs["row_a"]] == made.source_of[pairs["row_b"]]).all()
    monkeypatch.setattr(duplicates, "_PAIRS", 7)  # pictures of a few pairs at a time
    monkeypatch.setattr(hash_pairs, "BRUTE_FORCE_TO", 0)
    pd.testing.assert_frame_equal(find_pairs(made.images, made.tensors, near), pairs,
                                  check_exact=True)


def test_repeats_of_many_predictions_take_half_the_memory(monkeypatch):
    labels = pd.Series(["cat", "dog"] * 50)
    drawn = np.random.default_rng(0).dirichlet([1, 1], (2, 100))

    def validate():
        return cross_validate(
            labels, ("cat", "dog"), [Folds(np.arange(100) % 5, 5)] * 2,
            lambda _tasks: [HeadAnswer(one, 0.9, Choices(1, 0.5, 0.1, 0)) for one in drawn],
            "a model")

    few = validate()
    monkeypatch.setattr(sys.modules[cross_validate.__module__], "PRECISE_TO", 10)
    many = validate()
    np.testing.assert_array_equal(few.probabilities, drawn.mean(axis=0))
    np.testing.assert_array_equal(many.probabilities, few.probabilities)
    for precise, half in zip(few.repeats, many.repeats, strict=True):
        assert half.nbytes == precise.nbytes / 2
        np.testing.assert_allclose(half, precise, rtol=1e-6)
