"""The plots: what is drawn is what was measured, and nothing of the data's gets out of its text."""

import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from audit.causes import Cause
from audit.render import ReportData, plots, readings, render_report
from audit.types import CheckMeta, CheckResult, Difference, Evidence, Gain, Outcome

TARGET = 0.9
EVIL = '<img src=x onerror="alert(1)">'
ODD_NAMES = [EVIL, "$a_b$ costs $5", "数字", "line\nbreak \x01 \x1b", "]]>&amp;</svg>", "#010101"]


def told(recall=0.7, images=400, sizes=(12, 25, 50, 100, 200, 320), **changed):
    """Figures as the check `sufficiency` gives them, of a curve that nears `recall`."""
    def at(size):
        return recall * (1 - size**-0.5)

    ends = [sizes[0] * (4 * images / sizes[0]) ** (step / 20) for step in range(21)]
    return {"recall": recall, "interval_90": [recall - 0.05, recall + 0.04], "images": images,
            "doubling": {"before": recall, "after": recall + 0.03, "low": 0.01, "high": 0.06},
            "more": [200, 90, None], "cannot_tell": "", "probability_of_target": 1.0,
            "measured": [[size, at(size)] for size in sizes],
            "curve": [[size, at(size), at(size) - 0.03, at(size) + 0.03] for size in ends],
            **changed}


def cause(title, change, low, high):
    return Cause(title, title, 0.1, "", (), Gain("fix", Difference(0.5, 0.5 + change, low, high)))


UNMEASURED = Cause("x", "Never tried", 0.1, "", ())
CAUSES = [cause("Wrong labels", 0.07, 0.04, 0.1), UNMEASURED, cause("Repeats", 0.0, -0.01, 0.01),
          cause("Blur", -0.02, -0.03, -0.01)]


def several(names):
    return {name: told(0.3 + 0.6 * at / len(names)) for at, name in enumerate(names)}


def all_plots(names=("cat", "dog", "emu")):
    classes = several(names)
    return [plots.learning_curve(told(), TARGET), *plots.class_curves(classes, TARGET).values(),
            plots.class_recalls(classes, TARGET), plots.gains_of_causes(CAUSES)]


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314 - of our own making


def texts(svg):
    return [element.text for element in parse(svg).iter("text")]


def part(svg, name):
    (found,) = [one for one in parse(svg).iter() if one.get("data-part") == name]
    return found


def numbers_along(path):
    """The x of each point of a path."""
    return [float(x) for x in re.findall(r"[ML] (\S+) \S+", path.get("d"))]


def lines_of(svg, name):
    return [numbers_along(path) for path in part(svg, name).iter("path")]


def points_of(svg, name):
    return [(float(one.get("x")), float(one.get("y"))) for one in part(svg, name).iter("use")]


