"""The server is killed while it is answered: what it has said is stored is, and is so once."""

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from http.client import HTTPException
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from review.browserless import Client, command_serving
from review.browsing import Reviewer

from audit.review.items import Catalogue
from audit.review.store import REVIEW_FILE, ReviewStore
from audit.stored_run import read_run

ROOT = Path(__file__).parents[2]
PEOPLE = 25
QUESTIONS = 4
CONNECTIONS = 4


@pytest.fixture
def reviewed(run, tmp_path):
    """Path of a copy of the run that may be answered, and its questions."""
    path = Path(shutil.copytree(run.path, tmp_path / "runs" / "first"))
    return path, Catalogue(read_run(path))


@pytest.fixture
def serve(reviewed):
    """Starts `audit review` in a process of its own; gives the process and its address."""
    with command_serving(reviewed[0]) as start:
        yield lambda port=0: start("--port", port)


def port_of(address):
    return int(address.split("/")[2].rpartition(":")[2])


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)


def stored(path):
    """All events of a run, and what stands, of a file that must be sound."""
    connection = sqlite3.connect(path / REVIEW_FILE)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    store = ReviewStore(path / REVIEW_FILE)
    events, standing = store.events(), store.standing().answers()
    store.close()
    return events, standing


class Senders:
    """Send answers over several connections, each answer in a request of its own."""

    def __init__(self, address, answers):
        self._address, self._answers = address, iter(answers)
        self._lock = threading.Lock()
        self.told = []  # uuids of answers that the server says it has

    def send(self, process=None, until=0):
        """Send them all, or kill the process as soon as it has said so of so many."""
        threads = [threading.Thread(target=self._send, args=(process, until))
                   for _ in range(CONNECTIONS)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert not any(one.is_alive() for one in threads)

    def _send(self, process, until):
        client = Client(port_of(self._address), self._address.split("/")[2])
        try:
            client.get("/" + self._address.split("/", 3)[3])
            while True:
                with self._lock:
                    reviewer, event = next(self._answers, (None, None))
                if event is None:
                    return
                answer = client.post("/api/answers", json.dumps({"events": [event]}).encode(),
                                     {"x-reviewer": reviewer})
                assert answer.status_code == 200, answer.text
                with self._lock:
                    self.told += answer.json()["saved"]
                    if process and len(self.told) == until:
                        os.kill(process.pid, signal.SIGKILL)
        except (OSError, HTTPException):
            assert process, "nobody has killed it"


def test_what_the_server_said_is_stored_is_though_it_was_killed(reviewed, serve):
    path, catalogue = reviewed
    items = [one for one in catalogue.items if one.kind == "label"][:QUESTIONS]
    answers = [(f"Reviewer {number}", {
        "uuid": str(uuid4()), "item_id": item.item_id, "answer": "class", "label": item.given})
        for number, item in product(range(PEOPLE), items)]
    told = set()
    for until in (20, 70):
        process, address = serve()
        senders = Senders(address, answers)
        senders.send(process, until)
        process.wait(30)
        told.update(senders.told)
        events, _ = stored(path)
        assert until <= len(senders.told) < len(answers)
        assert told <= {one.uuid for one in events}
    process, address = serve()
    senders = Senders(address, answers)
    senders.send()
    kill(process)
    sent = {event["uuid"]: (reviewer, event["item_id"], event["label"])
            for reviewer, event in answers}
    assert set(senders.told) == set(sent)
    events, standing = stored(path)
    assert {one.uuid: (one.reviewer, one.item_id, one.label) for one in events} == sent
    assert len(events) == len(standing) == len(answers)


def test_what_was_answered_on_the_page_is_stored_once_though_the_server_was_killed(
        reviewed, serve, context):
    path, catalogue = reviewed
    process, address = serve()
    port = port_of(address)
    server = SimpleNamespace(address=address, catalogue=catalogue)
    ada = Reviewer(context, server)
    answered = []

    def press(key):
        answered.append(ada.item.item_id)
        ada.press(key)

    for _ in range(3):
        press("u")
    ada.all_saved()
    press("u")
    kill(process)
    for _ in range(3):
        press("u")
    ada.page.wait_for_selector("text=Go on: answers are sent when it is back")
    process, address = serve(port)
    assert port_of(address) == port
    ada.page.wait_for_selector("text=open the address that its terminal shows")
    assert " 0 queued" not in ada.text("#saved")
    server.address = address
    again = Reviewer(context, server)
    again.all_saved()
    assert again.item.item_id not in answered
    ada.page.evaluate("dispatchEvent(new Event('online'))")  # it would try in some seconds
    ada.all_saved()  # it has the new cookie too: what it sends was sent before
    ada.until("document.getElementById('offline').hidden")
    ada.page.close()
    answered.append(again.item.item_id)
    again.press("u")
    again.all_saved()
    kill(process)
    events, standing = stored(path)
    assert Counter(one.item_id for one in events) == Counter(answered)
    assert {one.item_id for one in standing} == {*answered}
    assert len({*answered}) == len(answered) == 8
    assert ada.errors == again.errors == []
