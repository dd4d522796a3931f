"""What is known, accepted and not to count: for a while, by somebody, for a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.spelling import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS = ("id", "check", "class", "images", "reason", "owner", "expires")
_HASH = "sha256:"
_LEAST_DIGITS = 12
"""Of a hash, from its beginning: of a million files two share so many by a chance of 1 in 500."""


@dataclass(frozen=True)
class Waiver:
    """One waiver.

    Attributes:
        name: its id.
        check: code of the check that it silences.
        label: given class that it is about; empty for all.
        images: patterns of image_ids, or `sha256:` and the beginning of a hash; empty for all.
        reason: why.
        owner: who answers for it.
        expires: the last day on which it holds.
    """

    name: str
    check: str
    label: str
    images: tuple[str, ...]
    reason: str
    owner: str
    expires: date

    def is_over(self, today: date) -> bool:
        """Whether it holds no more."""
        return today > self.expires

    def covers(self, check: str, label: str, image_id: str, content: str) -> bool:
        """Whether it is about this finding; one that is about no image has no name and content."""
        if check != self.check or (self.label and label != self.label):
            return False
        return not self.images or any(_is_of(one, image_id, content) for one in self.images)


def _is_of(pattern: str, image_id: str, content: str) -> bool:
    if pattern.startswith(_HASH):
        return bool(content) and content.startswith(pattern.removeprefix(_HASH).lower())
    return bool(image_id) and fnmatchcase(image_id, pattern)


def today_in_utc() -> date:
    """The day everywhere at once."""
    return datetime.now(UTC).date()


def read_waivers(told: Any, checks: Sequence[str], longest_days: int, source: str,
                 ) -> tuple[Waiver, ...]:
    """Read the waivers of a policy.

    Raises:
        UsageError: one is incomplete, unknown, twice there, or holds longer than is allowed.
    """
    if not isinstance(told, list):
        raise UsageError(f"{source}: waivers are written as [[gate.waivers]], one a waiver.")
    found = [_read(one, checks, longest_days, f"{source}: waiver {place}")
             for place, one in enumerate(told, 1)]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f'{source}: two waivers have the id "{name}". Give each its own.')
    return tuple(found)


def _read(told: Any, checks: Sequence[str], longest_days: int, where: str) -> Waiver:
    if not isinstance(told, dict):
        raise UsageError(f"{where} must be a table. Got {told!r} instead.")
    refuse_unknown(told, _KEYS, where)
    for key in ("id", "check", "reason", "owner"):
        if not isinstance(told.get(key), str) or not told[key].strip():
            raise UsageError(f"{where} must have {key}, a text that is not empty.")
    refuse_unknown([told["check"]], checks, f"{where}: the project", "check")
    expires = told.get("expires")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise UsageError(f"{where} must have expires, a day as in 2027-01-31. Got {expires!r} "
                         "instead.")
    left = (expires - today_in_utc()).days
    if left > longest_days:
        raise UsageError(f"{where} holds for {left} days more, and {longest_days} are allowed "
                         "(longest_waiver_days). Give an earlier day, and renew it then.")
    images = told.get("images", [])
    if not isinstance(images, list) or not all(isinstance(one, str) and one for one in images) or (
            "images" in told and not images):
        raise UsageError(f"{where}: images must be a list of patterns, or of sha256:HASH. Leave it "
                         "out for all images.")
    for one in images:
        if one.startswith(_HASH) and len(one) < len(_HASH) + _LEAST_DIGITS:
            raise UsageError(f"{where}: {one} is too short to be one file. Give {_LEAST_DIGITS} "
                             "digits or more.")
    label = told.get("class", "")
    if not isinstance(label, str) or ("class" in told and not label):
        raise UsageError(f"{where}: class must be the name of one. Leave it out for all.")
    return Waiver(told["id"].strip(), told["check"], label, tuple(images), told["reason"].strip(),
                  told["owner"].strip(), expires)
