"""The verdict of before and after goes by the mean recall of the classes."""

import numpy as np
import pytest

from audit.training import Arm
from pipelines.tell_training import as_json, judge
from pipelines.train_network import Trained

LABELS = np.repeat([0, 1], [400, 100])
"""Of a common and a rare class."""


def logits_of(right):
    """Two seeds that answer alike."""
    answer = np.where(right, LABELS, 1 - LABELS)
    return np.repeat(5 * np.eye(2, dtype=np.float32)[answer][None], 2, axis=0)


def trained(*answers):
    nothing = np.empty(0, np.int64)
    arms = [Arm(f"arm-{number}", "words", nothing, nothing.astype(object),
                nothing.astype(np.float32), nothing, nothing.astype(object),
                nothing.astype(np.float32)) for number in range(len(answers))]
    return Trained(arms, np.stack([logits_of(one) for one in answers]), LABELS, ("a", "b"),
                   [[[{"epoch": 1.0}]] * 2] * len(answers), "a network", 0.1, None, (), None,
                   (0, 1))


def told(common, rare):
    """So many images of each class are told right."""
    right = np.zeros(len(LABELS), bool)
    right[:common] = right[400:400 + rare] = True
    return right


@pytest.mark.parametrize(("after", "has_helped", "is_worse"), [
    (told(360, 90), True, False),   # the rare class gains more than the common one loses
    (told(399, 5), False, True),    # accuracy rises, and the rare class is given up
    (told(390, 51), False, False),
])
def test_a_rare_class_counts_as_much_as_a_common_one(after, has_helped, is_worse):
    verdict = judge(trained(told(390, 50), after))
    assert (verdict.has_helped, verdict.is_worse) == (has_helped, is_worse)
    assert verdict.saved_arm == (0 if is_worse else 1)


def test_balancing_may_cost_accuracy():
    found = trained(told(400, 50), told(352, 90))
    verdict = judge(found)
    accuracy, recall = verdict.gains[0]
    assert accuracy.change < 0 < recall.low
    assert verdict.has_helped
    assert as_json(found, verdict)["saved"] == "arm-1"


def test_one_arm_alone_has_nothing_to_compare():
    verdict = judge(trained(told(390, 50)))
    assert not verdict.has_helped
    assert not verdict.is_worse
    assert "nothing to compare" in verdict.sentence
