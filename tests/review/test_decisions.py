"""What reviewers answered is what the plan does."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remedy_builders import CLASSES, build_case, name_of, plan_of, suspect

from audit import tables
from audit.remedies import match_decisions
from audit.review.decisions import decisions
from audit.review.items import Catalogue, Item
from audit.review.store import REVIEW_FILE, Event, ReviewStore, Standing
from pipelines.remedy_dataset import RemedySettings, plan_remedies


def answer(item, word, label="", reviewer="Ada", mode="one"):
    return Event(f"{item.item_id} {reviewer} {mode}", reviewer, item.item_id, item.check,
                 item.sha256[0], word, label, "", 900, mode, item.given)


def of_kind(catalogue, kind, check=""):
    return next(one for one in catalogue.items
                if one.kind == kind and not one.truth and check in {"", one.check})


@pytest.fixture
def decided(run, catalogue):
    """Turns answers into decisions by image."""
    def decide(*events):
        standing = Standing()
        for one in events:
            standing.take(one)
        table = decisions(catalogue, standing, run.images["given_label"].tolist())
        assert tables.problems(table, tables.DECISIONS) == []
        return {row["image_id"] or row["file_sha256"]: (row["decision"], row["label"])
                for row in table.to_dict("records")}

    return decide


@pytest.mark.parametrize(("word", "which", "expected"), [
    ("class", "given", ("keep", "")), ("class", "suggested", ("relabel", "suggested")),
    ("neither", "", ("exclude", "")), ("exclude", "", ("exclude", "")), ("both", "", ("keep", "")),
    ("unsure", "", None)])
def test_a_label_is_kept_changed_or_excluded_as_was_answered(catalogue, decided, word, which,
                                                            expected):
    item = of_kind(catalogue, "label")
    label = getattr(item, which) if which else ""
    found = decided(answer(item, word, label))
    if expected is None:
        assert found == {}
    else:
        told = (expected[0], label if expected[0] == "relabel" else "")
        assert found == {catalogue.image_ids[item.rows[0]]: told}


def test_answers_that_differ_and_known_questions_decide_nothing(catalogue, decided):
    item = of_kind(catalogue, "label")
    known = next(one for one in catalogue.items if one.truth)
    assert decided(answer(item, "class", item.given),
                   answer(item, "class", item.suggested, "Bob"),
                   answer(known, "class", known.suggested)) == {}


def test_of_copies_the_chosen_file_stays_and_is_there_once(catalogue, decided):
    """Identical files are one: the decision names the file, and one of its copies is kept."""
    item = of_kind(catalogue, "duplicates", "exact_duplicates")
    assert decided(answer(item, "keep", item.sha256[1])) == {item.sha256[1]: ("keep", "")}
    everything = decided(answer(item, "keep"))
    assert everything == {catalogue.image_ids[row]: ("keep", "") for row in item.rows}
    assert decided(answer(item, "exclude")) == {item.sha256[0]: ("exclude", "")}


def test_a_picture_under_two_classes_is_of_the_class_chosen(catalogue, decided):
    item = of_kind(catalogue, "conflict")
    for name in (item.given, item.suggested, item.likely[0]):
        found = decided(answer(item, "class", name))
        assert found == {item.sha256[0]: ("relabel", name)}, "for all copies, of which one stays"
    assert decided(answer(item, "neither")) == {item.sha256[0]: ("exclude", "")}
    assert decided(answer(item, "both")) == {}


def test_a_bad_picture_is_kept_or_excluded(catalogue, decided):
    item = of_kind(catalogue, "quality")
    name = catalogue.image_ids[item.rows[0]]
    assert decided(answer(item, "keep")) == {name: ("keep", "")}
    assert decided(answer(item, "exclude")) == {name: ("exclude", "")}


def test_the_plan_of_a_reviewed_run_does_what_was_answered(audit_digits, tmp_path):
    """`audit fix` reads the answers from the run's folder, unless it is given a table."""
    run = audit_digits(tmp_path)
    catalogue = Catalogue(run)
    store = ReviewStore(run.path / REVIEW_FILE)
    labels = [one for one in catalogue.items if one.kind == "label" and not one.truth]
    conflict, copies = of_kind(catalogue, "conflict"), of_kind(catalogue, "duplicates")
    store.append([*[answer(one, "class", "two" if "wrong" in catalogue.image_ids[one.rows[0]]
                           else one.given) for one in labels],
                  answer(conflict, "class", "one"), answer(copies, "keep", copies.sha256[0])])
    store.close()
    plan = plan_remedies(run, RemedySettings(run.path, tmp_path / "out")).set_index("image_id")
    wrong = plan[plan.index.str.startswith("zero/wrong")]
    assert len(wrong) == 4
    assert wrong[["action", "label", "decided_by"]].to_numpy().tolist() == 4 * [
        ["relabel", "two", "Ada"]]
    assert plan.loc["two/copy.png", ["action", "decided_by"]].tolist() == ["drop", "Ada"]
    pair = [catalogue.image_ids[row] for row in copies.rows]
    assert sorted(plan.loc[pair, "action"]) == ["drop", "keep"]
    empty = tmp_path / "none.csv"
    pd.DataFrame(columns=["image_id", "decision"]).to_csv(empty, index=False)
    unreviewed = plan_remedies(run, RemedySettings(run.path, tmp_path / "out", decisions=empty))
    assert "Ada" not in set(unreviewed["decided_by"])


