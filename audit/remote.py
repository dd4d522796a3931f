"""Folders and files in a store elsewhere, as fsspec opens it: listed, read, never written.

fsspec is an extra, and so is the package of each store (s3fs, gcsfs, ...): both are imported when
the first URL is met. Credentials are theirs to find, in the environment or in files of settings.

Whatever a store raises becomes one line. It is a `UsageError` where all of the data are out of
reach, and an `OSError` where it is about one file, which then is a finding.
"""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from audit.errors import UsageError
from audit.places import WEB, parts_of, shown
from audit.types import ListedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Answer = TypeVar("Answer")

THREADS = 16
"""Folders that are listed at once, and files whose first bytes are looked at: they wait for the
network, not for a core."""

WAITS_S = (0.5, 2.0, 6.0)
"""Before a store is asked again after a passing failure; packages of some stores have tried several
times by then."""

SETTLED_S = 120.0
"""A file that was changed less than this before it was listed may change again without its time of
change telling, for stores tell whole seconds, and by clocks that are not this machine's."""

IN_ONE_PROCESS = frozenset({"memory"})
"""Schemes of stores that no other process sees."""

_OF_CONTENT = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "generation")
_OF_TIME = ("LastModified", "last_modified", "mtime", "updated", "modificationTime", "modified",
            "created")
"""What listings of stores tell of a file that changes with it: the first that is there counts."""

_LONGEST = 200
_URL_IN_TEXT = re.compile(r"\w+://[^\s'\"<>)]+")
_UNREACHABLE = frozenset({
    "ConnectionError", "TimeoutError", "EndpointConnectionError", "ConnectTimeoutError",
    "ReadTimeoutError", "HTTPClientError", "ClientConnectionError", "ServerTimeoutError",
    "ServiceRequestError", "TransportError", "SSLError", "gaierror"})
"""Names of errors of botocore, aiohttp, Azure and Google that mean that nobody answers."""


class StoreLostError(UsageError):
    """A store that was there does not answer any more, or has no use for the credentials.

    Not a fault of the file that was asked for: others would fail as it did.
    """


class Entry(NamedTuple):
    """A file or folder in a listing.

    Attributes:
        name: the last part of its URL; empty for a name that no file of a disk could have.
        path: its URL.
        is_folder: whether it is one.
        told: of a file.
    """

    name: str
    path: str
    is_folder: bool
    told: ListedFile


@cache
def _store(base: str) -> tuple[Any, str]:
    """File system and the path in it, of a scheme with a host or bucket.

    Listings are not kept: a second one in the same process is to see what has changed.
    """
    try:
        url_to_fs = import_module("fsspec.core").url_to_fs  # an extra, without types
    except ImportError as error:
        raise UsageError(f"{base} needs fsspec, which is not installed. Install "
                         "image-audit[remote], or give a local folder.") from error
    try:
        store, path = url_to_fs(base, use_listings_cache=False)
    except ImportError as error:
        raise UsageError(f"{shown(base)} needs a package that is not installed ({error}). Install "
                         "it; image-audit[remote] brings the one for s3.") from error
    except Exception as error:
        if "Protocol not known" in str(error):
            raise UsageError(f"fsspec knows no store of {shown(base)}. Give a local folder, or a "
                             "URL such as s3://bucket/photos.") from error
        raise _refusal(base, error, "opened") from error
    return store, str(path)


def _located(url: str) -> tuple[Any, str]:
    """File system of a URL, and the path in it.

    Only scheme and host are left to fsspec: what it makes of `#`, `?` and `%` differs by store.
    """
    scheme, host, rest = parts_of(url)
    if scheme in WEB:  # where the host is part of the path
        return _store(f"{scheme}://{host}")[0], url
    store, base = _store(f"{scheme}://{host}")
    return store, base.rstrip("/") + rest or "/"


def read_file(url: str, most: int | None = None) -> bytes:
    """The content of a file, in one request.

    Args:
        url: of the file.
        most: bytes to read; what is longer is cut there.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read for another reason, which `strerror` tells in one line.
        StoreLostError: the store does not answer, or not to these credentials.
    """
    store, path = _located(url)

    def read() -> bytes:
        try:
            # Given a start, no package asks for the size first, which would be a second request.
            return bytes(store.cat_file(path, start=0, end=most))
        except Exception as error:
            if _is_of_no_bytes(error):
                return b""
            raise

    return _tried(url, read)


def list_folder(url: str) -> list[Entry]:
    """What is directly in a folder, in the order of the store.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        OSError: it cannot be listed, which `strerror` tells in one line.
        StoreLostError: the store does not answer, or not to these credentials.
    """
    store, path = _located(url)
    entries = []
    now = datetime.now(UTC).timestamp()
    for one in _tried(url, lambda: store.ls(path, detail=True)):
        name = str(one["name"])
        is_folder = one["type"] == "directory"
        is_itself = name.rstrip("/") == path.rstrip("/")
        if is_itself and not is_folder:
            if not name.endswith("/"):
                raise NotADirectoryError(20, "it is a file", shown(url))
            continue  # a marker, by which stores without folders keep an empty one
        last = "" if is_itself else name.rstrip("/").rpartition("/")[2]
        entries.append(Entry(last, f"{url}/{last}", is_folder, _told(one, now)))
    return entries


