"""Pictures are as they are meant to be seen, small, upright and RGB, whatever the file holds."""

import io
import os

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

from audit.review import pictures
from audit.review.pictures import Pictures


def seen(path, side=320):
    content = Pictures([str(path)]).read(0, side)
    image = Image.open(io.BytesIO(content))
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    return np.asarray(image, float)


def test_the_longest_side_is_as_asked_and_small_ones_stay(tmp_path):
    for size in ((2_000, 500), (500, 2_000), (30, 20)):
        Image.new("RGB", size, "red").save(tmp_path / "a.png")
        height, width = seen(tmp_path / "a.png").shape[:2]
        assert max(width, height) == min(320, max(size))
        assert width / height == pytest.approx(size[0] / size[1], rel=0.05)


def test_it_is_turned_as_its_camera_said(tmp_path):
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    turned = seen(tmp_path / "a.jpg")
    assert turned.shape[:2] == (40, 20)
    assert turned[5, 10, 1] < 60, "red is above"
    assert turned[35, 10, 1] > 200


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16", "F", "1"])
def test_every_mode_is_shown_with_what_is_in_it(tmp_path, mode):
    ramp = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (32, 1))
    source = Image.fromarray(ramp)
    if mode == "I;16":
        source = Image.fromarray(ramp.astype(np.uint16) * 200)
    elif mode == "F":
        source = Image.fromarray(ramp.astype(np.float32) / 255)
    elif mode != "L":
        source = source.convert(mode)
    path = tmp_path / ("a.tif" if mode in {"F", "CMYK"} else "a.png")
    source.save(path)
    shown = seen(path).mean(axis=2)
    assert shown[:, :6].mean() < 60
    assert shown[:, -6:].mean() > 190


def test_transparent_is_white(tmp_path):
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert seen(tmp_path / "a.png").min() > 250


def test_what_is_broken_or_huge_is_grey_and_what_is_gone_is_none(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert abs(seen(tmp_path / "a.png") - 128).max() < 4
    Image.new("RGB", (60, 60), "red").save(tmp_path / "large.png")
    monkeypatch.setattr(pictures, "MOST_PIXELS", 3_000)
    assert abs(seen(tmp_path / "large.png") - 128).max() < 4
    assert Pictures([str(tmp_path / "gone.png")]).read(0, 320) is None


def test_of_a_file_that_is_cut_off_what_is_there_is_shown(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    for name in ("a.jpg", "a.png"):
        Image.fromarray(noise).save(tmp_path / name)
        whole = seen(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:len(content) // 2])
        part = seen(tmp_path / name)
        assert part.shape == whole.shape
        assert abs(part[:24] - whole[:24]).mean() < 12, "the upper part is as it was"
        assert abs(part[60:] - whole[60:]).mean() > 40, "the lower part is not there"
    assert not ImageFile.LOAD_TRUNCATED_IMAGES, "nobody else reads files as leniently"


def test_broken_metadata_hide_no_picture(tmp_path, monkeypatch):
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.png")

    def fail(_image):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(pictures.ImageOps, "exif_transpose", fail)
    assert seen(tmp_path / "a.png")[10, 20, 0] > 200


def test_no_program_is_run_for_a_file_that_says_it_is_postscript(tmp_path, monkeypatch):
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch '{tmp_path}/was-run'\nexit 1\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # Pillow looks for it once
    (tmp_path / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    assert abs(seen(tmp_path / "a.jpg") - 128).max() < 4
    assert not (tmp_path / "was-run").exists()


def test_what_was_seen_last_is_kept_within_bounds(tmp_path, monkeypatch):
    paths = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
                        ).save(path)
        paths.append(str(path))
    size = len(Pictures(paths).read(0, 320))
    monkeypatch.setattr(pictures, "KEPT_BYTES", 3 * size + size // 2)
    some = Pictures(paths)
    first = [some.read(row, 320) for row in range(6)]
    for path in paths:
        (tmp_path / path).unlink()
    assert [some.read(row, 320) for row in (3, 4, 5)] == first[3:]
    assert some.read(0, 320) is None
