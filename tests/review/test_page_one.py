"""One question at a time in a real browser: every key, undo, reload, and how fast it is."""

from statistics import quantiles

import pytest
from review.browsing import names_of_cards

from benchmarks.page_timing import EMPTY_FRAMES, WATCH

SLOWEST_MS = 100
ANSWERED = 120  # of which each sixth or so asks the server for more

IDLE_MS = 40  # two empty frames and a little

OTHERS = [str(number) for number in range(3, 10)]
SILENT = ["Enter", "s", "e", "q", "Escape", "ArrowUp", "ArrowDown", "Shift"]
DIALOGS = {"c": "note", "/": "search", "?": "help"}


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


def test_a_key_that_is_held_down_answers_once(reviewer):
    reviewer.page.keyboard.down("n")
    reviewer.page.keyboard.down("n")
    reviewer.page.keyboard.down("n")
    reviewer.all_saved()
    assert len(reviewer.answers()) == 1


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
    reviewer.until("document.querySelector('.picture img')?.naturalWidth > 0")
    reviewer.press("Space")
    before = reviewer.page.locator(".picture img").evaluate("one => one.style.transform")
    reviewer.press("ArrowRight")
    assert reviewer.page.locator(".picture img").evaluate("one => one.style.transform") != before
    assert reviewer.item == item
    reviewer.press("1")
    assert reviewer.item != item
    assert reviewer.page.locator(".zoomed").count() == 0


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
    idle = page.evaluate(EMPTY_FRAMES)
    page.evaluate(WATCH)
    for number in range(ANSWERED):
        reviewer.press("ArrowLeft" if number % 2 else "ArrowRight")
        reviewer.until("count => times.length === count", number + 1)
    times = page.evaluate("times")
    reviewer.all_saved()
    assert len(reviewer.answers()) == ANSWERED
    # Where other work keeps the machine from drawing even nothing in time, so much more is due.
    empty = quantiles([*idle, *page.evaluate(EMPTY_FRAMES)], n=20)[-1]
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
