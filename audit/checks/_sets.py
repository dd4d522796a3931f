"""Sets of images that are the same picture, from the pairs of the representation stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.types import Evidence

SAME = ("file", "pixels")
_KINDS = (*SAME, "near")
"""From the strongest link to the weakest."""

_WEAKNESS = {kind: weakness for weakness, kind in enumerate(_KINDS)}
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
    links = pairs.assign(weakness=pairs["kind"].map(_WEAKNESS)).groupby(
        member[pairs["row_a"].to_numpy()])
    weakest, similarity = links["weakness"].max(), links["similarity"].min()
    names = evidence.images["image_id"].to_numpy()
    rows = np.unique(pairs[["row_a", "row_b"]])
    rows = rows[np.argsort(names[rows], kind="stable")]
    # Sets are numbered by the first of their names, and images stand by set, then by name.
    number, known = pd.factorize(member[rows])
    rows = rows[np.argsort(number, kind="stable")]
    ends = np.cumsum(np.bincount(number)).tolist()
    for start, end, kind, least in zip([0, *ends], ends, weakest[known].tolist(),
                                       similarity[known].tolist(), strict=False):
        own = rows[start:end]
        yield ImageSet(tuple(own.tolist()), tuple(names[own].tolist()), _KINDS[kind], least)
