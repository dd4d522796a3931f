"""Duplicate pairs among real pictures, measured as a run measures them."""

import io
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits, load_sample_images

from audit import tables
from audit.imagestore import TensorStore
from audit.measures import MeasureImage
from audit.representations import duplicates, hash_pairs
from audit.representations.duplicates import find_pairs, sets_of
from audit.representations.hash_pairs import pairs_within
from audit.types import Neighbours

TILE = 160


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@dataclass
class Measured:
    """Files written to a folder, and what one pass over them gives."""

    folder: object
    files: list = field(default_factory=list)

    def add(self, *contents):
        rows = []
        for content in contents:
            path = self.folder / f"{len(self.files):04d}.img"
            path.write_bytes(content)
            rows.append(len(self.files))
            self.files.append(path)
        return rows

    def measure(self):
        tensors = TensorStore.create(self.folder / "tensors.npy", len(self.files), 64)
        measure = MeasureImage(tensors)
        measures = [measure((row, str(path))).measures for row, path in enumerate(self.files)]
        return tables.make(tables.MEASURES, measures), tensors

    def pairs(self, neighbours=None):
        pairs = find_pairs(*self.measure(), neighbours)
        assert tables.problems(pairs, tables.PAIRS) == []
        assert (pairs["row_a"] < pairs["row_b"]).all()
        return pairs

    def found(self, neighbours=None):
        return {(row.row_a, row.row_b): row.kind for row in self.pairs(neighbours).itertuples()}


@pytest.fixture
def measured(tmp_path):
    return Measured(tmp_path)


@pytest.fixture(scope="module")
def tiles():
    """Distinct real pictures: parts of two photos that do not overlap, but for the plainest."""
    parts = [photo[top:top + TILE, left:left + TILE]
             for photo in load_sample_images().images
             for top in range(0, photo.shape[0] - TILE + 1, TILE)
             for left in range(0, photo.shape[1] - TILE + 1, TILE)]
    return [Image.fromarray(np.ascontiguousarray(part)) for part in parts
            if part.mean(axis=2).std() > 12]


def resized(tile):
    return encoded(tile.resize((120, 120), Image.Resampling.LANCZOS))


def recompressed(tile):
    return encoded(tile, "JPEG", quality=40)


def brightened(tile):
    return encoded(ImageEnhance.Brightness(tile).enhance(1.2))


def test_distinct_pictures_are_left_alone(measured, tiles):
    measured.add(*map(encoded, tiles))
    assert measured.found() == {}


@pytest.mark.parametrize("change", [resized, recompressed, brightened])
def test_changed_copies_are_near_duplicates(change, measured, tiles):
    rows = measured.add(*map(encoded, tiles))
    copies = measured.add(*map(change, tiles))
    found = measured.found()
    right = set(zip(rows, copies, strict=True))
    assert set(found) <= right
    assert set(found.values()) == {"near"}
    assert len(found) >= 0.9 * len(right)  # of the measurement beside HASH_RADIUS


def test_the_same_file_is_one_and_the_same_pixels_in_another_file_too(measured, tiles):
    first, = measured.add(encoded(tiles[0]))
    measured.add(*map(encoded, tiles[1:]))
    copy, bmp = measured.add(encoded(tiles[0]), encoded(tiles[0], "BMP"))
    assert measured.found() == {(first, copy): "file", (first, bmp): "pixels"}


def test_many_copies_are_as_many_pairs_and_near_ones_are_paired_with_the_first(measured, tiles):
    measured.add(*map(encoded, tiles[1:]))
    first, *copies = measured.add(*[encoded(tiles[0])] * 30)
    near, near_copy = measured.add(*[recompressed(tiles[0])] * 2)
    assert measured.found() == (
        {(first, copy): "file" for copy in copies}
        | {(first, near): "near", (near, near_copy): "file"})
    sets = sets_of(measured.pairs(), len(measured.files))
    assert len(set(sets[first:])) == 1
    assert len(set(sets)) == len(tiles)


def test_files_without_pixels_show_no_picture_that_could_be_the_same(measured, tiles):
    measured.add(b"", b"", b"no image", b"no image", *map(encoded, tiles[:4]))
    assert measured.found() == {}


