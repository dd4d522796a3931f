"""What people answered, and what it excuses."""

import shutil
from dataclasses import replace

import pytest
from gate.gate_builders import (
    NOBODY,
    PLENTY,
    answer,
    image,
    judged,
    judgement,
    pictures,
    write_answers,
    write_run,
)

from audit.errors import UsageError
from audit.gate.record import read_record
from audit.gate.reviewed import LEAST_REVIEWED
from audit.gating import gate_run, read_reviewed
from audit.review.store import REVIEW_FILE

STRICT = "".join(f'[gate.checks.{code}]\nwarn_if = []\nerror_if = "count > 0"\n' for code in (
    "blurry", "dark", "label", "label_conflict", "exact_duplicates", "near_duplicates",
    "split_leak"))


@pytest.fixture
def asked(tmp_path):
    """Writes a run and answers, and judges it."""

    def write_and_judge(*events, policy=STRICT, **told):
        run = write_run(tmp_path / f"run{len(list(tmp_path.iterdir()))}", **told)
        if events:
            write_answers(run, *events)
        return judged(run, policy)

    return write_and_judge


CAT, DOG = PLENTY[0], PLENTY[60]


@pytest.mark.parametrize(("check", "said", "label", "counts"), [
    ("blurry", "keep", "", False), ("blurry", "exclude", "", True), ("blurry", "unsure", "", True),
    ("label", "class", "cat", False), ("label", "class", "dog", True), ("label", "both", "", False),
    ("label", "keep", "", False), ("label", "neither", "", True), ("label", "exclude", "", True),
    ("label", "unsure", "", True)])
def test_a_flag_that_people_find_wrong_does_not_count(asked, check, said, label, counts):
    verdict = asked(answer(check, [CAT], said, label), flags={check: [0]})
    found = judgement(verdict, check)
    assert (verdict.status, found.figures.count, found.excused) == (
        ("fail", 1, {}) if counts else ("pass", 0, {"reviewed": 1}))
    assert [one.by for one in verdict.flags.flags] == ["" if counts else "Ada"]


def test_an_answer_is_about_its_check_and_its_file(asked):
    verdict = asked(answer("blurry", [CAT], "keep"), flags={"blurry": [0, 1], "dark": [0]})
    assert [(one.check, one.subject) for one in verdict.counting()] == [
        ("blurry", "cat/001.jpg"), ("dark", "cat/000.jpg")]


def test_an_answer_is_about_every_copy_of_its_file_under_that_label(asked):
    images = [*PLENTY, image("cat/copy.jpg", "cat", CAT["image_id"])]
    verdict = asked(answer("label", [CAT], "class", "cat"), images=images,
                    flags={"label": [0, 120]})
    assert verdict.status == "pass"


def test_that_a_file_is_a_cat_does_not_excuse_its_copy_among_the_dogs(asked):
    images = [*PLENTY, image("dog/copy.jpg", "dog", CAT["image_id"])]
    verdict = asked(answer("label", [CAT], "class", "cat"), images=images,
                    flags={"label": [0, 120]})
    assert [one.subject for one in verdict.counting()] == ["dog/copy.jpg"]


def test_that_a_file_is_a_cat_does_not_excuse_it_once_it_is_called_a_dog(asked):
    """Answers are kept when the data are audited again, and the label has changed meanwhile."""
    images = [{**CAT, "given_label": "dog"}, *PLENTY[1:]]
    verdict = asked(answer("label", [CAT], "class", "cat", given="cat"), images=images,
                    flags={"label": [0]})
    assert verdict.status == "fail"


def test_a_label_that_was_put_right_as_people_said_does_not_count(asked):
    """A file among the dogs was found to be a cat, and is one now; it is still suspected."""
    verdict = asked(answer("label", [CAT], "class", "cat", given="dog"), flags={"label": [0]})
    assert verdict.status == "pass"


def test_people_who_differ_settle_nothing_until_somebody_decides(asked):
    keep, drop = (answer("blurry", [CAT], said, reviewer=who) for said, who in (
        ("keep", "Ada"), ("exclude", "Bob")))
    assert asked(keep, drop, flags={"blurry": [0]}).status == "fail"
    decided = answer("blurry", [CAT], "keep", reviewer="Eve", mode="adjudicate")
    assert asked(keep, drop, decided, flags={"blurry": [0]}).status == "pass"
    against = answer("blurry", [CAT], "exclude", reviewer="Eve", mode="adjudicate")
    assert asked(keep, against, flags={"blurry": [0]}).status == "fail"
    unsure = answer("blurry", [CAT], "unsure", reviewer="Bob")
    assert asked(keep, unsure, flags={"blurry": [0]}).status == "pass"


def test_an_answer_that_was_taken_back_excuses_nothing(asked):
    keep = answer("blurry", [CAT], "keep")
    undo = replace(keep, uuid="undo", answer="undo", undoes=keep.uuid)
    assert asked(keep, undo, flags={"blurry": [0]}).status == "fail"


@pytest.mark.parametrize("check", ["exact_duplicates", "near_duplicates"])
@pytest.mark.parametrize(("said", "label", "count"), [
    ("keep", "", 0), ("keep", PLENTY[1]["file_sha256"], 3), ("exclude", "", 3), ("unsure", "", 3)])
def test_an_answer_about_a_set_of_copies_is_one_about_each(asked, check, said, label, count):
    verdict = asked(answer(check, PLENTY[:3], said, label),
                    sets={check: [(0, 1, 2), (10, 11)]})
    assert judgement(verdict, check).figures.count == count + 2, "the other set was not asked about"


@pytest.mark.parametrize(("said", "label", "status"), [
    ("both", "", "pass"), ("class", "cat", "fail"), ("class", "dog", "fail"),
    ("neither", "", "fail"), ("exclude", "", "fail")])
