"""What axe finds wrong with the labelers' page for those who do not see it well, or at all."""

import pytest
from review.browsing import Reviewer

from audit.review.store import Event

GRAVE = {"serious", "critical"}


def question(check):
    return lambda reviewer: reviewer.choose(check)


def end_of_a_queue(reviewer):
    reviewer.choose("unreadable_file")
    reviewer.press("x")
    reviewer.page.wait_for_selector("text=Thank you")


def marked_grid(reviewer):
    reviewer.grid()
    reviewer.press("Space", "ArrowRight", "x", "ArrowRight", "u")
    reviewer.until("document.querySelectorAll('.thumb[aria-pressed=true]').length === 3")


def enlarged(reviewer):
    reviewer.grid()
    dialog(reviewer, "look", "e")


def answered_before(reviewer):
    reviewer.press("ArrowLeft")
    reviewer.is_told("model:")


def dialog(reviewer, name, key):
    reviewer.press(key)
    reviewer.page.wait_for_selector(f"#{name}-dialog[open]")


def found_nothing(reviewer):
    dialog(reviewer, "search", "/")
    reviewer.page.fill("#search", "zebra")


def agreement(reviewer):
    """Two have answered, and differ."""
    item = next(one for one in reviewer.server.catalogue.items if one.kind == "label")
    reviewer.server.store.append([
        Event(name, name, item.item_id, item.check, item.sha256[0], "class", label, "", 900, "one",
              item.given)
        for name, label in (("Ada", item.given), ("Grace", item.suggested))])
    reviewer.page.click("#agreement-button")
    reviewer.page.wait_for_selector("#agreement-told table")


VIEWS = {
    "label": question("label"), "conflict": question("label_conflict"),
    "two copies": question("exact_duplicates"), "three copies": question("near_duplicates"),
    "quality": question("unreadable_file"), "answered before": answered_before,
    "end of a queue": end_of_a_queue, "grid": marked_grid, "enlarged": enlarged,
    "help": lambda one: dialog(one, "help", "?"),
    "search": lambda one: dialog(one, "search", "/"), "found nothing": found_nothing,
    "note": lambda one: dialog(one, "note", "c"), "agreement": agreement}


@pytest.fixture
def context(chromium):
    """Windows in which axe may run, which the page forbids everybody else's scripts."""
    opened = chromium.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True,
                                  reduced_motion="reduce")
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


def grave_ones(page):
    """Lines about what axe finds serious, in light and in dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one['id']} ({one['impact']}): {node['html']}: "
                  f"{node['failureSummary']}"
                  for one in axe.run(page).response["violations"] if one["impact"] in GRAVE
                  for node in one["nodes"]]
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_grave(reviewer, view):
    VIEWS[view](reviewer)
    found = grave_ones(reviewer.page)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_grave_in_a_small_window(reviewer):
    reviewer.page.set_viewport_size({"width": 400, "height": 800})
    found = grave_ones(reviewer.page)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_grave_where_there_is_no_server(line, reviewer):
    line.cut()
    reviewer.press("n")
    reviewer.page.wait_for_selector("#offline:not([hidden])")
    found = grave_ones(reviewer.page)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_grave_where_the_name_is_asked(context, server):
    one = Reviewer(context, server, name="")
    one.page.wait_for_selector("#name-dialog[open]")
    found = grave_ones(one.page)
    assert not found, "\n".join(found)


def test_axe_would_find_what_is_wrong(reviewer):
    """Were it not let in, or the page not looked at, all of the above would hold too."""
    reviewer.page.evaluate("""() => {
      document.getElementById("theme").replaceChildren();
      document.getElementById("theme").removeAttribute("title");
      document.getElementById("done").style.color = "#8885";
    }""")
    found = "\n".join(grave_ones(reviewer.page))
    for scheme in ("light", "dark"):
        assert f"{scheme}: button-name" in found
        assert f"{scheme}: color-contrast" in found
