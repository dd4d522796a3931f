"""Who may ask the review server what: checked before any route is looked at.

A page of another site in the same browser, a name that resolves to this machine (DNS rebinding) and
another user of the machine must get nothing.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "audit_review"
MOST_BYTES = 1_000_000
"""Of the body of a request: a thousand answers are a fifth of it."""

_SAFE = {"GET", "HEAD"}
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
           "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_HEADERS = {
    b"content-security-policy": _POLICY.encode(), b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer", b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin"}
_HOW_IN = ("This page needs the address that the terminal shows, with its token. Open that one.\n")


class Guard:
    """ASGI middleware that lets through what comes from the page itself."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str], token: str) -> None:
        """Guard an application.

        Args:
            app: what is behind.
            hosts: exact values of the header `Host`, with the port.
            token: that the first address holds, and then a cookie.
        """
        self._app = app
        self._hosts = frozenset(hosts)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is refused, and pass on the rest."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no web sockets here
        headers = {name.decode("latin-1"): value.decode("latin-1")
                   for name, value in scope["headers"]}
        refused = self._refuse(scope, headers)
        guarded = _with_headers(send)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        body = b""
        if scope["method"] not in _SAFE:
            found = await _body(receive)
            if found is None:
                await PlainTextResponse(f"A request may hold {MOST_BYTES:,} bytes at most.\n", 413)(
                    scope, receive, guarded)
                return
            body = found
        await self._app(scope, _replay(body), guarded)

    def _refuse(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        """The answer to a request that goes no further; None for one that does."""
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("This server is not known by that name.\n", 421)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and scope["path"] == "/" and self._is_token(given):
            welcome = RedirectResponse("/", 303)
            welcome.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
            return welcome
        if given or not self._is_token(_cookie(headers.get("cookie", ""))):
            return PlainTextResponse(_HOW_IN, 403)
        return None if scope["method"] in _SAFE else _refuse_write(headers)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _refuse_write(headers: dict[str, str]) -> Response | None:
    """The answer to a write that does not come from the page itself."""
    origin = headers.get("origin")
    is_own = (origin == f"http://{headers['host']}" if origin is not None
              else headers.get("sec-fetch-site") == "same-origin")
    if not is_own:
        return PlainTextResponse("Only the review page itself may send answers.\n", 403)
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return PlainTextResponse("Answers must be application/json.\n", 415)
    return None


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


def _replay(body: bytes) -> Receive:
    has_been_read = False

    async def receive() -> Message:
        nonlocal has_been_read
        if has_been_read:
            return {"type": "http.disconnect"}
        has_been_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message["headers"] if name not in _HEADERS]
            names = {name for name, _ in own}
            if b"cache-control" not in names:
                own.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*own, *_HEADERS.items()]}
        await send(message)

    return guarded
