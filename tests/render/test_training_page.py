"""training.html: what was gained is said as it was measured, and nothing breaks the page."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from audit.render import render_training, training_page, training_plots

EVIL = '<img src=x onerror="alert(1)">'
ODD_NAMES = (EVIL, "R&D's \"cats\"", "数字 🐱", "a" * 300, "]]>&amp;</svg>", "$a_b$ costs $5")
CODE = 'print("a < b & c")\n'
WHATS = (("as-it-came", "data as they came"), ("files", "copies, conflicts out"),
         ("labels", "labels remedied"), ("balance", "classes balanced"))


def change(points, reach):
    return {name: {"points": one, "low": one - reach, "high": one + reach} for name, one in
            (("accuracy", points / 2), ("balanced_accuracy", points))}


def recalls(names, shift):
    told = {}
    for at, name in enumerate(names):
        value = min(1, 0.5 + 0.4 * at / len(names) + shift * (at % 3 - 0.5))
        told[name] = {"recall": value, "low": value - 0.1, "high": min(1, value + 0.08)}
    return told


def arm(number, names, gain, step, reach, seeds):
    name, what = WHATS[number]
    images = 900 - 20 * number
    told = {"name": name, "what": what,
            "images": images, "examples": images + 140 * (name == "balance"),
            "accuracy": 0.8 + gain / 200, "balanced_accuracy": 0.75 + gain / 100,
            "calibration_error": 0.111 - 0.01 * number, "log_loss": 0.5, "by_seed": [],
            "recalls": recalls(names, gain / 100), "epochs": [8] * seeds}
    return told | ({"gain": change(gain, reach), "gain_of_step": change(step, reach)}
                   if number else {})


def example(gains=(2.0, 5.4), reach=1.5, seeds=3, names=("cat", "dog", "emu"), **changed):
    """training.json as `as_json` gives it: gains of the arms after the first, in points."""
    steps = [after - before for before, after in pairwise([0.0, *gains])]
    arms = [arm(0, names, 0.0, 0.0, reach, seeds)]
    arms += [arm(number + 1, names, gain, step, reach, seeds)
             for number, (gain, step) in enumerate(zip(gains, steps, strict=True))]
    helped, worse = (bool(gains) and sign * gains[-1] > reach for sign in (1, -1))
    rates = [1e-5 * 10 ** (step / 15) for step in range(61)]
    return {"network": "a small residual network from scratch, at 32 px", "test_images": 254,
            "classes": list(names), "learning_rate": 0.001,
            "range_test": {"rates": rates, "recommended": 0.001, "losses": [
                2.5 + (math.log10(rate) + 2) ** 2 / 10 for rate in rates]},
            "seeds": seeds, "arms": arms, "verdict": "The remedies did something.",
            "has_helped": helped, "saved": arms[0 if worse else -1]["name"],
            "notes": ["Measured on 259 images that were held out before the audit.",
                      "5 test images are copies of images to train on and do not count."],
            **changed}


def histories(told, epochs=8, best=None):
    """Losses that fall to epoch `best` and rise after it."""
    best = best or epochs
    return [[[{"epoch": epoch, "training_loss": 1 / epoch, "validation_accuracy": 0.8,
               "validation_loss": 0.4 + abs(best - epoch) ** 2 / 5 + 0.02 * seed - 0.05 * number}
              for epoch in range(1, epochs + 1)]
             for seed in range(told["seeds"])] for number in range(len(told["arms"]))]


def page(told, **changed):
    return render_training(told, histories(told, **changed), CODE)


def words(html):
    """What is read, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<style>[^<]*</style>|<[^>]+>", " ", html))


def header(html):
    return words(html[html.index("<header>"):html.index("</header>")])


def elements(svg):
    return list(ET.fromstring(svg).iter())  # noqa: S314 - of our own making


def parts(svg, name):
    (found,) = [one for one in elements(svg) if one.get("data-part") == name]
    return found


def ends(svg, name):
    return [[float(x) for x in re.findall(r"[ML] (\S+) \S+", path.get("d"))]
            for path in parts(svg, name).iter("path")]


def test_the_first_screen_has_the_answer_and_how_it_was_found():
    html = page(example())
    read = header(html)
    for said in ("The remedies did something.", "data as they came", "copies, conflicts out",
                 "labels remedied saved", "80.0 %", "0.091", "+5.4 (3.9 to 6.9)",
                 "+3.4 (1.9 to 4.9)", "held out before the audit", "254 test images count",
                 "small residual network", "0.001 at its highest, by the range test",
                 "3 trainings of each row (3 seeds)", "8 epochs each", "network.keras", "Next use",
                 "trained on “labels remedied”", "print(&#34;a &lt; b &amp; c&#34;)"):
        assert said in read, said
    assert not re.search("Nothing was gained|too narrow", read)
    assert html.count("<svg") == 4
    assert "All remedies: mean recall +5.4 points (3.9 to 6.9), accuracy +2.7 points" in words(html)
    assert "labels remedied +3.4 points (1.9 to 4.9)" in words(html)


