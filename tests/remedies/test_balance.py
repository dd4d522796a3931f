"""Classes of unequal size are evened out on row numbers, and only where images are trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remedy_builders import build_case, decided, plan_of

from audit.remedies.balance import (
    BETA,
    IN_THE_PLAN,
    LOGIT_ADJUSTMENT,
    NONE,
    balance_plan,
    class_weights,
)
from audit.remedies.choose_balance import choose_balance

SIZES = {"cat": 12, "dog": 5, "owl": 2}


def uneven(decisions=None, **sizes):
    labels = [label for label, size in (sizes or SIZES).items() for _ in range(size)]
    images = [{"given_label": label, "split": "train"} for label in labels]
    images += [{"given_label": "cat", "split": "test"}] * 3
    return plan_of(build_case(images), decisions)


def trained_on(plan, column="repeat"):
    part = plan[plan["split"] == "train"]
    return part[part["action"] != "drop"].groupby("label")[column].sum().to_dict()


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_sampling_makes_classes_equal(sizes, seed):
    plan = uneven(**dict(zip(SIZES, sizes, strict=False)))
    over, under = (balance_plan(plan, one, seed) for one in ("oversample", "undersample"))
    assert set(trained_on(over).values()) == {max(sizes)}
    assert (over["repeat"] >= plan["repeat"]).all()
    assert set(trained_on(under).values()) == {min(sizes)}
    for one in (over, under):
        assert ((one["repeat"] == 0) == (one["action"] == "drop")).all()
        tested = one["split"] == "test"
        assert one[tested].equals(plan[tested])
    assert over.equals(balance_plan(plan, "oversample", seed))


def test_seeds_draw_other_images():
    plan = uneven()
    drawn = {tuple(balance_plan(plan, "undersample", seed)["repeat"]) for seed in range(5)}
    assert len(drawn) > 1


def test_what_a_reviewer_decided_on_is_left_out_last():
    kept = {row: decided("keep") for row in (0, 3, 11, 12)}
    plan = balance_plan(uneven(kept), "undersample", 0)
    assert (plan["action"][list(kept)] == "keep").all()
    assert trained_on(plan) == {"cat": 3, "dog": 2, "owl": 2}
    assert set(plan["rule"][plan["action"] == "drop"]) == {"balance"}


def test_inverse_frequency_makes_classes_count_the_same():
    plan = balance_plan(uneven(), "inverse_frequency", 0)
    totals = list(trained_on(plan, "weight").values())
    assert totals == pytest.approx([sum(SIZES.values()) / 3] * 3)
    assert (plan["repeat"] == 1).all()
    assert (plan["weight"][plan["split"] == "test"] == 1).all()


def test_effective_numbers_saturate():
    few, many = np.array([2, 5]), np.array([100_000, 1_000_000])
    inverse = class_weights(few, "inverse_frequency")
    assert class_weights(few, "effective_number") == pytest.approx(inverse, rel=0.01)
    assert class_weights(many, "effective_number") == pytest.approx([1, 1])
    weights = class_weights(np.array([10, 1_000]), "effective_number")
    effective = (1 - BETA ** np.array([10, 1_000])) / (1 - BETA)
    assert weights[0] / weights[1] == pytest.approx(effective[1] / effective[0])
    assert weights @ [10, 1_000] / 1_010 == pytest.approx(1)


@pytest.mark.parametrize("strategy", [NONE, LOGIT_ADJUSTMENT])
def test_what_is_not_done_to_rows_changes_none(strategy):
    assert balance_plan(uneven(), strategy, 0).equals(uneven())


@pytest.mark.parametrize("strategy", IN_THE_PLAN)
def test_one_class_has_nothing_to_balance(strategy):
    plan = uneven(cat=4)
    assert balance_plan(plan, strategy, 0).equals(plan)


def blurred(sizes, seed=0, apart=1.6):
    """Two to three classes that overlap, of these sizes, and folds that each holds evenly."""
    random = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    points = random.normal(size=(len(codes), 4)) + apart * np.eye(4)[codes]
    folds = np.concatenate([np.arange(size) % 5 for size in sizes])
    return points, codes.astype(str).astype(object), folds


def test_balancing_is_chosen_where_a_rare_class_is_drowned():
    choice = choose_balance(*blurred([600, 60]), seed=0)
    assert choice.strategy != NONE
    gains = {one.strategy: one.difference for one in choice.trials}
    assert set(gains) == {*IN_THE_PLAN, LOGIT_ADJUSTMENT}
    assert gains[choice.strategy].low > 0
    assert gains[choice.strategy].change == max(one.change for one in gains.values())
    assert choice == choose_balance(*blurred([600, 60]), seed=0)


def test_nothing_is_chosen_where_classes_are_equal():
    choice = choose_balance(*blurred([150, 150, 150]), seed=0)
    assert choice.strategy == NONE
    assert "no strategy" in choice.reason


def test_a_class_that_a_fold_does_not_learn_is_borne():
    points, labels, folds = blurred([30, 3])
    folds[labels == "1"] = 0
    assert choose_balance(points, labels, folds, seed=0).trials
