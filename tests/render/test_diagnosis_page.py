"""diagnosis.html and diagnosis.json: all that was found is there, and nothing breaks the page."""

import html as escaping
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from audit.curves import Curves
from audit.diagnosis.alternatives import Alternative
from audit.diagnosis.case import CAUSES, Suspicion
from audit.diagnosis.conclude import conclude
from audit.diagnosis.data import DataCause
from audit.diagnosis.dataset import Images
from audit.diagnosis.diagnose import Diagnosis, Trial
from audit.diagnosis.experiment import Epoch, Training
from audit.diagnosis.first_steps import LayerSteps
from audit.diagnosis.initial import Initial, LayerStart
from audit.diagnosis.one_batch import OneBatch
from audit.diagnosis.rates import RateTest
from audit.diagnosis.subject import Regime, Subject
from audit.render.diagnosis_page import BLAMES, of_one_batch, of_rates, render_diagnosis
from pipelines.diagnose_model import Diagnosed, Explored
from pipelines.tell_diagnosis import as_json

NAN = float("nan")
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
LONG = "a_name_without_any_place_to_break_it_" * 8
CLASSES = ("cat", "dog", "emu", "owl")
SUBJECT = Subject("a test's", lambda: None, Regime())


def training(recall=0.4, losses=(1.4, 1.3, 1.2, 1.1), held_out=None, **more):
    held_out = losses if held_out is None else held_out
    return Training(tuple(Epoch(number, 100 * number, loss, other, recall)
                          for number, (loss, other)
                          in enumerate(zip(losses, held_out, strict=True), 1)),
                    recall, recall + 0.1, **more)


def images_of(classes=CLASSES):
    labels = np.repeat(np.arange(len(classes)), 50)
    return Images(np.zeros((len(labels), 1, 1, 3), np.uint8), labels, classes,
                  np.arange(0, len(labels) - 60), np.arange(len(labels) - 60, len(labels)))


def layers(names=("conv2d", "dense"), figure=1.0):
    return tuple(LayerStart(name, "Dense", figure, place == 0, place == 0, figure, 0.25, figure)
                 for place, name in enumerate(names))


def steps(names=("conv2d", "dense"), figure=0.002):
    return tuple(LayerSteps(name, figure, 0.625, NAN) for name in names)


def trial(cause, recall=0.93, **more):
    told = {"recovered": 0.95, "is_verified": True} | more
    return Trial(Suspicion(cause, 0.9, f"Seen of {cause}.", f"Change the {cause}.", SUBJECT),
                 None if recall is None else training(recall), **told)


RATES = RateTest(tuple(np.geomspace(1e-7, 1, 60).tolist()),
                 tuple((2 + (np.log10(np.geomspace(1e-7, 1, 60)) + 2) ** 2).tolist()), 2e-3, 1e-6)
DATA = DataCause("label_noise", 0.85, "About 20 % of the labels are wrong.", "audit review RUN.",
                 "People find the flagged labels right.")


def diagnosed(*, as_it_is=None, trials=None, data=(DATA,), classes=CLASSES, model="models.py:make",
              rates=RATES, initial=None, one_batch=None, history=None, **explored):
    """A diagnosis of a poor model with two verified causes and one that was not tried."""
    trials = (trial("initialisation"), trial("loss", 0.85), trial(
        "depth", None, is_verified=False, untried="no time was left")) if trials is None else trials
    found = Diagnosis(
        initial or Initial(1.5, 1.386, 0.0, 1.0, layers()), as_it_is or training(),
        training(0.95), rates, bool(trials or (as_it_is and as_it_is.failure)), 0.8, trials, 9.0)
    seen = {"one_batch": one_batch or OneBatch(16, (1.4, 0.9, 0.1, 0.01)), "first_steps": steps(),
            "optimizers": tuple(Alternative(name, 0.002, 1_234, training(0.5)) for name in
                                ("Adam", "RMSprop")),
            "sizes": (Alternative("half as wide", None, 0, training(0.25, failure="no")),),
            "shuffled": training(0.26), "swapped": training(0.4),
            "reference_on_digits": training(0.97)} | explored
    return Diagnosed(conclude(found, data), found, Explored(**seen), history, images_of(classes),
                     4_321, 12.3, model, "10 epochs, batches of 32")


