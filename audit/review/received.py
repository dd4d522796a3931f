"""Answers as the page sends them: read from JSON, and refused where they make no sense."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from audit.review.items import CONFLICT, DUPLICATES, LABEL, QUALITY
from audit.review.store import UNDO, Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.review.items import Catalogue, Item

MOST_EVENTS = 500
"""Of one request; a grid holds a tenth of it."""

_ABOUT_CLASS = ("class", "both", "neither", "unsure", "exclude")
_ABOUT_STAYING = ("keep", "exclude", "unsure")
_ANSWERS = {LABEL: _ABOUT_CLASS, CONFLICT: _ABOUT_CLASS, DUPLICATES: _ABOUT_STAYING,
            QUALITY: _ABOUT_STAYING}
"""Kind of question → what may be answered to it, beside taking an answer back."""

_LONGEST = {"uuid": 64, "item_id": 64, "answer": 16, "label": 1_000, "note": 5_000, "mode": 16,
            "batch": 64, "undoes": 64}
"""Texts of an event, in characters."""

_NAMES = ("uuid", "batch", "undoes")
_MODES = ("one", "grid", "adjudicate")
_MOST_MS = 24 * 3600 * 1000


def read_events(body: bytes, catalogue: Catalogue, reviewer: str) -> list[Event]:
    """What a request holds, with what the page does not know of its questions.

    Args:
        body: JSON: `events`, a list of objects with `uuid`, `item_id`, `answer`, `label`, `note`,
            `milliseconds`, `mode`, `batch` and `undoes`. What is not there is empty; the mode is
            `one` then.
        catalogue: the questions.
        reviewer: who answers.

    Raises:
        ValueError: one of them makes no sense; the message is a line.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The request is no JSON.") from None
    sent = told.get("events") if isinstance(told, dict) else None
    if not isinstance(sent, list) or not 0 < len(sent) <= MOST_EVENTS:
        raise ValueError(f"events must be a list of 1 to {MOST_EVENTS}.")
    return [_event(one, catalogue, reviewer) for one in sent]


def _event(sent: object, catalogue: Catalogue, reviewer: str) -> Event:
    if not isinstance(sent, dict):
        raise ValueError("An event must be an object.")  # noqa: TRY004 - all are told alike
    texts = {name: sent.get(name, "") for name in _LONGEST}
    for name, value in texts.items():
        if not isinstance(value, str) or len(value) > _LONGEST[name] or not _is_storable(value):
            raise ValueError(f"{name} must be text of at most {_LONGEST[name]} characters.")
    for name in _NAMES:
        if not texts[name].isprintable():
            raise ValueError(f"{name} must be of characters that can be seen.")
    if not texts["uuid"]:
        raise ValueError("uuid must not be empty.")
    milliseconds = sent.get("milliseconds", 0)
    if type(milliseconds) is not int or not 0 <= milliseconds <= _MOST_MS:
        raise ValueError("milliseconds must be a whole number, of a day at most.")
    texts["mode"] = texts["mode"] or _MODES[0]
    if texts["mode"] not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(_MODES)}.")
    try:
        item = catalogue.item(texts.pop("item_id"))
    except KeyError:
        raise ValueError("There is no such question.") from None
    _refuse_answer(texts, item, catalogue.classes)
    return Event(reviewer=reviewer, item_id=item.item_id, check=item.check, sha256=item.sha256[0],
                 milliseconds=milliseconds, given=item.given, **texts)


def _refuse_answer(texts: Mapping[str, str], item: Item, classes: tuple[str, ...]) -> None:
    """Refuse what is no answer to the question."""
    answer, label = texts["answer"], texts["label"]
    allowed = (*_ANSWERS[item.kind], UNDO)
    if answer not in allowed:
        raise ValueError(f"answer must be one of {', '.join(allowed)}.")
    if (answer == UNDO) != bool(texts["undoes"]):
        raise ValueError("undoes must name what is taken back, of an undo only.")
    if answer == "class":
        if label not in classes:
            raise ValueError("label must be a class of the data.")
    elif answer == "keep" and item.kind == DUPLICATES:
        if label not in {"", *item.sha256}:
            raise ValueError("label must be the SHA-256 of one of the copies.")
    elif label:
        raise ValueError(f"label must be empty where the answer is {answer}.")


def _is_storable(value: str) -> bool:
    """Whether UTF-8 can hold it: JSON may hold halves of characters, which UTF-8 may not."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
