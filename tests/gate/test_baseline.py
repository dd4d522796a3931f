"""What a baseline had is known: by content, check and label, and as long as it is not worse."""

import pytest
from gate.gate_builders import PLENTY, image, judged, judgement, pictures, record_of, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.gate.flagged import WORSE, excused, flags_of
from audit.gate.reviewed import Reviewed
from audit.gate.waivers import today_in_utc

RULE = '[gate.checks.blurry]\nwarn_if = []\nerror_if = "count > 0"\n'
NOBODY = Reviewed({}, frozenset(), "")


@pytest.fixture
def runs(tmp_path):
    """Writes two runs, and judges the second by the first."""

    def judge_both(before, after, policy=RULE):
        first = write_run(tmp_path / "before", **before)
        return judged(write_run(tmp_path / "after", **after), policy, baseline=first)

    return judge_both


def renamed(images):
    """The same files under other names, in another order."""
    return [{**one, "image_id": f"new/{place}.png"} for place, one in enumerate(reversed(images))]


def counting(verdict):
    return sorted(one.subject for one in verdict.counting())


def test_what_the_baseline_had_does_not_count(runs):
    verdict = runs({"flags": {"blurry": [0, 60]}}, {"flags": {"blurry": [0, 60]}})
    assert verdict.status == "pass"
    assert judgement(verdict, "blurry").excused == {"known": 2}
    assert "2 flags were in the baseline already, and do not count" in verdict.notes
    assert verdict.flags.gone == ()


def test_only_what_is_new_counts(runs):
    verdict = runs({"flags": {"blurry": [0]}}, {"flags": {"blurry": [0, 1]}})
    assert (verdict.status, counting(verdict)) == ("fail", ["cat/001.jpg"])


def test_without_a_baseline_all_counts(tmp_path):
    verdict = judged(write_run(tmp_path / "run", flags={"blurry": [0]}), RULE)
    assert (verdict.status, counting(verdict), verdict.baseline) == ("fail", ["cat/000.jpg"], "")


def test_a_renamed_file_is_the_same_file(runs):
    verdict = runs({"flags": {"blurry": [0, 1]}},
                   {"images": renamed(PLENTY), "flags": {"blurry": [118, 119]}})
    assert (verdict.status, counting(verdict), verdict.flags.gone) == ("pass", [], ())


def test_a_name_is_no_file(runs):
    """Another picture has taken the name of one that was flagged."""
    images = [image(PLENTY[0]["image_id"], "cat", "another picture"), *PLENTY[1:]]
    verdict = runs({"flags": {"blurry": [0]}}, {"images": images, "flags": {"blurry": [0]}})
    assert counting(verdict) == ["cat/000.jpg"]
    assert [one.subject for one in verdict.flags.gone] == ["cat/000.jpg"]


def test_a_file_under_another_label_is_new(runs):
    images = [{**PLENTY[0], "given_label": "dog"}, *PLENTY[1:]]
    verdict = runs({"flags": {"blurry": [0]}}, {"images": images, "flags": {"blurry": [0]}})
    assert [(one.subject, one.label) for one in verdict.counting()] == [("cat/000.jpg", "dog")]
    assert [(one.subject, one.label) for one in verdict.flags.gone] == [("cat/000.jpg", "cat")]


def test_what_another_check_found_is_not_known(runs):
    verdict = runs({"flags": {"dark": [0]}}, {"flags": {"blurry": [0]}})
    assert (verdict.status, counting(verdict)) == ("fail", ["cat/000.jpg"])
    assert [one.check for one in verdict.flags.gone] == ["dark"]


def test_of_copies_so_many_are_known_as_there_were(runs):
    def copies(count):
        return [*PLENTY, *(image(f"cat/copy{number}.jpg", "cat", "copy")
                           for number in range(count))]

    verdict = runs({"images": copies(2), "flags": {"blurry": [120, 121]}},
                   {"images": copies(5), "flags": {"blurry": range(120, 125)}})
    found = judgement(verdict, "blurry")
    assert (found.figures.count, found.excused, verdict.flags.gone) == (3, {"known": 2}, ())


def test_copies_that_went_are_gone(runs):
    copies = [image(f"cat/copy{number}.jpg", "cat", "copy") for number in range(3)]
    verdict = runs({"images": [*PLENTY, *copies], "flags": {"blurry": [120, 121, 122]}},
                   {"images": [*PLENTY, copies[0]], "flags": {"blurry": [120]}})
    assert (counting(verdict), len(verdict.flags.gone)) == ([], 2)