def bare():
    """All that may be absent is, as of a model that cannot be trained, with --quick."""
    return diagnosed(
        as_it_is=Training((), 0.25, 0.25, "ValueError: no"), trials=(), data=(), rates=None,
        initial=Initial(NAN, NAN, 0.0, 1.0, (), "ValueError: no"), first_steps=(), optimizers=(),
        sizes=(), shuffled=None, swapped=None, reference_on_digits=None,
        one_batch=OneBatch(16, (), "ValueError: no"))


def page(one):
    return render_diagnosis(as_json(one))


def words(html):
    """What is read, in one line, as it is shown."""
    text = re.sub(r"<style>[^<]*</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", escaping.unescape(text))


def section(html, name):
    return html[html.index(f'<section id="{name}">'):].partition("</section>")[0]


def rows(html):
    """Cells of each row of the tables' bodies."""
    return [[words(cell).strip() for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)]
            for row in re.findall(r"<tr>(<td.*?)</tr>", html, re.DOTALL)]


def test_every_cause_is_shown_with_what_it_rests_on():
    one = diagnosed()
    assert [cause.key for cause in one.conclusion.causes] == [
        "initialisation", "loss", "label_noise"]
    causes = section(page(one), "causes").split('<div class="cause">')[1:]
    assert len(causes) == 3
    for place, (cause, html) in enumerate(zip(one.conclusion.causes, causes, strict=True), 1):
        read = words(html)
        for said in (f"{place} {cause.title}", cause.probability, cause.evidence, cause.fix,
                     f"It would be refuted by: {cause.refuted_by}"):
            assert said in read, said
    assert "40 % → 93 %" in words(causes[0])
    assert "40 % → 85 %" in words(causes[1])
    assert "→" not in words(causes[2])
    assert ["svg" in html for html in causes] == [True, True, False]


@pytest.mark.parametrize(("planted", "blame"), [
    ({}, "several"), ({"data": ()}, "model"), ({"trials": ()}, "data"),
    ({"trials": (), "data": ()}, "nothing"),
    ({"trials": (trial("epochs"),), "data": ()}, "settings")])
def test_the_verdict_comes_first(planted, blame):
    one = diagnosed(**planted)
    assert one.conclusion.blame == blame
    html = page(one)
    header = words(html[html.index("<header>"):html.index("</header>")])
    assert header.strip().startswith(f"{BLAMES[blame]} {one.conclusion.sentence}")
    for said in ("models.py:make", "10 epochs, batches of 32", "200 of 4,321", "4 classes",
                 "mean recall of the classes 40 %", "on the same images: 95 %", "chance 25 %",
                 "shuffled labels 26 %"):
        assert said in header, said


def test_where_there_is_no_cause_the_two_curves_are_shown():
    html = section(page(diagnosed(trials=(), data=())), "causes")
    assert "How far it gets" in html
    assert html.count("<svg") == 1
    assert "The model ends at 40 %" in words(html)


def test_the_swap_has_both_models_on_both_data():
    assert rows(section(page(diagnosed()), "swap")) == [
        ["your model", "40 %", "40 %"], ["a model of ours", "95 %", "97 %"]]
    assert rows(section(page(diagnosed(swapped=None)), "swap")) == []


def test_alternatives_and_trials_are_tables():
    html = page(diagnosed())
    assert rows(section(html, "alternatives")) == [
        ["Adam", "0.002", "1,234", "50 %"], ["RMSprop", "0.002", "1,234", "50 %"],
        ["half as wide", "yours", "–", "–"]]
    tried = rows(section(html, "tried"))
    assert [row[0] for row in tried] == [CAUSES[key] for key in ("initialisation", "loss", "depth")]
    assert [row[3] for row in tried] == ["93 % ✓", "85 % ✓", "not tried"]


def test_layers_are_shown_before_and_after_their_first_updates():
    told = rows(section(page(diagnosed()), "layers"))
    assert told[0] == ["conv2d (all alike)", "Dense", "1", "1", "1", "0.002", "62 %", "–"]
    assert told[1][0] == "dense (frozen)"


