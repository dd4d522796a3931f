"""Hashes tell same bytes, same pixels and same looks apart."""

import io
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from audit.measures.decode import decode
from audit.measures.hashes import file_hash, perceptual_hash, pixel_hash


@cache
def photo(name: str = "china.jpg") -> np.ndarray:
    return cv2.resize(load_sample_image(name), (240, 160), interpolation=cv2.INTER_AREA)


def luma(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def again(pixels: np.ndarray, kind: str, **options) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return decode(buffer.getvalue(), "", least_side=10_000).pixels


def test_the_hash_of_a_file_is_sha256():
    # FIPS 180-4, example of a one-block message
    assert file_hash(b"abc") == ("ba7816bf8f01cfea414140de5dae2223"
                                 "b00361a396177a9cb410ff61f20015ad")


@pytest.mark.parametrize(("kind", "options"), [
    ("PNG", {"compress_level": 1}), ("BMP", {}), ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True})])
@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_a_lossless_copy_hashes_alike(name, kind, options):
    copy = again(photo(name), kind, **options)
    assert perceptual_hash(luma(copy)) == perceptual_hash(luma(photo(name))) != ""
    assert pixel_hash(copy, 240, 160) == pixel_hash(photo(name), 240, 160)


@given(index=st.integers(0, 1796), level=st.integers(0, 9))
def test_any_digit_hashes_alike_after_any_png_compression(index, level):
    picture = np.repeat(np.uint8(load_digits_once()[index] * 15)[..., None], 3, axis=2)
    copy = again(picture, "PNG", compress_level=level)
    assert perceptual_hash(luma(copy)) == perceptual_hash(luma(picture))
    assert pixel_hash(copy, 8, 8) == pixel_hash(picture, 8, 8)


@cache
def load_digits_once() -> np.ndarray:
    return load_digits().images


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_what_looks_the_same_is_near_and_other_pictures_are_far(name):
    own = perceptual_hash(luma(photo(name)))
    smaller = cv2.resize(photo(name), (120, 80), interpolation=cv2.INTER_AREA)
    lossy = again(photo(name), "JPEG", quality=50)
    # Zauner (2010): two unrelated pictures differ in about half of the 64 bits
    assert bits_apart(own, perceptual_hash(luma(smaller))) <= 4
    assert bits_apart(own, perceptual_hash(luma(lossy))) <= 4
    for other in (photo(name)[::-1], photo(name)[:, ::-1],
                  photo("flower.jpg" if name == "china.jpg" else "china.jpg")):
        assert bits_apart(own, perceptual_hash(luma(np.ascontiguousarray(other)))) >= 16


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_a_flat_picture_has_no_perceptual_hash(level):
    flat = np.full((50, 70), level, np.uint8)
    assert perceptual_hash(flat) == ""
    flat[0, 0] ^= 1
    assert perceptual_hash(flat) == ""


def test_one_pixel_or_another_shape_is_another_pixel_hash():
    changed = photo().copy()
    changed[3, 5, 1] ^= 1
    assert pixel_hash(changed, 240, 160) != pixel_hash(photo(), 240, 160)
    assert pixel_hash(photo().reshape(240, 160, 3), 160, 240) != pixel_hash(photo(), 240, 160)
    view = photo()[:, ::2]  # not contiguous in memory
    assert pixel_hash(view, 120, 160) == pixel_hash(view.copy(), 120, 160)
