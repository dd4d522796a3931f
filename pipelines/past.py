"""What earlier audits found of the same files and the same data, to be reused.

Three things are kept: the hash of a file by its path, size and time of change, or, of one in a
store, by whatever its listing tells that changes with the content; what was measured of a file by
its hash; and what was found of a whole dataset by the hashes, labels, splits and
groups of its images. Keys hold whatever else the result hangs on: settings, versions of the
libraries, and the source of this project.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import audit
from audit.cache import MOST_OF_ONE, Store, cache_bound, cache_folder, key_of
from audit.image_results import ImageResult
from audit.measures import extension_of, hash_of_file
from audit.places import is_remote
from audit.representations import choose_runtime, find_effort, runtime_kind
from audit.row_order import content_order
from pipelines.settings import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from audit.representations.inference import Converted
    from audit.types import ListedFile
    from pipelines.settings import Settings

SETTLED_NS = 2 * 10**9
"""A file that was changed less than this before it was looked at may change again without its time
of change telling: its hash is not kept (as git does with "racily clean" entries)."""

ABOUT, NETWORK, MEASURES, ACTIVATIONS, EMBEDDING, ALIKE, PROBABILITIES, CURVE, GAINS = (
    "about", "network", "measures", "activations", "embedding", "alike", "probabilities", "curve",
    "gains")
WORDS = {ABOUT: "what was chosen", NETWORK: "networks, converted",
         MEASURES: "measures and thumbnails", ACTIVATIONS: "activations of the network",
         EMBEDDING: "embeddings", ALIKE: "neighbours and duplicates",
         PROBABILITIES: "out-of-fold probabilities", CURVE: "learning curves",
         GAINS: "gains of the fixes"}
"""Kind of entry → what it holds."""

OF_PIXELS = (EMBEDDING, ALIKE)
"""What is computed from the pictures, and hangs on no label."""

_LIBRARIES = ("tensorflow", "keras", "cleanlab", "numpy", "pandas", "scikit-learn", "scipy",
              "pillow", "simplejpeg", "opencv-python-headless")
_AT_ONCE = 1_000
_SAMPLE = 64
"""Files that are hashed to find out whether files were renamed, about."""

_PASSING = {"missing", "timeout", "crash", "bomb"}
"""Kinds of failure that are not the file's: it is tried again."""


@dataclass(frozen=True)
class About:
    """What an audit chose before it looked at a picture.

    Attributes:
        backbone: its name.
        description: the model in words.
        tensor_size: side of the pictures it reads, which measures hang on.
        notes: for the user.
    """

    backbone: str
    description: str
    tensor_size: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """How pictures are looked at, which what is found of each hangs on.

    Attributes:
        tensor_size: side of the largest pictures that are kept for the network.
        network: key of the network that describes them; empty for none, or for whatever it said.
    """

    tensor_size: int
    network: str = ""

    def keys(self, sha: str, extension: str) -> list[bytes]:
        """Keys of what is kept of a file: measures, and activations if there is a network."""
        file = (_program(), sha, extension, self.tensor_size)
        return [key_of(MEASURES, *file),
                *([key_of(ACTIVATIONS, *file, self.network)] if self.network else [])]


class Fingerprint(NamedTuple):
    """Keys of a dataset under the settings of an audit.

    Attributes:
        pictures: of the contents of its files.
        whole: of these with labels, by the order of their names, splits and groups: classes that
            are renamed and keep their order are the same to all that is computed.
    """

    pictures: bytes
    whole: bytes

    def of(self, kind: str) -> bytes:
        """What an entry of a kind hangs on."""
        return self.pictures if kind in {ABOUT, *OF_PIXELS} else self.whole


