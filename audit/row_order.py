"""An order of images that does not hang on their names.

What is drawn at random, which folds, which images a kernel is approximated from, follows the order
of the rows, and with it which labels are suspected at the margin. In this order a renamed file
changes nothing of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def content_order(images: pd.DataFrame) -> NDArray[np.int64]:
    """Rows of images by the hashes of their files, `(n,)`.

    Copies of a file are told apart by label and split, and then by name: their names then make no
    difference either. Files that were not read have no hash and come first, by name.

    Args:
        images: with `file_sha256`, `given_label`, `split` and `image_id`.
    """
    order = images.sort_values(["file_sha256", "given_label", "split", "image_id"],
                               kind="stable").index.to_numpy()
    return np.asarray(order, np.int64)


def back(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order that takes an order back: `rows[order][back(order)]` are the rows."""
    found = np.empty_like(order)
    found[order] = np.arange(len(order))
    return found
