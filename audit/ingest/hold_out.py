"""Images held out before anything else, for a figure that nothing saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST = "test"
MOST_SHARE = 0.9


def hold_out(manifest: pd.DataFrame, wanted: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the manifest into what is audited and what is held out.

    A share is taken of each class of the images that are in no val or test split; images of one
    group stay together. They are named `test` as their split.

    Args:
        manifest: schema `tables.MANIFEST`.
        wanted: the name of a split, or a share between 0 and 0.9, as in "0.2".
        seed: of the choice.

    Raises:
        UsageError: there is no such split, nothing would be left, or it is no share.
    """
    try:
        share = float(wanted)
    except ValueError:
        held = (manifest["split"] == wanted).to_numpy()
        if not held.any():
            known = ", ".join(sorted({one for one in manifest["split"] if one})) or "none"
            raise UsageError(f'--hold-out must be a split or a share such as 0.2. There is no '
                             f'split "{wanted}" (splits: {known}).') from None
    else:
        if not 0 < share <= MOST_SHARE:
            raise UsageError(f"--hold-out must be above 0 and at most {MOST_SHARE}. "
                             f"Got {wanted} instead.")
        held = _choose(manifest, share, seed)
    if held.all() or not held.any():
        raise UsageError(f"--hold-out {wanted} would leave {(~held).sum():,} images to audit and "
                         f"{held.sum():,} held out. Both are needed.")
    taken = manifest[held].reset_index(drop=True)
    taken["split"] = pd.Series([TEST] * len(taken), dtype=object)
    return manifest[~held].reset_index(drop=True), taken


def _choose(manifest: pd.DataFrame, share: float, seed: int) -> NDArray[np.bool_]:
    """A share of each class, by groups in random order."""
    random = np.random.default_rng(seed)
    free = ~manifest["split"].isin(["val", TEST]).to_numpy()
    group = np.where(manifest["group"] != "", "g" + manifest["group"],
                     "i" + manifest["image_id"]).astype(object)
    held = np.zeros(len(manifest), bool)
    labels = manifest["given_label"].to_numpy()
    for label in sorted(set(labels[free])):
        own = free & (labels == label)
        wanted = min(round(share * own.sum()), own.sum() - 1)  # a class keeps an image
        names = np.array(sorted(set(group[own])), object)
        for name in names[random.permutation(len(names))]:
            if (held & own).sum() >= wanted:
                break
            held |= free & (group == name)
    return held
