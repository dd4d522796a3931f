"""Pairs of perceptual hashes that differ in few bits, without comparing each with each.

Multi-index hashing (Norouzi, Punjani & Fleet, "Fast exact search in Hamming space with multi-index
hashing", 2014): the 64 bits are dealt out to three bands. Of two hashes that differ in at most 8
bits, at least one band differs in at most 2 (if each differed in 3 or more, it would be 9). So each
hash is compared with those that have one of the 232 to 254 nearby values in a band, and no others.
Exact, and for a million hashes that are spread like those of photos a thousandth of the work.

Where pictures look alike so much that a hash says little (scans, frames of one scene), there are
more pairs than can be looked at. Then each hash is compared with the nearest ones only, and only a
few images of the same hash with others: see `MOST_PAIRS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Alike = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]

MOST_PAIRS = 10_000_000
"""Pairs of images up to which all are given. Their pictures are compared after this, at about two
microseconds a pair; and of a million photos, by the share of pairs among 10,000 photos of CIFAR-10
that are within 8 bits (9 in 10 million), there are half a million."""

NEAREST = 10
"""Hashes that a hash is compared with where there are more pairs, the nearest ones: as many as an
image has neighbours by its embedding."""

OF_ONE_HASH = 4
"""Images of a hash that are compared with those of other hashes where there are more pairs, and
following images of its own hash that each image is compared with: so many that a chain of copies
holds together though some links are not confirmed."""

MOST_LOOKED_AT = 5_000_000_000
"""Hashes that share a band and are compared, at 10 to 20 ns; with more, the radius is lowered until
there are no more."""

BRUTE_FORCE_TO = 5_000
"""Hashes up to which comparing each with each is no slower than filling the tables."""

_BITS, _BANDS = 64, 3
_BLOCK = 512
_QUERIES = 2_048
_CANDIDATES = 4_000_000


def pairs_within(hashes: Hashes, radius: int) -> tuple[Rows, Rows]:
    """Pairs of images whose hashes differ in at most `radius` bits.

    All pairs, as long as these are no more than `MOST_PAIRS`; else see `NEAREST`, `OF_ONE_HASH`.

    Returns:
        Rows `(m,)` of the first and of the second image of each pair, the first the smaller;
        sorted by the first, then by the second.
    """
    count = max(len(hashes), 1)
    unique, own, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    images = _ImagesOfHash(np.argsort(own, kind="stable"), np.cumsum(sizes) - sizes, sizes)
    total = int((sizes * (sizes - 1) // 2).sum())
    found: list[Alike] = []
    for alike in _alike(unique, radius):
        total += int((sizes[alike[0]] * sizes[alike[1]]).sum()) // 2  # found from both ends
        found.append(alike if total <= MOST_PAIRS else _nearest(alike))
    most = count
    if total > MOST_PAIRS:
        most, found = OF_ONE_HASH, [_nearest(one) for one in found]
    codes = [images.of_one_hash(most),
             *(images.of_two_hashes(query, other, most) for query, other, _ in found)]
    pairs = np.unique(np.concatenate(codes))
    return pairs // count, pairs % count


@dataclass(frozen=True)
class _ImagesOfHash:
    """Which images have a hash: `sizes[hash]` of them, from `starts[hash]` in `rows` on."""

    rows: Rows
    starts: Rows
    sizes: Rows

    def of_one_hash(self, most: int) -> Rows:
        """Codes of the pairs of each image and the next `most` of its own hash."""
        total = len(self.rows)
        ends = np.repeat(self.starts + self.sizes, self.sizes)
        following = np.minimum(ends - np.arange(total) - 1, most)
        first, step = _counted(following)
        return self._codes(first, first + 1 + step)

    def of_two_hashes(self, query: NDArray[np.int32], other: NDArray[np.int32], most: int,
                      ) -> Rows:
        """Codes of the pairs of the first `most` images of each of two hashes."""
        across = np.minimum(self.sizes[other], most)
        pair, step = _counted(np.minimum(self.sizes[query], most) * across)
        along, across = np.divmod(step, across[pair])
        return self._codes(self.starts[query[pair]] + along, self.starts[other[pair]] + across)

    def _codes(self, first: Rows, second: Rows) -> Rows:
        """One number for each pair of places in `rows`, which sorts as the pair does."""
        rows = self.rows[first], self.rows[second]
        return np.asarray(np.minimum(*rows) * len(self.rows) + np.maximum(*rows))


def _counted(times: Rows) -> tuple[Rows, Rows]:
    """Each place of `times` so many times, and which time it is, from 0 on."""
    places = np.repeat(np.arange(len(times)), times)
    return places, np.arange(len(places)) - np.repeat(np.cumsum(times) - times, times)


def _nearest(alike: Alike) -> Alike:
    """The `NEAREST` others of each query; all others of a query must be there."""
    query, other, distance = alike
    order = np.lexsort((other, distance, query))
    query, other, distance = query[order], other[order], distance[order]
    begins = np.flatnonzero(np.r_[True, query[1:] != query[:-1]]) if len(query) else order
    place = np.arange(len(query)) - np.repeat(begins, np.diff(np.r_[begins, len(query)]))
    kept = place < NEAREST
    return query[kept], other[kept], distance[kept]


def _alike(hashes: Hashes, radius: int) -> Iterator[Alike]:
    """Places of hashes and of all others within the radius, and in how many bits they differ.

    All others of a place come at once; so each pair comes twice.

    Args:
        hashes: sorted, none twice.
        radius: in bits.
    """
    if len(hashes) <= BRUTE_FORCE_TO:
        yield from _compare_all(hashes, radius)
        return
    tables = [_Band.of(hashes, number) for number in range(_BANDS)]
    while True:
        # Of the bands of two hashes within the radius not each can differ in more than these.
        reaches = [(radius - number) // _BANDS for number in range(_BANDS)]
        candidates = np.zeros(len(hashes), np.int64)
        for table, reach in zip(tables, reaches, strict=True):
            table.count(reach, candidates)
        if candidates.sum() <= MOST_LOOKED_AT or radius == 0:
            break
        radius -= 1
    ends = np.cumsum(candidates)
    start = 0
    while start < len(hashes):
        done = ends[start - 1] if start else 0
        stop = min(int(np.searchsorted(ends, done + _CANDIDATES)), start + _QUERIES)
        stop = max(stop, start + 1)
        yield _search(hashes, tables, reaches, radius, np.arange(start, min(stop, len(hashes))))
        start = stop


def _compare_all(hashes: Hashes, radius: int) -> Iterator[Alike]:
    for start in range(0, len(hashes), _BLOCK):
        distance = np.bitwise_count(hashes[start:start + _BLOCK, None] ^ hashes[None, :])
        query, other = np.nonzero(distance <= radius)
        apart = query + start != other
        query, other = query[apart], other[apart]
        yield (query + start).astype(np.int32), other.astype(np.int32), distance[query, other]


def _search(hashes: Hashes, tables: Sequence[_Band], reaches: Sequence[int], radius: int,
            queries: Rows) -> Alike:
    """All others within the radius of some hashes, each once."""
    parts: list[Alike] = []
    for number, (table, reach) in enumerate(zip(tables, reaches, strict=True)):
        query, other = table.candidates(queries, reach)
        different = hashes[query] ^ hashes[other]
        distance = np.bitwise_count(different)
        kept = np.flatnonzero((distance <= radius) & (different != 0))
        query, other, different = query[kept], other[kept], different[kept]
        is_new = np.ones(len(query), bool)
        for earlier, its_reach in zip(tables[:number], reaches[:number], strict=True):
            is_new &= np.bitwise_count(different & earlier.bits) > its_reach
        parts.append((query[is_new].astype(np.int32), other[is_new].astype(np.int32),
                      distance[kept][is_new]))
    return (np.concatenate([one for one, _, _ in parts]),
            np.concatenate([one for _, one, _ in parts]),
            np.concatenate([one for _, _, one in parts]))


@dataclass(frozen=True)
class _Band:
    """Every third bit of the hashes, and which hashes have a value there.

    Neighbouring bits are of neighbouring frequencies and go together: dealt out in turn, the values
    of a band are spread more evenly.

    Attributes:
        bits: of a hash that are in the band.
        values: `(n,)` of each hash.
        order: `(n,)` places of the hashes, sorted by value.
        starts: `(2**width + 1,)` where a value begins in `order`.
    """

    bits: np.uint64
    width: int
    values: NDArray[np.int32]
    order: NDArray[np.int32]
    starts: NDArray[np.int32]

    @classmethod
    def of(cls, hashes: Hashes, number: int) -> _Band:
        places = range(number, _BITS, _BANDS)
        values = np.zeros(len(hashes), np.int32)
        for target, place in enumerate(places):
            values |= ((hashes >> np.uint64(place)) & np.uint64(1)).astype(np.int32) << target
        sizes = np.bincount(values, minlength=2**len(places))
        return cls(np.uint64(sum(1 << place for place in places)), len(places), values,
                   np.argsort(values, kind="stable").astype(np.int32),
                   np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))

    def count(self, reach: int, candidates: Rows) -> None:
        """Add to each hash how many have a value near its own."""
        sizes, values = np.diff(self.starts), self.values[self.order]
        found = np.zeros(len(values), np.int64)
        for change in _changes(self.width, reach):
            found += sizes[values ^ change]
        candidates[self.order] += found

    def candidates(self, queries: Rows, reach: int) -> tuple[Rows, NDArray[np.int32]]:
        """Some hashes, each as often as others have a value near its own, and these others."""
        near = (self.values[queries][:, None] ^ _changes(self.width, reach)[None, :]).ravel()
        starts = self.starts[near]
        sizes = self.starts[near + 1] - starts
        filled = np.flatnonzero(sizes)
        place, step = _counted(sizes[filled])
        place = filled[place]
        query = queries[place // (len(near) // len(queries))]
        return query, self.order[starts[place] + step]


def _changes(width: int, reach: int) -> NDArray[np.int32]:
    """Numbers of `width` bits of which at most `reach` are set; none for a reach below 0."""
    return np.array([sum(1 << bit for bit in bits) for count in range(reach + 1)
                     for bits in combinations(range(width), count)], np.int32)