def test_it_says_that_it_is_worse_and_which_network_was_saved():
    html = page(example(gains=(1.0, -6.0)))
    read = header(html)
    for said in ("data as they came saved", "−6.0 (−7.5 to −4.5)", "keep the data as they came"):
        assert said in read
    assert "Nothing was gained" not in read
    assert "measurable change of the mean recall: labels remedied −7.0 points" in words(html)


def test_it_says_that_nothing_was_gained_and_what_could_have_been_seen():
    html = page(example(gains=(0.3,), reach=4.2))
    for said in ("Nothing was gained that could be measured.", "no need to change the data",
                 "a change of the mean recall below about 4.2 points"):
        assert said in header(html)
    assert "Against the row above" not in words(html), "with two rows that is the same"
    assert "No remedy changes the mean recall measurably" in words(
        page(example(gains=(0.3, 0.5, 0.1), reach=4.2)))


def test_of_one_training_each_it_says_that_intervals_are_too_narrow():
    assert "the intervals are too narrow" in header(page(example(seeds=1)))
    assert "too narrow" not in header(page(example(gains=(), seeds=1))), "there are none"


def test_one_arm_has_nothing_to_compare_but_all_else():
    html = page(example(gains=()))
    read = header(html)
    assert "Nothing was compared" in read
    assert "data as they came saved" in read
    assert "against the" not in read
    assert html.count("<svg") == 3
    assert "Lowest: cat, 50 % (40–58)." in words(html)


def test_what_is_not_known_is_a_dash():
    told = example(gains=(2.0, 5.0))
    nothing = {"points": None, "low": None, "high": None}
    for one in told["arms"]:
        one.update(accuracy=None, balanced_accuracy=math.nan, calibration_error=None)
    for one in told["arms"][1:]:
        one["gain"] = one["gain_of_step"] = {"accuracy": nothing, "balanced_accuracy": nothing}
    told["arms"][-1]["recalls"]["dog"] = {"recall": None, "low": None, "high": None}
    html = page(told)
    (last,) = re.findall(r'<tr class="last">.*</tr>', html)
    assert re.findall(r">(–)<", last) == ["–"] * 5
    assert not re.search(r"\b(nan|None|inf)\b", words(html))
    assert html.count("<svg") == 3, "no plot of gains"
    told["has_helped"] = False
    assert "Nothing was gained that could be measured." in header(page(told))
    half = {"points": -1.25, "low": None, "high": 2.0}
    assert training_page._change(half) == "−1.2 points"


def test_losses_that_are_no_numbers_break_nothing():
    told = example()
    for bad in (math.nan, math.inf, None):
        epochs = histories(told)
        for one in epochs[0][0]:
            one["validation_loss"] = bad
        epochs[-1][0][3]["validation_loss"] = bad
        assert render_training(told, epochs, CODE).count("<svg") == 4
        for one in (one for arms in epochs for seed in arms for one in seed):
            one["validation_loss"] = bad
        html = render_training(told, epochs, CODE)
        assert html.count("<svg") == 3
        assert "the training diverged" in words(html)
        told["range_test"]["losses"][-1] = bad
    assert page(told).count("<svg") == 4
    told["range_test"]["losses"] = [None] * 61
    assert "No loss of the range test was a number" in words(page(told))
    told["range_test"] = None
    assert "0.001 at its highest, as asked for" in header(page(told))
    assert "no range test was made" in words(page(told))


def test_bars_and_whiskers_are_where_they_were_measured():
    told = example(gains=(2.0, -4.0), reach=1.0)
    svg = training_plots.gains_of_arms(told["arms"])
    assert "change, percentage points" in svg
    ((zero, _),) = ends(svg, "zero")
    first, second = ends(svg, "interval-balanced_accuracy")
    assert zero < min(first)
    assert max(second) < zero
    assert min(second) - zero == pytest.approx(-5 * (max(first) - zero) / 3, rel=1e-3)
    assert len(ends(svg, "interval-accuracy")) == 2


