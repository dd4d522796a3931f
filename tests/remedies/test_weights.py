"""Labels count as much as they are believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remedy_builders import build_case, decided, plan_of, suspect

from audit.remedies.balance import balance_plan


def believed(probability, given="cat", **fields):
    return {"own_probability": probability, "given_label": given, **fields}


def test_a_suspected_label_stays_and_counts_less():
    plan = plan_of(build_case([believed(0.9), believed(0.9), suspect(0.01, own_probability=0.1)]),
                   weighs=True)
    assert (plan["action"] == "keep").all()
    assert plan["weight"][2] == pytest.approx(plan["weight"][0] / 9)
    assert "counts less" in plan["reason"][2]


def test_without_it_a_suspected_label_is_dropped_and_all_others_count_the_same():
    images = [believed(0.9)] * 40 + [suspect(0.01, own_probability=0.1)]
    plan = plan_of(build_case(images))
    assert plan["action"].tolist() == ["keep"] * 40 + ["drop"]
    assert set(plan["weight"]) == {0, 1}


def test_what_a_reviewer_decided_on_or_a_correction_counts_as_certain():
    images = [believed(0.5), suspect(0.01, own_probability=0.1),
              believed(1.0, "dog"), believed(1.0, "dog"),
              suspect(0.01, own_probability=0.1, sure=0.99)]
    plan = plan_of(build_case(images), {1: decided("keep")}, weighs=True, relabel_above=0.95,
                   class_floor=0)
    assert plan["weight"][1] == pytest.approx(2 * plan["weight"][0])
    assert plan["label"][4] == "dog"
    assert plan["weight"][4] == pytest.approx(plan["weight"][2])


def test_evaluation_images_and_those_not_scored_count_one():
    images = [believed(0.1), believed(0.9), believed(0.2, split="test"), believed(np.nan)]
    plan = plan_of(build_case(images), weighs=True)
    assert plan["weight"][2] == plan["weight"][3] == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["cat", "dog"])), min_size=2,
                max_size=30))
@settings(deadline=None)
def test_a_class_weighs_as_much_as_it_has_images(rows):
    images = [believed(probability, label) for probability, label in rows]
    plan = plan_of(build_case(images), weighs=True)
    for _, own in plan.groupby("given_label"):
        assert own["weight"].mean() == pytest.approx(1)
    order = plan.groupby("given_label")["weight"].rank(method="max")
    belief = np.array([probability for probability, _ in rows])
    for label in {label for _, label in rows}:
        own = (plan["given_label"] == label).to_numpy()
        first, last = np.argmin(belief[own]), np.argmax(belief[own])
        assert order[own].iloc[first] <= order[own].iloc[last]


def test_balancing_comes_on_top():
    images = [believed(0.2), believed(0.8), believed(0.8), believed(0.5, "dog")]
    plan = plan_of(build_case(images), weighs=True)
    balanced = balance_plan(plan, "inverse_frequency", 0)
    assert balanced["weight"].mean() == pytest.approx(1)
    assert balanced["weight"][1] == pytest.approx(4 * balanced["weight"][0])
    assert balanced["weight"][3] == pytest.approx(balanced["weight"][:3].sum())
