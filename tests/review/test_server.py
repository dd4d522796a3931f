"""The server tells nothing before the answer, stores what it acknowledges, and refuses the rest."""

import json
import secrets
import threading
import time

import pytest
from review.browserless import Client, Server

from audit.review.pictures import Pictures
from audit.review.server import ReviewSettings, make_app
from audit.review.store import ReviewStore

TOKEN = secrets.token_hex(8)
EVIL = ("../run.json", "..%2frun.json", "%2e%2e%2frun.json", "/etc/passwd", "%2fetc%2fpasswd",
        "....//run.json", "page.html", "app.js%00.css")


@pytest.fixture
def store(tmp_path):
    opened = ReviewStore(tmp_path / "review.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def client_of(catalogue, run, store):
    """Makes clients that have the cookie."""
    paths = [str(run.source.data / name) for name in run.images["image_id"]]

    servers = []

    def make(*, entered=True, pictures=None, **settings):
        server = Server(lambda host: make_app(
            catalogue, store, pictures or Pictures(paths), ReviewSettings(
                hosts=(host,), token=TOKEN, reviewer="Ada", **settings)))
        servers.append(server)
        client = Client(server.port, server.host)
        if entered:
            assert client.get(f"/?token={TOKEN}").status_code == 303
        return client

    yield make
    for one in servers:
        one.stop()


@pytest.fixture
def client(client_of):
    return client_of()


def event(item_id, **more):
    return {"uuid": secrets.token_hex(8), "item_id": item_id, "answer": "unsure", "label": "",
            "note": "", "milliseconds": 700, "mode": "one", "batch": "", "undoes": "", **more}


def send(client, *events, **headers):
    return client.post("/api/answers", json.dumps({"events": list(events)}).encode(), headers)


def questions(client, **query):
    told = client.get("/api/next", params={"count": 48, **query})
    assert told.status_code == 200, told.text
    return told.json()["items"]


def test_the_token_is_changed_for_a_cookie_and_leaves_the_address(client_of):
    client = client_of(entered=False)
    assert client.get("/").status_code == 403
    assert client.get("/api/session").status_code == 403
    for wrong in ("x", TOKEN[:-1], TOKEN + "x", ""):
        assert client.get(f"/?token={wrong}").status_code == 403
    entered = client.get(f"/?token={TOKEN}")
    assert entered.status_code == 303
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = client.get("/")
    assert page.status_code == 200
    assert TOKEN not in page.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:80",
                                  "localhost:8421.evil", "127.0.0.1:8421@evil.example"])
def test_another_name_is_refused_even_with_the_cookie(client, host):
    for path in ("/", f"/?token={TOKEN}", "/api/session"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("headers", [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "https://127.0.0.1"},
    {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}])
def test_a_write_from_another_site_is_refused(client, catalogue, store, headers):
    body = json.dumps({"events": [event(catalogue.items[0].item_id)]})
    answered = client.post("/api/answers", body.encode(), headers)
    assert answered.status_code in {403, 415}
    assert store.events() == []


