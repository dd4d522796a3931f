"""Who is at the labelers' page, and how: names, strange names, small screens, no mouse."""

import pytest
from review.browsing import EVIL, FORMULA, LONG, Reviewer, names_of_cards


def test_the_name_is_asked_once(context, server):
    one = Reviewer(context, server, name="")
    one.press("n")
    one.page.fill("#name", "  Ada  ")
    one.press("Enter")
    one.is_ready()
    one.press("n")
    one.all_saved()
    assert [event.reviewer for event in server.store.events()] == ["Ada"]
    one.reload()
    assert one.text("#who") == "Ada"
    assert one.errors == []


def test_strange_names_are_shown_and_harmless(reviewer):
    page = reviewer.page
    reviewer.press("/")
    page.fill("#search", "<img")
    assert page.locator("#found li").all_inner_texts() == [EVIL]
    reviewer.press("Enter")
    reviewer.all_saved()
    assert ("class", EVIL) in reviewer.answers().values()
    reviewer.press("/")
    page.fill("#search", "CMD|")
    assert page.locator("#found li").all_inner_texts() == [FORMULA]
    page.click("#found li")
    seen = ""
    for _ in range(30):
        seen += " ".join(names_of_cards(reviewer))
        reviewer.answer("ArrowRight")
    assert LONG in seen
    reviewer.grid()
    reviewer.grid()
    reviewer.all_saved()
    assert page.title() == "Review · image audit"
    assert page.locator("img[src='x']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_classes_are_found_by_any_part_of_a_thousand(reviewer):
    found = reviewer.page.evaluate("""async () => {
      const { fitting } = await import("/static/dialogs.js");
      const names = Array.from({ length: 1000 }, (_, number) => `class ${number}`);
      return [fitting([...names, "bobcat", "wild cat", "Cat", "caterpillar"], "cat"),
              fitting(names, "class 42").slice(0, 3), fitting(names, "zebra")];
    }""")
    assert found == [["Cat", "caterpillar", "wild cat", "bobcat"],
                     ["class 42", "class 420", "class 421"], []]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1024, 768), (640, 360), (400, 800)])
def test_it_fits_the_screen(chromium, server, width, height):
    context = chromium.new_context(viewport={"width": width, "height": height},
                                   color_scheme="dark")
    one = Reviewer(context, server)
    for check in ("label", "near_duplicates", "unreadable_file"):
        one.choose(check)
        size = one.page.evaluate("({ across: document.documentElement.scrollWidth, "
                                 "down: document.documentElement.scrollHeight })")
        assert size["across"] <= width
        assert height < 700 or width < 900 or size["down"] <= height
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    one.page.click("#theme")
    one.reload()
    assert one.page.evaluate("document.documentElement.dataset.theme") == "light"
    context.close()


def test_it_can_be_heard_and_the_focus_seen(reviewer):
    reviewer.choose("label")
    one, other = names_of_cards(reviewer)
    heard = reviewer.page.locator("body").aria_snapshot()
    assert 'button "A: ' in heard
    assert 'button "B: ' in heard
    assert one[:9] in heard
    assert other[:9] in heard
    reviewer.press("n")
    reviewer.until("document.getElementById('live').textContent.startsWith('neither. Next: A ')")
    reviewer.press("Tab")
    assert reviewer.page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    item = reviewer.item
    reviewer.press("Enter")  # presses what is focused
    assert reviewer.item != item