def test_plots_stand_alone_in_a_page():
    drawn = all_plots(ODD_NAMES)
    for svg in drawn:
        root = parse(svg)
        assert root.tag == "svg"
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert not root.get("width"), "the page says how wide it is"
        assert not re.search(r"<script|http|<style|<!DOCTYPE|<\?xml|font-family|[:\s]on\w+=\"",
                             re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "><", svg))
        assert "#0" not in "".join(one.get("style", "") for one in root.iter()), "fixed colour"
    ids = [one.get("id") for svg in drawn for one in parse(svg).iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    references = {one for svg in drawn for one in re.findall(r'(?:url\(|href=")#([^")]+)', svg)}
    assert references == set(ids)


def test_the_same_figures_give_the_same_bytes():
    assert all_plots() == all_plots()


def test_names_are_text_as_they_are(capfd):
    classes = several(ODD_NAMES)
    written = texts(plots.class_recalls(classes, TARGET))
    assert {"$a_b$ costs $5", "数字", "]]>&amp;</svg>", "#010101"} <= set(written)
    assert "line break \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}" in written
    assert plots.shorten(EVIL) in written
    assert EVIL not in "".join(all_plots(ODD_NAMES))
    assert list(plots.class_curves(classes, TARGET)) == ODD_NAMES
    assert capfd.readouterr() == ("", "")


def test_a_name_is_shortened_in_the_middle():
    assert plots.shorten("tabby cat") == "tabby cat"
    long = plots.shorten("n02123045_a_very_long_name_of_a_tabby_cat", 20)
    assert len(long) <= 20
    assert long.startswith("n0212")
    assert long.endswith("_cat")
    assert len(plots.shorten("数" * 30, 20)) <= 11


def test_a_learning_curve_draws_all_that_was_measured():
    one = told(images=400)
    svg = plots.learning_curve(one, TARGET)
    assert len(points_of(svg, "measured")) == len(one["measured"])
    places = [x for x, _ in points_of(svg, "measured")]
    steps = [math.log(b[0] / a[0]) for a, b in pairwise(one["measured"])]
    drawn = [b - a for a, b in pairwise(places)]
    assert [step / drawn[0] for step in drawn] == pytest.approx(
        [step / steps[0] for step in steps], rel=1e-3), "a logarithmic axis"
    written = texts(svg)
    assert {"images learned from", "mean recall of the classes", "400 images", "target 0.90",
            "1,000"} <= set(written)


def test_only_what_lies_beyond_the_images_is_dashed():
    for svg in (plots.learning_curve(told(), TARGET),
                *plots.class_curves(several("abc"), TARGET).values()):
        (here,) = {x for line in lines_of(svg, "images") for x in line}
        (known,), (beyond,) = lines_of(svg, "known"), lines_of(svg, "beyond")
        assert max(known) == pytest.approx(here)
        assert min(beyond) == pytest.approx(here)
        assert max(beyond) > here > min(known)
        dashed = [one for one in parse(svg).iter() if "stroke-dasharray" in one.get("style", "")]
        assert [one.get("d") for one in dashed] == [one.get("d")
                                                    for one in part(svg, "beyond").iter("path")]


def test_worst_classes_have_curves():
    classes = several([f"class {number}" for number in range(9)])
    classes["class 1"] = {key: value for key, value in classes["class 1"].items()
                          if key not in {"measured", "curve"}}
    drawn = plots.class_curves(classes, TARGET)
    assert list(drawn) == [f"class {number}" for number in (0, 2, 3, 4, 5, 6)]
    assert {"images of the class", "recall"} <= set(texts(drawn["class 0"]))
    assert "class 0" in parse(drawn["class 0"]).get("aria-label")
    axes = {tuple(one for one in texts(svg) if re.fullmatch(r"[01]\.\d+", one))
            for svg in drawn.values()}
    assert len(axes) == 1, "classes are compared along one axis"
    assert plots.class_curves({}, TARGET) == {}


@pytest.mark.parametrize("count", [1, 2, 40])
def test_recalls_have_a_point_and_a_whisker_each(count):
    classes = several([f"class {number}" for number in range(count)])
    svg = plots.class_recalls(classes, TARGET)
    shown = min(count, plots.MOST_CLASSES)
    points, whiskers = points_of(svg, "recall"), lines_of(svg, "interval")
    assert len(points) == len(whiskers) == shown
    assert all(low < x < high for (x, _), (low, high) in zip(points, whiskers, strict=True))
    assert [x for x, _ in points] == sorted(x for x, _ in points), "worst first"
    assert [y for _, y in points] == sorted(y for _, y in points), "and on top"
    assert [one for one in texts(svg) if one.startswith("class")] == [
        f"class {number}" for number in range(shown)]
    assert "recall, with its 90 % interval" in texts(svg)


def test_gains_are_those_that_were_measured_in_the_order_of_the_table():
    svg = plots.gains_of_causes(CAUSES)
    titles = [one for one in texts(svg) if one in {cause.title for cause in CAUSES}]
    assert titles == ["Wrong labels", "Repeats", "Blur"]
    ((zero, _),) = lines_of(svg, "zero")
    sides = [(low > zero, high > zero) for low, high in lines_of(svg, "interval")]
    assert sides == [(True, True), (False, True), (False, False)]
    assert any("percentage points" in one for one in texts(svg))
    assert plots.gains_of_causes([UNMEASURED]) == ""
    assert plots.gains_of_causes([]) == ""


@pytest.mark.parametrize("images", [20, 137, 2519, 48_000, 1_281_167, 300_000_000])
def test_sizes_are_plain_numbers_that_do_not_touch(images):
    sizes = [images * 0.8 / 2**step for step in range(5, -1, -1)]
    one = told(images=images, sizes=sizes)
    for svg in (plots.learning_curve(one, TARGET), plots.class_curves({"a": one}, TARGET)["a"]):
        right = float(parse(svg).get("viewBox").split()[2])
        ticks = [(element.text, float(element.get("x"))) for element in
                 parse(svg).iter("text") if re.fullmatch(r"[\d,]+", element.text)]
        assert len(ticks) >= 2
        ends = [(x - 3.5 * len(text), x + 3.5 * len(text)) for text, x in ticks]
        assert all(a[1] < b[0] for a, b in pairwise(ends))
        assert ends[-1][1] <= right


def test_a_curve_is_read_in_words():
    read = readings.of_curve(told(recall=0.8), TARGET)
    assert "+3.0 points (1.0 to 6.0)" in read
    assert "about 200 more (90 % interval 90 to no end)" in read
    assert "90 to 1,500)" in readings.of_curve(told(more=[200, 90, 1500.0]), TARGET)
    assert "is reached" in readings.of_curve(told(recall=0.95), TARGET)
    assert "about 0" not in readings.of_curve(told(more=[0, 0, 50.0]), TARGET)
    why = "more images made it worse"
    assert why in readings.of_curve(told(more=None, cannot_tell=why), TARGET)
    none = readings.of_curve(told(doubling=None, cannot_tell="too few"), TARGET)
    assert none == "No curve can be drawn: too few."


def test_recalls_are_read_in_words():
    classes = {"cat": told(0.95), "trash": told(0.84, interval_90=[0.78, 0.88], images=1370)}
    read = readings.of_class_recalls(classes, TARGET)
    assert "trash, 0.84 (0.78–0.88) with 1,370 images" in read
    assert "1 of 2 classes is below" in read
    assert "No class is below" in readings.of_class_recalls({"cat": told(0.95)}, TARGET)
    assert "Every class is below" in readings.of_class_recalls({"cat": told(0.5)}, TARGET)


def test_gains_are_read_in_words():
    read = readings.of_gains(CAUSES)
    assert "“Wrong labels”: +7.0 points (4.0 to 10.0)" in read
    assert re.search(r"No measurable effect[^.]*: Repeats\.", read)
    assert re.search(r"worse[^.]*: Blur\.", read)
    assert "Never tried" not in read
    assert "gained" not in readings.of_gains(CAUSES[1:])


def test_drawing_leaves_the_process_as_it_was(tmp_path):
    """Neither pyplot, nor settings of the user's, nor anything written to the console."""
    (tmp_path / "matplotlibrc").write_text("font.size: 40\naxes.facecolor: red\n")
    script = (
        "import sys, logging; from audit.render import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "svg = plots.class_recalls({'数字': {'recall': .5, 'interval_90': [.4, .6]}}, .9)\n"
        "assert 'red' not in svg and '40px' not in svg\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "import matplotlib\n"
        "assert matplotlib.rcParams['font.size'] == 40\n"
        "assert matplotlib.rcParams['svg.fonttype'] == 'path'\n"
        "assert logging.getLogger('matplotlib').level == logging.NOTSET\n")
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True,
        text=True, timeout=60, check=False,
        env={"MATPLOTLIBRC": str(tmp_path), "MPLCONFIGDIR": "/dev/null/not-writable"})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