def test_a_file_that_could_not_be_read_is_known_by_its_name(runs):
    broken = image("cat/broken.jpg", "cat", "", status="unreadable")
    rule = '[gate.checks.unreadable_file]\nerror_if = "count > 0"'
    images, flags = [*PLENTY, broken], {"unreadable_file": [120]}
    verdict = runs({"images": images, "flags": flags}, {"images": images, "flags": flags}, rule)
    assert verdict.status == "pass"
    other = [*PLENTY, {**broken, "image_id": "cat/broken2.jpg"}]
    verdict = runs({"images": images, "flags": flags}, {"images": other, "flags": flags}, rule)
    assert counting(verdict) == ["cat/broken2.jpg"]


@pytest.mark.parametrize("subject", ["cat", ""], ids=["class", "dataset"])
@pytest.mark.parametrize(("before", "after", "is_known"), [
    (0.5, 0.5, True), (0.5, 0.6, True), (0.1, 0.9, True), (0.5, 0.46, True), (0.5, 0.44, False),
    (0.5, 0.0, False), (0.5, 0.5 - WORSE, True)])
def test_a_finding_about_a_class_or_the_dataset_is_known_unless_it_is_worse(
        runs, subject, before, after, is_known):
    rule = '[gate.checks.class_imbalance]\nwarn_if = []\nerror_if = "count > 0"'
    verdict = runs({"findings": [("class_imbalance", subject, before)]},
                   {"findings": [("class_imbalance", subject, after)]}, rule)
    assert verdict.status == ("pass" if is_known else "fail")
    assert verdict.flags.gone == (), "it is still there, however bad"


def test_findings_about_other_classes_or_of_other_checks_are_not_known(runs):
    verdict = runs(
        {"findings": [("class_imbalance", "cat", 0.1), ("too_few_images", "", 0.1)]},
        {"findings": [("class_imbalance", "dog", 0.9), ("too_few_images", "dog", 0.9),
                      ("weak_slices", "", 0.9)]})
    assert sorted((one.check, one.label) for one in verdict.counting()) == [
        ("class_imbalance", "dog"), ("too_few_images", "dog"), ("weak_slices", "")]
    assert len(verdict.flags.gone) == 2


def test_two_findings_about_one_thing_are_two(runs):
    """As two groups that do badly, or the shares of two splits that differ from the training's."""
    both = {"findings": [("weak_slices", "", 0.3), ("weak_slices", "", 0.6)]}
    verdict = runs(both, both)
    assert ([one.score for one in verdict.counting()], verdict.flags.gone) == ([], ())
    more = {"findings": [*both["findings"], ("weak_slices", "", 0.6)]}
    assert [one.score for one in runs(both, more).counting()] == [0.6], "a third is new"
    assert len(runs(both, {"findings": both["findings"][:1]}).flags.gone) == 1


def test_what_went_is_told(runs):
    verdict = runs({"flags": {"blurry": [0, 1]}, "findings": [("class_imbalance", "cat", 0.1)]},
                   {"flags": {"blurry": [1]}})
    assert verdict.status == "pass"
    assert sorted((one.check, one.subject) for one in verdict.flags.gone) == [
        ("blurry", "cat/000.jpg"), ("class_imbalance", "cat")]
    assert "3 findings of the baseline are there no more" not in verdict.notes
    assert "2 findings of the baseline are there no more" in verdict.notes


def test_a_baseline_excuses_no_check_that_did_not_run(runs):
    verdict = runs({"flags": {"blurry": [0]}}, {"statuses": {"blurry": "error"}})
    assert (verdict.status, verdict.exit_code) == ("uncertified", 3)


def test_a_baseline_excuses_no_class_that_is_too_small(runs):
    images = pictures(cat=60, dog=5)
    verdict = runs({"images": images}, {"images": images})
    assert verdict.status == "fail"


def test_a_baseline_in_which_a_check_did_not_run_knows_nothing_of_it(runs):
    verdict = runs({"statuses": {"blurry": "error"}}, {"flags": {"blurry": [0]}})
    assert counting(verdict) == ["cat/000.jpg"]


_FLAGS = st.fixed_dictionaries({code: st.sets(st.integers(0, 9))
                                for code in ("blurry", "dark", "unreadable_file")})
_FINDINGS = st.lists(st.tuples(st.sampled_from(["class_imbalance", "weak_slices"]),
                               st.sampled_from(["", "cat", "dog"]), st.floats(0, 1)), max_size=5)


@given(_FLAGS, _FINDINGS, st.lists(st.sampled_from("xyz"), min_size=10, max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_run_that_is_its_own_baseline_has_nothing_new(flags, findings, contents):
    images = [image(f"{place}.jpg", "cat" if place % 2 else "dog", content)
              for place, content in enumerate(contents)]
    record = record_of(images, flags=flags, findings=findings)
    found = excused(record, NOBODY, (), today_in_utc(), record)
    assert len(found.flags) == len(list(flags_of(record))) == sum(
        len(rows) for rows in flags.values()) + len(findings)
    assert [one for one in found.flags if one.excused != "known"] == []
    assert found.gone == ()