def test_what_is_not_known_is_a_dash_and_never_none():
    names = ("conv2d", "dense")
    for one in (diagnosed(initial=Initial(NAN, NAN, 0.0, 1.0, layers(names, NAN)),
                          first_steps=steps(names, NAN)), bare()):
        read = words(page(one))
        assert not re.search(r"\b(None|nan|inf|null|undefined)\b", read)
    told = rows(section(page(diagnosed(
        initial=Initial(NAN, NAN, 0.0, 1.0, layers(names, NAN)), first_steps=())), "layers"))
    assert told[0][2:] == ["–"] * 6


def test_of_a_model_that_cannot_be_trained_nothing_is_drawn_of_what_is_not_known():
    html = page(bare())
    assert "<svg" not in section(html, "rate")
    assert "<svg" not in section(html, "curves")
    assert "The model cannot be trained, so no rate can be recommended" in html
    for name in ("alternatives", "tried"):
        assert f'id="{name}"' not in html
    assert "could not be looked into: ValueError: no" in words(html)
    assert "could not be trained on: ValueError: no" in words(html)


def test_losses_that_are_no_number_are_not_drawn():
    html = page(diagnosed(as_it_is=training(0.25, (NAN, NAN)), data=(), trials=()))
    assert "<svg" not in section(html, "curves")
    assert "The loss was no number in epoch 1." in words(section(html, "curves"))


def test_the_history_that_was_given_is_judged_beside_the_training():
    history = Curves((1.4, 0.9, 2.0, 9.0))
    html = section(page(diagnosed(history=history)), "curves")
    assert html.count("<svg") == 2
    given = html.partition("The history you gave")[2]
    assert "The loss fell to 0.9 and ended at 9." in words(given)
    assert "held-out images</span>" not in given, "there were none"
    assert "The history you gave" not in page(diagnosed())
    fine = Curves((1.4, 0.5, 0.2), (1.4, 0.5, 0.2))
    assert "Nothing in these curves calls for a change." in words(
        section(page(diagnosed(history=fine)), "curves").partition("The history you gave")[2])


@pytest.mark.parametrize(("found", "said"), [
    (OneBatch(16, (1.4, *(0.01,) * 5)), "It learns a handful of images by heart"),
    (OneBatch(16, (1.4, *(1.3,) * 5)), "It does not even learn a handful"),
    (OneBatch(16, (1.4, *(NAN,) * 5)), "It does not even learn a handful"),
    (OneBatch(16, (), "ValueError: no"), "could not be trained on: ValueError: no.")])
def test_the_handful_is_told_in_a_sentence(found, said):
    assert said in words(page(diagnosed(one_batch=found)))
    told = as_json(diagnosed(one_batch=found))["one_batch"]
    assert said in of_one_batch(told)
    assert "None" not in of_one_batch(told)


@pytest.mark.parametrize(("own", "said"), [
    (2e-3, "near the rate recommended"), (0.2, "100 times the rate recommended"),
    (2e-5, "100 times below the rate recommended"), (0.0, "is zero")])
def test_where_the_rate_lies_is_said(own, said):
    assert said in of_rates({"own": own, "recommended": 2e-3})


def test_a_rate_that_begins_at_0_can_be_shown():
    html = page(diagnosed(rates=replace(RATES, own=0.0)))
    assert "is zero" in words(section(html, "rate"))


def hostile():
    """Whatever comes from the data or the model tries to break out."""
    spoilt = Trial(Suspicion("loss", 0.9, f"Seen {EVIL}", f"Change {EVIL}", SUBJECT),
                   training(0.9), 0.9, is_verified=True)
    return diagnosed(
        model=EVIL, classes=(EVIL, *CLASSES[1:]), trials=(spoilt,),
        as_it_is=training(failure=EVIL), one_batch=OneBatch(16, (), EVIL),
        initial=Initial(1.0, NAN, 0.0, 1.0, layers((EVIL, "dense"))), first_steps=steps(
            (EVIL, "dense")), data=(replace(DATA, evidence=EVIL, fix=EVIL, refuted_by=EVIL),),
        optimizers=(Alternative(EVIL, 0.1, 3, training()),))


