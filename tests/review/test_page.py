"""The labelers' page in a real browser: every key, undo, no server for a while, strange names."""

import shutil
from statistics import quantiles

import pytest
from review.browsing import EVIL, FORMULA, LONG, Reviewer, many_questions, serving

from audit.review.store import ReviewStore

SLOWEST_MS = 100
ANSWERED = 200

WATCH = """
window.times = [];
addEventListener("keydown", (event) => {
  const before = document.querySelector("[data-item]")?.dataset.item;
  const look = () => {
    const image = document.querySelector(".picture img");
    const item = document.querySelector("[data-item]")?.dataset.item;
    if (item === before || !image?.complete || !image.naturalWidth) requestAnimationFrame(look);
    else setTimeout(() => times.push(performance.now() - event.timeStamp));
  };
  requestAnimationFrame(look);
}, true);
"""

FRAMES = """async () => {
  const times = [];
  for (let count = 0; count < 60; count += 1) {
    const begin = performance.now();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
      () => setTimeout(done))));
    times.push(performance.now() - begin);
  }
  return times;
}"""
IDLE_MS = 40  # two empty frames and a little

OTHERS = [str(number) for number in range(3, 10)]
SILENT = ["Enter", "s", "e", "q", "Escape", "ArrowUp", "ArrowDown", "Shift"]
DIALOGS = {"c": "note", "/": "search", "?": "help"}


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    return many_questions(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def server(asked, tmp_path):
    store = ReviewStore(tmp_path / "review.sqlite")
    with serving(*asked, store) as found:
        yield found
    store.close()


@pytest.fixture
def context(chromium):
    opened = chromium.new_context(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def reviewer(context, server):
    one = Reviewer(context, server)
    yield one
    assert one.errors == []


def names_of_cards(reviewer):
    return [one.get_attribute("title") for one in reviewer.page.locator(".card").all()]


def expected_answers(reviewer, kind):
    """Key → answer and label, of the question on the screen."""
    item = reviewer.item
    if kind == "duplicates":
        keys = dict(zip(["1", "2", *OTHERS], item.sha256, strict=False))
        if len(item.sha256) == 2:
            keys |= {"ArrowLeft": item.sha256[0], "ArrowRight": item.sha256[1]}
        return {key: ("keep", label) for key, label in keys.items()} | {
            "b": ("keep", ""), "u": ("unsure", ""), "x": ("exclude", "")}
    if kind == "quality":
        return {"ArrowLeft": ("keep", ""), "1": ("keep", ""), "ArrowRight": ("exclude", ""),
                "2": ("exclude", ""), "x": ("exclude", ""), "u": ("unsure", "")}
    one, other = names_of_cards(reviewer)
    return {"ArrowLeft": ("class", one), "1": ("class", one), "ArrowRight": ("class", other),
            "2": ("class", other), "b": ("both", ""), "n": ("neither", ""), "u": ("unsure", ""),
            "x": ("exclude", "")} | {
                key: ("class", name) for key, name in zip(OTHERS, item.likely, strict=False)}


@pytest.mark.parametrize("check", ["label", "label_conflict", "exact_duplicates",
                                   "near_duplicates", "unreadable_file"])
def test_every_key_does_what_it_says_or_nothing(reviewer, check):
    reviewer.choose(check)
    item = reviewer.item
    expected = expected_answers(reviewer, item.kind)
    for key in ["ArrowLeft", "ArrowRight", "1", "2", *OTHERS, *"bnux", *SILENT]:
        reviewer.press(key)
        if key in expected:
            assert reviewer.item != item
            reviewer.all_saved()
            assert reviewer.answers() == {item.item_id: expected[key]}, key
            reviewer.press("z")
        reviewer.all_saved()
        assert reviewer.item == item, key
        assert reviewer.answers() == {}, key
    for key, name in DIALOGS.items():
        reviewer.press(key)
        is_open = key != "/" or item.kind in {"label", "conflict"}
        assert reviewer.page.locator(f"#{name}-dialog").is_visible() == is_open
        reviewer.press("Escape")
        assert not reviewer.page.locator("dialog[open]").count()
    reviewer.grid()
    reviewer.grid()
    assert reviewer.item == item
    assert reviewer.answers() == {}


def test_when_all_is_answered_keys_do_no_harm_and_undo_works(reviewer):
    reviewer.choose("unreadable_file")
    item = reviewer.item
    reviewer.press("x")
    reviewer.page.wait_for_selector("text=Thank you")
    reviewer.press("ArrowLeft", "1", "9", "b", "x", "Space", "c", "/", "Enter")
    reviewer.all_saved()
    assert list(reviewer.answers()) == [item.item_id]
    reviewer.press("z")
    assert reviewer.item == item


def test_fifty_answers_are_taken_back_also_after_a_reload(reviewer):
    first = reviewer.item
    reviewer.answer(*["ArrowLeft", "ArrowRight"] * 25)
    reviewer.all_saved()
    assert len(reviewer.answers()) == 50
    reviewer.press(*"z" * 20)
    reviewer.all_saved()
    assert len(reviewer.answers()) == 30
    reviewer.reload()
    reviewer.press(*"z" * 32)  # two more than there are
    reviewer.page.wait_for_selector(f"[data-item='{first.item_id}']")
    reviewer.all_saved()
    assert reviewer.answers() == {}
    reviewer.press("ArrowLeft")
    reviewer.all_saved()
    assert list(reviewer.answers()) == [first.item_id]


def test_a_key_after_an_undo_answers_the_question_that_came_back(reviewer):
    item = reviewer.item
    reviewer.press("u")
    reviewer.all_saved()
    reviewer.reload()
    reviewer.press("z", "n")
    reviewer.is_told("neither")
    reviewer.all_saved()
    assert reviewer.answers() == {item.item_id: ("neither", "")}


def test_nothing_is_lost_while_the_server_is_away(reviewer):
    page = reviewer.page
    page.route("**/api/**", lambda route: route.abort())
    reviewer.press("ArrowLeft", "b", "x", "z")
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


def test_a_reload_goes_on_where_it_was(reviewer):
    reviewer.choose("label")
    reviewer.press(*"nub")
    reviewer.all_saved()
    item, done = reviewer.item, reviewer.text("#done")
    reviewer.reload()
    assert reviewer.item == item
    assert reviewer.text("#done") == done
    assert done.startswith("3 of")


def test_the_next_picture_is_there_at_once(reviewer):
    page = reviewer.page
    reviewer.choose("label")
    idle = page.evaluate(FRAMES)
    page.evaluate(WATCH)
    for number in range(ANSWERED):
        reviewer.press("ArrowLeft" if number % 2 else "ArrowRight")
        reviewer.until("count => times.length === count", number + 1)
    times = page.evaluate("times")
    reviewer.all_saved()
    assert len(reviewer.answers()) == ANSWERED
    # Where other work keeps the machine from drawing even nothing in time, so much more is due.
    empty = quantiles([*idle, *page.evaluate(FRAMES)], n=20)[-1]
    assert quantiles(times, n=20)[-1] < SLOWEST_MS * max(1, empty / IDLE_MS)


def test_nothing_moves_when_the_next_picture_comes(reviewer):
    def places():
        return [reviewer.page.locator(one).bounding_box() for one in (
            ".picture", ".card >> nth=0", ".card >> nth=1", ".further", ".one .tools-row")]

    reviewer.choose("label")
    first = places()
    assert [first[1][side] for side in ("width", "height", "y")] == pytest.approx([
        first[2][side] for side in ("width", "height", "y")], abs=0.5)
    assert first[0]["width"] > 640
    assert reviewer.page.locator(".samples >> nth=0").locator("img").count() == 6
    for _ in range(12):
        reviewer.answer("n")
        assert places() == first


def test_who_reviews_is_told_what_the_file_said_afterwards_only(reviewer):
    item = reviewer.item
    name = reviewer.server.catalogue.image_ids[item.rows[0]]
    assert name not in reviewer.page.content()
    reviewer.press("ArrowLeft")
    reviewer.is_told("file:")
    told = reviewer.text("#previous")
    assert item.given in told
    assert item.suggested in told
    assert name in told


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


def test_the_grid_answers_as_one_act_and_takes_it_back_as_one(reviewer):
    page = reviewer.page
    page.evaluate("Math.random = () => 1")  # none is asked again
    reviewer.grid()
    count = page.locator(".thumb").count()
    question = page.locator("#grid-question b").all_inner_texts()
    reviewer.press("Space", "ArrowRight", "x", "ArrowRight", "u", "ArrowRight", "Space", "Space")
    marks = page.locator(".thumb").evaluate_all("all => all.map(one => one.dataset.mark)")
    assert marks == ["other", "exclude", "later", *[""] * (count - 3)]
    reviewer.press("Enter")
    reviewer.is_told("one act")
    reviewer.is_idle()
    answers = list(reviewer.answers().values())
    other, rule = question
    assert len(answers) == count - 1
    assert answers.count(("class", other)) == 1
    assert answers.count(("exclude", "")) == 1
    assert answers.count(("class", rule)) == count - 3
    assert len({one.batch for one in reviewer.server.store.events()}) == 1
    reviewer.until("!document.querySelector('.thumb[aria-pressed=true]')")
    reviewer.press("z")
    reviewer.all_saved()
    assert reviewer.answers() == {}
    assert page.locator(".thumb").evaluate_all(
        "all => all.map(one => one.dataset.mark)") == marks


def test_the_rule_of_the_grid_can_be_that_labels_are_right(reviewer):
    page = reviewer.page
    reviewer.grid()
    rule = page.locator("#grid-question b").nth(1).inner_text()
    reviewer.press("s")
    assert page.locator("#grid-question b").nth(0).inner_text() == rule
    given = page.locator("#grid-question b").nth(1).inner_text()
    reviewer.press("e")
    assert page.locator("#look-dialog").is_visible()
    reviewer.press("e", "Enter")
    reviewer.is_told("act")
    reviewer.all_saved()
    assert set(reviewer.answers().values()) == {("class", given)}


def test_some_of_a_grid_are_asked_again_singly(reviewer):
    page = reviewer.page
    page.evaluate("Math.random = () => 0")  # all of them
    reviewer.grid()
    reviewer.press("Enter")
    reviewer.is_idle()
    answered = set(reviewer.answers())
    reviewer.grid()
    assert reviewer.item.item_id in answered


def test_a_key_is_changed_and_stays_so(reviewer):
    item = reviewer.item
    reviewer.press("?")
    reviewer.page.click("[data-change='neither']")
    reviewer.press("f")
    assert "F it is" in reviewer.text("#keys-told")
    reviewer.page.click("[data-change='both']")
    reviewer.press("u")  # which was unsure's: that has b now
    assert "has B now" in reviewer.text("#keys-told")
    reviewer.press("?")
    reviewer.reload()
    reviewer.press("n")
    assert reviewer.item == item
    reviewer.press("f", "u", "b")
    reviewer.all_saved()
    assert [answer for answer, _ in reviewer.answers().values()] == ["neither", "both", "unsure"]


def test_a_key_that_is_held_down_answers_once(reviewer):
    reviewer.page.keyboard.down("n")
    reviewer.page.keyboard.down("n")
    reviewer.page.keyboard.down("n")
    reviewer.all_saved()
    assert len(reviewer.answers()) == 1


def test_a_note_goes_with_its_answer_and_comes_back_with_it(reviewer):
    reviewer.press("c")
    reviewer.page.keyboard.type("half of it, z and u")
    reviewer.press("Enter", "n")
    reviewer.all_saved()
    assert [one.note for one in reviewer.server.store.events()] == ["half of it, z and u"]
    reviewer.press("z", "c")
    assert reviewer.page.input_value("#note") == "half of it, z and u"


def test_zoom_moves_by_arrows_and_the_numbers_still_answer(reviewer):
    item = reviewer.item
    reviewer.page.wait_for_function("document.querySelector('.picture img')?.naturalWidth > 0")
    reviewer.press("Space")
    before = reviewer.page.locator(".picture img").evaluate("one => one.style.transform")
    reviewer.press("ArrowRight")
    assert reviewer.page.locator(".picture img").evaluate("one => one.style.transform") != before
    assert reviewer.item == item
    reviewer.press("1")
    assert reviewer.item != item
    assert reviewer.page.locator(".zoomed").count() == 0


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
