"""The guard lets through what the page itself asks, and nothing else: no route is reached then."""

import socket
import tracemalloc
from contextlib import suppress
from http.cookies import SimpleCookie

import pytest
from review.browserless import Server
from starlette.responses import HTMLResponse, PlainTextResponse

from audit.review.guard import MOST_BYTES, Guard, cookie_of, hosts_of

HOST, TOKEN = "127.0.0.1:8421", "token-of-the-test"
COOKIE = ("cookie", f"{cookie_of(HOST)}={TOKEN}")
JSON = ("content-type", "application/json")
OWN = ("origin", f"http://{HOST}")
FORGED = ("", "evil.example", "127.0.0.1", f"{HOST}.", f"x@{HOST}", f"{HOST}, evil.example",
          "localhost:8421", "127.0.0.1:84210")


class Guarded:
    """A guard before an application that remembers what reached it."""

    def __init__(self):
        self.reached = []
        self.heard = 0
        self._guard = Guard(self._answer, [HOST], TOKEN)

    async def _answer(self, scope, receive, send):
        body = (await receive())["body"] if scope["type"] == "http" else b""
        self.reached.append((scope["path"], body))
        await PlainTextResponse("inside", headers={
            "content-security-policy": "default-src *"})(scope, receive, send)

    def ask(self, *headers, method="GET", path="/", query=b"", parts=(b"",), is_cut=False,
            kind="http"):
        """Status, headers and body of the answer; nothing in it waits, so no loop is needed."""
        sent = []
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages[-1]["more_body"] = False
        if is_cut:
            messages[-1] = {"type": "http.disconnect"}
        waiting = iter(messages)

        async def receive():
            self.heard += 1
            return next(waiting)

        async def send(message):
            sent.append(message)

        scope = {"type": kind, "method": method, "path": path, "query_string": query,
                 "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers]}
        with suppress(StopIteration):
            self._guard(scope, receive, send).send(None)
        if kind != "http":
            return sent
        names = [name for name, _ in sent[0]["headers"]]
        assert len(names) == len(set(names)), "what is said twice holds as its reader likes"
        body = b"".join(message["body"] for message in sent[1:])
        return sent[0]["status"], {name.decode(): value.decode() for name, value in
                                   sent[0]["headers"]}, body.decode()

    def post(self, *headers, **more):
        return self.ask(("host", HOST), COOKIE, *headers, method="POST", **more)


@pytest.fixture
def guarded():
    return Guarded()


def test_what_has_the_cookie_and_the_name_is_let_in(guarded):
    status, _, body = guarded.ask(("host", HOST), COOKIE)
    assert (status, body) == (200, "inside")


@pytest.mark.parametrize("host", FORGED)
def test_a_forged_name_is_refused_whatever_else_is_right(guarded, host):
    assert guarded.ask(("host", host), COOKIE)[0] == 421
    assert guarded.ask(("host", host), query=f"token={TOKEN}".encode())[0] == 421
    assert guarded.reached == []


def test_of_two_names_none_holds(guarded):
    for one, other in ((HOST, "evil.example"), ("evil.example", HOST)):
        assert guarded.ask(("host", one), ("host", other), COOKIE)[0] == 421
    assert guarded.ask(COOKIE)[0] == 421
    assert guarded.reached == []


def test_the_token_is_changed_for_a_cookie_at_the_front_door_alone(guarded):
    query = f"token={TOKEN}".encode()
    status, headers, _ = guarded.ask(("host", HOST), query=query)
    assert (status, headers["location"]) == (303, "/")
    morsel = SimpleCookie(headers["set-cookie"])[cookie_of(HOST)]
    assert morsel.value == TOKEN
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "strict", "/")
    for more in ({"method": "POST"}, {"path": "/api/session"}, {"path": "//"}):
        status, headers, _ = guarded.ask(("host", HOST), query=query, **more)
        assert status == 403
        assert "set-cookie" not in headers
    assert guarded.ask(("host", HOST), COOKIE, path="/api/session", query=query)[0] == 403
    assert guarded.ask(("host", HOST), COOKIE, query=b"token=of-another-start")[0] == 403
    assert guarded.reached == []


@pytest.mark.parametrize("query", [b"", b"token=", b"token=x", b"token=%ff", b"token=\xff",
                                   f"token=x&token={TOKEN}".encode(), f"TOKEN={TOKEN}".encode(),
                                   f"token={TOKEN}%00".encode(), f"token={TOKEN[:-1]}".encode()])
