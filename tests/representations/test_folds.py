"""Folds: what belongs together shares one, and every class that is scored can be learned."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.representations.cross_validate import cross_validate
from audit.representations.folds import LEAST_GROUPS, assign_folds, group_together
from audit.representations.head import Choices, HeadAnswer


def fold(labels, groups, usable=None, count=5, seed=0):
    return assign_folds(pd.Series(labels, dtype=object), np.asarray(groups, np.int64),
                        np.ones(len(labels), bool) if usable is None else np.array(usable),
                        count, seed)


def is_separable(labels, groups):
    """Whether no group holds images of two classes: then any class can be put in two folds."""
    classes_of = pd.DataFrame({"label": labels, "group": groups}).groupby("group")["label"]
    return (classes_of.nunique() < 2).all()


images = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12), st.booleans()),
                  min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(images, st.integers(2, 6), st.integers(0, 3))
@example([("a", 1, True), ("a", 2, True), ("b", 2, True), ("b", 3, True), ("c", 1, True),
          ("c", 3, True)], 2, 0)
def test_invariants(rows, count, seed):
    labels, groups, usable = (np.array(column) for column in zip(*rows, strict=True))
    labels = labels.astype(object)
    folds = fold(labels, groups, usable, count, seed)
    table = pd.DataFrame({"label": labels, "group": groups, "usable": usable})
    unrelated = table[table["usable"]].groupby("label")["group"].nunique()
    enough = set(unrelated.index[unrelated >= LEAST_GROUPS])
    if folds is None:
        assert len(enough) < 2 or not is_separable(labels, groups)
        return
    table["fold"] = folds.fold
    held = table[table["fold"] >= 0]
    scorable = set(labels) - set(folds.not_scorable)
    assert len(scorable) >= 2
    assert scorable <= enough
    if is_separable(labels, groups):
        assert scorable == enough
    assert held.groupby("group")["fold"].nunique().le(1).all()
    assert (held.groupby("label")["fold"].nunique() >= 2).all()
    np.testing.assert_array_equal(table["fold"] >= 0, usable & np.isin(labels, list(scorable)))
    assert held["fold"].max() < folds.count <= count
    for label in folds.not_scorable:
        assert any(f'"{label}"' in note for note in folds.notes)
    again = fold(labels, groups, usable, count, seed)
    np.testing.assert_array_equal(again.fold, folds.fold)


def test_classes_that_no_two_folds_can_hold_are_not_scored():
    # Three groups, each shared by two of three classes: with two folds one class is left in one.
    folds = fold(list("aabbccdd"), [1, 2, 2, 3, 1, 3, 4, 5], count=2)
    assert len(folds.not_scorable) == 1
    assert any("shares its groups" in note for note in folds.notes)
    with_three = fold(list("aabbccddd"), [1, 2, 2, 3, 1, 3, 4, 5, 6], count=3)
    assert (with_three.count, with_three.not_scorable) == (3, ())


def test_the_seed_shuffles():
    labels = np.repeat(["cat", "dog"], 100)
    one, other = (fold(labels, range(200), seed=seed).fold for seed in (0, 1))
    assert (one != other).any()


@pytest.mark.parametrize("group_size", [1, 2])
def test_a_plain_large_case_is_balanced(group_size):
    labels = np.tile(np.repeat(["cat", "dog", "owl"], [300, 150, 50]), group_size)
    folds = fold(labels, np.tile(np.arange(500), group_size))
    counts = pd.crosstab(labels, folds.fold)
    assert counts.shape == (3, 5)
    np.testing.assert_allclose(counts.div(counts.sum(axis=1), axis=0), 0.2, atol=0.021)
    assert folds.notes == ()


def test_a_huge_group_stays_whole_and_leaves_its_class_learnable():
    labels = ["cat"] * 500 + ["dog"] * 60
    groups = np.r_[np.zeros(490), np.arange(1, 71)]
    folds = fold(labels, groups)
    assert len(set(folds.fold[:490])) == 1
    assert len(set(folds.fold[:500])) > 1
    assert len(set(folds.fold[500:])) == 5


def test_small_classes_are_told_of():
    labels = ["cat"] * 20 + ["dog"] * 3 + ["owl"] + ["yak"]
    folds = fold(labels, range(25), [True] * 24 + [False])
    assert folds.not_scorable == ("owl", "yak")
    assert (folds.fold[:23] >= 0).all()
    assert folds.fold[23:].tolist() == [-1, -1]
    assert folds.notes == (
        ('class "dog" has 3 unrelated images and 5 folds were asked: its images are scored with '
         "3 folds."),
        'class "owl" has 1 unrelated readable image: at least 2 are needed to score its labels.',
        'class "yak" has 0 unrelated readable images: at least 2 are needed to score its labels.')


@pytest.mark.parametrize(("labels", "groups"), [
    (["cat"] * 9, range(9)), (["cat"] * 9 + ["dog"], range(10)), (["cat", "dog"] * 4, [0] * 8),
    ([], [])])
def test_without_two_classes_there_are_no_folds(labels, groups):
    assert fold(labels, groups) is None


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["", "", "x", "y", "z"])),
                max_size=25))
def test_groups_join_what_either_links_and_nothing_else(rows):
    sets, names = [row[0] for row in rows], [row[1] for row in rows]
    joined = group_together(np.array(sets, np.int64), pd.Series(names, dtype=object))
    linked = [{row} for row in range(len(rows))]
    for a in range(len(rows)):
        for b in range(a):
            same_name = names[a] == names[b] != ""
            if (sets[a] == sets[b] or same_name) and linked[a] is not linked[b]:
                linked[a] |= linked[b]
                for row in linked[b]:
                    linked[row] = linked[a]
    for a in range(len(rows)):
        for b in range(a):
            assert (joined[a] == joined[b]) == (b in linked[a])


def test_images_of_a_named_group_share_a_fold_and_unnamed_ones_need_not():
    names = pd.Series(["", "p", "q", "r"] * 30)
    labels = ["cat"] * 60 + ["dog"] * 60
    groups = group_together(np.arange(120), names)
    assert len(np.unique(groups)) == 30 + 3
    folds = fold(labels, groups)
    held = pd.Series(folds.fold)
    assert (held.groupby(names.to_numpy()).nunique()[["p", "q", "r"]] == 1).all()
    assert held[names == ""].nunique() == 5


def test_cross_validation_is_laid_out_over_all_images_and_classes():
    labels = pd.Series(["yak", "cat", "dog", "cat", "dog", "owl", "owl", "cat"])
    classes = ("cat", "dog", "owl", "yak")
    repeats = [assign_folds(labels, np.arange(8), labels.index != 7, 2, seed) for seed in (0, 1)]
    seen = []

    def fit(number, task):
        seen.append(task)
        certain = np.eye(3)[task.labels]
        return HeadAnswer(certain if number else (certain + 1) / 4, 0.5 + number / 4,
                          Choices(1, 0.5, 0.1, number))

    answer = cross_validate(labels, classes, repeats, lambda tasks: (
        fit(number, task) for number, task in enumerate(tasks)), "a model")
    for number, task in enumerate(seen):
        assert (task.rows.tolist(), task.classes, task.repeat) == ([1, 2, 3, 4, 5, 6], 3, number)
        assert [classes[code] for code in task.labels] == labels[1:7].tolist()
        np.testing.assert_array_equal(task.folds, repeats[number].fold[1:7])
    assert len(answer.repeats) == 2
    np.testing.assert_allclose(answer.probabilities[1:7], np.mean(answer.repeats, axis=0)[1:7])
    np.testing.assert_array_equal(answer.folds, repeats[0].fold)
    assert np.isnan(answer.probabilities[[0, 7]]).all()
    predicted = answer.probabilities[1:7].argmax(axis=1)
    assert [classes[column] for column in predicted] == labels[1:7].tolist()
    assert (answer.probabilities[1:7, 3] == 0).all()
    assert (answer.training_accuracy, answer.model) == (0.625, "a model")
