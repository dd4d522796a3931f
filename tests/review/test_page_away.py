"""The labelers' page while the server cannot be reached, or refuses: no answer is lost."""

import pytest
from review.browsing import Reviewer


@pytest.fixture
def reviewer(line, reviewer):  # noqa: ARG001 - the line is laid before her page is opened
    return reviewer


def test_nothing_is_lost_while_the_server_is_away(line, reviewer):
    kept = []  # each try that fails makes the page wait longer before the next
    line.does(kept.append)
    reviewer.press("ArrowLeft", "b", "x", "z")
    line.cut()
    for route in kept:
        route.abort()
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    assert "4 queued" in reviewer.text("#saved")
    assert reviewer.answers() == {}
    line.mend()
    reviewer.all_saved()
    assert reviewer.page.locator("#offline").is_hidden()
    assert sorted(answer for answer, _ in reviewer.answers().values()) == ["both", "class"]
    assert len(reviewer.server.store.events()) == 4


def test_what_a_closed_page_had_not_sent_is_sent_by_the_next_one(context, line, reviewer):
    line.cut("/api/answers")
    reviewer.press("n", "n", "n")
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    reviewer.page.close()
    line.mend()
    again = Reviewer(context, reviewer.server)
    again.all_saved()
    assert [answer for answer, _ in again.answers().values()] == ["neither"] * 3
    assert again.item.item_id not in again.answers()
    again.press("z")
    again.is_told("Taken back")
    again.all_saved()
    assert len(again.answers()) == 2


def test_an_answer_that_reached_the_disk_twice_counts_once(line, reviewer):
    def lose_what_was_said(route):
        route.fetch()
        route.abort()

    line.does(lose_what_was_said, "/api/answers")
    reviewer.press("n")
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    line.mend()
    reviewer.all_saved()
    assert len(reviewer.server.store.events()) == 1


def test_an_answer_that_is_refused_is_asked_again_and_told(line, reviewer):
    item = reviewer.item
    line.does(lambda route: route.fulfill(status=400, json={"error": "no such thing"}),
              "/api/answers")
    reviewer.press("n")
    reviewer.page.wait_for_selector("text=no such thing")
    reviewer.page.wait_for_selector(f"[data-item='{item.item_id}']")


def test_a_server_with_another_token_is_explained(line, reviewer):
    line.does(lambda route: route.fulfill(status=403, body="no"), "/api/answers")
    reviewer.press("n")
    reviewer.page.wait_for_selector("text=open the address that its terminal shows")
    assert "1 queued" in reviewer.text("#saved")