def test_a_wrong_token_is_told_in_a_line_where_to_find_the_right_one(guarded, query):
    status, _, body = guarded.ask(("host", HOST), query=query)
    assert status == 403
    assert body.count("\n") == 1
    assert "terminal" in body
    assert TOKEN not in body
    assert guarded.reached == []


@pytest.mark.parametrize("cookie", [
    "", "=", ";;", TOKEN, f"{cookie_of(HOST)}=", f"{cookie_of(HOST)}={TOKEN}x",
    f"x{cookie_of(HOST)}={TOKEN}", f"{cookie_of('127.0.0.1:1')}={TOKEN}",
    f"{cookie_of(HOST).upper()}={TOKEN}", f"a={cookie_of(HOST)}={TOKEN}", "\xff=\xff"])
def test_a_wrong_cookie_is_none(guarded, cookie):
    assert guarded.ask(("host", HOST), ("cookie", cookie))[0] == 403
    assert guarded.reached == []


@pytest.mark.parametrize("beside", ["a[b]=1", '{"a":1}', 'x={"a":"b"}', 'y="open', "\xe4=1", "flag",
                                    "a b=3", 'username-127-0-0-1-8888="2|1:0|10:17"'])
def test_cookies_of_other_programs_on_the_machine_do_no_harm(guarded, beside):
    for value in (f"{beside}; {COOKIE[1]}", f"{COOKIE[1]}; {beside}"):
        assert guarded.ask(("host", HOST), ("cookie", value))[0] == 200
    assert guarded.ask(("host", HOST), ("cookie", beside), COOKIE)[0] == 200
    shadowed = f"{cookie_of(HOST)}=of-another; {COOKIE[1]}"
    assert guarded.ask(("host", HOST), ("cookie", shadowed))[0] == 200


def test_two_runs_may_be_open_in_one_browser():
    names = [cookie_of(host) for host in (HOST, "127.0.0.1:8422", "127.0.0.1", "[::1]")]
    assert len(set(names)) == 3
    assert all(SimpleCookie({name: "x"}) for name in names), "each can be the name of a cookie"


@pytest.mark.parametrize("headers", [
    [JSON], [JSON, ("origin", "http://evil.example")], [JSON, ("origin", "null")],
    [JSON, ("origin", f"https://{HOST}")], [JSON, ("origin", f"{OWN[1]}/")], [JSON, ("origin", "")],
    [JSON, ("origin", "http://127.0.0.1:8422")], [JSON, OWN, ("origin", "http://evil.example")],
    [JSON, ("origin", "http://evil.example"), OWN], [JSON, ("sec-fetch-site", "same-site")],
    [JSON, ("sec-fetch-site", "cross-site")], [JSON, ("sec-fetch-site", "none")],
    [JSON, ("origin", "null"), ("sec-fetch-site", "same-origin")],
    [JSON, ("origin", ""), ("sec-fetch-site", "same-origin")],
    [JSON, ("referer", f"http://{HOST}/")]])
def test_a_write_must_come_from_the_page(guarded, headers):
    status, _, body = guarded.post(*headers)
    assert (status, body.count("\n")) == (403, 1)
    assert guarded.reached == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonp", "multipart/form-data",
                                  "text/plain; application/json", "text/plain, application/json"])
def test_a_form_of_another_page_cannot_pass_for_json(guarded, kind):
    assert guarded.post(OWN, ("content-type", kind))[0] == 415
    assert guarded.post(OWN)[0] == 415
    assert guarded.post(OWN, JSON, ("content-type", "text/plain"))[0] == 415
    assert guarded.reached == []


@pytest.mark.parametrize("vouched", [OWN, ("sec-fetch-site", "same-origin")])
def test_a_write_of_the_page_arrives_whole(guarded, vouched):
    assert guarded.post(vouched, JSON, parts=[b"{", b'"a"', b":1}"])[0] == 200
    charset = ("content-type", "Application/JSON; charset=utf-8")
    assert guarded.post(vouched, charset, parts=[b"x" * MOST_BYTES])[0] == 200
    assert [body for _, body in guarded.reached] == [b'{"a":1}', b"x" * MOST_BYTES]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
def test_whatever_is_no_read_is_a_write(guarded, method):
    assert guarded.ask(("host", HOST), COOKIE, method=method)[0] == 403
    assert guarded.reached == []