def test_that_both_labels_of_a_picture_are_right_excuses_it(asked, said, label, status):
    verdict = asked(answer("label_conflict", [CAT, DOG], said, label),
                    sets={"label_conflict": [(0, 60)]})
    assert verdict.status == status
    assert judgement(verdict, "label_conflict").figures.count == (0 if status == "pass" else 2)


def test_an_answer_about_a_set_holds_when_its_files_are_renamed(asked):
    images = [{**one, "image_id": f"new/{119 - place:03d}.jpg"} for place, one in enumerate(PLENTY)]
    verdict = asked(answer("exact_duplicates", PLENTY[:3], "keep"), images=images,
                    sets={"exact_duplicates": [(2, 0, 1)]})
    assert verdict.status == "pass"


def test_an_answer_about_other_copies_is_none_about_these(asked):
    verdict = asked(answer("exact_duplicates", PLENTY[:2], "keep"),
                    sets={"exact_duplicates": [(0, 1, 2)]})
    assert {one.subject for one in verdict.counting()} >= {"cat/001.jpg", "cat/002.jpg"}
    assert verdict.status == "fail"


@pytest.mark.parametrize("said", ["keep", "both", "class"])
def test_no_answer_excuses_a_picture_in_two_splits(asked, said):
    label = "cat" if said == "class" else ""
    verdict = asked(answer("split_leak", PLENTY[:2], said, label),
                    answer("split_leak", PLENTY[:1], said, label),
                    answer("split_leak", PLENTY[1:2], said, label),
                    sets={"split_leak": [(0, 1)]})
    assert judgement(verdict, "split_leak").figures.count == 2
    assert (verdict.status, verdict.reviewed) == ("fail", NOBODY)


def test_no_answer_excuses_a_file_that_could_not_be_read(asked):
    images = [*PLENTY, image("cat/x.jpg", "cat", "", status="unreadable"),
              image("cat/y.jpg", "cat", "", status="unreadable")]
    verdict = asked(answer("unreadable_file", [images[120]], "keep"), images=images,
                    flags={"unreadable_file": [120, 121]})
    assert {one.subject for one in verdict.counting()} >= {"cat/y.jpg"}
    assert verdict.status == "fail"


@pytest.mark.parametrize(("seen", "rate"), [
    (LEAST_REVIEWED - 1, 76 / 200), (LEAST_REVIEWED, (6 + 0.2 * 70) / 200)])
def test_what_people_found_speaks_for_the_rest_once_enough_were_seen(asked, seen, rate):
    """Of 100 flags 24 were kept, and 5 or 6 are real: of 29 or of 30."""
    images = pictures(cat=100, dog=100)
    events = [answer("blurry", [images[row]], "keep" if row < 24 else "exclude")
              for row in range(seen)]
    verdict = asked(*events, images=images, flags={"blurry": range(100)},
                    policy='[gate.checks.blurry]\nwarn_if = []\nerror_if = "rate > 0.2"')
    figures = judgement(verdict, "blurry").figures
    assert (figures.count, figures.certain) == (76, seen - 24)
    assert figures.rate == pytest.approx(rate)
    assert verdict.status == ("pass" if seen == LEAST_REVIEWED else "fail")


def test_copies_of_one_file_are_seen_once(asked):
    images = [*PLENTY, *(image(f"cat/copy{number}.jpg", "cat", CAT["image_id"])
                         for number in range(40))]
    verdict = asked(answer("blurry", [CAT], "keep"), images=images,
                    flags={"blurry": [0, *range(100, 160)]})
    figures = judgement(verdict, "blurry").figures
    assert (figures.count, figures.share) == (20, None)


def test_flags_of_other_checks_do_not_make_enough_that_were_seen(asked):
    events = [answer("dark" if row % 2 else "blurry", [PLENTY[row]], "keep") for row in range(40)]
    verdict = asked(*events, flags={"blurry": range(60), "dark": range(60)})
    assert judgement(verdict, "blurry").figures.share is None


def test_answers_about_images_that_are_not_flagged_do_not_make_enough_that_were_seen(asked):
    events = [answer("blurry", [PLENTY[row]], "keep") for row in range(40)]
    verdict = asked(*events, flags={"blurry": range(30, 60)})
    assert judgement(verdict, "blurry").figures.share is None
    assert judgement(verdict, "blurry").figures.count == 20


def test_reviews_excuse_no_check_that_did_not_run(asked):
    verdict = asked(answer("blurry", [CAT], "keep"), statuses={"blurry": "error"})
    assert verdict.exit_code == 3


def test_the_digest_of_answers_is_of_what_holds_whoever_gave_it(tmp_path, run):
    keep, drop = answer("blurry", [CAT], "keep"), answer("dark", [DOG], "exclude")
    digests = []
    for number, events in enumerate([
            (keep, drop), (drop, keep), (keep,), (keep, answer("dark", [DOG], "keep")),
            (keep, drop, answer("dark", [CAT], "unsure")), ()]):
        folder = shutil.copytree(run, tmp_path / str(number))
        write_answers(folder, *events)
        digests.append(read_reviewed(read_record(folder)).digest)
    first, swapped, less, other, unsure, none = digests
    assert first == swapped == unsure
    assert len({first, less, other, none}) == 4
    assert none == read_reviewed(read_record(run)).digest == ""


def test_answers_that_cannot_be_read_certify_nothing(run):
    (run / REVIEW_FILE).write_bytes(b"no database, and long enough to be looked at" * 100)
    with pytest.raises(UsageError, match="cannot be opened as a store of answers"):
        gate_run(run)


def test_judging_a_run_writes_nothing(run):
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    gate_run(run)
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before
