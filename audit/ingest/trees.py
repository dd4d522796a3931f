"""Folders as the ingest walks them: on a disk, or in a store that is listed beforehand."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from audit.errors import UsageError
from audit.formats import IMAGE_EXTENSIONS, SNIFF_BYTES, sniff
from audit.ingest.naming import is_hidden, printable
from audit.places import WEB
from audit.remote import THREADS, Entry, list_folder, read_file, refused

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from audit.places import Url
    from audit.types import ListedFile

_TAKEN_AT_THEIR_WORD = frozenset({
    ".txt", ".json", ".jsonl", ".xml", ".csv", ".tsv", ".parquet", ".npy", ".npz", ".md", ".html",
    ".yaml", ".yml", ".toml", ".pdf", ".zip", ".gz", ".tar", ".log"})
"""Extensions of files in a store that are not looked into: there may be one beside each image, and
each would take a request."""

NAMELESS = "its name has an empty part (//), which no file on a disk can have"


class Named(Protocol):
    """A file or folder: the last part of its path, and all of it."""

    @property
    def name(self) -> str:
        """The last part."""
        ...

    @property
    def path(self) -> str:
        """All of it, a path or URL."""
        ...


One = TypeVar("One", bound=Named)


class Tree(Protocol, Generic[One]):
    """What the walk asks of a tree of folders.

    Attributes:
        root: path or URL.
        listed: path → what was told of a file.
    """

    root: str
    listed: Mapping[str, ListedFile]

    def entries(self, folder: str) -> list[One]:
        """What is directly in a folder, by the bytes of its names. Raises OSError."""
        ...

    def is_folder(self, entry: One) -> bool:
        """Whether there may be more below."""
        ...

    def identity(self, folder: str) -> Hashable:
        """The same for one folder by whatever way it was reached."""
        ...

    def relative(self, path: str) -> str:
        """From the root, with slashes, printable."""
        ...

    def why_not_an_image(self, entry: One) -> str:
        """Empty for what the audit should look at, which a broken image is too."""
        ...


class LocalTree:
    """A folder on a disk; nothing is opened but files whose extension says nothing."""

    def __init__(self, root: Path) -> None:
        """Take the root; nothing is listed yet."""
        self.root = str(root)
        self.listed: Mapping[str, ListedFile] = {}

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        """See `Tree`."""
        with os.scandir(folder) as entries:
            return sorted(entries, key=_by_bytes)

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        """See `Tree`."""
        try:
            return entry.is_dir()
        except OSError:  # a link that leads to itself
            return False

    def identity(self, folder: str) -> Hashable:
        """See `Tree`."""
        facts = os.stat(folder)
        return facts.st_dev, facts.st_ino

    def relative(self, path: str) -> str:
        """See `Tree`."""
        return printable(os.path.relpath(path, self.root).replace(os.sep, "/"))

    def why_not_an_image(self, entry: os.DirEntry[str]) -> str:
        """See `Tree`."""
        is_named = _is_named_as_image(entry.name)
        try:
            mode = entry.stat().st_mode
        except OSError:  # a link to nothing: a missing image if it is named like one
            return "" if is_named else "a link to nothing"
        if not stat.S_ISREG(mode):
            return "not a regular file"
        if is_named:
            return ""
        try:
            with open(entry.path, "rb") as file:
                return _by_content(file.read(SNIFF_BYTES))
        except OSError as error:
            return f"cannot be opened: {error.strerror}"


class RemoteTree:
    """A folder in a store, listed whole: some folders at a time, without a request a file.

    The first bytes of files whose extension says nothing are read, as on a disk; but annotations,
    whatever they hold, are no images.
    """

    def __init__(self, root: Url) -> None:
        """List all that is not hidden.

        Raises:
            UsageError: the root cannot be listed.
        """
        if root.scheme in WEB:
            raise UsageError(f"{root} is on a web server, which has no listing to rely on. Give a "
                             "table of its images.")
        self.root = str(root)
        self._found: dict[str, list[Entry] | OSError] = {}
        self._reasons: dict[str, str] = {}
        with ThreadPoolExecutor(THREADS) as pool:
            level = [self.root]
            while level:
                self._found |= zip(level, pool.map(_listed, level), strict=True)
                level = [one.path for folder in level for one in self._known(folder)
                         if one.is_folder and one.name and not is_hidden(one.name)]
            at_root = self._found[self.root]
            if isinstance(at_root, OSError):
                raise refused(self.root, at_root) from at_root
            files = [one for folder in self._found for one in self._known(folder)
                     if not one.is_folder and not is_hidden(one.name)]
            self.listed: Mapping[str, ListedFile] = {one.path: one.told for one in files}
            unclear = [one for one in files if not _is_named_as_image(one.name)]
            self._reasons = dict(zip((one.path for one in unclear),
                                     pool.map(_why_not_an_image, unclear), strict=True))

    def _known(self, folder: str) -> list[Entry]:
        found = self._found[folder]
        return [] if isinstance(found, OSError) else found

    def entries(self, folder: str) -> list[Entry]:
        """See `Tree`."""
        found = self._found[folder]
        # Stores have no folders, only names: one that is empty may not be there at all.
        if isinstance(found, OSError) and not isinstance(found, FileNotFoundError):
            raise found
        return self._known(folder)

    def is_folder(self, entry: Entry) -> bool:
        """See `Tree`."""
        return entry.is_folder and bool(entry.name)

    def identity(self, folder: str) -> Hashable:
        """See `Tree`: stores have no links."""
        return folder

    def relative(self, path: str) -> str:
        """See `Tree`."""
        return printable(path.removeprefix(f"{self.root}/"))

    def why_not_an_image(self, entry: Entry) -> str:
        """See `Tree`."""
        return self._reasons.get(entry.path, "") if entry.name else NAMELESS


def _listed(folder: str) -> list[Entry] | OSError:
    try:
        return sorted(list_folder(folder), key=_by_bytes)
    except OSError as error:
        return error


def _why_not_an_image(entry: Entry) -> str:
    if os.path.splitext(entry.name)[1].lower() in _TAKEN_AT_THEIR_WORD:
        return "not an image"
    try:
        return _by_content(read_file(entry.path, SNIFF_BYTES) if entry.told.bytes else b"")
    except OSError as error:
        return f"cannot be opened: {error.strerror}"


def _by_content(head: bytes) -> str:
    return "" if sniff(head) else "not an image"


def _is_named_as_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


def _by_bytes(entry: Named) -> bytes:
    return os.fsencode(entry.name)


