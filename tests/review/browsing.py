"""A run of questions of every kind about real digits, and a browser that reviews it."""

import json
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
from builders import images_of, png
from review.browserless import Server
from sklearn.datasets import load_digits

from audit.review.items import Catalogue
from audit.review.pictures import Pictures
from audit.review.server import ReviewSettings, make_app
from audit.stored_run import StoredRun

TOKEN = "a-token-of-the-tests"  # noqa: S105 - lets in to the digits only
EVIL = "<img src=x onerror=\"document.title='owned'\">"
FORMULA = "=cmd|'/c calc'!A1"
LONG = "数字 ünïcödé \u202e " + "long " * 40
CLASSES = (EVIL, FORMULA, LONG, *(f"digit {name}" for name in (
    "three", "four", "five", "six", "seven", "eight", "nine")))

PATIENCE = 10  # seconds
SUSPECTS = 230
TRUSTED = 80


def many_questions(folder):
    """A run on 316 digits: 230 suspected labels, a conflict, two sets of copies, a broken file.

    Returns:
        The run and the paths of its pictures.
    """
    digits = load_digits()
    count = SUSPECTS + TRUSTED + 8
    truth = digits.target[:count]
    given = truth.copy()
    given[:SUSPECTS] = (truth[:SUSPECTS] + 1 + np.arange(SUSPECTS) % 3) % len(CLASSES)
    given[SUSPECTS + TRUSTED + 5] = (given[SUSPECTS + TRUSTED + 6] + 1) % len(CLASSES)
    is_suspected = np.arange(count) < SUSPECTS
    labels = [CLASSES[one] for one in given]
    names = [f"{index:04d}/{FORMULA}.png" for index in range(count)]
    paths = []
    for index in range(count):
        path = folder / f"{index}.png"
        path.write_bytes(png(digits.images[index]))
        paths.append(str(path))
    (folder / f"{count - 1}.png").write_bytes(b"no picture")
    images = images_of(labels, {
        "image_id": names, "is_label_issue": is_suspected, "width": 32, "height": 32,
        "label_score": np.linspace(0, 1, count),
        "is_other_issue": np.arange(count) >= count - 8,
        "predicted_label": [CLASSES[one] for one in truth]})
    probabilities = np.full((count, len(CLASSES)), 0.01)
    probabilities[np.arange(count), truth] = 0.9

    def finding(check, about, rows):
        first, *others = (names[row] for row in rows)
        return {"check": check, "is_flagged": True, "about": about, "subject": first,
                "score": 0.1, "related": json.dumps(others), "evidence": "as it was seen"}

    begin = SUSPECTS + TRUSTED
    findings = pd.DataFrame([
        finding("exact_duplicates", "set", (begin, begin + 1)),
        finding("near_duplicates", "set", (begin + 2, begin + 3, begin + 4)),
        finding("label_conflict", "set", (begin + 5, begin + 6)),
        finding("unreadable_file", "image", (count - 1,))])
    return StoredRun(folder, images, findings, probabilities, CLASSES, is_own_model=False,
                     digest="digits", source=None), paths


@contextmanager
def serving(run, paths, store, **settings):
    """A server of a run; gives the address that lets in."""
    catalogue = Catalogue(run)
    server = Server(lambda host: make_app(catalogue, store, Pictures(paths), ReviewSettings(
        hosts=(host,), token=TOKEN, run=run.digest, **settings)))
    try:
        yield SimpleNamespace(address=f"http://{server.host}/?token={TOKEN}", store=store,
                              catalogue=catalogue)
    finally:
        server.stop()


class Line:
    """What becomes of the requests of pages that are opened from now on.

    A page that is open already may send its next request past a route that is laid only then.
    """

    def __init__(self, context):
        self.mend()
        context.route("**/api/**", self._take)

    def does(self, what, part="/api/"):
        """Let requests whose address has the part be dealt with so."""
        self._what, self._part = what, part

    def cut(self, part="/api/"):
        """Let them reach nobody."""
        self.does(lambda route: route.abort(), part)

    def mend(self):
        """Let all of them reach the server."""
        self._what = None

    def _take(self, route):
        if self._what and self._part in route.request.url:
            self._what(route)
        else:
            route.continue_()


class Reviewer:
    """Somebody at the page."""

    def __init__(self, context, server, name="Ada", *, waits=True):
        self.server, self.name, self.errors = server, name, []
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        if name:
            self.page.add_init_script(f"localStorage.setItem('audit-review-name', '{name}')")
        self.page.goto(server.address, wait_until="load" if waits else "commit")
        if name and waits:
            self.is_ready()

    def is_ready(self):
        self.page.wait_for_selector("html[data-ready]")

    def reload(self):
        self.page.reload()
        self.is_ready()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, check):
        """Take the queue of a check."""
        value = self.page.evaluate(
            "check => [...document.querySelectorAll('#queue option')].map(one => one.value)"
            ".find(one => JSON.parse(one).queue === check && !JSON.parse(one).given)", check)
        self.page.select_option("#queue", value)
        self.is_idle()
        self.until("items => items.includes(document.querySelector('[data-item]')?.dataset.item)",
                   [one.item_id for one in self.server.catalogue.items if one.check == check])

    def until(self, condition, argument=None):
        """Wait for it; Playwright's own way would need a page on which strings may be run."""
        end = time.monotonic() + PATIENCE
        while not self.page.evaluate(condition, argument):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(10)

    def is_idle(self):
        """Wait until no other view is on its way."""
        self.until("document.getElementById('stage').ariaBusy !== 'true'")

    def grid(self):
        """Go to the grid, or back."""
        self.press("g")
        self.is_idle()

    def answer(self, *keys):
        """Press keys, each when the next question is there."""
        for key in keys:
            before = self.item
            self.press(key)
            self.until("before => ![undefined, before].includes("
                       "document.querySelector('[data-item]')?.dataset.item)", before.item_id)

    def is_told(self, text):
        """Wait until the line about what was done last says so."""
        self.until("text => document.getElementById('previous').textContent.includes(text)", text)

    @property
    def item(self):
        """The question that is on the screen; None if there is none."""
        found = self.page.evaluate("document.querySelector('[data-item]')?.dataset.item ?? null")
        return self.server.catalogue.item(found) if found else None

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def all_saved(self):
        self.until("document.getElementById('saved').textContent.includes(' 0 queued')")

    def answers(self):
        """item_id → answer and label of what stands on disk."""
        return {one.item_id: (one.answer, one.label) for one in self.server.store.standing()
                .answers() if one.reviewer == (self.name or "Ada")}


def names_of_cards(reviewer):
    """The classes on the two cards."""
    return [one.get_attribute("title") for one in reviewer.page.locator(".card").all()]
