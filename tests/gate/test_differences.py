"""Two audits are compared by what images hold: nothing is told twice, missed or mixed up."""

import json
import shutil

import pytest
from gate.gate_builders import PLENTY, image, record_of, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.gate.differences import as_json, compare
from audit.gate.flagged import WORSE
from audit.gate.record import read_record

A, B, C, D = (image(f"{name}.jpg", "cat", name) for name in "abcd")


@pytest.fixture
def compared(tmp_path):
    """Writes two runs and compares them."""

    def compare_both(before, after):
        return compare(read_record(write_run(tmp_path / "before", **before)),
                       read_record(write_run(tmp_path / "after", **after)))

    return compare_both


def images_of(found):
    return {"added": list(found.added), "removed": list(found.removed),
            "relabelled": list(found.relabelled), "renamed": found.renamed}


NOTHING = {"added": [], "removed": [], "relabelled": [], "renamed": 0}


def named(one, name):
    return {**one, "image_id": name}


def labelled(one, label):
    return {**one, "given_label": label}


@pytest.mark.parametrize(("before", "after", "changed"), [
    ([A, B], [A, B], {}),
    ([A, B], [B, A], {}),
    ([A, B], [A, B, C], {"added": ["c.jpg"]}),
    ([A, B, C], [C], {"removed": ["a.jpg", "b.jpg"]}),
    ([A, B], [C, D], {"added": ["c.jpg", "d.jpg"], "removed": ["a.jpg", "b.jpg"]}),
    ([A, B], [named(A, "new/a.png"), B], {"renamed": 1}),
    ([A, B], [named(A, "b.jpg"), named(B, "a.jpg")], {"renamed": 2}),
    ([A, B], [labelled(A, "dog"), B], {"relabelled": [("a.jpg", "cat", "dog")]}),
    ([A, B], [named(labelled(A, "dog"), "dog/a.jpg"), B],
     {"relabelled": [("dog/a.jpg", "cat", "dog")]}),
    ([A, B], [named(A, "b.jpg"), named(C, "a.jpg")], {
        "added": ["a.jpg"], "removed": ["b.jpg"], "renamed": 1}),
], ids=["same", "order", "added", "removed", "all others", "renamed", "swapped", "relabelled",
        "moved to another class", "a name taken over"])
def test_images_are_followed_by_what_they_hold(compared, before, after, changed):
    assert images_of(compared({"images": before}, {"images": after})) == NOTHING | changed


A2, A3, AS_DOG = named(A, "a2.jpg"), named(A, "a3.jpg"), named(labelled(A, "dog"), "dog/a.jpg")


@pytest.mark.parametrize(("before", "after", "changed"), [
    ([A], [A, A2], {"added": ["a2.jpg"]}),
    ([A, A2], [A], {"removed": ["a2.jpg"]}),
    ([A, A2], [A2], {"removed": ["a.jpg"]}),
    ([A2], [A, A2], {"added": ["a.jpg"]}),
    ([A, A2], [A, A3], {"renamed": 1}),
    ([A, AS_DOG], [AS_DOG], {"removed": ["a.jpg"]}),
    ([A, AS_DOG], [A], {"removed": ["dog/a.jpg"]}),
    ([AS_DOG], [A, AS_DOG], {"added": ["a.jpg"]}),
    ([A, A2], [A, labelled(A2, "dog")], {"relabelled": [("a2.jpg", "cat", "dog")]}),
    ([A, A2], [labelled(A, "dog"), A2], {"relabelled": [("a.jpg", "cat", "dog")]}),
], ids=["one more", "the last went", "the first went", "one before it", "one renamed",
        "that of one class went", "that of the other went", "under another class too",
        "the last relabelled", "the first relabelled"])
def test_of_copies_each_is_an_image(compared, before, after, changed):
    assert images_of(compared({"images": before}, {"images": after})) == NOTHING | changed


def check_of(found, code):
    one, = (one for one in found.checks if one.code == code)
    return one


def subjects(flags):
    return sorted(one.subject for one in flags)


def test_flags_appear_and_go(compared):
    found = compared({"flags": {"blurry": [0, 1, 60]}}, {"flags": {"blurry": [1, 2]}})
    one = check_of(found, "blurry")
    assert (one.flagged_before, one.flagged_after) == (3, 2)
    assert (subjects(one.appeared), subjects(one.gone), one.left) == (
        ["cat/002.jpg"], ["cat/000.jpg", "dog/000.jpg"], ())
    assert one.by_class() == {"cat": (1, 1), "dog": (0, 1)}
    assert [two.code for two in found.checks if two.has_changed] == ["blurry"]


