"""Sets of images that are the same picture, from the pairs of the representation stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit.types import Evidence

SAME = ("file", "pixels")
HOW = {"file": "the same file", "pixels": "the same pixels", "near": "nearly the same picture"}


@dataclass(frozen=True)
class ImageSet:
    """Rows of images linked by pairs, by image_id; the weakest link's kind and similarity."""

    rows: tuple[int, ...]
    names: tuple[str, ...]
    kind: str
    similarity: float


def image_sets(evidence: Evidence, kinds: tuple[str, ...] = (*SAME, "near")) -> Iterator[ImageSet]:
    """Connected sets over the pairs of these kinds, in the order of their first image_id."""
    if evidence.pairs is None:
        return
    pairs = evidence.pairs[evidence.pairs["kind"].isin(kinds)]
    if pairs.empty:
        return
    count = len(evidence.images)
    edges = coo_matrix((np.ones(len(pairs)), (pairs["row_a"], pairs["row_b"])), (count, count))
    member = connected_components(edges, directed=False)[1]
    names = evidence.images["image_id"].to_numpy()
    found = [_make_set(links, names) for _, links in
             pairs.groupby(member[pairs["row_a"].to_numpy()], sort=False)]
    yield from sorted(found, key=lambda one: one.names)


def _make_set(links: pd.DataFrame, names: np.ndarray) -> ImageSet:
    rows = sorted({*links["row_a"], *links["row_b"]}, key=lambda row: names[row])
    weakest = "near" if (links["kind"] == "near").any() else (
        "pixels" if (links["kind"] == "pixels").any() else "file")
    return ImageSet(tuple(int(row) for row in rows), tuple(str(names[row]) for row in rows),
                    weakest, float(links["similarity"].min()))
