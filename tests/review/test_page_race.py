"""Two people in two browsers at the same questions: no question goes to both."""

import time
from types import SimpleNamespace

import pytest
from review.browsing import Reviewer, serving

from audit.review import store as store_module
from audit.review.store import ReviewStore

EACH = 20
LEASE = 900  # seconds

SHOWN = """
window.shown = [];
const look = () => {
  const item = document.querySelector("[data-item]")?.dataset.item;
  if (item && shown.at(-1) !== item) shown.push(item);
};
new MutationObserver(look).observe(document, { childList: true, subtree: true });
look();
"""


@pytest.fixture
def clock(monkeypatch):
    """The store's clock, which a test may set forward."""
    ahead = SimpleNamespace(seconds=0)
    monkeypatch.setattr(store_module, "time", SimpleNamespace(
        time=lambda: time.time() + ahead.seconds, monotonic=time.monotonic, sleep=time.sleep))
    return ahead


def opened_at_once(contexts, server):
    """Ada and Grace, whose pages load at the same time and note what they show."""
    for one in contexts:
        one.add_init_script(SHOWN)
    both = [Reviewer(one, server, name, waits=False)
            for one, name in zip(contexts, ("Ada", "Grace"), strict=True)]
    for one in both:
        one.is_ready()
    return both


def answer_in_turn(both, each):
    """Let them press a key in turn, as soon as a question is there; not waiting for the server."""
    for _ in range(each):
        for one in both:
            one.until("document.querySelector('[data-item]') !== null")
            one.press("ArrowLeft")
    for one in both:
        one.all_saved()


def shared_ones(both):
    """Questions that each of them saw or answered, those that everybody is asked left out."""
    catalogue = both[0].server.catalogue
    seen = [{name for name in one.page.evaluate("shown") if not catalogue.item(name).truth}
            for one in both]
    answered = [{name for name in one.answers() if not catalogue.item(name).truth} for one in both]
    return seen[0] & seen[1], answered[0] & answered[1]


def test_no_question_is_shown_to_two_who_answer_at_once(context, other_context, server):
    both = opened_at_once((context, other_context), server)
    answer_in_turn(both, EACH)
    assert [len(one.answers()) for one in both] == [EACH, EACH]
    assert all(len(one.page.evaluate("shown")) > EACH for one in both)
    assert shared_ones(both) == (set(), set())
    assert [one.errors for one in both] == [[], []]


def test_two_who_are_both_to_answer_see_the_same(context, other_context, asked, tmp_path):
    """Were pages to show each its own for another reason, the test above would show nothing."""
    store = ReviewStore(tmp_path / "review.sqlite")
    with serving(*asked, store, overlap=2) as server:
        both = opened_at_once((context, other_context), server)
        answer_in_turn(both, 3)
        seen, answered = shared_ones(both)
        assert len(seen) >= len(answered) > 0
    store.close()


def held_by(reviewer):
    """Questions that wait in the page, those that everybody is asked left out."""
    told = reviewer.page.evaluate(
        "name => fetch('/api/next?count=12', { headers: { 'X-Reviewer': name } })"
        ".then((answer) => answer.json())", reviewer.name)
    names = {one["item_id"] for one in told["items"]}
    assert reviewer.item.item_id in names
    return {name for name in names if not reviewer.server.catalogue.item(name).truth}


def test_what_was_left_open_in_a_closed_browser_is_asked_of_the_other(context, other_context,
                                                                      server, clock):
    ada = Reviewer(context, server)
    left = held_by(ada)
    context.close()
    other_context.add_init_script(SHOWN)
    grace = Reviewer(other_context, server, "Grace")
    grace.answer(*["ArrowLeft"] * 15)  # more than a page takes at a time
    grace.all_saved()
    assert not left & {*grace.page.evaluate("shown")}
    clock.seconds = LEASE + 1
    grace.answer(*["ArrowLeft"] * 30)
    grace.all_saved()
    assert len(left) > 6
    assert left <= {*grace.answers()}
    assert grace.errors == []


def test_a_question_that_was_taken_back_is_not_shown_to_the_other(context, other_context, server):
    ada = Reviewer(context, server)
    item = ada.item
    ada.press("n", "z")
    ada.is_told("Taken back")
    ada.all_saved()
    assert ada.item == item
    assert Reviewer(other_context, server, "Grace").item != item
