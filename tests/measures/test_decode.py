"""Files are decoded by what they hold, upright, and damage is told from what cannot be read."""

import io
import struct
import warnings
import zipfile
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image
from sklearn.datasets import load_sample_image

from audit.formats import EXTENSIONS, SNIFF_BYTES, sniff
from audit.measures import decode as module
from audit.measures.decode import EXIF_ORIENTATION, UndecodableError, decode

HOSTILE = Path(__file__).parents[2].parent / "shared" / "data" / "hostile-images.zip"
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
LOSSY = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}, "GIF": {}}


@cache
def photo(side: int = 240) -> Image.Image:
    return Image.fromarray(load_sample_image("china.jpg")).resize((side, side * 2 // 3))


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def full(data: bytes, extension: str = ".jpg"):
    return decode(data, extension, least_side=10_000)


def distance(pixels, other) -> float:
    return float(np.abs(np.asarray(pixels, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("extension", [".jpg", ".png", ".txt", ""])
@pytest.mark.parametrize("kind", EXTENSIONS)
def test_each_format_is_told_by_its_content(kind, extension):
    data = encode(photo(), kind, **(LOSSLESS | LOSSY)[kind])
    decoded = full(data, extension)
    assert sniff(data[:SNIFF_BYTES]) == kind == decoded.format
    assert (decoded.width, decoded.height) == photo().size
    assert (decoded.problem, decoded.problem_kind, decoded.is_animated) == ("", "", False)
    assert distance(decoded.pixels, photo()) <= (0 if kind in LOSSLESS else 12)


def as_l(image):
    return image.convert("L").convert("RGB")


@pytest.mark.parametrize(("kind", "mode", "like"), [
    ("PNG", "L", as_l), ("PNG", "1", lambda image: image.convert("1").convert("RGB")),
    ("PNG", "P", lambda image: image.convert("P").convert("RGB")),
    ("PNG", "RGBA", lambda image: image), ("PNG", "LA", as_l),
    ("TIFF", "I;16", as_l), ("PNG", "I;16", as_l), ("TIFF", "F", as_l),
    ("TIFF", "CMYK", lambda image: image), ("JPEG", "CMYK", lambda image: image),
    ("JPEG", "L", as_l),
])
def test_every_pixel_layout_becomes_the_same_rgb(kind, mode, like):
    if mode == "I;16":
        levels = np.asarray(photo().convert("L"), np.uint16) * 257
        picture = Image.fromarray(levels)
    elif mode == "F":  # its own range is stretched, so it must reach from black to white
        picture = Image.fromarray(np.asarray(photo().convert("L"), np.float32) * 3 - 1)
    else:
        picture = photo().convert(mode)
    decoded = full(encode(picture, kind))
    assert decoded.mode == mode
    assert decoded.pixels.dtype == np.uint8
    assert distance(decoded.pixels, like(photo())) <= 6


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_holes_in_a_float_image_leave_the_rest_of_it(hole):
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    values[0, 5] = hole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = full(encode(Image.fromarray(values), "TIFF"))
    assert distance(decoded.pixels[1:, :, 0], values[1:] * 255) <= 1


@pytest.mark.parametrize(("kind", "is_animated"), [("GIF", True), ("PNG", True), ("WEBP", True),
                                                   ("TIFF", True)])
def test_the_first_of_several_frames_is_taken(kind, is_animated):
    black = Image.new("RGB", photo().size)
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = full(encode(photo(), kind, save_all=True, append_images=[black], **options))
    assert decoded.is_animated is is_animated
    assert distance(decoded.pixels, photo()) <= 12


def test_damage_behind_the_first_frame_leaves_the_first_frame():
    first = encode(photo(60), "GIF")
    both = encode(photo(60), "GIF", save_all=True, append_images=[photo(60).rotate(180)])
    repeats = len(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0") + len(b"!\xf9\x04....\0")
    for length in range(len(first) + repeats, len(both)):
        cut = full(both[:length])
        np.testing.assert_array_equal(cut.pixels, full(both).pixels)
        assert cut.is_animated or cut.problem_kind in {"truncated", "corrupt"}


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores: CIPA DC-008 says where its row 0 and column 0 lie in the scene."""
    return {1: upright, 2: upright[:, ::-1], 3: np.rot90(upright, 2), 4: upright[::-1],
            5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1),
            7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright, -1)}[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(kind, orientation):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    picture = Image.fromarray(np.ascontiguousarray(stored(np.asarray(photo()), orientation)))
    decoded = full(encode(picture, kind, exif=exif, **(LOSSLESS | LOSSY)[kind]))
    assert decoded.exif_orientation == orientation
    assert (decoded.width, decoded.height) == photo().size
    assert distance(decoded.pixels, photo()) <= (3 if kind == "JPEG" else 0)


@pytest.mark.shared
@pytest.mark.skipif(not HOSTILE.is_file(), reason="the shared hostile images are not here")
@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_real_files_in_every_orientation_show_one_picture(name):
    with zipfile.ZipFile(HOSTILE) as archive:
        turned = [full(archive.read(f"hostile/orientation/{name}_{orientation}.jpg"))
                  for orientation in range(1, 9)]
    assert [one.exif_orientation for one in turned] == list(range(1, 9))
    assert len({one.pixels.shape for one in turned}) == 1
    assert turned[0].height > turned[0].width or name == "Landscape"
    mirrored = distance(turned[0].pixels, turned[0].pixels[:, ::-1])
    assert all(distance(one.pixels, turned[0].pixels) < mirrored / 3 for one in turned)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f",
                                  b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_broken_metadata_costs_no_picture(kind, exif):
    decoded = full(encode(photo(), kind, exif=exif))
    assert (decoded.problem, decoded.exif_orientation) == ("", 1)
    assert decoded.pixels.shape == np.asarray(photo()).shape


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_none(value):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = value
    assert full(encode(photo(), "JPEG", exif=exif)).exif_orientation == 1


@pytest.mark.parametrize("picture", ["china.jpg", "flower.jpg"])
def test_flipped_bytes_in_a_jpeg_are_damage(picture):
    whole = encode(Image.fromarray(load_sample_image(picture)), "JPEG", quality=90)
    sound = full(whole)
    found = {1: 0, 512: 0}  # one byte; a sector of a disk
    places = range(len(whole) // 4, len(whole) * 3 // 4, len(whole) // 40)
    for length in found:
        for place in places:
            data = bytearray(whole)
            data[place:place + length] = bytes(byte ^ 0xFF for byte in data[place:place + length])
            flipped = full(bytes(data))
            found[length] += flipped.problem_kind == "corrupt"
            top = sound.height // 10  # long before the first place, the picture is as it was
            np.testing.assert_array_equal(flipped.pixels[:top], sound.pixels[:top])
    assert sound.problem == ""
    assert found[512] == len(places)
    # JPEG has no checksum: after many a flip the decoder is back in step, and cannot know.
    assert found[1] > len(places) // 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF"])
def test_a_file_cut_short_is_damaged_and_its_beginning_kept(kind):
    data = encode(photo(), kind)
    cut = full(data[:len(data) * 2 // 3])
    assert cut.problem_kind == "truncated"
    assert cut.pixels.shape == np.asarray(photo()).shape
    rows = slice(-20, None) if kind == "BMP" else slice(0, 20)  # a bitmap begins at the bottom
    assert distance(cut.pixels[rows], np.asarray(photo())[rows]) <= 12


@pytest.mark.parametrize("kind", EXTENSIONS)
def test_a_file_cut_anywhere_is_decoded_in_part_or_refused(kind):
    data = encode(photo(60), kind)
    refused = []
    for length in range(0, len(data), max(1, len(data) // 40)):
        try:
            decoded = full(data[:length])
        except UndecodableError as error:
            refused.append(error)
        else:
            assert decoded.pixels.shape == (40, 60, 3)
    assert {one.kind for one in refused} <= {"empty", "not_an_image", "truncated", "corrupt"}
    assert refused[0].kind == "empty"
    assert not any("0x" in one.reason for one in refused)  # an address in memory


def test_a_wrong_checksum_in_a_png_is_damage():
    data = bytearray(encode(photo(), "PNG"))
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4:start])
    data[start + 4 + length] ^= 1
    assert full(bytes(data)).problem_kind == "corrupt"


@pytest.mark.parametrize(("data", "extension", "kind", "words"), [
    (b"", ".jpg", "empty", "0 bytes"),
    (b"This is a note, not a picture.", ".jpg", "not_an_image", "no known image format"),
    (b"BMW is a maker of cars, not a picture.", ".bmp", "not_an_image", "no known"),
    (b"\0\0\2\0" * 8, ".tga", "unsupported", r"\.tga .*convert"),
    (b"\x89PNG\r\n\x1a\n", ".png", "corrupt", "cannot identify"),
    (b"\xff\xd8\xff", ".jpg", "corrupt", "cannot identify|truncated"),
])
def test_what_gives_no_pixels_is_refused_with_its_reason(data, extension, kind, words):
    with pytest.raises(UndecodableError, match=words) as caught:
        full(data, extension)
    assert caught.value.kind == kind


def png_of(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(encode(photo(), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place:place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp_of(width: int, height: int) -> bytes:
    return (b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("side", [10_000, 30_000, 65_500])
@pytest.mark.parametrize("header", [png_of, jpeg_of, bmp_of])
def test_a_decompression_bomb_is_refused_by_its_header(header, side):
    with pytest.raises(UndecodableError) as caught:
        full(header(side, side))
    assert caught.value.kind == "bomb"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_largest_image_is_decoded_and_one_pixel_more_is_not(kind, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 100 * 60)
    assert full(encode(Image.new("RGB", (100, 60)), kind)).width == 100
    with pytest.raises(UndecodableError, match="megapixels") as caught:
        full(encode(Image.new("RGB", (1, 100 * 60 + 1)), kind))
    assert caught.value.kind == "bomb"


@pytest.mark.parametrize(("least_side", "factor"), [(10_000, 1), (161, 1), (160, 2), (81, 2),
                                                    (80, 4), (1, 4)])
def test_a_jpeg_is_reduced_by_powers_of_two_and_never_below_what_is_needed(least_side, factor):
    decoded = decode(encode(photo(480), "JPEG"), ".jpg", least_side)
    assert decoded.pixels.shape == (320 // factor, 480 // factor, 3)
    assert min(decoded.pixels.shape[:2]) >= min(least_side, 320)
    assert (decoded.width, decoded.height) == (480, 320)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 17), (641, 427), (1283, 855)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_of_a_jpeg_are_those_of_the_decoder_at_any_scale(size, mode):
    pixels = cv2.resize(load_sample_image("china.jpg"), size)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=90)
    for least_side in (10_000, 160, 4):
        decoded = decode(buffer.getvalue(), ".jpg", least_side)
        height, width = decoded.pixels.shape[:2]
        wanted = simplejpeg.decode_jpeg(buffer.getvalue(), "RGB", min_height=height,
                                        min_width=width)
        np.testing.assert_array_equal(decoded.pixels, wanted)
        assert (decoded.width, decoded.height) == size
        assert min(height, width) >= min(least_side, *size)
        assert decoded.pixels.flags.c_contiguous
