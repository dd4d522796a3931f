"""Statistics of pixels: by their definitions, and in the direction a person would say."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from audit import tables
from audit.measures.pixels import MEASURE_SIDE, pixel_statistics
from audit.resizing import fit_within, resize


@pytest.fixture(scope="module", params=["china.jpg", "flower.jpg"])
def photo(request):
    return fit_within(load_sample_image(request.param), MEASURE_SIDE)


def statistics(pixels):
    pixels = np.ascontiguousarray(pixels)
    return pixel_statistics(pixels, cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def flat(*rgb):
    return np.broadcast_to(np.array(rgb, np.uint8), (20, 30, 3))


def test_the_statistics_are_the_float_columns_of_the_schema(photo):
    columns = {name for name, column in tables.MEASURES.items() if column.kind == "float"}
    assert set(statistics(photo)) == columns - {"jpeg_quality"}  # that is read from the file


@pytest.mark.parametrize(("rgb", "brightness", "colourfulness"), [
    ((255, 255, 255), 1, 0), ((0, 0, 0), 0, 0), ((128, 128, 128), 128 / 255, 0),
    ((255, 0, 0), 0.241**0.5, 255), ((0, 255, 0), 0.691**0.5, 255), ((90, 100, 60), None, 40),
])
def test_flat_pictures(rgb, brightness, colourfulness):
    measured = statistics(flat(*rgb))
    if brightness is not None:
        for percent in ("01", "05", "50", "95", "99"):
            assert measured[f"brightness_p{percent}"] == pytest.approx(brightness, abs=0.5 / 255)
    assert measured["colourfulness"] == colourfulness
    assert measured["contrast"] == 0
    assert np.isnan(measured["sharpness"])


@given(st.binary(min_size=1, max_size=400))
def test_brightness_of_a_gray_picture_are_percentiles_of_its_levels(levels):
    gray = np.frombuffer(levels, np.uint8).reshape(1, -1)
    measured = statistics(np.repeat(gray[..., None], 3, axis=2))
    for percent in (1, 5, 50, 95, 99):
        wanted = np.percentile(gray, percent, method="inverted_cdf") / 255
        assert measured[f"brightness_p{percent:02d}"] == pytest.approx(wanted)
    assert measured["contrast"] == pytest.approx(gray.std(), abs=1e-6)


def test_entropy_is_that_of_pillow(photo):
    assert statistics(photo)["entropy"] == pytest.approx(Image.fromarray(photo).entropy())


def test_more_blur_is_less_sharp(photo):
    series = [statistics(cv2.GaussianBlur(photo, (0, 0), sigma) if sigma else photo)["sharpness"]
              for sigma in (0, 0.8, 1.6, 3.2)]
    assert series == sorted(series, reverse=True)
    assert series[0] - series[2] > 0.3
    assert all(0 <= one <= 1 for one in series)


def test_contrast_does_not_pass_for_sharpness(photo):
    faint = (photo // 2 + 60).astype(np.uint8)
    assert statistics(faint)["contrast"] == pytest.approx(statistics(photo)["contrast"] / 2, rel=.1)
    assert statistics(faint)["sharpness"] == pytest.approx(statistics(photo)["sharpness"], abs=.05)


def test_a_darker_picture_is_darker(photo):
    dark, normal = statistics(photo // 4), statistics(photo)
    assert all(dark[name] < normal[name] for name in ("brightness_p50", "brightness_p99",
                                                      "contrast", "entropy"))


@given(width=st.integers(1, 700), height=st.integers(1, 700), side=st.integers(1, 200))
def test_fitting_never_enlarges_and_keeps_the_shape(width, height, side):
    pixels = np.zeros((height, width, 3), np.uint8)
    fitted = fit_within(pixels, side)
    new_height, new_width = fitted.shape[:2]
    assert max(new_height, new_width) == min(max(width, height), side)
    scale = max(new_height, new_width) / max(width, height)
    assert abs(new_width - width * scale) <= 1
    assert abs(new_height - height * scale) <= 1
    if max(width, height) <= side:
        assert fitted is pixels


@pytest.mark.parametrize("shape", [(1, 1), (1, 40_000), (40_000, 1), (3, 65_500), (500, 375)])
def test_any_shape_can_be_resized_and_measured(shape):
    pixels = np.full((*shape, 3), 77, np.uint8)
    resized = resize(pixels, (96, 64))
    assert resized.shape == (64, 96, 3)
    assert (resized == 77).all()
    measured = statistics(fit_within(pixels, MEASURE_SIDE))
    assert measured["brightness_p50"] == pytest.approx(77 / 255)
