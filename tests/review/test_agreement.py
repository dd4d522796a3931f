"""Agreement as counted by hand and by scikit-learn; which answer holds."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from audit.review.agreement import (
    agreement,
    conflicts,
    reviewers,
    settle,
    settled,
)
from audit.review.items import Item
from audit.review.store import Event, Standing


def item(name, given="cat", suggested="dog", *, truth=""):
    return Item(name, "label", "label", (0,), (name,), given, suggested, ("bird",), 0.1, truth)


def standing_of(*answers):
    """From (reviewer, item, answer, label) or with a mode."""
    standing = Standing()
    for number, (reviewer, name, answer, label, *mode) in enumerate(answers):
        standing.take(Event(f"{number}", reviewer, name, "label", name, answer, label, "",
                            1000 * (number + 1), mode[0] if mode else "one", "cat",
                            at=float(number)))
    return standing


def test_two_reviewers_agree_as_by_cohen():
    random = np.random.default_rng(0)
    first = random.choice(["cat", "dog", "bird"], 400)
    second = np.where(random.random(400) < 0.6, first, "cat")  # unlike the first, who has no bias
    items = [item(f"i{number}") for number in range(400)]
    standing = standing_of(*[(who, one.item_id, "class", label) for who, labels in (
        ("Ada", first), ("Bob", second)) for one, label in zip(items, labels, strict=True)])
    found = agreement(items, standing)
    assert found.questions == 400
    assert found.same == (first == second).sum()
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_of_three_as_in_the_paper():
    """Three raters, two questions: all alike, and two against one. By hand: observed 2/3, chance
    (4² + 2²)/6² = 5/9."""
    items = [item("a"), item("b")]
    votes = {"a": ["cat", "cat", "cat"], "b": ["cat", "dog", "dog"]}
    standing = standing_of(*[(f"r{place}", name, "class", label) for name, labels in votes.items()
                             for place, label in enumerate(labels)])
    found = agreement(items, standing)
    assert found.kappa == pytest.approx((2 / 3 - 5 / 9) / (1 - 5 / 9))
    assert found.by_class == {"cat": (2, 1)}


def test_kappa_of_questions_that_not_all_have_answered():
    """By hand: observed (1 + 1 + 1/3)/3 = 7/9; of 7 answers 4 are cat, 3 dog: chance 25/49."""
    items = [item("a"), item("b"), item("c")]
    found = agreement(items, standing_of(
        ("Ada", "a", "class", "cat"), ("Bob", "a", "class", "cat"),
        ("Bob", "b", "class", "dog"), ("Cem", "b", "class", "dog"),
        ("Ada", "c", "class", "cat"), ("Bob", "c", "class", "cat"), ("Cem", "c", "class", "dog")))
    assert found.kappa == pytest.approx((7 / 9 - 25 / 49) / (1 - 25 / 49))
    assert (found.questions, found.same) == (3, 2)


def test_who_adjudicates_is_no_part_of_the_agreement():
    answers = [("Ada", "a", "class", "cat"), ("Bob", "a", "class", "dog"),
               ("Ada", "b", "class", "dog"), ("Bob", "b", "class", "dog")]
    alone = agreement([item("a"), item("b")], standing_of(*answers))
    assert alone == agreement([item("a"), item("b")], standing_of(
        *answers, ("Cem", "a", "class", "cat", "adjudicate")))
    assert alone.kappa == 0


def test_kappa_is_not_defined_where_all_say_the_same():
    found = agreement([item("a")], standing_of(("Ada", "a", "class", "cat"),
                                               ("Bob", "a", "class", "cat")))
    assert (found.questions, found.same, found.kappa) == (1, 1, None)


def test_without_two_answers_there_is_no_agreement():
    found = agreement([item("a")], standing_of(("Ada", "a", "class", "cat"),
                                               ("Bob", "a", "unsure", "")))
    assert (found.questions, found.kappa) == (0, None)


@pytest.mark.parametrize(("answers", "label"), [
    ([], None),
    ([("Ada", "a", "unsure", "")], None),
    ([("Ada", "a", "class", "cat")], "cat"),
    ([("Ada", "a", "class", "cat"), ("Bob", "a", "unsure", "")], "cat"),
    ([("Ada", "a", "class", "cat"), ("Bob", "a", "class", "cat")], "cat"),
    ([("Ada", "a", "class", "cat"), ("Bob", "a", "class", "dog")], None),
    ([("Ada", "a", "class", "cat"), ("Bob", "a", "class", "dog"),
      ("Cem", "a", "class", "dog")], None),
    ([("Ada", "a", "class", "cat"), ("Bob", "a", "class", "dog"),
      ("Cem", "a", "class", "bird", "adjudicate")], "bird")])
def test_a_question_is_settled_by_all_or_by_whoever_adjudicates(answers, label):
    one = item("a")
    standing = standing_of(*answers)
    found = settle(standing.of_item("a"))
    assert (found.label if found else None) == label
    assert settled([one], standing) == ({"a": found} if found else {})
    labels = {answer[3] for answer in answers if answer[2] == "class"}
    assert conflicts([one], standing) == (["a"] if len(labels) > 1 and label is None else [])


def test_reviewers_are_measured_by_questions_whose_answer_is_known():
    items = [item("a"), item("k1", truth="cat"), item("k2", truth="dog"), item("k3", truth="cat")]
    found = {one.name: one for one in reviewers(items, standing_of(
        ("Ada", "a", "class", "dog"), ("Ada", "k1", "class", "cat"), ("Ada", "k2", "class", "cat"),
        ("Ada", "k3", "unsure", ""), ("Bob", "k1", "neither", "")))}
    assert (found["Ada"].known, found["Ada"].known_right, found["Ada"].answers) == (2, 1, 4)
    assert found["Ada"].median_seconds == 2.5
    assert (found["Bob"].known, found["Bob"].known_right) == (1, 0)
