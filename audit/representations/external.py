"""Probabilities and embeddings of the user's own model, read from a file and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.errors import UsageError
from audit.representations.embed import Embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.imagestore import Looks

SUM_TOLERANCE = 1e-3


def read_probabilities(path: Path, image_ids: pd.Series, readable: NDArray[np.bool_],
                       classes: Sequence[str]) -> NDArray[np.float64]:
    """Read a CSV or Parquet table with `image_id` and one column a class.

    Returns:
        `(n, classes)` in the order of `image_ids`, rows sum to 1, NaN for images without a row.

    Raises:
        UsageError: a class or a readable image is missing, or rows are not probabilities.
    """
    table = _by_image(path, image_ids, readable)
    missing = [name for name in classes if name not in table.columns]
    if missing:
        message = (f"{path} must have a column for each class. Missing: {', '.join(missing[:5])}"
                   f"{' ...' if len(missing) > 5 else ''}.")  # noqa: PLR2004
        raise UsageError(message)
    values = _numbers(path, table[list(classes)])
    given = np.isfinite(values).all(axis=1)
    if (readable & ~given).any():
        absent = image_ids[readable & ~given]
        message = (f"{path} must hold a probability of each class for each readable image. "
                   f'{len(absent)} have gaps, such as "{absent.iloc[0]}".')
        raise UsageError(message)
    sums = values[given].sum(axis=1)
    if (values[given] < 0).any() or (np.abs(sums - 1) > SUM_TOLERANCE).any():
        message = (f"{path} must hold probabilities of 0 to 1 whose rows sum to 1. "
                   f"Got values from {values[given].min():.4g} and rows that sum to "
                   f"{sums.min():.4g} to {sums.max():.4g} instead.")
        raise UsageError(message)
    values[given] /= sums[:, None]
    values[~given] = np.nan
    return values


class GivenEmbeddings:
    """A backbone that looks up embeddings instead of computing them."""

    name = "given"
    tensor_size = 48
    """Only duplicates are confirmed on tensors then, at 32 px."""

    extractor = None
    fine_tuner = None

    def __init__(self, path: Path, image_ids: pd.Series) -> None:
        """Read a `.npy` of one row an image in the order of images.parquet, or a table.

        Raises:
            UsageError: the rows do not fit the images.
        """
        self.description = f"a kernel classifier on your own embeddings ({path.name})"
        self._path = path
        self._image_ids = image_ids
        self._values = _read_embeddings(path, image_ids)

    def embed(self, looks: Looks, rows: NDArray[np.int64], seed: int,
              advance: Callable[[int], None]) -> Embeddings:
        """Embeddings of readable images `rows`, each column brought to mean 0 and deviation 1.

        Raises:
            UsageError: one of them has none.
        """
        del seed
        places = looks.pictures.places(rows)  # the file is in the order of the manifest
        chosen = self._values[places]
        bad = ~np.isfinite(chosen).all(axis=1)
        if bad.any():
            absent = self._image_ids.iloc[places[bad][0]]
            message = (f"{self._path} must hold finite numbers for each readable image. "
                       f'{int(bad.sum())} have none, such as "{absent}".')
            raise UsageError(message)
        advance(len(rows))
        deviation = chosen.std(axis=0)
        return Embeddings(np.asarray((chosen - chosen.mean(axis=0)) / (deviation + 1e-6)))


def _read_embeddings(path: Path, image_ids: pd.Series) -> NDArray[np.float32]:
    if path.suffix.lower() == ".npy":
        values = _read_array(path)
    else:
        table = _by_image(path, image_ids, np.zeros(len(image_ids), bool))
        values = _numbers(path, table).astype(np.float32)
    if values.ndim != 2 or len(values) != len(image_ids) or not values.size:  # noqa: PLR2004
        message = (f"{path} must have one row for each of the {len(image_ids)} images, in the "
                   f"order of images.parquet. Got shape {values.shape} instead.")
        raise UsageError(message)
    return values


def _read_array(path: Path) -> NDArray[np.float32]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, EOFError, TypeError, ValueError) as error:
        message = f"{path} cannot be read as an array ({error}). Give a .npy of numbers."
        raise UsageError(message) from error


def _by_image(path: Path, image_ids: pd.Series, readable: NDArray[np.bool_]) -> pd.DataFrame:
    try:
        table = (pd.read_parquet(path) if path.suffix.lower() == ".parquet"
                 else pd.read_csv(path, dtype={"image_id": str}, keep_default_na=False,
                                  na_values=[""]))
    except (OSError, ValueError, pd.errors.ParserError) as error:
        message = f"{path} cannot be read as a table ({' '.join(str(error).split())[:120]})."
        raise UsageError(message) from error
    if "image_id" not in table.columns:
        message = (f"{path} must have a column image_id. "
                   f"Got {', '.join(map(str, table.columns[:8]))} instead.")
        raise UsageError(message)
    known = set(image_ids)
    table["image_id"] = [  # as images.csv has it, with the apostrophe that spreadsheets need
        name[1:] if name not in known and name.startswith("'") else name
        for name in table["image_id"].astype(str)]
    if table["image_id"].duplicated().any():
        message = f"{path} must have one row an image. Got image_ids more than once."
        raise UsageError(message)
    table = table.set_index("image_id").reindex(image_ids)
    absent = image_ids[readable & table.isna().all(axis=1).to_numpy()]
    if len(absent):
        message = (f"{path} has no row for {len(absent)} of the readable images, "
                   f'such as "{absent.iloc[0]}". The image_ids are those of images.csv.')
        raise UsageError(message)
    return table.rename(columns=str)


def _numbers(path: Path, table: pd.DataFrame) -> NDArray[np.float64]:
    try:
        return table.to_numpy(np.float64, copy=True)  # what pandas lends is read-only
    except (TypeError, ValueError) as error:
        message = f"{path} must hold numbers ({error})."
        raise UsageError(message) from error