DETAIL = "Suspected labels hold the curve down."


def page(overall, classes, causes=(), status="ok"):
    """The report of a run of which all that is known are the figures of `sufficiency`."""
    findings = pd.DataFrame({"is_flagged": [True], "about": ["class"], "subject": ["cat"],
                             "score": [0.5], "evidence": [""], "suggestion": [""]})
    metrics = {"target": TARGET, "overall": overall, "classes": classes}
    meta = CheckMeta("sufficiency", "Enough images", "class", "too_few_images", (), "Collect.")
    result = CheckResult(meta, status, "", Outcome(findings, None, "few", metrics, (DETAIL,))
                         if status == "ok" else None)
    images = pd.DataFrame({"image_id": list(classes), "given_label": list(classes), "split": ""})
    evidence = Evidence(images, tuple(classes))
    return render_report(ReportData("photos", "4f1c9e", 1.0, evidence, [result], causes, [], [],
                                    0.8, "a model", []), None)


def test_learning_curves_are_shown_whether_or_not_anything_was_flagged():
    html = page(told(), several(["cat", EVIL]), CAUSES)
    assert 'id="learning-curves"' in html
    assert html.count("<svg") == 5
    assert html.count(DETAIL) == 1
    assert EVIL not in html
    assert html.index("</table>") < html.index("<svg") < html.index("</header>")
    flagged = Cause("too_few_images", "Too few images", 0.1, "few", ("sufficiency",))
    html = page(told(), several(["cat"]), [flagged])
    assert html.count("<svg") == 3
    assert html.count(DETAIL) == 1, "the cause's own section says it"
    assert '<a href="#learning-curves">' in html
    assert "learning-curves" not in page(told(), several(["cat"]), status="skipped")


