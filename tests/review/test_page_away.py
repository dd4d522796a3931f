"""The labelers' page while the server cannot be reached, or refuses: no answer is lost."""

from review.browsing import Reviewer


def test_nothing_is_lost_while_the_server_is_away(reviewer):
    page = reviewer.page
    kept = []  # each try that fails makes the page wait longer before the next
    page.route("**/api/**", kept.append)
    reviewer.press("ArrowLeft", "b", "x", "z")
    for route in kept:
        route.abort()
    page.wait_for_selector("#offline:not([hidden])")
    assert "4 queued" in reviewer.text("#saved")
    assert reviewer.answers() == {}
    page.unroute("**/api/**")
    reviewer.all_saved()
    assert page.locator("#offline").is_hidden()
    assert sorted(answer for answer, _ in reviewer.answers().values()) == ["both", "class"]
    assert len(reviewer.server.store.events()) == 4


def test_what_a_closed_page_had_not_sent_is_sent_by_the_next_one(context, reviewer):
    reviewer.page.route("**/api/answers", lambda route: route.abort())
    reviewer.press("n", "n", "n")
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    reviewer.page.close()
    again = Reviewer(context, reviewer.server)
    again.all_saved()
    assert [answer for answer, _ in again.answers().values()] == ["neither"] * 3
    assert again.item.item_id not in again.answers()
    again.press("z")
    again.is_told("Taken back")
    again.all_saved()
    assert len(again.answers()) == 2


def test_an_answer_that_reached_the_disk_twice_counts_once(reviewer):
    def lose_what_was_said(route):
        route.fetch()
        route.abort()

    reviewer.page.route("**/api/answers", lose_what_was_said)
    reviewer.press("n")
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    reviewer.page.unroute("**/api/answers")
    reviewer.all_saved()
    assert len(reviewer.server.store.events()) == 1


def test_an_answer_that_is_refused_is_asked_again_and_told(reviewer):
    item = reviewer.item
    reviewer.page.route("**/api/answers", lambda route: route.fulfill(
        status=400, json={"error": "no such thing"}))
    reviewer.press("n")
    reviewer.page.wait_for_selector("text=no such thing")
    reviewer.page.wait_for_selector(f"[data-item='{item.item_id}']")


def test_a_server_with_another_token_is_explained(reviewer):
    reviewer.page.route("**/api/answers", lambda route: route.fulfill(status=403, body="no"))
    reviewer.press("n")
    reviewer.page.wait_for_selector("text=open the address that its terminal shows")
    assert "1 queued" in reviewer.text("#saved")