@pytest.mark.parametrize("count", [1, 3, 40])
def test_recalls_are_in_pairs_ordered_by_change(count):
    names = [f"class {number}" for number in range(count)]
    told = example(names=names, gains=(6.0,))
    before, after = told["arms"][0]["recalls"], told["arms"][1]["recalls"]
    svg = training_plots.recalls_of_classes(before, after)
    shown = min(count, 25)
    points = {name: [float(one.get("x")) for one in parts(svg, name).iter("use")]
              for name in ("before", "after")}
    assert len(points["before"]) == len(points["after"]) == shown
    change = [b - a for a, b in zip(points["before"], points["after"], strict=True)]
    assert all(one >= other - 1e-3 for one, other in pairwise(change))
    assert all(low <= x <= high for name in points for x, (low, high) in
               zip(points[name], ends(svg, f"interval-{name}"), strict=True))
    read = words(page(told))
    assert ("are not: training.json has all" in read) == (count > 25)
    assert f"of {count} classes, lower in" in read


def test_what_is_not_among_the_figures_is_said():
    told = example(gains=(1.0, 2.0, 5.0))
    told["classes"].append("yak <b>")
    assert "Without test images: yak &lt;b&gt;." in words(page(told))
    assert "840 and 140 repeats" in header(page(told)), "repeats are no images"


def test_curves_have_a_line_a_seed_and_mark_the_best_epoch():
    told = example(seeds=4)
    svg = training_plots.validation_losses(histories(told, epochs=12, best=5))
    drawn = elements(svg)
    for name in ("before", "after", "best-before", "best-after"):
        assert sum(one.get("data-part") == name for one in drawn) == 4
    assert {"epoch", "validation loss, nats"} <= {one.text for one in drawn}
    assert "No training was best at its last epoch" in words(page(told, epochs=12, best=5))
    assert "In 8 of 8 trainings the last epoch was the best" in words(page(told))
    assert page(told, epochs=1).count("<svg") == 4


def test_the_range_test_has_plain_rates():
    svg = training_plots.range_test(example()["range_test"])
    written = [one.text for one in elements(svg)]
    assert {"0.00001", "0.0001", "0.01", "0.1", "recommended 0.001",
            "learning rate"} <= set(written)
    assert "lowest at 0.01 and rises beyond" in words(page(example()))
    assert [training_plots.plain(one) for one in (1.2e-5, 0.0123, 0.5, 1, 10, 1234)] == [
        "0.000012", "0.012", "0.5", "1", "10", "1,234"]


def test_names_are_escaped_and_nothing_is_fetched():
    told = example(names=ODD_NAMES, network=EVIL, verdict=EVIL, notes=[EVIL, "<b>"])
    for one in told["arms"]:
        one["what"] = f"{one['what']} {EVIL}"
    told["classes"].append(f"untested {EVIL}")
    html = page(told)
    assert "<img" not in html
    assert "<b>" not in html.replace('<b class="', "")
    assert not re.search(r"<script|<link|@import|src=(?!x)|https?://|url\((?!#)", html)
    assert not re.search(r"<[^>]*\son\w+\s*=", re.sub(r'aria-label="[^"]*"', "", html))
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', html)) <= set(ids)


@pytest.mark.parametrize("told", [
    example(names=ODD_NAMES, gains=(1.0, -2.0, 6.0)), example(gains=(-5.0,), seeds=1),
    example(gains=()), example(names=[f"class {number}" for number in range(40)], seeds=1)],
    ids=["odd", "worse", "single", "many"])
def test_it_fits_a_phone_and_takes_the_colours_of_the_page(chromium, told, tmp_path):
    (tmp_path / "training.html").write_text(page(told), encoding="utf-8")
    colours, pictures = [], []
    for scheme in ("light", "dark"):
        tab = chromium.new_page(viewport={"width": 420, "height": 900}, color_scheme=scheme)
        said = []
        for event in ("console", "pageerror", "request"):
            tab.on(event, lambda what, said=said: said.append(str(what)))
        tab.goto((tmp_path / "training.html").as_uri())
        tab.locator("summary").click()
        assert len(said) == 1, "the one request for the page itself"
        assert tab.evaluate("document.documentElement.scrollWidth") <= 420
        # What is clipped at the edges of a plot, or tiny, cannot be read.
        assert tab.evaluate("""[...document.querySelectorAll('svg.plot text')].every(text => {
            const box = text.closest('svg').getBoundingClientRect();
            const own = text.getBoundingClientRect();
            return own.height >= 9 && own.left >= box.left - 1 && own.right <= box.right + 1
                && own.top >= box.top - 1 && own.bottom <= box.bottom + 1; })""")
        colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        pictures.append(tab.screenshot(full_page=True))
        tab.emulate_media(media="print")
        tab.set_viewport_size({"width": 700, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= 700
    assert len(set(colours)) == len(set(pictures)) == 2
