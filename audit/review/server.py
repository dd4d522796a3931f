"""The review page's server: a Starlette application over the questions and the answers of a run."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from audit.review.guard import Guard
from audit.review.items import LABEL
from audit.review.pictures import SIDES
from audit.review.queues import ALL, CONFLICTS, ORDERS, Queue, Queues
from audit.review.received import read_events
from audit.review.store import LEASE_SECONDS, UNDO
from audit.review.views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from audit.review.items import Catalogue, Item
    from audit.review.pictures import Pictures
    from audit.review.store import ReviewStore

MOST_ITEMS = 48
MOST_HISTORY = 1_000
LONGEST_NAME = 60
_MOST_PICTURES = 4
"""Decoded at a time: one may take a gigabyte, and none is to keep answers waiting."""
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
          "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class ReviewSettings:
    """How a run is reviewed.

    Attributes:
        hosts: exact values of `Host` that the server answers to.
        token: that lets a browser in.
        reviewer: name of whoever gives none.
        overlap: people that are to answer each question.
        lease_seconds: for which a question is one reviewer's alone.
        run: what the answers are about; a browser keeps those not yet sent apart by it.
        is_blind: say only after an answer what the dataset and the model hold.
        seed: of orders and sides.
        titles: check → its title.
        evidence: item_id → what the check saw.
    """

    hosts: tuple[str, ...]
    token: str
    reviewer: str = ""
    overlap: int = 1
    lease_seconds: float = LEASE_SECONDS
    run: str = ""
    is_blind: bool = True
    seed: int = 0
    titles: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)


def make_app(catalogue: Catalogue, store: ReviewStore, pictures: Pictures,
             settings: ReviewSettings) -> Starlette:
    """The application, guarded."""
    one = _Server(catalogue, store, pictures, settings)
    routes = [
        Route("/", one.page), Route("/static/{name}", one.static),
        Route("/api/session", one.session), Route("/api/next", one.next),
        Route("/api/grid", one.grid), Route("/api/history", one.history),
        Route("/api/items/{item_id}", one.item), Route("/api/progress", one.progress),
        Route("/api/agreement", one.agreement), Route("/image/{key}", one.image),
        Route("/api/answers", one.answers, methods=["POST"])]
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: _say, sqlite3.Error: _say_not_stored},
        middleware=[Middleware(Guard, hosts=settings.hosts, token=settings.token)])
    app.router.redirect_slashes = False
    return app


def _say(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _say_not_stored(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"The store of answers failed ({error}). What was not saved "
                                  "stays in the browser, and is sent again."}, 503)


class _Server:
    """The routes."""

    def __init__(self, catalogue: Catalogue, store: ReviewStore, pictures: Pictures,
                 settings: ReviewSettings) -> None:
        self._catalogue = catalogue
        self._store = store
        self._pictures = pictures
        self._settings = settings
        self._queues = Queues(catalogue, settings.seed)
        self._queue_names = {ALL, CONFLICTS, LABEL, *settings.titles,
                             *(one.check for one in catalogue.items)}
        self._decoding = asyncio.Semaphore(_MOST_PICTURES)
        self._views = Views(catalogue, self._queues, settings.titles, settings.evidence,
                            is_blind=settings.is_blind)
        package = files("audit.review")
        self._page = (package / "templates" / "page.html").read_bytes()
        self._static = {one.name: one.read_bytes() for one in (package / "static").iterdir()
                        if one.is_file() and one.name.rpartition(".")[2] in _TYPES}

    async def page(self, _request: Request) -> Response:
        """The page, which holds no data."""
        return Response(self._page, media_type=_TYPES["html"])

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        if name not in self._static:
            raise HTTPException(404, "There is no such file.")
        return Response(self._static[name], media_type=_TYPES[name.rpartition(".")[2]])

    async def session(self, request: Request) -> Response:
        """What there is to do."""
        return JSONResponse(await run_in_threadpool(
            lambda: self._views.session(self._reviewer(request), self._store.standing())
            | {"run": self._settings.run, "overlap": self._settings.overlap}))

    async def next(self, request: Request) -> Response:
        """The next questions of a queue, leased to whoever asks."""
        queue, count, reviewer = self._queue(request), _count(request, 6), self._named(request)
        return JSONResponse(await run_in_threadpool(self._next, queue, count, reviewer))

    def _next(self, queue: Queue, count: int, reviewer: str) -> dict[str, Any]:
        items = self._queues.items(queue, reviewer, self._store.standing())
        leased = self._lease(items, count, reviewer, queue)
        return {"items": [self._views.question(one, reviewer) for one in leased],
                "progress": self._progress(items, reviewer)}

    async def grid(self, request: Request) -> Response:
        """Questions about one pair of classes: the one named, or the one with most open."""
        queue, count, reviewer = self._queue(request), _count(request, 24), self._named(request)
        return JSONResponse(await run_in_threadpool(self._grid, queue, count, reviewer))

    def _grid(self, queue: Queue, count: int, reviewer: str) -> dict[str, Any]:
        given, suggested = queue.given, queue.suggested
        standing = self._store.standing()
        pairs = [(given, suggested)] if given and suggested else [
            (one, other) for one, other in self._queues.open_pairs(
                reviewer, standing, self._settings.overlap)
            if given in {"", one} and suggested in {"", other}]
        for one, other in pairs:
            items = self._queues.items(Queue(LABEL, one, other, queue.order), reviewer, standing)
            leased = self._lease(items, count, reviewer, queue)
            if leased:
                return {"given": one, "suggested": other, "items": [
                    {"item_id": item.item_id, "image": self._catalogue.image_key(item.rows[0])}
                    for item in leased], "exemplars": {name: [
                        self._catalogue.image_key(row) for row in self._catalogue.exemplars(name)]
                        for name in (one, other)}, "progress": self._progress(items, reviewer)}
        return {"given": given, "suggested": suggested, "items": [], "exemplars": {},
                "progress": self._progress([], reviewer)}

    def _lease(self, items: list[Item], count: int, reviewer: str, queue: Queue) -> list[Item]:
        if queue.name == CONFLICTS:  # also to who answered before: two people can settle theirs
            return items[:count]
        names = self._store.lease(
            reviewer, [one.item_id for one in items], count, overlap=self._settings.overlap,
            seconds=self._settings.lease_seconds,
            for_all={one.item_id for one in items if one.truth})
        return [self._catalogue.item(name) for name in names]

    async def history(self, request: Request) -> Response:
        """The reviewer's answers that stand, the latest first."""
        reviewer, count = self._named(request), _count(request, 200, MOST_HISTORY)

        def told() -> list[dict[str, Any]]:
            standing = self._store.standing()
            own = [one for one in standing.answers() if one.reviewer == reviewer]
            own.sort(key=lambda one: one.at)
            return [{"uuid": one.uuid, "item_id": one.item_id, "answer": one.answer,
                     "label": one.label, "batch": one.batch} for one in own[::-1][:count]
                    if one.mode != "import"]

        return JSONResponse({"events": await run_in_threadpool(told)})

    async def item(self, request: Request) -> Response:
        """One question again."""
        return JSONResponse(self._views.question(
            self._item(request.path_params["item_id"]), self._named(request)))

    async def progress(self, request: Request) -> Response:
        """How far the reviewer is through a queue."""
        queue, reviewer = self._queue(request), self._named(request)
        return JSONResponse(await run_in_threadpool(lambda: self._progress(
            self._queues.items(queue, reviewer, self._store.standing()), reviewer)))

    async def agreement(self, _request: Request) -> Response:
        """How far reviewers agree."""
        return JSONResponse(await run_in_threadpool(
            lambda: self._views.agreement(self._store.standing())))

    async def image(self, request: Request) -> Response:
        """A picture, encoded anew."""
        side = request.query_params.get("side", str(SIDES[0]))
        if side not in {str(one) for one in SIDES}:
            raise HTTPException(400, f"side must be one of {SIDES}.")
        try:
            row = self._catalogue.row_of_key(request.path_params["key"])
        except KeyError:
            raise HTTPException(404, "There is no such picture.") from None
        async with self._decoding:
            content = await run_in_threadpool(self._pictures.read, row, int(side))
        if content is None:
            raise HTTPException(404, "The file of this picture is gone.")
        return Response(content, media_type="image/jpeg",
                        headers={"cache-control": "private, max-age=3600"})

    async def answers(self, request: Request) -> Response:
        """Store answers; when this is answered they are on disk."""
        reviewer = self._named(request)
        try:
            events = read_events(await request.body(), self._catalogue, reviewer)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        try:
            saved = await run_in_threadpool(self._store.append, events)
        except ValueError as error:
            raise HTTPException(409, f"{error}.") from None
        revealed = {one.item_id: self._views.revealed(self._catalogue.item(one.item_id))
                    for one in events if one.answer != UNDO}
        return JSONResponse({"saved": saved, "revealed": revealed})

    def _item(self, item_id: str) -> Item:
        try:
            return self._catalogue.item(item_id)
        except KeyError:
            raise HTTPException(404, "There is no such question.") from None

    def _queue(self, request: Request) -> Queue:
        asked = request.query_params
        order = asked.get("order", ORDERS[0])
        if order not in ORDERS:
            raise HTTPException(400, f"order must be one of {', '.join(ORDERS)}.")
        name = asked.get("queue", ALL)
        if name not in self._queue_names:
            raise HTTPException(400, "queue must be all, conflicts, or the code of a check.")
        return Queue(name, asked.get("given", ""), asked.get("suggested", ""),
                     order)

    def _progress(self, items: list[Item], reviewer: str) -> dict[str, Any]:
        return self._views.progress(items, reviewer, self._store.standing())

    def _reviewer(self, request: Request) -> str:
        name = unquote(request.headers.get("x-reviewer", "")).strip() or self._settings.reviewer
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise HTTPException(400, f"A name has at most {LONGEST_NAME} characters, all of them "
                                     "to be seen.")
        return name

    def _named(self, request: Request) -> str:
        name = self._reviewer(request)
        if not name:
            raise HTTPException(400, "Say who you are first.")
        return name


def _count(request: Request, default: int, most: int = MOST_ITEMS) -> int:
    asked = request.query_params.get("count", str(default))
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked[:9]) <= most:
        raise HTTPException(400, f"count must be a whole number from 1 to {most}.")
    return int(asked)