def about(kind, files, rows, classes):
    """A question about images; `files`: of all images, a letter each."""
    return Item(f"{kind} {rows}", kind, "check", rows, tuple(files[row] for row in rows),
                classes[rows[0]], "dog", (), 0.1)


def planned(images, files, *answered):
    """Plan of images whose files are these, after answers: (question, word, label)."""
    found = {letter: tuple(row for row, one in enumerate(files) if one == letter)
             for letter in files}
    case = build_case(images, exact_duplicates=[rows for rows in found.values() if len(rows) > 1])
    case.images["file_sha256"] = list(files)
    standing = Standing()
    for number, (item, word, label) in enumerate(answered):
        standing.take(Event(str(number), "Ada", item.item_id, item.check, "", word, label, "", 9,
                            "one", item.given))
    classes = case.images["given_label"].tolist()
    table = decisions(SimpleNamespace(
        items=[one for one, _, _ in answered], image_ids=case.images["image_id"].tolist(),
        sha256=list(files)), standing, classes)
    plan = plan_of(case, match_decisions(case, table))
    return [action if action == "drop" else label
            for action, label in zip(plan["action"], plan["label"], strict=True)]


CATS = ["cat"] * 3
ONE, COPIES = (about(kind, "aab", rows, CATS) for kind, rows in (
    ("label", (1,)), ("duplicates", (0, 1, 2))))


@pytest.mark.parametrize("word", ["neither", "exclude"])
def test_a_copy_that_nobody_was_asked_about_is_excluded_too(word):
    assert planned([suspect(0.1)] * 2 + [{}], "aab", (ONE, word, "")) == ["drop", "drop", "cat"]


def test_a_label_holds_for_the_copy_that_is_kept():
    assert planned([{}] * 3, "aab", (ONE, "class", "dog"),
                   (COPIES, "keep", "a")) == ["dog", "drop", "drop"]
    assert planned([{}] * 3, "aab", (ONE, "class", "dog"), (COPIES, "keep", "")) == [
        "dog", "dog", "cat"], "all copies are wanted"


def test_a_decision_on_a_file_lets_no_copy_of_an_evaluation_image_be_trained_on():
    images = [{"split": "train"}, {"split": "test"}, {"split": "train"}]
    for item, word, label in ((ONE, "class", "cat"), (COPIES, "keep", "a")):
        assert planned(images, "aab", (item, word, label))[:2] == ["drop", "cat"]


@pytest.mark.parametrize(("label", "expected"), [
    ("dog", ["drop", "dog"]), ("cat", ["cat", "drop"]), ("owl", ["owl", "drop"])])
def test_of_nearly_the_same_picture_under_two_classes_the_one_that_is_right_stays(label, expected):
    classes = ["cat", "dog"]
    conflict = about("conflict", "ab", (0, 1), classes)
    assert planned([{"given_label": one} for one in classes], "ab",
                   (conflict, "class", label)) == expected


def test_what_the_reviewer_wrote_goes_along_and_both_is_said(catalogue, run):
    item = of_kind(catalogue, "label")
    for note, expected in (("", "both classes are there"), ("a crowd", "a crowd")):
        standing = Standing()
        standing.take(replace(answer(item, "both"), note=note))
        table = decisions(catalogue, standing, run.images["given_label"].tolist())
        assert table[["reviewer", "note"]].to_numpy().tolist() == [["Ada", expected]]


def test_files_that_were_not_read_are_no_copies_of_each_other():
    item = Item("quality", "quality", "check", (0,), ("",), "cat", "", (), 0.1)
    standing = Standing()
    standing.take(answer(item, "exclude"))
    table = decisions(SimpleNamespace(items=[item], image_ids=[name_of(0), name_of(1)],
                                      sha256=["", ""]), standing, ["cat", "cat"])
    assert table["image_id"].tolist() == [name_of(0)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_was_answered_there_is_a_plan_and_it_keeps_to_the_answers(data):
    files = data.draw(st.text("abc", min_size=2, max_size=6))
    classes = data.draw(st.lists(st.sampled_from(CLASSES), min_size=len(files),
                                 max_size=len(files)))
    answered, excluded, named = [], set(), {}
    for letter in dict.fromkeys(files):
        word, label = data.draw(st.sampled_from([
            ("class", "cat"), ("class", "dog"), ("both", ""), ("neither", ""), ("exclude", "")]))
        answered.append((about("label", files, (files.index(letter),), classes), word, label))
        if word in {"neither", "exclude"}:
            excluded.add(letter)
        named[letter] = label
    wanted = data.draw(st.sampled_from(["", *files]))
    everything = about("duplicates", files, tuple(range(len(files))), classes)
    answered.append((everything, "keep", wanted))
    plan = planned([{"given_label": one} for one in classes], files, *answered)
    for letter, label in named.items():
        rest = [label for one, label in zip(files, plan, strict=True)
                if one == letter and label != "drop"]
        if letter in excluded or wanted not in {"", letter}:
            assert rest == []
        else:
            assert len(rest) == (1 if wanted else files.count(letter))
            assert not label or set(rest) == {label}