def test_a_flag_that_went_with_its_image_was_not_put_right(compared):
    found = compared({"flags": {"blurry": [0, 1]}}, {"images": PLENTY[1:]})
    one = check_of(found, "blurry")
    assert (subjects(one.gone), subjects(one.left)) == (["cat/001.jpg"], ["cat/000.jpg"])
    assert one.by_class() == {"cat": (0, 2)}


def test_a_flag_follows_its_image_to_another_name(compared):
    images = [named(PLENTY[0], "new.jpg"), *PLENTY[1:]]
    found = compared({"flags": {"blurry": [0]}}, {"images": images, "flags": {"blurry": [0]}})
    assert not check_of(found, "blurry").has_changed


def test_under_another_label_a_flag_is_another(compared):
    images = [labelled(PLENTY[0], "dog"), *PLENTY[1:]]
    one = check_of(compared({"flags": {"label": [0]}},
                            {"images": images, "flags": {"label": [0]}}), "label")
    assert [two.label for two in one.appeared] == ["dog"]
    assert [two.label for two in one.gone] == ["cat"]
    assert one.by_class() == {"cat": (0, 1), "dog": (1, 0)}


def test_of_flagged_copies_those_that_are_more_appear(compared):
    found = compared({"images": [*PLENTY, A], "flags": {"exact_duplicates": [120]}},
                     {"images": [*PLENTY, A, A2, A3], "flags": {"exact_duplicates": [120, 121,
                                                                                     122]}})
    one = check_of(found, "exact_duplicates")
    assert (len(one.appeared), one.gone, one.left) == (2, (), ())


@pytest.mark.parametrize(("before", "after", "is_worse"), [
    (0.5, 0.5, False), (0.5, 0.9, False), (0.5, 0.46, False), (0.5, 0.5 - WORSE, False),
    (0.5, 0.44, True), (0.5, 0.0, True)])
@pytest.mark.parametrize("subject", ["cat", ""], ids=["class", "dataset"])
def test_a_finding_whose_score_fell_is_worse(compared, subject, before, after, is_worse):
    one = check_of(compared({"findings": [("class_imbalance", subject, before)]},
                            {"findings": [("class_imbalance", subject, after)]}),
                   "class_imbalance")
    assert [(two.score, score) for two, score in one.worse] == ([(after, before)] if is_worse
                                                                else [])
    assert (one.appeared, one.gone, one.left, one.has_changed) == ((), (), (), is_worse)


def test_findings_about_classes_appear_and_go(compared):
    one = check_of(compared({"findings": [("class_imbalance", "cat", 0.1)]},
                            {"findings": [("class_imbalance", "dog", 0.1)]}), "class_imbalance")
    assert (subjects(one.appeared), subjects(one.gone), one.left) == (["dog"], ["cat"], ())
    assert one.worse == ()


def test_two_findings_about_one_thing_that_stay_are_no_worse(compared):
    both = {"findings": [("weak_slices", "", 0.3), ("weak_slices", "", 0.6)]}
    assert not check_of(compared(both, both), "weak_slices").has_changed


@pytest.mark.parametrize("status", ["error", "skipped"])
def test_a_check_that_did_not_run_has_found_nothing_which_is_no_change(compared, status):
    flags, stopped = {"flags": {"blurry": [0]}}, {"statuses": {"blurry": status}}
    for before, after, states in ((flags, stopped, ("ok", status)),
                                  (stopped, flags, (status, "ok"))):
        one = check_of(compared(before, after), "blurry")
        assert (one.before, one.after) == states
        assert (one.appeared, one.gone, one.left, one.worse) == ((), (), (), ())
        assert one.has_changed


def test_a_check_that_one_of_them_does_not_know_is_missing(compared):
    flags, without = {"flags": {"blurry": [0]}}, {"without": ["blurry"]}
    one = check_of(compared(flags, without), "blurry")
    assert (one.before, one.after, one.gone, one.title) == ("ok", "missing", (), "Blurry")
    one = check_of(compared(without, flags), "blurry")
    assert (one.before, one.after, one.appeared, one.title) == ("missing", "ok", (), "Blurry")


