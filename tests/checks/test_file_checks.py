"""Checks of files: what is broken, and what is misnamed or of an unusual kind."""

import numpy as np
import pytest

from audit.formats import EXTENSIONS

BROKEN = {
    "unreadable_file": {"status": "unreadable", "problem_kind": "corrupt", "problem": "no header"},
    "empty_file": {"status": "unreadable", "problem_kind": "empty", "problem": "0 bytes"},
    "decompression_bomb": {"status": "unreadable", "problem_kind": "bomb", "problem": "too large"},
    "damaged_file": {"status": "damaged", "problem_kind": "truncated", "problem": "cut at byte 9"},
}
PLANTED = BROKEN | {
    "animated": {"is_animated": True},
    "odd_mode": {"mode": "CMYK"},
    "wrong_extension": {"format": "PNG", "extension": ".jpg"},
}


@pytest.mark.parametrize("code", PLANTED)
def test_finds_what_was_planted_and_nothing_else(
        code, make_evidence, run, flagged_rows, flagged_subjects):
    evidence = make_evidence()
    for name, value in PLANTED[code].items():
        evidence.images.loc[7, name] = value
    result = run(code, evidence)
    assert flagged_rows(result) == [7]
    assert flagged_subjects(result) == {evidence.images["image_id"][7]}
    assert result.outcome.scores["score"][7] == 0
    assert flagged_rows(run(code, make_evidence())) == []


@pytest.mark.parametrize("planted", BROKEN)
def test_a_broken_file_is_found_by_one_check_only(planted, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    for name, value in BROKEN[planted].items():
        evidence.images.loc[7, name] = value
    assert [code for code in BROKEN if flagged_rows(run(code, evidence))] == [planted]


@pytest.mark.parametrize("kind", ["missing", "not_an_image", "unsupported", "timeout", "crash"])
def test_every_other_reason_makes_a_file_unreadable(kind, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    evidence.images.loc[7, ["status", "problem_kind"]] = "unreadable", kind
    assert flagged_rows(run("unreadable_file", evidence)) == [7]


def test_the_problem_is_told(make_evidence, run):
    evidence = make_evidence()
    for name, value in BROKEN["damaged_file"].items():
        evidence.images.loc[7, name] = value
    told = run("damaged_file", evidence).outcome.findings["evidence"][0]
    assert told == "cut short: cut at byte 9"


@pytest.mark.parametrize(("name", "extension"), [
    (name, extension) for name, extensions in EXTENSIONS.items() for extension in extensions])
def test_each_extension_of_a_format_is_right_and_of_another_is_wrong(
        name, extension, make_evidence, run, flagged_rows):
    others = [other for other in EXTENSIONS if other != name]
    evidence = make_evidence(columns={"extension": extension, "format": name})
    evidence.images.loc[:len(others) - 1, "format"] = others
    assert flagged_rows(run("wrong_extension", evidence)) == list(range(len(others)))


@pytest.mark.parametrize(("name", "extension", "is_wrong"), [
    ("", ".jpg", False), ("JPEG", "", True), ("JPEG", ".png", True), ("JPEG", ".jpeg", False)])
def test_the_extension_of_an_unknown_content_is_not_judged(
        name, extension, is_wrong, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    evidence.images.loc[3, ["format", "extension"]] = name, extension
    result = run("wrong_extension", evidence)
    assert flagged_rows(result) == ([3] if is_wrong else [])
    assert np.isnan(result.outcome.scores["score"][3]) == (not name)


@pytest.mark.parametrize(("mode", "is_odd"), [
    ("RGB", False), ("L", False), ("", False), ("RGBA", True), ("P", True), ("I;16", True)])
def test_only_plain_modes_are_usual(mode, is_odd, make_evidence, run, flagged_rows):
    evidence = make_evidence()
    evidence.images.loc[3, "mode"] = mode
    assert flagged_rows(run("odd_mode", evidence)) == ([3] if is_odd else [])