def test_a_body_that_is_too_large_is_heard_to_its_end_and_refused(guarded):
    parts = [b"x" * 65_536] * 32
    status, _, body = guarded.post(OWN, JSON, parts=parts)
    assert (status, body.count("\n")) == (413, 1)
    assert guarded.heard == len(parts), "who is still sending hears no answer"
    assert guarded.post(OWN, JSON, parts=[b"x" * (MOST_BYTES + 1)])[0] == 413
    assert guarded.reached == []


def test_a_body_without_an_end_is_neither_waited_for_nor_kept(guarded):
    parts = [b"x" * MOST_BYTES] * 1_000
    tracemalloc.start()
    assert guarded.post(OWN, JSON, parts=parts)[0] == 413
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert guarded.heard < 20
    assert most < 4 * MOST_BYTES


def test_half_a_body_is_none(guarded):
    guarded.post(OWN, JSON, parts=[b'{"events": []}', b""], is_cut=True)
    assert guarded.reached == []


def test_there_are_no_web_sockets(guarded):
    sent = guarded.ask(("host", HOST), COOKIE, kind="websocket")
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert guarded.reached == []


def test_every_answer_has_its_headers_refusals_too(guarded):
    for _, headers, _ in (
            guarded.ask(("host", HOST), COOKIE), guarded.ask(("host", "evil.example")),
            guarded.ask(("host", HOST)), guarded.post(OWN), guarded.post(JSON),
            guarded.ask(("host", HOST), query=f"token={TOKEN}".encode()),
            guarded.post(OWN, JSON, parts=[b"x" * (MOST_BYTES + 1)])):
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(("address", "port", "hosts"), [
    ("127.0.0.1", 8421, ("127.0.0.1:8421", "localhost:8421")),
    ("::1", 8421, ("[::1]:8421", "localhost:8421")),
    ("192.168.1.5", 9, ("192.168.1.5:9",)), ("Box.Lan", 9, ("box.lan:9",)),
    ("127.0.0.1", 80, ("127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"))])
def test_a_server_goes_by_the_names_that_browsers_send(address, port, hosts):
    assert hosts_of(address, port) == hosts


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104 - nothing listens
def test_a_server_on_all_addresses_goes_by_those_of_the_machine(monkeypatch, address):
    monkeypatch.setattr(socket, "gethostname", lambda: "Box")
    known = [(0, 0, 0, "", (ip, 0)) for ip in ("10.0.0.7", "fe80::7", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: known)
    assert hosts_of(address, 9) == ("box:9", "10.0.0.7:9", "[fe80::7]:9", "127.0.0.1:9", "[::1]:9",
                                    "localhost:9")

    def unknown(*_):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert hosts_of(address, 9) == ("box:9", "127.0.0.1:9", "[::1]:9", "localhost:9")


def test_who_clicks_on_the_address_in_another_site_gets_in(chromium):
    """A terminal in a browser is another site, and browsers keep a `Strict` cookie from it."""

    async def inside(scope, receive, send):
        await PlainTextResponse("inside")(scope, receive, send)

    server = Server(lambda host: Guard(inside, [host], TOKEN))

    async def terminal(scope, receive, send):
        link = f'<a href="http://{server.host}/?token={TOKEN}">Open</a>'
        await HTMLResponse(link)(scope, receive, send)

    other = Server(lambda _: terminal)
    try:
        page = chromium.new_page()
        page.goto(f"http://localhost:{other.port}/")
        page.click("a")
        page.get_by_text("inside").wait_for(timeout=10_000)
        assert page.url == f"http://{server.host}/"
        stranger = chromium.new_context().new_page()
        assert stranger.goto(f"http://{server.host}/").status == 403
        assert "terminal" in stranger.inner_text("body")
    finally:
        server.stop()
        other.stop()


@pytest.mark.parametrize(("site", "mode", "is_once_more"), [
    ("cross-site", "navigate", True), ("same-origin", "navigate", False),
    ("none", "navigate", False), ("cross-site", "no-cors", False), ("cross-site", "cors", False)])
def test_a_page_is_asked_for_again_only_after_a_click_elsewhere(guarded, site, mode, is_once_more):
    status, _, body = guarded.ask(("host", HOST), ("sec-fetch-site", site),
                                  ("sec-fetch-mode", mode))
    assert status == 403
    assert ('http-equiv="refresh"' in body) is is_once_more
    assert guarded.reached == []
