"""Probabilities and embeddings of the user's own model, read from a file and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

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
    sums = values[given].sum(axis=1)
    if (values[given] < 0).any() or (np.abs(sums - 1) > SUM_TOLERANCE).any():
        message = (f"{path} must hold probabilities of 0 to 1 whose rows sum to 1. "
                   f"Got rows that sum to {sums.min():.4g} to {sums.max():.4g} instead.")
        raise UsageError(message)
    values[given] /= sums[:, None]
    values[~given] = np.nan
    return values


def read_embeddings(path: Path, image_ids: pd.Series, readable: NDArray[np.bool_],
                    ) -> NDArray[np.float32]:
    """Read a `.npy` of one row an image in the order of images.parquet, or a table by `image_id`.

    Returns:
        `(n, d)` float32, NaN for images that are not readable.

    Raises:
        UsageError: the rows do not fit the images.
    """
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, allow_pickle=False).astype(np.float32)
        except (OSError, ValueError) as error:
            message = f"{path} cannot be read as an array ({error}). Give a .npy of numbers."
            raise UsageError(message) from error
        if values.ndim != 2 or len(values) != len(image_ids):  # noqa: PLR2004
            message = (f"{path} must have one row for each of the {len(image_ids)} images, in the "
                       f"order of images.parquet. Got shape {values.shape} instead.")
            raise UsageError(message)
    else:
        values = _numbers(path, _by_image(path, image_ids, readable)).astype(np.float32)
    if not np.isfinite(values[readable]).all():
        message = f"{path} must hold finite numbers for each readable image."
        raise UsageError(message)
    values[~readable] = np.nan
    return values


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
    table["image_id"] = table["image_id"].astype(str)
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
        return table.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        message = f"{path} must hold numbers ({error})."
        raise UsageError(message) from error
