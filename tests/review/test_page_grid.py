"""Many pictures at once in a real browser: exceptions, one act, one undo."""


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
