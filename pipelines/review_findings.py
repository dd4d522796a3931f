"""`audit review`: serve the questions of a run to labelers, export and import their answers.

read the run → find its images again → lay out the questions → answers of earlier audits → serve.
"""

from __future__ import annotations

import secrets
import socket
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.errors import UsageError
from audit.registry import all_checks
from audit.render.reviewed import with_reviewed
from audit.render.words import SECONDS_A_QUESTION
from audit.review.agreement import settled
from audit.review.exports import FORMATS, reviewed_images
from audit.review.flag_precision import flag_precision, in_words
from audit.review.imports import read_answers
from audit.review.items import Catalogue
from audit.review.pictures import Pictures
from audit.review.store import REVIEW_FILE, ReviewStore
from audit.rundir import RunDir
from audit.stored_run import read_run
from pipelines.remedy_dataset import find_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from audit.review.store import Event
    from audit.stored_run import StoredRun

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8421
MOST_OVERLAP = 20


@dataclass(frozen=True)
class ReviewOptions:
    """Options of `audit review`; see its help and docs/review.md.

    Attributes:
        port: 0 for any that is free.
        reviewer: name of whoever gives none on the page.
        host: address to listen on.
        overlap: people that are to answer each question.
        is_blind: say only after an answer what the dataset and the model hold.
        opens: open the page in the browser of this machine.

    """

    port: int = DEFAULT_PORT
    reviewer: str = ""
    host: str = LOOPBACK
    overlap: int = 1
    is_blind: bool = True
    opens: bool = False


    def __post_init__(self) -> None:
        """Refuse what no server could make sense of."""
        if not 0 <= self.port <= 65_535:  # noqa: PLR2004 - of TCP
            raise UsageError(f"--port must be from 0 to 65535. Got {self.port} instead.")
        if not 1 <= self.overlap <= MOST_OVERLAP:
            raise UsageError(f"--overlap must be from 1 to {MOST_OVERLAP}. Got {self.overlap} "
                             "instead.")


@dataclass(frozen=True)
class Review:
    """A run that is ready to be reviewed.

    Attributes:
        run: the run.
        catalogue: its questions.
        store: its answers.
        paths: of the images, by row.
        given: their classes in the dataset, by row.
    """

    run: StoredRun
    catalogue: Catalogue
    store: ReviewStore
    paths: list[str]
    given: list[str]


def open_review(path: Path, earlier: Sequence[Path] = (), further: int = 0) -> Review:
    """Lay out the questions of a run, with the answers that earlier audits of the data got.

    Those are the runs named, and those in the same folder as this one, whose answers follow the
    files: who has answered is not asked again.

    Args:
        path: the run.
        earlier: runs whose answers count here too.
        further: labels that were not flagged and are asked about all the same, the worst first.

    Raises:
        UsageError: it is no finished run, its images are gone, or answers cannot be read.
    """
    if further < 0:
        raise UsageError(f"--further must be 0 or more. Got {further} instead.")
    run = read_run(path)
    sources = find_sources(run).set_index("image_id")["path"].loc[run.images["image_id"]]
    for one in earlier:
        if not (one / REVIEW_FILE).is_file():
            raise UsageError(f"{one} holds no {REVIEW_FILE}: nothing was answered there. Give the "
                             "folder of a run that was reviewed.")
    store = ReviewStore(path / REVIEW_FILE)
    siblings = sorted(one.parent for one in path.resolve().parent.glob(f"*/{REVIEW_FILE}"))
    others = [_events(other / REVIEW_FILE)
              for other in dict.fromkeys([*(one.resolve() for one in earlier), *siblings])
              if other != path.resolve()]
    catalogue = Catalogue(run, further=further, answered={
        one.item_id for events in (store.events(), *others) for one in events})
    asked = {one.item_id for one in catalogue.items}
    for events in others:
        _carry_over(events, store, asked)
    return Review(run, catalogue, store, sources.tolist(), run.images["given_label"].tolist())


def _events(path: Path) -> list[Event]:
    store = ReviewStore(path)
    events = store.events()
    store.close()
    return events


def _carry_over(events: Sequence[Event], store: ReviewStore, asked: set[str]) -> None:
    """Take over answers to questions that are asked again, with what undid them."""
    acts = {name for one in events if one.item_id in asked for name in (one.uuid, one.batch)}
    about = [one for one in events if one.item_id in asked or one.undoes in acts - {""}]
    if about:
        store.append(about)


