"""Who may ask the review server what: checked before any route is looked at.

A page of another site in the same browser, a name that resolves to this machine (DNS rebinding) and
another user of the machine must get nothing.
"""

from __future__ import annotations

import hmac
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000
"""Of the body of a request: a thousand answers are a fifth of it."""

_MOST_READ = 16 * MOST_BYTES
"""Of a body that is too large: a client that is still sending hears no refusal."""

_HTTP = 80

_SAFE = {"GET", "HEAD"}
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
           "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_HEADERS = {
    b"content-security-policy": _POLICY.encode(), b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer", b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin"}
_HOW_IN = "This page needs the address that the terminal shows, with its token. Open that one.\n"
_WRONG_NAME = "This server is not known by that name. Open the address that the terminal shows.\n"
_ONCE_MORE = '<!doctype html><meta http-equiv="refresh" content="0"><title>audit review</title>\n'


def hosts_of(address: str, port: int) -> tuple[str, ...]:
    """Values of `Host` of a server that listens, the one to be opened first.

    A server of this machine alone goes by `localhost` too. One that listens on all its addresses
    has no name of its own: it goes by the machine's.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        names = [address.lower()]  # as browsers write it
    else:
        names = [_in_address(str(ip)), *(["localhost"] if ip.is_loopback else [])]
        if ip.is_unspecified:
            own = socket.gethostname().lower()
            names = [own, *_addresses(own), "127.0.0.1", "[::1]", "localhost"]
    with_port = [f"{name}:{port}" for name in names]
    # A browser leaves the usual port out.
    return tuple(dict.fromkeys([*names, *with_port] if port == _HTTP else with_port))


def _addresses(name: str) -> list[str]:
    """Addresses that a name stands for; none where it is not known."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(name, None)}
    except OSError:
        return []
    return [_in_address(one) for one in sorted(found)]


def _in_address(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


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
            else:  # no web sockets here
                await send({"type": "websocket.close", "code": 1008})
            return
        headers = _headers(scope)
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
            return PlainTextResponse(_WRONG_NAME, 421)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        is_read = scope["method"] in _SAFE
        name = cookie_of(headers["host"])
        if given and is_read and scope["path"] == "/" and self._is_token(given):
            welcome = RedirectResponse("/", 303)
            welcome.set_cookie(name, self._token, httponly=True, samesite="strict", path="/")
            return welcome
        if given or not any(map(self._is_token, _cookies(headers.get("cookie", ""), name))):
            return _refuse_stranger(headers)
        return None if is_read else _refuse_write(headers)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def cookie_of(host: str) -> str:
    """Name of the cookie: browsers keep those of all ports together, and two runs may be open."""
    port = host.rpartition(":")[2]
    return f"audit_review_{port if port.isdigit() else _HTTP}"


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name. One that is sent twice is joined, and then is nothing that is let in."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{separator}{text}" if name in found else text
    return found


def _refuse_stranger(headers: dict[str, str]) -> Response:
    """The answer to a request without the token.

    Who clicked on the address in a page of another site, as a terminal in a browser is, has the
    cookie, but it is not sent along: a `Strict` cookie is only sent if our own page asks.
    """
    if (headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")) == ("cross-site", "navigate"):
        return HTMLResponse(_ONCE_MORE, 403)
    return PlainTextResponse(_HOW_IN, 403)


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


def _cookies(header: str, name: str) -> list[str]:
    """Values of a cookie. Those of other programs beside it, on other ports, may hold anything."""
    pairs = (one.strip().partition("=") for one in header.split(";"))
    return [value for found, _, value in pairs if found == name]


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large, or whoever sent it has gone."""
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if message["type"] == "http.disconnect" or size > _MOST_READ:
            return None
        if size <= MOST_BYTES:
            body += part
        if not message.get("more_body"):
            return bytes(body) if size <= MOST_BYTES else None


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
