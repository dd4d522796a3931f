"""What is trained on before and after each kind of remedy."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import tables
from audit.remedies import STRATEGIES, balance_plan
from audit.training import make_arms, shares_of
from audit.training.arms import FILE_RULES

LABEL_RULES = ("label", "review")


def planned(given_label="cat", action="keep", rule="none", label=None, split="", weight=1.0):
    """A row of a plan."""
    is_used = action != "drop"
    return {"split": split, "given_label": given_label, "label": label or given_label,
            "action": action, "rule": rule, "repeat": int(is_used),
            "weight": weight if is_used else 0.0}


def plan_of(rows):
    return tables.make(tables.PLAN, [{"image_id": f"{number:03d}.png", **row}
                                     for number, row in enumerate(rows)])


def arms_of(plan, balanced=None, *, trainable=None, readable=None, seed=0, adjusts=False,
            steps=True):
    everything = np.ones(len(plan), bool)
    if trainable is None:
        trainable = ~plan["split"].isin(["val", "test"]).to_numpy()
    return make_arms(plan, plan if balanced is None else balanced, trainable,
                     everything if readable is None else readable, seed, adjusts_logits=adjusts,
                     steps=steps)


def named(arms):
    return {arm.name: arm for arm in arms}


PLENTY = [planned("cat")] * 60 + [planned("dog")] * 30
COPY, WRONG = planned(action="drop", rule="exact_duplicates"), planned(action="drop", rule="label")
CORRECTED = planned("cat", "relabel", "label", "dog")

any_row = st.builds(
    lambda name, other, ruling, split, weight: planned(
        name, ruling[0], ruling[1], other if ruling[0] == "relabel" else name, split,
        weight if ruling[1] in LABEL_RULES else 1.0),
    st.sampled_from(["cat", "dog"]), st.sampled_from(["cat", "dog"]),
    st.sampled_from([("keep", "none")] * 3 + [("keep", "label"), ("relabel", "label"),
                    ("drop", "label"), ("drop", "review")] + [("drop", one) for one in FILE_RULES]),
    st.sampled_from(["", "", "train", "val", "test"]), st.sampled_from([0.2, 1.0, 1.7]))
cases = st.tuples(st.lists(any_row, min_size=2, max_size=40).map(plan_of),
                  st.sampled_from(STRATEGIES), st.integers(0, 99), st.integers(0, 2**32))


def any_case(test):
    """Runs a test on many cases, of which some take long: imbalanced-learn is imported."""
    return settings(deadline=None, max_examples=50)(given(cases)(test))


def arms_and_masks(case, **options):
    plan, strategy, seed, unreadable = case
    balanced = balance_plan(plan, strategy, seed)
    readable = np.random.default_rng(unreadable).random(len(plan)) < 0.9
    used = ~plan["split"].isin(["val", "test"]).to_numpy() & readable
    return arms_of(plan, balanced, readable=readable, seed=seed,
                   adjusts=strategy == "logit_adjustment", **options), plan, balanced, used


@any_case
def test_no_arm_is_trained_on_what_evaluates_it(case):
    arms, _, _, used = arms_and_masks(case)
    validated = set().union(*(arm.validation.tolist() for arm in arms))
    for arm in arms:
        assert used[arm.rows].all(), "no val or test split, nothing unreadable"
        assert not validated & set(arm.rows.tolist())
        assert len(arm.rows) == len(arm.labels) == len(arm.weights)
        assert len(arm.validation) == len(arm.validation_labels) == len(arm.validation_weights)
        assert (arm.validation_weights > 0).all()


@any_case
def test_the_epoch_is_chosen_by_the_same_images_as_far_as_an_arm_keeps_them(case):
    arms, plan, _, _ = arms_and_masks(case)
    about_files = plan["rule"].isin(FILE_RULES)
    for arm in arms:
        gone = (plan["action"] == "drop") & {
            "as-it-came": False, "files": about_files}.get(arm.name, True)
        assert arm.validation.tolist() == [row for row in arms[0].validation if not gone[row]]


@any_case
def test_the_first_arm_is_the_data_as_they_came(case):
    arms, plan, _, used = arms_and_masks(case)
    first = arms[0]
    assert first.name == "as-it-came"
    assert sorted([*first.rows, *(row for row in first.validation if used[row])]) == (
        np.flatnonzero(used).tolist())
    assert first.labels.tolist() == plan["given_label"].iloc[first.rows].tolist()
    assert (first.weights == 1).all()
    assert not first.adjusts_logits


@any_case
def test_only_balance_repeats_and_only_remedies_of_labels_weigh(case):
    arms, plan, balanced, used = arms_and_masks(case)
    for arm in arms:
        if arm.name != "balance":
            assert len(set(arm.rows)) == len(arm.rows)
            assert not arm.adjusts_logits
        if arm.name in {"as-it-came", "files"}:
            assert (arm.weights == 1).all()
            assert (arm.validation_weights == 1).all()
        if len(arm.rows):
            assert arm.weights.mean() == pytest.approx(1, abs=1e-5)
        if arm.name == "balance":
            kept = used & ~np.isin(np.arange(len(plan)), arm.validation)
            np.testing.assert_array_equal(np.bincount(arm.rows, minlength=len(plan)),
                                          np.where(kept, balanced["repeat"], 0))


@any_case
def test_each_arm_differs_from_the_one_before_and_without_steps_the_ends_are_left(case):
    arms, _, _, _ = arms_and_masks(case)
    ends, _, _, _ = arms_and_masks(case, steps=False)
    for before, after in pairwise(arms):
        assert not after.is_as(before)
    expected = arms if len(arms) == 1 else [arms[0], arms[-1]]
    assert ends[0].name == arms[0].name
    assert len({arm.name for arm in ends}) == len(ends)
    assert all(one.is_as(other) for one, other in zip(ends, expected, strict=True))


@any_case
def test_the_same_seed_makes_the_same_arms(case):
    for one, other in zip(arms_and_masks(case)[0], arms_and_masks(case)[0], strict=True):
        assert one.is_as(other)
        np.testing.assert_array_equal(one.validation, other.validation)


@pytest.mark.parametrize(("more", "names"), [
    ([], ["as-it-came"]),
    ([COPY], ["as-it-came", "files"]),
    ([WRONG], ["as-it-came", "labels"]),
    ([CORRECTED], ["as-it-came", "labels"]),
    ([planned(rule="label", weight=0.3)], ["as-it-came", "labels"]),
    ([COPY, WRONG, CORRECTED], ["as-it-came", "files", "labels"])])
def test_a_kind_that_changes_nothing_has_no_arm(more, names):
    # A val split, so that none of the few that are changed is validated with.
    plan = plan_of([*PLENTY, planned(split="val"), *more])
    assert [arm.name for arm in arms_of(plan)] == names


def test_each_kind_adds_its_own_change():
    plan = plan_of([*PLENTY, planned(split="val"), COPY, WRONG, CORRECTED])
    copy, wrong, corrected = range(91, 94)
    arms = named(arms_of(plan, balance_plan(plan, "oversample", 0)))
    assert list(arms) == ["as-it-came", "files", "labels", "balance"]
    assert {copy, wrong, corrected} <= set(arms["as-it-came"].rows)
    assert set(arms["as-it-came"].rows) - set(arms["files"].rows) == {copy}
    assert set(arms["files"].rows) - set(arms["labels"].rows) == {wrong}

    def label_in(name):
        return arms[name].labels[arms[name].rows == corrected].tolist()

    assert label_in("files") == ["cat"]
    assert label_in("labels") == ["dog"]
    assert set(label_in("balance")) == {"dog"}
    assert set(arms["balance"].rows) == set(arms["labels"].rows)
    assert np.unique(arms["balance"].labels, return_counts=True)[1].tolist() == [60, 60]


def test_what_undersampling_leaves_out_is_a_change_of_balance_and_not_of_labels():
    plan = plan_of([*PLENTY, planned(split="val"), CORRECTED])
    arms = named(arms_of(plan, balance_plan(plan, "undersample", 0)))
    assert set(arms["labels"].rows) == set(arms["as-it-came"].rows)
    assert np.unique(arms["balance"].labels, return_counts=True)[1].tolist() == [31, 31]


def test_labels_that_are_believed_less_choose_the_epoch_less():
    doubted = planned("cat", rule="label", weight=0.25)
    plan = plan_of([*PLENTY, *[doubted] * 30])
    arms = named(arms_of(plan, balance_plan(plan, "inverse_frequency", 0)))
    assert list(arms) == ["as-it-came", "labels", "balance"]
    for name in ("labels", "balance"):  # they are as common there as they came
        np.testing.assert_allclose(arms[name].validation_weights,
                                   np.where(arms[name].validation >= 90, 0.25, 1))
    trained = arms["labels"]
    ratio = trained.weights[trained.rows >= 90].max() / trained.weights[trained.rows < 90].min()
    assert ratio == pytest.approx(0.25)


@pytest.mark.parametrize("strategy", ["inverse_frequency", "effective_number"])
def test_weights_favour_the_rare_class_and_are_1_on_average(strategy):
    plan = plan_of([*PLENTY, planned(split="val")])
    arm = named(arms_of(plan, balance_plan(plan, strategy, 0)))["balance"]
    cat, dog = (arm.weights[arm.labels == name] for name in ("cat", "dog"))
    assert dog.min() > cat.max()
    assert arm.weights.mean() == pytest.approx(1)
    assert len(set(arm.rows)) == len(arm.rows)
    if strategy == "inverse_frequency":
        assert cat.sum() == pytest.approx(dog.sum(), rel=1e-5)


def test_to_adjust_logits_is_an_arm_of_its_own():
    arms = arms_of(plan_of([*PLENTY, planned(split="val")]), adjusts=True)
    assert [(arm.name, arm.adjusts_logits) for arm in arms] == [
        ("as-it-came", False), ("balance", True)]


def test_the_val_split_is_used_where_there_is_one():
    plan = plan_of([*PLENTY, *[planned("dog", split="val")] * 5, planned(split="test")])
    readable = np.ones(len(plan), bool)
    readable[92] = False
    arm = arms_of(plan, readable=readable)[0]
    assert arm.validation.tolist() == [90, 91, 93, 94]
    assert arm.rows.tolist() == list(range(90))


def test_else_a_tenth_of_each_class_is_validated_with():
    plan = plan_of([*PLENTY, *[planned("dog")] * 10, *[planned("owl")] * 3, planned("yak")])
    first, other = (arms_of(plan, seed=seed)[0] for seed in (0, 1))
    names, counts = np.unique(first.validation_labels, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"cat": 6, "dog": 4, "owl": 1}
    assert {"owl", "yak"} <= set(first.labels), "no class is only validated with"
    assert first.validation.tolist() != other.validation.tolist()


def test_shares_are_of_the_labels_and_never_0():
    shares = shares_of(np.array(["cat"] * 6 + ["dog"] * 2, object), ("cat", "dog", "owl"))
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(3 * shares[1])
    assert 0 < shares[2] < shares[1]
