"""The quality that was asked for when a JPEG was saved is read back from its bytes."""

import io
import math
import time

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from audit.measures.jpeg_quality import jpeg_quality

PHOTO = np.ascontiguousarray(load_sample_image("china.jpg")[:64, :64])
QUALITIES = st.integers(5, 95)
START, SCAN = b"\xff\xd8", b"\xff\xda\0\2"


def saved(quality, pixels=PHOTO, kind="JPEG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=quality, **options)
    return file.getvalue()


def with_table(entries, *, precision=0, number=0, before=b""):
    """A JPEG's beginning with this quantisation table, in the order of the file."""
    content = np.asarray(entries, ">u2" if precision else np.uint8).tobytes()
    segment = before + bytes([precision << 4 | number]) + content
    return START + b"\xff\xdb" + (len(segment) + 2).to_bytes(2) + segment + SCAN


@given(QUALITIES, st.booleans(), st.booleans(), st.booleans())
def test_what_pillow_saved(quality, is_grey, progressive, optimize):
    pixels = PHOTO[..., 0] if is_grey else PHOTO
    data = saved(quality, np.ascontiguousarray(pixels), progressive=progressive,
                 optimize=optimize)
    assert jpeg_quality(data) == quality


@given(QUALITIES, st.sampled_from(["444", "422", "420"]))
def test_what_simplejpeg_saved(quality, sampling):
    data = simplejpeg.encode_jpeg(PHOTO, quality=quality, colorsubsampling=sampling)
    assert jpeg_quality(data) == quality


@pytest.mark.parametrize("quality", [1, 2, 3, 4, 96, 97, 98, 99, 100])
def test_the_ends_of_the_scale(quality):
    assert jpeg_quality(saved(quality)) == quality


def test_a_thumbnail_in_the_metadata_is_not_taken_for_the_picture():
    exif = Image.Exif()
    exif[0x010E] = saved(20).decode("latin-1")
    data = saved(90, exif=exif.tobytes(), icc_profile=b"\xff\xdb" * 50_000)
    assert data.find(b"\xff\xdb") < data.rfind(b"\xff\xdb")
    assert jpeg_quality(data) == 90


@given(QUALITIES, st.integers(-2, 2))
def test_the_nearest_quality_of_a_table_that_is_of_no_quality(quality, change):
    entries = np.frombuffer(saved(quality), np.uint8, 64, saved(quality).find(b"\xff\xdb") + 5)
    other = np.clip(entries.astype(int) + np.eye(64, dtype=int)[7] * change, 1, 255)
    for precision in (0, 1):
        assert abs(jpeg_quality(with_table(other, precision=precision)) - quality) <= 2


def test_the_table_of_the_luminance_is_found_behind_another():
    other = bytes([1]) + bytes([99]) * 64
    assert jpeg_quality(with_table([1] * 64, before=other)) == 100
    assert jpeg_quality(with_table([255] * 64, precision=1, before=other)) == 1
    assert math.isnan(jpeg_quality(with_table([1] * 64, number=1)))


def test_markers_without_a_length_and_padding_are_passed_over():
    begun = START + b"\xff\x01" + b"\xff" * 9
    assert jpeg_quality(begun + with_table([1] * 64)[2:]) == 100


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_what_is_no_jpeg_has_no_quality(kind):
    assert math.isnan(jpeg_quality(saved(50, kind=kind)))


@given(QUALITIES, st.data())
def test_a_file_cut_short_has_its_quality_or_none(quality, data):
    whole = saved(quality)
    table_ends = whole.find(b"\xff\xdb") + 5 + 64
    length = data.draw(st.integers(0, len(whole)))
    known = jpeg_quality(whole[:length])
    assert known == quality if length >= table_ends else math.isnan(known)


@given(st.one_of(st.binary(), st.binary().map(lambda tail: START + tail),
                 st.binary().map(lambda tail: START + b"\xff\xdb" + tail)))
def test_no_bytes_make_it_raise(data):
    known = jpeg_quality(data)
    assert math.isnan(known) or 1 <= known <= 100


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_do_not_make_it_raise(changes):
    data = bytearray(saved(75))
    for at, value in changes:
        data[at % len(data)] = value
    known = jpeg_quality(bytes(data))
    assert math.isnan(known) or 1 <= known <= 100


@pytest.mark.parametrize("tail", [b"\xff" * 5_000_000, b"\xff\x01" * 2_500_000,
                                  b"\xff\xe0\0\2" * 1_000_000])
def test_bytes_made_to_be_slow_are_given_up_on(tail):
    begun = time.perf_counter()
    assert math.isnan(jpeg_quality(START + tail))
    assert time.perf_counter() - begun < 0.1
