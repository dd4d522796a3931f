"""Pairs of classes that are open to a reviewer: what others have answered is counted."""

import pytest

from audit.review.queues import Queues
from audit.review.store import Event, Standing


@pytest.fixture
def labels(catalogue):
    return [one for one in catalogue.items if one.kind == "label" and not one.truth]


@pytest.fixture
def queues(catalogue):
    return Queues(catalogue, 0)


def answered(items, *reviewers):
    standing = Standing()
    for name in reviewers:
        for one in items:
            standing.take(Event(f"{name} {one.item_id}", name, one.item_id, one.check, "", "unsure",
                                "", "", 1, "one", one.given))
    return standing


def test_a_pair_is_open_while_one_of_its_questions_is(queues, labels):
    pairs = {(one.given, one.suggested) for one in labels}
    assert set(queues.open_pairs("Ada", Standing(), 1)) == pairs
    last = labels[-1].given, labels[-1].suggested
    assert queues.open_pairs("Ada", answered(labels[:-1], "Ada"), 1) == [last]


def test_a_pair_is_open_to_as_many_reviewers_as_are_wanted(queues, labels):
    standing = answered(labels, "Ada")
    assert queues.open_pairs("Ada", standing, 2) == []
    assert queues.open_pairs("Bob", standing, 1) == []
    assert queues.open_pairs("Bob", standing, 2)
    assert queues.open_pairs("Cem", answered(labels, "Ada", "Bob"), 2) == []


def test_the_pair_with_most_open_questions_is_first(queues, labels):
    pairs = queues.open_pairs("Ada", Standing(), 1)
    sizes = [sum((one.given, one.suggested) == pair for one in labels) for pair in pairs]
    assert len(sizes) > 1
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    first = [one for one in labels if (one.given, one.suggested) == pairs[0]]
    assert queues.open_pairs("Ada", answered(first, "Ada"), 1) == pairs[1:]