@dataclass
class Past:
    """The cache as one audit uses it. Without a store nothing is found and nothing is kept.

    Attributes:
        store: None with `--no-cache`.
        reused: what was, in words.
    """

    store: Store | None
    settings: Settings
    reused: list[str] = field(default_factory=list)
    _files: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _settled: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, settings: Settings) -> Past:
        """The past of an audit; none with `--no-cache`, or where the cache may hold no byte."""
        bound = cache_bound()
        return cls(Store(cache_folder(), bound) if settings.cache and bound else None, settings)

    @property
    def problem(self) -> str:
        """What is wrong with the cache; empty if nothing, or if there is none."""
        return "" if self.store is None else self.store.problem

    def hashes(self, paths: Sequence[str], listed: Mapping[str, ListedFile]) -> list[str]:
        """SHA-256 of each file that is known to be as it was; empty for the others.

        Files are looked at now, before they are read: what changes later is another file.

        Args:
            paths: of the files, or URLs.
            listed: what a listing has told of those in a store.
        """
        self._files = {}
        self._settled = set()
        self._look_at_stored(listed)
        self._look_at_disk([path for path in paths if not is_remote(path)])
        if self.store is None:
            return [""] * len(paths)
        known = self.store.hashes((path, *facts) for path, facts in self._files.items())
        return [known.get(os.fsencode(path), "") for path in paths]

    def _look_at_disk(self, paths: Sequence[str]) -> None:
        settled = time.time_ns() - SETTLED_NS
        for path in paths:
            encoded = os.fsencode(path)
            try:
                facts = os.stat(encoded)
            except (OSError, ValueError):
                continue
            self._files[encoded] = facts.st_size, facts.st_mtime_ns
            if facts.st_mtime_ns < settled:
                self._settled.add(encoded)

    def _look_at_stored(self, listed: Mapping[str, ListedFile]) -> None:
        """Files of which nothing was told that changes with them are read each time."""
        for path, told in listed.items():
            if told.mark is not None:
                self._files[os.fsencode(path)] = told.bytes, told.mark
                self._settled.add(os.fsencode(path))

    def keep_hashes(self, paths: Sequence[str], hashes: Sequence[str]) -> None:
        """Keep the hashes of files that were read after `hashes`.

        Of a file just changed it is kept that there is such a file, but not where.
        """
        if self.store is None:
            return
        kept = []
        for path, sha in zip(paths, hashes, strict=True):
            encoded = os.fsencode(path)
            if sha and encoded in self._settled:
                kept.append((encoded, *self._files[encoded], sha))
            elif sha:
                kept.append((b"\0" + sha.encode(), 0, 0, sha))  # which is no path
        self.store.remember(kept)

    def with_moved(self, paths: Sequence[str], hashes: Sequence[str],
                   advance: Callable[[float], None]) -> list[str]:
        """Hashes, with those of files that are not known by their paths: they may be renamed ones.

        They are read for that, unless none of a sample of them was seen before: new files are read
        once, when they are measured. So are those in a store.
        """
        found = list(hashes)
        rows = [row for row, sha in enumerate(hashes) if not sha and not is_remote(paths[row])]
        sample = rows[::max(1, len(rows) // _SAMPLE)]
        for some in (sample, rows):
            for row in some:
                if not found[row]:
                    found[row] = hash_of_file(paths[row])
                    advance(1)
            if self.store is None or not self.store.has_seen(found[row] for row in sample):
                break
        read = [row for row in rows if found[row]]
        self.keep_hashes([paths[row] for row in read], [found[row] for row in read])
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known, so that there is nothing to look for."""
        return self.store is None or self.store.is_empty

    def images(self, hashes: Sequence[str], paths: Sequence[str], look: Look,
               ) -> Iterator[tuple[int, ImageResult]]:
        """Row and results of the files of which all that is wanted is known, a part at a time.

        Args:
            hashes: SHA-256 of each file, empty where it is not known.
            paths: of the files.
            look: how they are looked at.
        """
        if self.store is None:
            return
        rows = [row for row, sha in enumerate(hashes) if sha]
        for start in range(0, len(rows), _AT_ONCE):
            keys = {row: look.keys(hashes[row], extension_of(paths[row]))
                    for row in rows[start:start + _AT_ONCE]}
            known = self.store.get({key for wanted in keys.values() for key in wanted})
            for row, wanted in keys.items():
                found = [known[key] for key in wanted if key in known]
                if len(found) == len(wanted):
                    yield row, ImageResult.decoded(*found)

    def keep_images(self, results: Sequence[ImageResult], paths: Sequence[str], look: Look,
                    ) -> None:
        """Keep the results of files that were read, and their hashes."""
        if self.store is None:
            return
        self.keep_hashes(paths, [one.measures["file_sha256"] for one in results])
        kept: dict[str, list[tuple[bytes, bytes]]] = {MEASURES: [], ACTIVATIONS: []}
        for one in results:
            told = one.measures
            if not told["file_sha256"] or told["problem_kind"] in _PASSING:
                continue
            values = (one.encoded(), one.activations)
            # Not all have activations: a file without pixels says so by having none.
            for kind, key, value in zip(kept, look.keys(told["file_sha256"], told["extension"]),
                                        values, strict=False):
                kept[kind].append((key, value))
        for kind, entries in kept.items():
            self.store.put(kind, entries)

    def reuse_images(self, count: int, total: int, look: Look) -> None:
        """Tell that so many of all images were not measured again."""
        if count:
            words = WORDS[MEASURES] + (f", {WORDS[ACTIVATIONS]}" if look.network else "")
            self.reused.append(words if count == total
                               else f"{words} of {count:,} of {total:,} images")

    def about(self, fingerprint: Fingerprint | None) -> About | None:
        """What was chosen for this dataset, if all that takes its pictures is there too."""
        if self.store is None or fingerprint is None:
            return None
        # The network is trained further on whole pictures, for these labels.
        tuned = (PROBABILITIES,) if find_effort(self.settings.effort).fine_tunes else ()
        keys = [key_of(kind, fingerprint.of(kind)) for kind in (*OF_PIXELS, *tuned)]
        if any(not self.store.get([key]) for key in keys):
            return None
        known = self._load(ABOUT, fingerprint.of(ABOUT))
        return None if known is None else known[0]

    def keep_about(self, fingerprint: Fingerprint | None, about: About) -> None:
        """Keep what was chosen."""
        if fingerprint is not None:
            self._save(ABOUT, fingerprint.of(ABOUT), (about,))

    def network(self, key: str, convert: Callable[[], Converted]) -> Converted:
        """A network as it was converted before, or is now."""
        whole = key_of(_program(), key)
        known: Converted | None = self._load(NETWORK, whole)
        if known is None:
            known = convert()
            self._save(NETWORK, whole, known)
        return known

    def once(self, kind: str, fingerprint: Fingerprint | None, compute: Callable[[], Any]) -> Any:
        """A result as it was computed before, else as it is computed now, and then kept."""
        key = None if fingerprint is None else fingerprint.of(kind)
        if kind == GAINS and key is not None:
            thresholds = json.dumps(self.settings.as_json()["thresholds"], sort_keys=True)
            key = key_of(key, thresholds, *sorted(self.settings.disabled))
        known = self._load(kind, key)
        if known is not None:
            self.reused.append(WORDS[kind])
            return known[0]
        value = compute()
        self._save(kind, key, (value,))
        return value

    def fingerprint(self, hashes: Sequence[str], manifest: pd.DataFrame) -> Fingerprint | None:
        """Keys of a dataset under these settings; None where not all of it can be told.

        That is where a file has no hash, and for a network or figures of the user's own.
        """
        asked = self.settings
        if self.store is None or not all(hashes) or asked.pred_probs or asked.embeddings or (
                ".py:" in asked.backbone or asked.backbone.endswith(".keras")):
            return None
        order = content_order(manifest.assign(file_sha256=list(hashes)))
        classes, codes = np.unique(manifest["given_label"].to_numpy(object), return_inverse=True)
        files = list(zip(hashes, map(extension_of, manifest["path"]), strict=True))
        labels = list(zip(codes.tolist(), manifest["split"], manifest["group"], strict=True))
        pictures = key_of(
            _program(), json.dumps([files[row] for row in order]), asked.backbone, asked.effort,
            asked.seed, len(classes) > 1, *_weights(asked.backbone),
            runtime_kind(choose_runtime(asked.runtime, len(files))), *_machine())
        return Fingerprint(pictures, key_of(
            pictures, json.dumps([labels[row] for row in order]), asked.folds))

    def _load(self, kind: str, key: bytes | None) -> Any:
        if self.store is None or key is None:
            return None
        whole = key_of(kind, key)
        value = self.store.get([whole]).get(whole)
        return None if value is None else pickle.loads(value)  # noqa: S301 - ours, its sum was checked

    def _save(self, kind: str, key: bytes | None, value: object) -> None:
        if self.store is None or key is None:
            return
        # Arrays are looked at first: one that is too large to be kept is not copied to find out.
        arrays: list[pickle.PickleBuffer] = []
        pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
        if sum(one.raw().nbytes for one in arrays) <= MOST_OF_ONE:
            self.store.put(kind, [(key_of(kind, key), pickle.dumps(value, protocol=5))])


@cache
def _program() -> str:
    """Source of the audit and versions of what it computes with: their results are others'."""
    digest = blake2b(digest_size=16)
    folder = Path(audit.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    digest.update(" ".join(version(name) for name in _LIBRARIES).encode())
    return digest.hexdigest()


def _machine() -> list[object]:
    """What else figures hang on, in their last digits or more: threads, and the index of faiss."""
    threads = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")]
    faiss = version("faiss-cpu") if find_spec("faiss") is not None else ""
    return [available_cores(), *threads, faiss]


def _weights(backbone: str) -> list[str]:
    """Files of weights at hand: with others, `auto` chooses otherwise."""
    if backbone == "patches":
        return []
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    try:
        return sorted(one.name for one in home.iterdir())
    except OSError:
        return []
