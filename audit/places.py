"""Where data are: a path on this machine, or the URL of a folder or a file in a store elsewhere."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TypeAlias

from audit.errors import UsageError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://([^/]*)(.*)", re.DOTALL)
"""Scheme, host or bucket, and the rest. A scheme has two letters or more: `C:` is a drive."""

_PASSWORD = re.compile(r"(://[^/:@]*):[^/]*@")
_LOCAL = frozenset({"file", "local"})
WEB = frozenset({"http", "https"})
"""Schemes of web servers: a URL may end with a query, and what is there cannot be listed."""


class Url(str):
    """A folder or a file in a store, named as fsspec names it: `s3://bucket/photos`.

    Names stand as they are, nothing is percent-encoded, and there is no slash at the end. A path
    of this machine is never of this class; `place_of` tells them apart.
    """

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return parts_of(self)[0]

    @property
    def name(self) -> str:
        """The last part: of a bucket its name."""
        return file_name(self)

    @property
    def stem(self) -> str:
        """The last part without its extension."""
        return posixpath.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        """The extension with its dot, as for paths."""
        return posixpath.splitext(self.name)[1]

    @property
    def parent(self) -> Url:
        """The folder that it is in; of a bucket itself."""
        scheme, host, rest = parts_of(self)
        return Url(f"{scheme}://{host}{posixpath.dirname(rest.rstrip('/')).rstrip('/')}")


Place: TypeAlias = Path | Url
"""Where data are."""


def is_remote(text: object) -> bool:
    """Whether a text is a URL, and not a path of this machine."""
    return isinstance(text, Url) or (isinstance(text, str) and _URL.match(text) is not None)


def parts_of(url: str) -> tuple[str, str, str]:
    """Scheme, host or bucket, and the rest, which is empty or begins with a slash.

    Raises:
        ValueError: it is no URL.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url} is no URL")
    return found[1], found[2], found[3]


def place_of(given: str | Path) -> Place:
    """The place that was meant, as typed or as a run has recorded it.

    Raises:
        UsageError: a URL holds a password or a signed query, which a run would record; or it names
            nothing, or several things.
    """
    if isinstance(given, Url | Path):
        return given
    if "::" in given and "://" in given:
        raise UsageError(f"{shown(given)} chains file systems, which is not supported. Give a "
                         "single URL, as s3://bucket/photos.")
    if not is_remote(given):
        return Path(given)
    scheme, host, rest = parts_of(given)
    if scheme in _LOCAL:
        return Path(host + rest)
    if has_password(given):
        raise UsageError(f"{shown(given)} holds a password, which run.json would record. Give "
                         "credentials by the environment or the store's own file of settings; see "
                         "docs/remote.md.")
    if scheme in WEB and "?" in rest:
        raise UsageError(f"{shown(given)} was given with a query, which run.json would record. "
                         "Download the table, or give a URL without one.")
    if not (host + rest).strip("/"):
        raise UsageError(f"{given} names no bucket and no folder. Give one, as s3://bucket/photos.")
    return Url(given.rstrip("/"))


def has_password(url: str) -> bool:
    """Whether a URL holds one."""
    return _PASSWORD.search(url) is not None


def shown(url: str) -> str:
    """A URL for people to read: without a password, and without the query of a web address."""
    told = _PASSWORD.sub(r"\1:...@", url)
    return re.split(r"[?#]", told, maxsplit=1)[0] if told.split("://")[0] in WEB else told


def file_name(path: str) -> str:
    """The name of a file by its path or URL."""
    return (shown(path) if path.startswith("http") else path).rpartition("/")[2]


def joined(root: Place, given: str) -> str:
    """Path or URL of what a table calls `given` and means from `root`; whole ones stay."""
    if is_remote(given):
        return given
    if isinstance(root, Path) or given.startswith("/"):
        return os.path.join(root, given)
    scheme, host, rest = parts_of(root)
    return f"{scheme}://{host}{posixpath.normpath(f'{rest}/{given}')}"


def absolute(path: str | Place) -> str:
    """A path that means the same from another folder; a URL does as it is."""
    return str(path) if is_remote(path) else os.path.abspath(path)
