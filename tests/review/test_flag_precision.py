"""What people found of some flags, and what follows for the others."""

import numpy as np
import pytest

from audit.review.flag_precision import flag_precision, in_words
from audit.review.items import Item
from audit.review.store import Event, Standing


def questions(count):
    """From the worst to the best."""
    return [Item(f"i{place}", "label", "label", (place,), (f"i{place}",), "cat", "dog", ("bird",),
                 place / count) for place in range(count)]


def answered(answers):
    """From item_id → answer and label."""
    standing = Standing()
    for name, (answer, label) in answers.items():
        standing.take(Event(name, "Ada", name, "label", name, answer, label, "", 1000, "one",
                            "cat", at=0.0))
    return standing


def test_answers_count_as_what_they_say_of_the_label():
    items = [*questions(10), Item("known", "label", "label", (0,), ("known",), "cat", "dog", (),
                                  0.0, truth="cat")]
    found = flag_precision(items, answered({
        "i0": ("class", "dog"), "i9": ("class", "cat"), "i2": ("neither", ""), "i7": ("both", ""),
        "i4": ("unsure", ""), "i5": ("exclude", ""), "known": ("class", "dog")}))
    assert (found.reviewed, found.wrong, found.open) == (4, 2, 5)
    assert found.share[1] < found.share[0] == 0.5 < found.share[2]
    assert found.still_wrong == pytest.approx([5 * one for one in found.share])
    assert flag_precision(items, answered({})) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_worst_first_say_less_of_the_rest_than_of_themselves(seed):
    """Labels are the less often wrong the better their score: the plain share would be too high."""
    random = np.random.default_rng(seed)
    items = questions(400)
    is_wrong = random.random(400) < np.linspace(0.95, 0.15, 400)
    found = flag_precision(items, answered({
        one.item_id: ("class", "dog" if wrong else "cat")
        for one, wrong in zip(items[:240], is_wrong[:240], strict=True)}))
    truth = is_wrong[240:].sum()
    assert found.is_calibrated
    assert found.still_wrong[1] <= found.still_wrong[0] <= found.still_wrong[2]
    assert abs(found.still_wrong[0] - truth) < abs(found.share[0] * found.open - truth)
    assert "judged by their scores" in in_words(found)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        items = questions(150)
        is_wrong = random.random(150) < np.linspace(0.9, 0.3, 150)
        seen = random.permutation(150)[:60]
        found = flag_precision(items, answered({
            f"i{place}": ("class", "dog" if is_wrong[place] else "cat") for place in seen}))
        left = is_wrong.sum() - is_wrong[seen].sum()
        held.append(found.still_wrong[1] <= left <= found.still_wrong[2])
    assert np.mean(held) >= 0.75  # 0.9 of 20 have a standard error of 0.07


def test_of_the_worst_that_are_all_wrong_nothing_follows():
    items = questions(100)
    worst = flag_precision(items, answered({f"i{place}": ("neither", "") for place in range(40)}))
    assert worst.still_wrong is None
    assert "cannot be told" in in_words(worst)
    spread = flag_precision(items, answered({f"i{place}": ("neither", "")
                                             for place in range(0, 100, 5)}))
    assert spread.still_wrong[0] == 80
    assert "if they are like these" in in_words(spread)


def test_when_all_is_reviewed_nothing_is_guessed():
    found = flag_precision(questions(3), answered({f"i{place}": ("class", "cat")
                                                   for place in range(3)}))
    assert (found.wrong, found.open) == (0, 0)
    assert in_words(found).startswith("Of 3 suspected labels reviewed, 0 were wrong (0 %")
    assert "others" not in in_words(found)