def list_files(urls: Iterable[str]) -> dict[str, ListedFile]:
    """What listings tell of files, a request a folder and thousand files.

    A file that a listing does not hold is left out. Where the folder cannot be listed, which web
    servers never allow, nothing is known of its files: they are there, with a size of -1.
    """
    wanted: dict[str, list[str]] = {}
    for url in dict.fromkeys(urls):
        wanted.setdefault(url.rpartition("/")[0], []).append(url)

    def told(folder: str) -> Mapping[str, ListedFile]:
        if parts_of(folder)[0] not in WEB:
            try:
                return {one.path: one.told for one in list_folder(folder) if not one.is_folder}
            except FileNotFoundError:
                return {}
            except OSError:  # who may read files may yet not be allowed to list them
                pass
        return dict.fromkeys(wanted[folder], ListedFile())

    known: dict[str, ListedFile] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for folder, found in zip(wanted, pool.map(told, wanted), strict=True):
            known |= {url: found[url] for url in wanted[folder] if url in found}
    return known


def refused(url: str, error: OSError) -> UsageError:
    """What to tell of data that cannot be had at all."""
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{shown(url)} does not exist. Give a folder with one sub-folder a "
                          "class, or a CSV or Parquet table.")
    if isinstance(error, NotADirectoryError):
        return UsageError(f"{shown(url)} is neither a folder nor a table (.csv, .parquet).")
    return UsageError(f"{shown(url)} cannot be read ({error.strerror}). Give a place that these "
                      "credentials may list and read.")


def _tried(url: str, ask: Callable[[], Answer]) -> Answer:
    """The answer of a store, which is asked again after what may pass."""
    for wait in WAITS_S:
        try:
            return ask()
        except Exception as error:
            if _is_lasting(error):
                raise _failure(url, error) from error
        time.sleep(wait)
    try:
        return ask()
    except Exception as error:
        raise _failure(url, error) from error


def _told(info: Mapping[str, Any], now: float) -> ListedFile:
    size = info.get("size")
    size = -1 if size is None else int(size)
    for name in _OF_CONTENT:
        if info.get(name):
            return ListedFile(size, _mark(name, info[name]))
    for name in _OF_TIME:
        if info.get(name):
            changed = _seconds(info[name])
            is_settled = changed is not None and changed < now - SETTLED_S
            return ListedFile(size, _mark(name, info[name]) if is_settled else None)
    return ListedFile(size)


def _mark(*facts: object) -> int:
    """A number that is another where the facts are: 63 bits, which the cache takes."""
    return int.from_bytes(blake2b(repr(facts).encode(), digest_size=8).digest()) >> 1


def _seconds(moment: Any) -> float | None:
    """A time as listings have it, in seconds since 1970; None if it is not understood."""
    with suppress(ValueError, TypeError, OverflowError):
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime):
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return float(moment)
    return None


def _is_of_no_bytes(error: Exception) -> bool:
    """Of a file without bytes stores refuse any range of them (HTTP 416)."""
    return getattr(error, "status", 0) == 416 or "not satisfiable" in str(error)  # noqa: PLR2004


def _is_lasting(error: Exception) -> bool:
    """Whether it would fail again just the same."""
    return isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | ValueError
                      | TypeError | NotImplementedError) or _has_no_credentials(error)


def _has_no_credentials(error: Exception) -> bool:
    return any("Credential" in one.__name__ for one in type(error).__mro__) or (
        isinstance(error, PermissionError) and "expired" in str(error).lower())


def _is_unreachable(error: Exception) -> bool:
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror) or any(
        one.__name__ in _UNREACHABLE for one in type(error).__mro__)


def _failure(url: str, error: Exception) -> Exception:
    """What an error of a store's package means, without a secret that its text may hold."""
    if isinstance(error, UsageError):
        return error
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(2, "No such file or directory", shown(url))
    # A web address may be on any server, and one that is gone is no reason to stop.
    if parts_of(url)[0] not in WEB and (_has_no_credentials(error) or _is_unreachable(error)):
        return _refusal(url, error, "read")
    kind = PermissionError if isinstance(error, PermissionError) else OSError
    return kind(getattr(error, "errno", None) or 5, _said(error), shown(url))


def _refusal(url: str, error: Exception, what: str) -> StoreLostError:
    if _has_no_credentials(error):
        told = "there are no credentials for it, or they have expired"
        advice = "Give some by the environment or the store's file of settings; see docs/remote.md."
    elif _is_unreachable(error):
        told, advice = "the store does not answer", "Look to the network and the endpoint."
    else:
        told, advice = "the store cannot be used", "See docs/remote.md."
    return StoreLostError(f"{shown(url)} cannot be {what}: {told} ({_said(error)}). {advice}")


def _said(error: Exception) -> str:
    text = _URL_IN_TEXT.sub(lambda found: shown(found[0]), str(error))
    return f"{type(error).__name__}: {' '.join(text.split())[:_LONGEST]}"