@pytest.mark.parametrize("with_embeddings", [False, True])
def test_flat_pictures_are_not_near_duplicates(with_embeddings, measured, tiles):
    random = np.random.default_rng(0)
    vignette = np.hypot(*np.mgrid[-1:1:64j, -1:1:64j])[..., None]  # weak and the same in each
    measured.add(*(encoded(Image.fromarray(np.uint8(
        np.clip(level - 6 * vignette + random.normal(0, 0.3, (64, 64, 3)), 0, 255))))
        for level in range(20, 250, 20)))
    count = len(measured.files)
    assert (measured.measure()[0]["perceptual_hash"] == "").all()
    measured.add(*map(encoded, tiles))
    rows = np.array([np.roll(np.arange(count), -row)[1:] for row in range(count)])
    distances = np.tile(np.r_[0.001, np.full(count - 2, 0.5)], (count, 1))
    assert measured.found(Neighbours(rows, distances) if with_embeddings else None) == {}


def test_a_crop_is_a_candidate_of_its_embedding(measured, tiles):
    crop = tiles[0].crop((8, 8, TILE - 4, TILE - 4)).resize((TILE, TILE))
    measured.add(*map(encoded, [*tiles[:6], crop]))
    rows = np.array([[6], [2], [1], [4], [3], [4], [0]])
    far, close = 0.5, 0.02
    distances = np.array([[close], [far], [far], [far], [far], [far], [close]])
    assert set(measured.found(Neighbours(rows, distances))) == {(0, 6)}
    # A close embedding alone is not believed: what it says must be seen in the pixels.
    distances[[0, 1, 6], 0] = far, close, far
    assert (1, 2) not in measured.found(Neighbours(rows, distances))


def test_distinct_digits_are_left_alone(measured):
    digits = load_digits().images
    measured.add(*(encoded(Image.fromarray(np.uint8(digit * 255 / 16)).resize((32, 32)))
                   for digit in digits))
    assert len(measured.pairs()) <= len(digits) / 500


def test_all_hashes_within_the_radius_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr(hash_pairs, "_BLOCK", 16)
    random = np.random.default_rng(0)
    seeds = random.integers(0, 2**63, 20, np.uint64)
    flips = [np.uint64(sum(1 << int(bit) for bit in random.choice(64, size, replace=False)))
             for size in np.arange(100) % 12]
    hashes = seeds[np.arange(100) % 20] ^ np.array(flips, np.uint64)
    expected = {(a, b) for a in range(100) for b in range(a + 1, 100)
                if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= duplicates.HASH_RADIUS}
    assert expected
    found = list(zip(*pairs_within(hashes, duplicates.HASH_RADIUS), strict=True))
    assert found == sorted(expected)


def test_the_background_is_that_of_unrelated_pictures(measured, tiles, monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK", 7)
    measured.add(*map(encoded, tiles))
    _, tensors = measured.measure()
    looks = np.array([np.asarray(tile.convert("L").resize((32, 32), Image.Resampling.BOX), float)
                      for tile in tiles]).reshape(len(tiles), -1)
    alike = np.sort(np.corrcoef(looks) - 2 * np.eye(len(tiles)), axis=1)
    rank = duplicates.BACKGROUND_RANK
    expected = np.median(1 - alike[:, -rank])
    rows = np.arange(len(tiles))
    assert duplicates._background(tensors, rows) == pytest.approx(expected, abs=0.02)
    assert duplicates._background(tensors, rows[:rank]) == 1


@pytest.mark.parametrize("count", [1, 2, 13])
def test_a_copy_is_found_however_small_the_set_and_though_each_has_one(count, measured, tiles):
    rows = measured.add(*map(encoded, tiles[:count]))
    copies = measured.add(*map(recompressed, tiles[:count]))
    assert set(measured.found()) <= set(zip(rows, copies, strict=True))
    assert len(measured.found()) >= 0.9 * count


def test_sets_are_what_pairs_connect():
    pairs = pd.DataFrame({"row_a": [0, 2, 3], "row_b": [2, 5, 4]})
    sets = sets_of(pairs, 7)
    members = {frozenset(np.flatnonzero(sets == one).tolist()) for one in sets}
    assert members == {frozenset({0, 2, 5}), frozenset({3, 4}), frozenset({1}), frozenset({6})}
    assert len(set(sets_of(pairs.iloc[:0], 7))) == 7
