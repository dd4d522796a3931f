"""Checks of pixel statistics and sizes: planted, clean, and exactly at the threshold."""

import numpy as np
import pytest

from audit.registry import find_check


def default(code, name="score"):
    return find_check(code).meta.thresholds[name].value


# Check → the measure it reads, and the measure that has a given score.
MEASURED = {
    "dark": ("brightness_p99", lambda score: score),
    "light": ("brightness_p05", lambda score: 1 - score),
    "blurry": ("sharpness", lambda score: score),
    "low_information": ("entropy", lambda score: score / 0.1),
}


@pytest.mark.parametrize("code", MEASURED)
def test_flags_below_its_threshold_and_not_at_it(code, make_evidence, run, flagged_rows):
    column, measure = MEASURED[code]
    limit = default(code)
    evidence = make_evidence()
    values = evidence.images[column].to_numpy(copy=True)
    values[:5] = [measure(limit), measure(limit - 0.001), measure(limit + 0.001),
                  measure(limit / 2), np.nan]
    evidence.images[column] = values
    result = run(code, evidence)
    assert flagged_rows(result) == [1, 3]
    worst_first = evidence.images["image_id"][[3, 1]].tolist()
    assert result.outcome.findings["subject"].tolist() == worst_first
    score = result.outcome.scores["score"]
    assert score[[0, 1, 3]].to_numpy() == pytest.approx([limit, limit - 0.001, limit / 2])
    assert np.isnan(score[4])
    assert flagged_rows(run(code, make_evidence())) == []


@pytest.mark.parametrize("code", MEASURED)
def test_the_threshold_can_be_moved(code, make_evidence, run, flagged_rows):
    column, measure = MEASURED[code]
    evidence = make_evidence()
    evidence.images.loc[3, column] = measure(0.5)
    assert flagged_rows(run(code, evidence, score=0.5)) == []
    assert flagged_rows(run(code, evidence, score=0.51)) == [3]


@pytest.mark.parametrize(("width", "height", "is_flagged"), [
    (35, 100, False), (100, 35, False), (34, 100, True), (100, 34, True), (100, 100, False),
    (0, 0, False)])
def test_odd_aspect_ratio(width, height, is_flagged, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    evidence.images.loc[3, ["width", "height"]] = width, height
    result = run("odd_aspect_ratio", evidence)
    assert default("odd_aspect_ratio") == 35 / 100  # what the cases above are about
    assert flagged_rows(result) == ([3] if is_flagged else [])
    if not width:
        assert np.isnan(result.outcome.scores["score"][3])


@pytest.mark.parametrize(("side", "is_flagged"), [
    (300, False), (450, False), (200, False), (451, True), (199, True), (5000, True), (1, True),
    (0, False)])
def test_odd_size_where_all_others_are_alike(side, is_flagged, make_evidence, run, flagged_rows):
    evidence = make_evidence(columns={"width": 300, "height": 300})
    evidence.images.loc[3, ["width", "height"]] = side
    assert default("odd_size", "least_ratio") == 1.5  # what the cases above are about
    result = run("odd_size", evidence)
    assert flagged_rows(result) == ([3] if is_flagged else [])
    others = result.outcome.scores["score"].drop(3)
    assert (others > 0.5).all()


def test_odd_size_reaches_as_far_as_its_interquartile_ranges(make_evidence, run, flagged_rows):
    sides = np.r_[np.linspace(300, 400, 237), 700, 640, 2000].round().astype(int)
    evidence = make_evidence(columns={"width": sides, "height": sides})
    first, third = np.percentile(sides, [25, 75])
    inside = third + 3 * (third - first)
    expected = np.flatnonzero(sides > max(inside, 1.5 * third)).tolist()
    assert expected
    assert flagged_rows(run("odd_size", evidence)) == expected
    wider = (sides.max() - third) / (third - first)  # the border then lies on the largest
    assert flagged_rows(run("odd_size", evidence, iqr_factor=wider + 1e-9)) == []
    assert flagged_rows(run("odd_size", evidence, iqr_factor=wider - 1e-3)) == [239]


@pytest.mark.parametrize("code", [*MEASURED, "odd_size", "odd_aspect_ratio", "grayscale"])
def test_where_no_image_was_measured_nothing_is_said(code, make_evidence, run):
    blank = dict.fromkeys([column for column, _ in MEASURED.values()], np.nan)
    evidence = make_evidence(columns=blank | {"colourfulness": np.nan, "width": 0, "height": 0})
    result = run(code, evidence)
    assert (result.status, result.reason) == ("skipped", "no image could be measured")


def test_an_only_image_has_a_usual_size(make_evidence, run, flagged_rows):
    assert flagged_rows(run("odd_size", make_evidence(["cat"]))) == []


@pytest.mark.parametrize(("spread", "is_grey"), [(0.0, True), (3.0, True), (3.01, False),
                                                 (np.nan, False)])
def test_grayscale_up_to_its_spread(spread, is_grey, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    evidence.images.loc[3, "colourfulness"] = spread
    assert default("grayscale", "spread") == 3
    assert flagged_rows(run("grayscale", evidence)) == ([3] if is_grey else [])


@pytest.mark.parametrize(("coloured", "is_odd"), [(24, False), (25, True), (0, False)])
def test_grey_is_odd_only_where_there_is_colour(
        coloured, is_odd, make_evidence, run, flagged_rows):
    spread = np.where(np.arange(240) < coloured, 80.0, 0.0)
    assert default("grayscale", "colour_share") == 24 / 240
    flagged = flagged_rows(run("grayscale", make_evidence(columns={"colourfulness": spread})))
    assert flagged == (list(range(coloured, 240)) if is_odd else [])