def test_where_no_curve_can_be_drawn_it_says_why():
    def short(one):
        return {key: value for key, value in one.items() if key not in {"measured", "curve"}} | {
            "doubling": None, "cannot_tell": "there are too few images to learn from fewer"}

    html = page(short(told()), {"cat": short(told())})
    assert html.count("<svg") == 1
    assert "Points: measured" not in html
    assert "No curve can be drawn: there are too few images to learn from fewer." in html
    many = page(told(), several([f"class {number}" for number in range(40)]))
    assert f"{40 - plots.MOST_CLASSES} are not" in many


def test_plots_fit_a_phone_and_take_the_colours_of_the_page(chromium, tmp_path):
    (tmp_path / "report.html").write_text(page(told(), several(["a" * 80, *ODD_NAMES]), CAUSES))
    colours = []
    for scheme in ("light", "dark"):
        tab = chromium.new_page(viewport={"width": 420, "height": 900}, color_scheme=scheme)
        errors = []
        tab.on("console", lambda message, errors=errors: errors.append(message.text))
        tab.goto((tmp_path / "report.html").as_uri())
        assert errors == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 420
        assert tab.locator("svg.plot use").count() > 0
        # What is clipped at the edges of a plot cannot be read.
        assert tab.evaluate("""[...document.querySelectorAll('svg.plot')].every(plot => {
            const box = plot.getBoundingClientRect();
            return [...plot.querySelectorAll('text')].every(text => {
                const own = text.getBoundingClientRect();
                return own.left >= box.left - 1 && own.right <= box.right + 1
                    && own.top >= box.top - 1 && own.bottom <= box.bottom + 1; }); })""")
        assert tab.evaluate("""[...document.querySelectorAll('svg.plot text')].every(
            text => text.getBoundingClientRect().height >= 9)""")
        colours.append(tab.evaluate("""getComputedStyle(
            document.querySelector('[data-part=measured] use')).fill"""))
    assert len(set(colours)) == 2