def test_a_run_and_itself_are_the_same(tmp_path):
    run = write_run(
        tmp_path / "run", [*PLENTY, A, A2, AS_DOG, image("x.jpg", "dog", "", status="unreadable")],
        flags={"blurry": [0, 120, 121, 122], "unreadable_file": [123]},
        findings=[("class_imbalance", "cat", 0.1), ("weak_slices", "", 0.2)],
        sets={"exact_duplicates": [(120, 121)]}, statuses={"outlier": "error"})
    found = compare(read_record(run), read_record(shutil.copytree(run, tmp_path / "other")))
    assert images_of(found) == NOTHING
    assert [one.code for one in found.checks if one.has_changed] == []
    assert sum(one.flagged_before for one in found.checks) == 4 + 1 + 2 + 2


def test_all_of_it_can_be_written_as_json(compared):
    found = compared(
        {"images": [*PLENTY, A], "flags": {"blurry": [0, 120]},
         "findings": [("weak_slices", "", 0.5)]},
        {"images": [labelled(PLENTY[0], "dog"), *PLENTY[1:], B], "flags": {"blurry": [1]},
         "findings": [("weak_slices", "", 0.1)]})
    told = json.loads(json.dumps(as_json(found)))
    assert told["images"] == {
        "added": 1, "removed": 1, "renamed": 0, "relabelled": 1, "added_names": ["b.jpg"],
        "removed_names": ["a.jpg"],
        "relabelled_names": [{"image": "cat/000.jpg", "before": "cat", "after": "dog"}]}
    blurry, slices = (next(one for one in told["checks"] if one["check"] == code)
                      for code in ("blurry", "weak_slices"))
    assert [blurry[key] for key in ("flagged", "appeared", "gone", "gone_with_their_image")] == [
        {"before": 2, "after": 1}, 1, 1, 1]
    assert blurry["classes"] == {"cat": {"appeared": 1, "gone": 2}}
    assert [(one["subject"], one["before"], one["after"]) for one in slices["worse"]] == [
        ("the dataset", 0.5, 0.1)]
    assert (told["before"]["dataset"], told["after"]["images"]) == (found.before.digest, 121)


_IMAGE = st.tuples(st.sampled_from("pqrs"), st.sampled_from(["cat", "dog"]))
_RUN = st.fixed_dictionaries({
    "images": st.dictionaries(st.sampled_from("abcdefg"), _IMAGE, min_size=1).map(
        lambda found: [image(name, label, content)
                       for name, (content, label) in sorted(found.items())]),
    "blurry": st.sets(st.integers(0, 6)),
    "findings": st.dictionaries(st.sampled_from(["", "cat", "dog"]), st.floats(0, 1)).map(
        lambda found: [("class_imbalance", *one) for one in found.items()]),
    "status": st.sampled_from(["ok", "ok", "ok", "error"])})


def _record(told):
    rows = [row for row in told["blurry"] if row < len(told["images"])]
    return record_of(told["images"], findings=told["findings"], flags={"blurry": rows},
                     statuses={"blurry": told["status"]})


@given(_RUN, _RUN)
@settings(max_examples=80, deadline=None)
def test_what_appears_one_way_goes_the_other_way(one, other):
    first, second = _record(one), _record(other)
    there, back = compare(first, second), compare(second, first)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert there.renamed == back.renamed
    assert sorted((old, new) for _, old, new in there.relabelled) == sorted(
        (old, new) for _, new, old in back.relabelled)
    assert len(first.image_ids) - len(there.removed) + len(there.added) == len(second.image_ids)
    for forth, reverse in zip(there.checks, back.checks, strict=True):
        assert set(forth.appeared) == {*reverse.gone, *reverse.left}
        assert set(reverse.appeared) == {*forth.gone, *forth.left}
        assert (forth.before, forth.flagged_before) == (reverse.after, reverse.flagged_after)
        if (forth.before, forth.after) == ("ok", "ok"):
            assert forth.flagged_after == (forth.flagged_before + len(forth.appeared)
                                           - len(forth.gone) - len(forth.left))
        assert not {two.subject for two, _ in forth.worse} & {
            two.subject for two, _ in reverse.worse}


@given(_RUN)
@settings(max_examples=40, deadline=None)
def test_nothing_changes_from_a_run_to_itself(told):
    found = compare(_record(told), _record(told))
    assert images_of(found) == NOTHING
    assert not any(one.has_changed for one in found.checks)
