"""Slices on which the model does worse: planted, explained by hard classes, and by chance."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, hypergeom

from audit.checks.weak_slices import MOST_FLAGGED, _compare, _holm
from audit.registry import find_check

COUNT = 600
LABELS = np.tile(["cat", "dog", "owl"], COUNT // 3)
RANDOM = np.random.default_rng(0)
DARK = np.arange(COUNT) % 4 == 0  # each class has as many of them


def looks(seed=0, **columns):
    """Looks that vary without regard to anything, but for `DARK`."""
    random = np.random.default_rng(seed)
    return {"brightness_p50": np.where(DARK, 0.1, 0.5) + random.uniform(0, 0.09, COUNT),
            "contrast": random.normal(50, 9, COUNT), "sharpness": random.uniform(0.7, 1, COUNT),
            "width": random.integers(150, 250, COUNT), **columns}


def some_of(inside, share):
    """Every so many of the rows inside."""
    rows = np.flatnonzero(inside)
    return rows[np.linspace(0, len(rows) - 1, round(share * len(rows))).astype(int)]


def test_a_dark_quarter_that_is_missed_more_often_is_found(make_evidence, run, flagged_subjects):
    wrong = [*some_of(DARK, 0.4), *some_of(~DARK, 0.1)]
    result = run("weak_slices", make_evidence(LABELS, columns=looks(), wrong=wrong))
    assert flagged_subjects(result) == {""}
    assert result.outcome.summary.startswith("150 images that are darkest (median brightness")
    assert result.outcome.summary.endswith("accuracy 0.60 where 0.90 is expected of their classes")
    metrics = result.outcome.metrics
    assert (metrics["count"], metrics["share"]) == (1, 0.25)
    assert metrics["accuracy"] == pytest.approx(1 - len(wrong) / COUNT)


@pytest.mark.parametrize(("columns", "words"), [
    ({"format": np.where(DARK, "PNG", "JPEG").tolist()}, "of the format PNG"),
    ({"mode": np.where(DARK, "L", "RGB").tolist()}, "of the pixel layout L"),
    ({"split": np.where(DARK, "test", "train").tolist()}, "of the split test"),
    ({"colourfulness": np.where(DARK, 0.0, 80.0)}, "without colour"),
    ({"width": np.where(DARK, 60, 200), "height": np.where(DARK, 60, 200)},
     "that are smallest (mean side at most 60 pixels)"),
    ({"width": np.where(DARK, 900, 150)}, "that are largest"),
    ({"height": np.where(DARK, 20, 150), "width": np.where(DARK, 1500, 200)}, "that are widest"),
    ({"sharpness": np.where(DARK, 0.3, 0.9)}, "that are least sharp (sharpness at most 0.3)"),
    ({"contrast": np.where(DARK, 90, 40)}, "of most contrast"),
])
def test_each_kind_of_slice_can_be_found(columns, words, make_evidence, run):
    wrong = [*some_of(DARK, 0.4), *some_of(~DARK, 0.1)]
    plain = looks(brightness_p50=np.random.default_rng(5).uniform(0.2, 0.8, COUNT))
    result = run("weak_slices", make_evidence(LABELS, columns=plain | columns, wrong=wrong))
    first = result.outcome.summary.split("; ")[0]
    assert first.startswith(f"150 images {words}"), first
    assert result.outcome.metrics["count"] == 1  # what has the same images is one slice


def test_a_slice_of_a_hard_class_is_explained_by_the_class(make_evidence, run):
    """Half of all owls are missed, dark or not, and all dark images are owls."""
    owls = np.flatnonzero(LABELS == "owl")
    bright = np.full(COUNT, 0.5)
    bright[owls] = np.linspace(0.1, 0.4, len(owls))
    result = run("weak_slices", make_evidence(
        LABELS, columns=looks(brightness_p50=bright), wrong=owls[::2]))
    assert result.outcome.summary == "none found"
    dark = result.outcome.metrics["slices"][0]
    assert (dark["images"], dark["accuracy"], dark["expected"]) == (150, 0.5, 0.5)
    assert result.outcome.metrics["accuracy"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("seed", range(8))
def test_misses_without_regard_to_any_slice_are_left_alone(seed, make_evidence, run):
    wrong = np.random.default_rng(seed).permutation(COUNT)[:180]
    result = run("weak_slices", make_evidence(LABELS, columns=looks(seed), wrong=wrong))
    assert result.outcome.summary == "none found"
    finding, = result.outcome.findings.itertuples()
    assert not finding.is_flagged


# Of 300 dark images in 600 so many more are missed than of the others.
@pytest.mark.parametrize(("missed", "is_flagged"), [(29, False), (30, True)])
def test_a_gap_counts_from_its_threshold_on(missed, is_flagged, make_evidence, run):
    assert find_check("weak_slices").meta.thresholds["gap"].value == 30 / 300
    half = np.arange(COUNT) % 2 == 0
    evidence = make_evidence(
        LABELS, columns={"format": np.where(half, "PNG", "JPEG").tolist()},
        wrong=some_of(half, missed / 300))
    assert len(set(evidence.images["format"])) == 2
    result = run("weak_slices", evidence)
    assert (result.outcome.metrics["count"] == 1) == is_flagged


@pytest.mark.parametrize(("images", "is_compared"), [(29, False), (30, True)])
def test_a_slice_has_a_least_number_of_images(images, is_compared, make_evidence, run):
    assert find_check("weak_slices").meta.thresholds["floor"].value == 30
    formats = ["PNG"] * images + ["JPEG"] * (COUNT - images)
    evidence = make_evidence(LABELS, columns=looks(format=formats), wrong=range(20))
    words = [one["slice"] for one in run("weak_slices", evidence).outcome.metrics["slices"]]
    assert ("of the format PNG" in words) == is_compared


def test_no_more_than_three_and_none_that_is_much_of_another(make_evidence, run):
    """Four quarters that cross each other add to the misses; a fifth is nearly the first."""
    place = np.arange(2 * 3 * 4**4) // 3
    quarters = {name: place // 4**power % 4 == 0 for power, name in enumerate(
        ("contrast", "sharpness", "brightness_p50", "width"))}
    columns = {name: np.where(inside, 1, 100) for name, inside in quarters.items()}
    columns["mode"] = np.where(quarters["contrast"] & (place > 9), "L", "RGB").tolist()
    risk = 0.02 + 0.25 * sum(inside.astype(int) for inside in quarters.values())
    wrong = np.flatnonzero(np.random.default_rng(0).uniform(size=len(place)) < risk)
    labels = np.tile(["cat", "dog", "owl"], len(place) // 3)
    outcome = run("weak_slices", make_evidence(labels, columns=columns, wrong=wrong)).outcome
    assert len(outcome.findings) == outcome.metrics["count"] == MOST_FLAGGED
    assert outcome.findings["is_flagged"].all()
    texts = outcome.findings["evidence"]
    assert sum("contrast" in text or "layout L" in text for text in texts) <= 1
    assert outcome.details[0].endswith("did worse.")


def test_a_model_that_knows_nothing_has_no_weak_slices(make_evidence, run):
    evidence = make_evidence(LABELS, columns=looks(), wrong=range(COUNT))
    result = run("weak_slices", evidence)
    assert result.status == "skipped"
    assert "no better than chance" in result.reason


def test_alike_images_cannot_be_compared(make_evidence, run):
    result = run("weak_slices", make_evidence(LABELS))
    assert (result.status, result.reason) == ("skipped",
                                              "there are too few images, or they are all alike")


def test_the_test_of_one_class_is_near_the_exact_one():
    labels, inside = np.zeros(200, int), np.arange(200) < 50
    correct = np.ones(200, bool)
    correct[[*range(18), *range(100, 130)]] = False
    one = _compare("", inside, labels, correct)
    assert (one.accuracy, one.expected) == (32 / 50, 120 / 150)
    exact = hypergeom(200, 152, 50).cdf(32)
    assert one.p_value == pytest.approx(exact, rel=0.15)


def test_a_class_that_is_all_inside_says_nothing():
    labels = np.repeat([0, 1], 100)
    inside = (labels == 1) | (np.arange(200) < 40)
    one = _compare("", inside, labels, labels == 0)
    assert (one.compared, one.accuracy, one.expected) == (40, 1, 1)


def test_holms_correction():
    np.testing.assert_allclose(_holm(np.array([0.01, 0.04, 0.03, 0.005])),
                               [0.03, 0.06, 0.06, 0.02])  # R: p.adjust(p, "holm")
    random = RANDOM.uniform(size=20)
    assert (_holm(random) >= false_discovery_control(random) - 1e-12).all()