def test_without_an_origin_the_browser_has_to_vouch_for_the_site(client, catalogue, store):
    del client.headers["origin"]
    one = event(catalogue.items[0].item_id)
    assert send(client, one).status_code == 403
    assert send(client, one, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert store.events() == []
    assert send(client, one, **{"sec-fetch-site": "same-origin"}).status_code == 200


def test_every_answer_forbids_what_the_page_does_not_need(client, catalogue):
    key = catalogue.image_key(0)
    for path in ("/", "/static/app.js", "/api/session", f"/image/{key}", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert client.request("OPTIONS", "/api/answers").status_code in {403, 405, 415}


@pytest.mark.parametrize("name", EVIL)
def test_no_path_of_the_client_reaches_a_file(client, name):
    for folder in ("static", "image", "api/items"):
        answered = client.get(f"/{folder}/{name}")
        assert answered.status_code in {400, 404}, answered.text
        assert "root:" not in answered.text


def test_a_question_tells_neither_which_class_was_given_nor_the_file(client, catalogue):
    asked = questions(client)
    assert len(asked) == len(catalogue.items)
    for view in asked:
        item = catalogue.item(view["item_id"])
        if item.kind in {"label", "conflict"}:
            assert sorted(view["sides"]) == sorted([item.given, item.suggested])
            assert not {"given", "suggested", "score", "name"} & set(view)
            names = [catalogue.image_ids[row] for row in item.rows]
            assert not any(name in json.dumps(view) for name in names)
            assert set(view["exemplars"]) == set(view["sides"])
    firsts = {view["sides"][0] == catalogue.item(view["item_id"]).given for view in asked
              if view["kind"] == "label"}
    assert firsts == {True, False}, "no side is always the given one"


def test_the_sides_are_the_same_for_a_reviewer_each_time_and_differ_between_reviewers(client_of):
    client = client_of(overlap=9)

    def sides(name):
        return {view["item_id"]: view["sides"] for view in client.get(
            "/api/next", params={"count": 48}, headers={"x-reviewer": name}).json()["items"]
            if view["kind"] == "label"}

    assert sides("Ada") == sides("Ada")
    assert any(sides("Ada") != sides(f"reviewer {number}") for number in range(8))


def test_what_was_hidden_is_told_after_the_answer_that_is_on_disk_then(client, catalogue, store):
    item = next(one for one in catalogue.items if one.kind == "label")
    one = event(item.item_id, answer="class", label=item.suggested, note="Ä")
    told = send(client, one).json()
    assert told["saved"] == [one["uuid"]]
    assert told["revealed"][item.item_id]["given"] == item.given
    assert told["revealed"][item.item_id]["name"] == catalogue.image_ids[item.rows[0]]
    stored = ReviewStore(store.path).events()
    assert [(found.uuid, found.reviewer, found.label, found.note, found.sha256, found.given)
            for found in stored] == [
        (one["uuid"], "Ada", item.suggested, "Ä", item.sha256[0], item.given)]
    assert send(client, one).json()["saved"] == [one["uuid"]]
    assert len(store.events()) == 1
    assert send(client, {**one, "label": item.given}).status_code == 409
    assert item.item_id not in {view["item_id"] for view in questions(client)}


def test_of_a_request_of_which_one_answer_makes_no_sense_none_is_stored(client, catalogue, store):
    good = event(catalogue.items[0].item_id)
    for bad in ({"answer": "maybe"}, {"item_id": "0" * 16}, {"label": ["x"]}, {"note": "\ud800"}):
        answered = send(client, good, {**event(catalogue.items[1].item_id), **bad})
        assert answered.status_code == 400
        assert "\n" not in answered.json()["error"]
    assert client.post("/api/answers", b"{").json() == {"error": "The request is no JSON."}
    assert store.events() == []


def test_a_body_that_is_too_large_is_refused(client):
    assert client.post("/api/answers", b" " * 1_000_001).status_code == 413


@pytest.mark.parametrize("path", [
    "/api/next?count=0", "/api/next?count=-1", "/api/next?count=1e3", "/api/next?count=49",
    "/api/next?count=%C2%B2", "/api/next?order=fast", "/api/history?count=x", "/image/00?side=320",
    "/api/next?queue=nothing", "/api/progress?queue=%FF", "/api/items/0000000000000000",
    "/api/session/", "/static/app.js/", "/nothing"])
def test_wrong_questions_get_a_line(client, path):
    answered = client.get(path)
    assert answered.status_code in {400, 404}
    assert answered.json()["error"]


def test_a_reviewer_has_a_name_of_some_length(client_of, catalogue):
    client = client_of()
    item_id = catalogue.items[0].item_id
    for name in ("x" * 61, "a%0Ab"):
        assert send(client, event(item_id), **{"x-reviewer": name}).status_code == 400
    named = send(client, event(item_id), **{"x-reviewer": "%C3%96zg%C3%BCr"})
    assert named.status_code == 200
    told = client.get("/api/agreement").json()
    assert [one["name"] for one in told["reviewers"]] == ["Özgür"]


def test_two_reviewers_get_different_questions_but_the_known_ones(client, catalogue):
    first = {view["item_id"] for view in questions(client)}
    second = client.get("/api/next", params={"count": 48}, headers={"x-reviewer": "Bob"}).json()
    both = first & {view["item_id"] for view in second["items"]}
    assert both == {one.item_id for one in catalogue.items if one.truth}


def test_an_answer_that_is_taken_back_is_asked_again(client, catalogue, store):
    item = catalogue.items[0]
    one = event(item.item_id)
    send(client, one)
    assert client.get("/api/history").json()["events"][0]["uuid"] == one["uuid"]
    assert send(client, event(item.item_id, answer="undo", undoes=one["uuid"])).status_code == 200
    assert client.get("/api/history").json()["events"] == []
    assert item.item_id in {view["item_id"] for view in questions(client)}
    assert len(store.events()) == 2


def test_the_grid_is_of_one_pair(client, catalogue):
    told = client.get("/api/grid").json()
    assert told["items"]
    for one in told["items"]:
        item = catalogue.item(one["item_id"])
        assert (item.given, item.suggested) == (told["given"], told["suggested"])
    none = client.get("/api/grid", params={"given": "no", "suggested": "class"}).json()
    assert none["items"] == []


def test_what_two_answer_differently_is_in_the_queue_of_conflicts(client_of, catalogue):
    client = client_of(overlap=2)
    item = next(one for one in catalogue.items if one.kind == "label" and not one.truth)
    for name, label in (("Ada", item.given), ("Bob", item.suggested)):
        send(client, event(item.item_id, answer="class", label=label), **{"x-reviewer": name})
    for name in ("Cem", "Ada"):
        asked = client.get("/api/next", params={"queue": "conflicts"},
                           headers={"x-reviewer": name})
        assert [view["item_id"] for view in asked.json()["items"]] == [item.item_id]
    send(client, event(item.item_id, answer="class", label=item.given, mode="adjudicate"),
         **{"x-reviewer": "Cem"})
    assert client.get("/api/next", params={"queue": "conflicts"},
                      headers={"x-reviewer": "Dee"}).json()["items"] == []


def test_of_whom_is_not_blind_nothing_is_kept(client_of, catalogue):
    for view in questions(client_of(is_blind=False), queue="label"):
        item = catalogue.item(view["item_id"])
        assert (view["given"], view["suggested"], view["score"], view["name"]) == (
            item.given, item.suggested, item.score, catalogue.image_ids[item.rows[0]])


def test_a_question_can_be_shown_again_and_says_the_same(client):
    for view in questions(client):
        assert client.get(f"/api/items/{view['item_id']}").json() == view


def test_the_session_counts_what_is_there_and_what_is_done(client, catalogue):
    before = client.get("/api/session").json()
    assert (before["reviewer"], before["classes"]) == ("Ada", list(catalogue.classes))
    asked = [one for one in catalogue.items if not one.truth]
    assert sum(one["items"] for one in before["checks"]) == len(asked)
    assert sum(one["done"] for one in before["checks"]) == 0
    labels = [one for one in asked if one.kind == "label"]
    assert sum(one["items"] for one in before["pairs"]) == len(labels)
    send(client, event(labels[0].item_id))
    after = client.get("/api/session").json()
    assert {one["code"]: one["done"] for one in after["checks"] if one["done"]} == {"label": 1}
    assert [(one["given"], one["suggested"]) for one in after["pairs"] if one["done"]] == [
        (labels[0].given, labels[0].suggested)]


def test_progress_is_of_the_reviewer_and_the_queue(client, catalogue):
    labels = [one for one in catalogue.items if one.kind == "label"]
    for item, milliseconds in zip(labels, (1_000, 2_000, 9_000), strict=False):
        send(client, event(item.item_id, milliseconds=milliseconds))
    left = len(labels) - 3
    assert client.get("/api/progress?queue=label").json() == {
        "answered": 3, "total": len(labels), "median_seconds": 2.0, "seconds_left": 2.0 * left}
    assert client.get("/api/progress?queue=exact_duplicates").json()["answered"] == 0
    other = client.get("/api/progress?queue=label", headers={"x-reviewer": "Bob"}).json()
    assert (other["answered"], other["median_seconds"]) == (0, None)


def test_history_is_ones_own_the_latest_first_and_as_long_as_asked(client, catalogue):
    sent = [event(one.item_id) for one in catalogue.items[:3]]
    for one in sent:
        send(client, one)
    told = client.get("/api/history?count=2").json()["events"]
    assert [one["uuid"] for one in told] == [sent[2]["uuid"], sent[1]["uuid"]]
    assert client.get("/api/history", headers={"x-reviewer": "Bob"}).json() == {"events": []}


def test_the_grid_asks_the_second_reviewer_too_where_two_are_wanted(client_of, catalogue):
    client = client_of(overlap=2)
    labels = [one for one in catalogue.items if one.kind == "label" and not one.truth]
    send(client, *(event(one.item_id) for one in labels))
    assert client.get("/api/grid").json()["items"] == []
    asked = client.get("/api/grid", headers={"x-reviewer": "Bob"}).json()["items"]
    assert asked
    send(client, *(event(one.item_id) for one in labels), **{"x-reviewer": "Bob"})
    assert client.get("/api/grid", headers={"x-reviewer": "Cem"}).json()["items"] == []


def test_a_store_that_fails_is_told_in_a_line_that_asks_for_another_try(client, catalogue, store):
    store.close()
    for answered in (send(client, event(catalogue.items[0].item_id)), client.get("/api/session")):
        assert answered.status_code == 503
        assert "\n" not in answered.json()["error"]


class _Slow:
    """Pictures that take until they are let go."""

    def __init__(self):
        self.may_end = threading.Event()

    def read(self, _row, _side):
        self.may_end.wait(60)


def test_pictures_that_take_long_keep_no_answer_waiting(client_of, catalogue):
    slow = _Slow()
    client = client_of(pictures=slow)
    path = f"/image/{catalogue.image_key(0)}"
    waiting = [threading.Thread(target=client.get, args=(path,)) for _ in range(50)]
    for one in waiting:
        one.start()
    try:
        time.sleep(0.5)  # all are with the server
        assert send(client, event(catalogue.items[0].item_id)).status_code == 200
    finally:
        slow.may_end.set()
        for one in waiting:
            one.join(30)


def test_a_picture_is_encoded_anew_and_a_broken_one_is_grey(client, catalogue):
    for row, name in enumerate(catalogue.image_ids):
        if name.startswith(("zero/wrong", "one/broken")):
            told = client.get(f"/image/{catalogue.image_key(row)}?side=320")
            assert told.status_code == 200
            assert told.headers["content-type"] == "image/jpeg"
            assert told.content.startswith(b"\xff\xd8")