def test_names_are_escaped():
    html = page(hostile())
    assert not re.search("<script|<img", html)
    assert "<title>Data and model · &lt;script&gt;" in html
    assert words(section(html, "causes")).count(EVIL) == 5
    assert EVIL in rows(section(html, "layers"))[0][0]
    assert rows(section(html, "alternatives"))[0][0] == EVIL
    assert not re.search(r"<[^>]*\son\w+\s*=", html)


@pytest.mark.parametrize("one", [diagnosed(history=Curves((1.4, 0.9, 0.8))), bare(), hostile()],
                         ids=["full", "bare", "hostile"])
def test_the_page_opens_offline_without_scripts(one):
    html = page(one)
    assert not re.search(r"<script|<link|<iframe|@import|\ssrc=(?!x)|url\((?!#)", html)
    assert "//" not in re.sub(r"<style>[^<]*</style>", "", html)
    assert "default-src 'none'" in html
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', html)) <= set(ids)


@pytest.mark.parametrize("one", [
    diagnosed(), bare(), hostile(),
    diagnosed(as_it_is=training(0.25, (1.4, NAN, float("inf"), NAN)),
              one_batch=OneBatch(16, (1.0, NAN)), first_steps=steps(figure=float("inf")),
              history=Curves((1.4, NAN), (1.4, float("-inf"))),
              rates=replace(RATES, losses=(*RATES.losses[:-1], float("inf"))))],
    ids=["full", "bare", "hostile", "no numbers"])
def test_the_json_is_strict_and_says_the_same_when_read_back(one):
    told = as_json(one)
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text, parse_constant=pytest.fail) == told
    assert render_diagnosis(json.loads(text)) == page(one)


def test_the_json_holds_what_was_measured():
    told = as_json(diagnosed(as_it_is=training(0.25, (1.4, NAN))))
    assert [epoch["loss"] for epoch in told["as_it_is"]["epochs"]] == [1.4, None]
    assert [one["key"] for one in told["causes"]] == ["initialisation", "loss", "label_noise"]
    assert [one["cause"] for one in told["trials"]] == ["initialisation", "loss", "depth"]
    assert told["trials"][2]["training"] is None
    assert told["images"]["classes"] == list(CLASSES)
    assert told["images"]["learned"] + told["images"]["judged"] == told["images"]["used"]


def long_names():
    layer = (LONG, LONG)
    return diagnosed(
        model=f"{LONG}.py:{LONG}", as_it_is=training(failure=f"ValueError: {LONG}"),
        initial=Initial(1.0, 1.0, -123_456.0, 123_456.0, layers(layer, 123_456.0)),
        first_steps=steps(layer, 1e-9), one_batch=OneBatch(16, (), LONG),
        trials=(Trial(Suspicion("loss", 0.9, LONG, LONG, SUBJECT), training(0.9), 0.9,
                      is_verified=True),))


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("one", [diagnosed(history=Curves((1.4, 0.9, 0.8))), bare(), hostile(),
                                 long_names()], ids=["full", "bare", "hostile", "long names"])
def test_nothing_overflows_in_a_browser(chromium, tmp_path, one, width):
    (tmp_path / "diagnosis.html").write_text(page(one), encoding="utf-8")
    tab = chromium.new_page(viewport={"width": width, "height": 900})
    said = []
    for event in ("console", "pageerror", "request", "dialog"):
        tab.on(event, lambda what: said.append(str(what)))
    tab.goto((tmp_path / "diagnosis.html").as_uri())
    assert len(said) == 1, "the one request for the page itself"
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    # What is wider than the page may only be so inside of something that scrolls.
    assert tab.evaluate("""width => [...document.querySelectorAll('body *')].filter(one => {
        const box = one.getBoundingClientRect();
        return box.width && (box.right > width + 1 || box.left < -1)
            && !one.closest('.wide, section > table');
    }).map(one => one.outerHTML.slice(0, 120))""", width) == []
    assert tab.evaluate("""[...document.querySelectorAll('svg.plot text')].every(text => {
        const box = text.closest('svg').getBoundingClientRect();
        const own = text.getBoundingClientRect();
        return own.left >= box.left - 1 && own.right <= box.right + 1
            && own.top >= box.top - 1 && own.bottom <= box.bottom + 1; })""")
    tab.close()
