"""Answers of the page are read as they are meant; what makes no sense is refused in one line."""

import json

import pytest

from audit.review.received import MOST_EVENTS, read_events

ABOUT_CLASS = ("class", "both", "neither", "unsure", "exclude")
ABOUT_STAYING = ("keep", "exclude", "unsure")


@pytest.fixture
def item_of(catalogue):
    """The first question of a kind."""
    return lambda kind: next(one for one in catalogue.items if one.kind == kind)


@pytest.fixture
def read(catalogue):
    """Reads events as the server does."""
    return lambda *sent: read_events(json.dumps({"events": sent}).encode(), catalogue, "Ada")


def event(item, **more):
    return {"uuid": "u1", "item_id": item.item_id, "answer": "unsure", "label": "", "note": "",
            "milliseconds": 700, "mode": "one", "batch": "", "undoes": "", **more}


def refusal_of(read, *sent):
    with pytest.raises(ValueError, match=r".") as refused:
        read(*sent)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
    return str(refused.value)


def test_what_the_page_does_not_know_is_filled_in(read, item_of):
    item = item_of("label")
    found, = read(event(item, answer="class", label=item.suggested, note="seen\ntwice", mode="grid",
                        batch="b1", sha256="forged", given="forged", reviewer="forged", check="x"))
    assert (found.uuid, found.item_id, found.answer, found.label, found.note, found.milliseconds,
            found.mode, found.batch, found.undoes) == (
        "u1", item.item_id, "class", item.suggested, "seen\ntwice", 700, "grid", "b1", "")
    assert (found.reviewer, found.check, found.sha256, found.given) == (
        "Ada", "label", item.sha256[0], item.given)


def test_what_is_left_out_is_empty(read, item_of):
    item = item_of("label")
    found, = read({"uuid": "u1", "item_id": item.item_id, "answer": "neither"})
    assert (found.label, found.note, found.milliseconds, found.mode, found.batch, found.undoes) == (
        "", "", 0, "one", "", "")


@pytest.mark.parametrize(("kind", "answers"), [
    ("label", ABOUT_CLASS), ("conflict", ABOUT_CLASS), ("duplicates", ABOUT_STAYING),
    ("quality", ABOUT_STAYING)])
def test_every_answer_to_a_question_is_taken(read, item_of, kind, answers):
    item = item_of(kind)
    for answer in answers:
        label = "zero" if answer == "class" else ""
        assert read(event(item, answer=answer, label=label))[0].answer == answer
    assert read(event(item, answer="undo", undoes="u0"))[0].undoes == "u0"


def test_of_copies_each_may_be_the_one_that_stays(read, item_of):
    item = item_of("duplicates")
    for sha256 in item.sha256:
        assert read(event(item, answer="keep", label=sha256))[0].label == sha256


@pytest.mark.parametrize(("kind", "answer", "label", "about"), [
    ("label", "keep", "", "answer"), ("conflict", "keep", "", "answer"),
    ("label", "skip", "", "answer"), ("label", "", "", "answer"),
    ("label", "class", "", "label"), ("label", "class", "no class", "label"),
    ("label", "unsure", "zero", "label"), ("label", "both", "zero", "label"),
    ("duplicates", "class", "zero", "answer"), ("duplicates", "neither", "", "answer"),
    ("duplicates", "keep", "0" * 64, "label"), ("duplicates", "exclude", "0" * 64, "label"),
    ("quality", "class", "zero", "answer"), ("quality", "both", "", "answer"),
    ("quality", "keep", "zero", "label")])
def test_what_is_no_answer_to_the_question_is_refused(read, item_of, kind, answer, label, about):
    told = refusal_of(read, event(item_of(kind), answer=answer, label=label))
    assert told.startswith(f"{about} must be")


@pytest.mark.parametrize("change", [
    {"answer": 1}, {"uuid": ""}, {"uuid": None}, {"uuid": "x" * 65}, {"uuid": "a\nb"},
    {"uuid": "a\u202eb"}, {"item_id": None}, {"item_id": ["x"]}, {"note": "x" * 5_001},
    {"note": "\ud800"}, {"note": "a\0b"}, {"note": {}}, {"milliseconds": -1},
    {"milliseconds": 1.5}, {"milliseconds": True}, {"milliseconds": 1e30}, {"milliseconds": "1"},
    {"milliseconds": float("nan")}, {"milliseconds": 10**300}, {"milliseconds": None},
    {"mode": "import"}, {"mode": 1}, {"label": ["x"]}, {"batch": {}}, {"batch": "a\tb"},
    {"undoes": "x"}, {"undoes": "a\nb"}, {"answer": "undo"}])
def test_a_malformed_event_is_refused_with_what_is_wrong(read, item_of, change):
    item = item_of("label")
    told = refusal_of(read, event(item), event(item, **change))
    assert any(name in told for name in (*change, "undoes"))


def test_an_unknown_question_is_refused(read, item_of):
    for item_id in ("", "0" * 16, "../run.json"):
        assert "question" in refusal_of(read, event(item_of("label"), item_id=item_id))


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"1", b'"events"', b"{}", b'{"events": {}}', b'{"events": []}',
    b'{"events": null}', b'{"events": [1]}', b'{"events": [null]}', b'{"events": [[]]}',
    b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"\xff\xfe", b"NaN"])
def test_a_body_that_is_no_answer_is_refused(catalogue, body):
    with pytest.raises(ValueError, match=r"must be|is no JSON"):
        read_events(body, catalogue, "Ada")


def test_a_request_holds_so_many_answers_and_no_more(read, item_of):
    one = event(item_of("label"))
    assert len(read(*[one] * MOST_EVENTS)) == MOST_EVENTS
    assert str(MOST_EVENTS) in refusal_of(read, *[one] * (MOST_EVENTS + 1))