def serve(review: Review, options: ReviewOptions, console: Console) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UsageError: the port is taken, or what a server needs is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra

        from audit.review.guard import hosts_of  # noqa: PLC0415 - the same
        from audit.review.server import ReviewSettings, make_app  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError("audit review needs a web server: pip install 'image-audit[review]'."
                         ) from error
    listener = _listen(options)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = hosts_of(options.host, port)
    app = make_app(review.catalogue, review.store, Pictures(review.paths), ReviewSettings(
        hosts=hosts, token=token,
        reviewer=options.reviewer, overlap=options.overlap, is_blind=options.is_blind,
        run=review.run.digest,
        titles={one.meta.code: one.meta.title for one in all_checks()},
        evidence=_evidence(review)))
    address = f"http://{hosts[0]}/?token={token}"
    open_count, minutes = _left(review)
    console.print(f"{open_count:,} questions, about {max(1, round(minutes)):,} min. Answers are "
                  f"kept in {review.store.path}.", soft_wrap=True, markup=False, highlight=False)
    if options.host != LOOPBACK:
        console.print(f"Anybody who can reach {options.host} and has this address can see the "
                      "images: the connection is not encrypted.", soft_wrap=True, markup=False,
                      highlight=False)
    console.print(f"Open {address}", soft_wrap=True, markup=False, highlight=False)
    console.print("Ctrl-C ends it; nothing that was answered is lost.")
    if options.opens:
        webbrowser.open(address)
    config = uvicorn.Config(app, log_level="warning", server_header=False, access_log=False,
                            lifespan="off", timeout_graceful_shutdown=2)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has ended its connections, and passes it on
        pass
    finally:
        tell_answered(review, console)
        review.store.close()


def _listen(options: ReviewOptions) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.listen(128)
    except OSError as error:
        raise UsageError(f"port {options.port} of {options.host} cannot be had "
                         f"({error.strerror or error}). Give another: --port 0 takes any that is "
                         "free.") from error
    return listener


def _evidence(review: Review) -> dict[str, str]:
    """item_id → what the check saw."""
    findings = review.run.findings
    seen = {(check, subject): text for check, subject, text in findings.loc[
        findings["is_flagged"], ["check", "subject", "evidence"]].itertuples(index=False)}
    return {one.item_id: seen.get((one.check, review.catalogue.image_ids[one.rows[0]]), "")
            for one in review.catalogue.items}


def _left(review: Review) -> tuple[int, float]:
    standing = review.store.standing()
    left = sum(not standing.reviewers_of(one.item_id) for one in review.catalogue.items)
    return left, left * SECONDS_A_QUESTION / 60


def tell_answered(review: Review, console: Console) -> None:
    """Print how far the review is, and what it says of the flags."""
    standing = review.store.standing()
    items = review.catalogue.items
    answered = sum(bool(standing.reviewers_of(one.item_id)) for one in items if not one.truth)
    total = sum(not one.truth for one in items)
    console.print(f"{answered:,} of {total:,} questions are answered.")
    found = flag_precision(items, standing)
    words = in_words(found) if found else ""
    _tell_in_report(review, words)
    if words:
        console.print(words, soft_wrap=True)
        console.print("Wrong labels that were not flagged come next by their scores: --further "
                      "200 asks about as many.", soft_wrap=True, highlight=False)
        console.print(f"Next: audit fix {review.run.path} --out FOLDER", soft_wrap=True,
                      markup=False, highlight=False)


def _tell_in_report(review: Review, words: str) -> None:
    """Let the report say what was found; one that is gone or older is left alone."""
    path = review.run.path / "report.html"
    with suppress(FileNotFoundError):
        page = path.read_text("utf-8")
        told = with_reviewed(page, words)
        if told != page:
            RunDir(review.run.path).write(path.name, told.encode())


def export_answers(review: Review, form: str, out: Path) -> int:
    """Write what was answered for another tool.

    Returns:
        Number of images written.

    Raises:
        UsageError: there is no such format.
    """
    if form not in FORMATS:
        raise UsageError(f'--format must be {", ".join(FORMATS)}. Got "{form}" instead.')
    items = review.catalogue.items
    images = reviewed_images(review.catalogue, settled(items, review.store.standing()),
                             review.paths, review.given)
    for name, content in FORMATS[form](images, review.run.classes).items():
        if name:
            RunDir(out).write(name, content)
        else:
            RunDir(out.parent).write(out.name, content)
    return sum(bool(one.answer) for one in images)


def import_answers(review: Review, path: Path) -> int:
    """Take answers from a file; those that were taken before are not taken again.

    Returns:
        Number of answers in the file.
    """
    events = read_answers(path, review.catalogue, review.given)
    review.store.append(events)
    return len(events)
