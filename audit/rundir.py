"""The only code that writes a run's files; `audit.stored_run` is the only one that reads them.

Each file is written under a temporary name, flushed to disk and renamed, so that it is there whole
or not at all. `run.json` comes last: a folder without it is not a finished run.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

RUN_FILE = "run.json"
RESULTS = (RUN_FILE, "summary.json", "report.html", "images.parquet", "images.csv",
           "measures.parquet", "findings.parquet", "findings.csv", "pred_probs.parquet",
           "embeddings.npy", "held_out.parquet")
"""All that a run writes; `run.json` is written last and removed first."""

_WORK = ".work-"
_AT_ONCE = 4_096
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class RunDir:
    """A folder that one run writes. Created on first use; see `discard` for a run that failed."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is written yet."""
        self.path = path
        self._has_begun = False
        self._new_folders = [one for one in (path, *path.parents) if not one.exists()]

    def work_folder(self) -> Path:
        """A folder for files of this run only, beside its results. See `clear_work`."""
        self.path.mkdir(parents=True, exist_ok=True)
        work = self.path / f"{_WORK}{os.getpid()}"
        work.mkdir()
        return work

    def clear_work(self) -> None:
        """Remove work folders: this run's, and those of runs into this folder that were killed."""
        for left in self.path.glob(f"{_WORK}*"):
            owner = left.name.removeprefix(_WORK)
            if owner == str(os.getpid()) or not is_running(owner):
                shutil.rmtree(left, ignore_errors=True)

    def begin(self) -> None:
        """Remove the results of an earlier run into this folder: none may stand beside this one's.

        `run.json` goes first, so that what is left is never taken for a finished run.
        """
        self._has_begun = True
        for name in RESULTS:
            (self.path / name).unlink(missing_ok=True)

    def discard(self) -> None:
        """Leave nothing behind of a run that failed: its files go, then the folders it made."""
        self.clear_work()
        if self._has_begun:  # else what is there is not ours
            for name in RESULTS:
                (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # one that holds files stays, and those above it
            for folder in self._new_folders:
                folder.rmdir()

    def write(self, name: str, content: bytes) -> Path:
        """Write one file atomically."""
        with self._opened(name) as file:
            file.write(content)
        return self.path / name

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        """A file to be written piece by piece, there under its name only when it is whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{name}.{os.getpid()}.tmp"
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        finally:
            temporary.unlink(missing_ok=True)

    def write_json(self, name: str, content: object) -> Path:
        """Write JSON, indented, with NaN as null."""
        text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
        return self.write(name, _encoded(text + "\n"))

    def write_table(self, stem: str, table: pd.DataFrame, *, csv: bool = True) -> None:
        """Write `stem.parquet` and, unless told not to, `stem.csv`."""
        with self._opened(f"{stem}.parquet") as file:
            table.to_parquet(file, index=False)
        if csv:
            self.write(f"{stem}.csv", _encoded(safe_csv(table)))

    def write_array(self, name: str, array: NDArray[np.floating],
                    rows: NDArray[np.int64] | None = None) -> None:
        """Write an array as a `.npy` file, its rows in another order if one is given.

        The array is not copied whole for that.
        """
        rows = np.arange(len(array)) if rows is None else rows
        about = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False,
                 "shape": (len(rows), *array.shape[1:])}
        with self._opened(name) as file:
            np.lib.format.write_array_header_2_0(file, about)
            for begin in range(0, len(rows), _AT_ONCE):
                file.write(array[rows[begin:begin + _AT_ONCE]].tobytes())

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Write a `.npz` file."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        self.write(name, buffer.getvalue())

    def point_latest(self) -> None:
        """Let the link `latest` beside this folder lead to it."""
        link = self.path.parent / "latest"
        temporary = self.path.parent / f".latest.{os.getpid()}.tmp"
        with suppress(OSError):  # a file system without links has no `latest`
            temporary.unlink(missing_ok=True)
            try:
                temporary.symlink_to(self.path.name, target_is_directory=True)
                temporary.replace(link)
            finally:
                temporary.unlink(missing_ok=True)


def safe_csv(table: pd.DataFrame) -> str:
    """CSV that a spreadsheet shows and does not run.

    A text cell that begins like a formula gets a leading apostrophe (OWASP, "CSV Injection").
    """
    safe = table.copy()
    has_bare_return = False
    for name in safe.columns:
        if safe[name].dtype.kind not in "iufb":
            safe[name] = safe[name].map(_safe_cell)
            has_bare_return |= any("\r" in cell for cell in safe[name] if isinstance(cell, str))
    # The writer leaves a cell with a carriage return unquoted, and a spreadsheet begins a line,
    # and with it a cell, there.
    return str(safe.to_csv(
        index=False, lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if has_bare_return else csv.QUOTE_MINIMAL))


def _safe_cell(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def _encoded(text: str) -> bytes:
    r"""UTF-8; a byte of a path that is not, which Python holds as a surrogate, as `\udcNN`."""
    return text.encode("utf-8", "backslashreplace")


def is_running(pid: str) -> bool:
    """Whether a process of this number runs: what it left half-done is then not to be cleared."""
    try:
        os.kill(int(pid), 0)
    except PermissionError:  # it runs, for somebody else
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _plain(value: Any) -> Any:
    """Values as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    return value
