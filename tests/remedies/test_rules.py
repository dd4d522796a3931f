"""Each rule does what it says to what is planted, and leaves alone what is not."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remedy_builders import CLASSES, build_case, decided, name_of, plan_of, suspect

from audit import tables
from audit.remedies import Options
from audit.remedies.rules import LEAST_IMAGES, RULES, apply_rules

CAT, DOG = {"given_label": "cat"}, {"given_label": "dog"}


def outcome(plan, column="action"):
    return plan[column].tolist()


def test_clean_images_stay_as_they_are():
    plan = plan_of(build_case([CAT, DOG, {"split": "test"}]))
    assert tables.problems(plan, tables.PLAN) == []
    assert outcome(plan) == ["keep"] * 3
    assert outcome(plan, "rule") == ["none"] * 3
    assert outcome(plan, "label") == outcome(plan, "given_label")


def test_no_images_make_an_empty_plan():
    plan = plan_of(build_case([CAT]))[:0]
    assert tables.problems(plan, tables.PLAN) == []


def test_unreadable_files_go_in_every_split():
    broken = {"status": "unreadable", "problem": "no bytes"}
    plan = plan_of(build_case([broken, {**broken, "split": "test"}, CAT]))
    assert outcome(plan) == ["drop", "drop", "keep"]
    assert outcome(plan, "rule")[:2] == ["unreadable_file"] * 2
    assert "no bytes" in plan["reason"][1]


def test_one_of_each_set_of_copies_stays():
    plan = plan_of(build_case([CAT] * 4, exact_duplicates=[(0, 2, 3)]))
    assert outcome(plan) == ["keep", "keep", "drop", "drop"]
    assert name_of(0) in plan["reason"][3]


@pytest.mark.parametrize("check", ["split_leak", "exact_duplicates"])
def test_copies_of_a_test_image_are_not_trained_on(check):
    splits = [{"split": "train"}, {"split": "train"}, {"split": "test"}, {"split": "val"}]
    plan = plan_of(build_case(splits, **{check: [(0, 1, 2)]}))
    assert outcome(plan) == ["drop", "drop", "keep", "keep"]
    assert outcome(plan, "rule")[:2] == ["split_leak"] * 2
    assert name_of(2) in plan["reason"][0]
    assert "test" in plan["reason"][0]


def test_val_gives_way_to_test_only_if_evaluation_splits_may_be_edited():
    splits = [{"split": "val"}, {"split": "test"}, {"split": "train"}]
    assert outcome(plan_of(build_case(splits, split_leak=[(0, 1, 2)]))) == ["keep", "keep", "drop"]
    edited = build_case(splits, include_eval=True, split_leak=[(0, 1, 2)])
    assert outcome(plan_of(edited)) == ["drop", "keep", "drop"]


def test_both_sides_of_an_undecided_conflict_go():
    plan = plan_of(build_case([CAT, DOG, CAT], label_conflict=[(0, 1)]))
    assert outcome(plan) == ["drop", "drop", "keep"]
    assert outcome(plan, "rule")[:2] == ["label_conflict"] * 2


@pytest.mark.parametrize(("decision", "actions", "labels"), [
    (decided("keep"), ["keep", "drop"], "cat"),
    (decided("relabel", "owl"), ["relabel", "drop"], "owl"),
    (decided("exclude"), ["drop", "keep"], "cat"),
])
def test_a_decision_on_one_side_settles_a_conflict(decision, actions, labels):
    case = build_case([CAT, DOG], label_conflict=[(0, 1)], exact_duplicates=[(0, 1)])
    plan = plan_of(case, {0: decision})
    assert outcome(plan) == actions
    assert plan["label"][0] == labels
    assert plan["decided_by"][0] == "Ada"


def test_excluding_one_of_three_sides_leaves_a_conflict():
    case = build_case([CAT, DOG, {"given_label": "owl"}], label_conflict=[(0, 1, 2)])
    assert outcome(plan_of(case, {0: decided("exclude")})) == ["drop"] * 3


def test_the_copy_that_a_reviewer_chose_is_the_one_that_stays():
    case = build_case([CAT] * 3, exact_duplicates=[(0, 1, 2)])
    assert outcome(plan_of(case, {2: decided("keep")})) == ["drop", "drop", "keep"]
    assert outcome(plan_of(case, {0: decided("exclude")})) == ["drop", "keep", "drop"]


def test_suspected_labels_go_the_worst_first_down_to_the_floor():
    images = [suspect(score) for score in (0.3, 0.1, 0.2)] + [CAT] * 2
    plan = plan_of(build_case(images), class_floor=3)
    assert outcome(plan) == ["keep", "drop", "drop", "keep", "keep"]
    assert "floor of 3" in plan["reason"][0]
    assert plan["rule"][0] == "label"


@pytest.mark.parametrize(("count", "floor"), [(30, LEAST_IMAGES), (60, 30), (61, 31), (10, 10)])
def test_by_default_a_class_keeps_half_and_20_images(count, floor):
    plan = plan_of(build_case([suspect(0.1)] * count))
    assert outcome(plan).count("keep") == floor


def test_labels_are_corrected_only_where_asked_and_sure():
    images = [suspect(0.1, sure=0.9), suspect(0.1, sure=0.89), CAT]
    assert outcome(plan_of(build_case(images), class_floor=0)) == ["drop", "drop", "keep"]
    plan = plan_of(build_case(images), class_floor=0, relabel_above=0.9)
    assert outcome(plan) == ["relabel", "drop", "keep"]
    assert outcome(plan, "label") == ["dog", "cat", "cat"]
    floored = plan_of(build_case(images), class_floor=3, relabel_above=0.9)
    assert outcome(floored) == ["keep"] * 3


def test_evaluation_splits_are_left_alone_unless_asked():
    images = [suspect(0.1, split="test"), suspect(0.1, split="val"), suspect(0.1, split="extra")]
    assert outcome(plan_of(build_case(images), class_floor=0)) == ["keep", "keep", "drop"]
    edited = build_case(images, include_eval=True)
    assert outcome(plan_of(edited, class_floor=0)) == ["drop"] * 3


def test_a_decision_on_an_evaluation_image_is_left_undone_and_said_so():
    case = build_case([{"split": "test"}] * 2)
    plan = plan_of(case, {0: decided("relabel", "dog"), 1: decided("keep")})
    assert outcome(plan) == ["keep", "keep"]
    assert outcome(plan, "label") == ["cat", "cat"]
    assert "not done to evaluation splits" in plan["reason"][0]
    assert "not done" not in plan["reason"][1]
    edited = build_case([{"split": "test"}], include_eval=True)
    assert outcome(plan_of(edited, {0: decided("relabel", "dog")}), "label") == ["dog"]


def test_the_first_rule_that_applies_is_the_one_recorded():
    bad = suspect(0.1, split="train", status="unreadable", problem="cut")
    others = [{"split": "test"}, {"split": "train", **DOG}, {"split": "train"}]

    def rule_of(image, decisions=None, **sets):
        return plan_of(build_case([image, *others], **sets), decisions, class_floor=0)["rule"][0]

    readable = {**bad, "status": "ok"}
    leak, conflict, copies = {"split_leak": [(0, 1)]}, {"label_conflict": [(0, 2)]}, {
        "exact_duplicates": [(0, 3)]}
    assert rule_of(bad, {0: decided("keep")}, **leak, **conflict) == "review"
    assert rule_of(bad, **leak, **conflict) == "unreadable_file"
    assert rule_of(readable, **leak, **conflict, **copies) == "split_leak"
    assert rule_of(readable, **conflict, **copies) == "label_conflict"
    assert rule_of(readable, {3: decided("keep")}, **copies) == "exact_duplicates"
    assert rule_of(readable) == "label"


@st.composite
def cases(draw):
    count = draw(st.integers(1, 20))
    images = [draw(st.fixed_dictionaries({
        "given_label": st.sampled_from(CLASSES), "likely_label": st.sampled_from(CLASSES),
        "split": st.sampled_from(["", "train", "val", "test"]),
        "status": st.sampled_from(["ok", "ok", "ok", "unreadable"]),
        "is_label_issue": st.booleans(), "label_score": st.floats(0, 0.5),
        "likely_probability": st.floats(0.5, 1)})) for _ in range(count)]
    sets = {}
    for check in ("exact_duplicates", "label_conflict", "split_leak"):
        numbers = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
        members = [tuple(np.flatnonzero(np.array(numbers) == one).tolist()) for one in range(6)]
        sets[check] = [one for one in members if len(one) > 1]
    case = build_case(images, include_eval=draw(st.booleans()), **sets)
    decisions = draw(st.dictionaries(st.integers(0, count - 1), st.one_of(
        st.just(decided("keep")), st.just(decided("exclude")),
        st.sampled_from(CLASSES).map(lambda label: decided("relabel", label))), max_size=5))
    return case, Options(decisions, draw(st.none() | st.floats(0.51, 1)),
                         draw(st.none() | st.integers(0, 5)))


@given(cases())
@settings(max_examples=100, deadline=None)
def test_what_holds_of_every_plan(drawn):
    case, options = drawn
    plan = plan_of(case, options.decisions, relabel_above=options.relabel_above,
                   class_floor=options.class_floor)
    assert tables.problems(plan, tables.PLAN) == []
    assert plan["image_id"].tolist() == sorted(case.images["image_id"])
    dropped = plan["action"] == "drop"
    assert ((plan["repeat"] == 0) == dropped).all()
    assert ((plan["weight"] == 0) == dropped).all()
    assert ((plan["label"] != plan["given_label"]) == (plan["action"] == "relabel")).all()
    assert plan["reason"].ne("").all()
    locked = plan[~case.editable]
    assert (locked["label"] == locked["given_label"]).all()
    unreadable = case.images["status"][~case.editable] == "unreadable"
    assert ((locked["action"] == "drop") == unreadable).all()
    for row, decision in options.decisions.items():
        if case.editable[row]:
            assert (plan["action"][row] == "drop") == (decision.decision == "exclude")
            label = decision.label or plan["given_label"][row]
            assert dropped[row] or plan["label"][row] == label
    assert_sets_are_settled(case, options, plan)
    assert_floors_hold(case, options, plan)


def assert_sets_are_settled(case, options, plan):
    stays = set(np.flatnonzero(plan["action"] != "drop"))
    free = {row for row in stays if case.editable[row] and row not in options.decisions}
    for members in case.sets["exact_duplicates"]:
        assert len(free & set(members)) <= 1
    for members in (*case.sets["exact_duplicates"], *case.sets["split_leak"]):
        if any(case.spared[row] for row in stays & set(members)):
            assert not any(case.spared[row] == 0 for row in free & set(members))
    before = apply_without_labels(case, options)
    for members in case.sets["label_conflict"]:
        labels = {before[row].label if row in before else case.images["given_label"][row]
                  for row in members if row in stays}
        assert len(labels) < 2 or not free & set(members)


def apply_without_labels(case, options):
    settled = {}
    for rule in RULES[:-1]:
        settled |= rule(case, options, settled)
    return settled


def assert_floors_hold(case, options, plan):
    settled = apply_without_labels(case, options)
    parts = np.where(case.spared > 0, case.images["split"], "")
    had = Counter((parts[row], case.images["given_label"][row])
                  for row in np.flatnonzero(case.editable))
    before = Counter(
        (parts[row], settled[row].label if row in settled else case.images["given_label"][row])
        for row in np.flatnonzero(case.editable)
        if row not in settled or settled[row].action != "drop")
    after = Counter((parts[row], plan["label"][row]) for row in np.flatnonzero(case.editable)
                    if plan["action"][row] != "drop")
    for one, count in had.items():
        floor = (max(LEAST_IMAGES, count / 2) if options.class_floor is None
                 else options.class_floor)
        assert after[one] >= min(floor, before[one])


def test_rules_speak_of_no_image_twice():
    case = build_case([suspect(0.1), CAT, DOG], label_conflict=[(0, 2)], exact_duplicates=[(0, 1)])
    options = Options(class_floor=0)
    settled = {}
    for rule in RULES:
        rulings = rule(case, options, dict(settled))
        assert not set(rulings) & set(settled)
        settled |= rulings
    assert settled == apply_rules(case, options)
