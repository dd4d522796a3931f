"""What reviewers answered is what the plan does."""

import pandas as pd
import pytest

from audit import tables
from audit.review.decisions import decisions
from audit.review.items import Catalogue
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
        return {row["image_id"]: (row["decision"], row["label"])
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


def test_of_copies_the_chosen_one_stays(catalogue, decided):
    item = of_kind(catalogue, "duplicates", "exact_duplicates")
    found = decided(answer(item, "keep", item.sha256[1]))
    assert sorted(one for one, _ in found.values()) == ["exclude", "keep"], "identical files too"
    everything = decided(answer(item, "keep"))
    assert {one for one, _ in everything.values()} == {"keep"}


def test_of_a_picture_under_two_classes_one_stays_under_the_class_chosen(run, catalogue, decided):
    item = of_kind(catalogue, "conflict")
    given = dict(zip(catalogue.image_ids, run.images["given_label"], strict=True))
    for name in (item.given, item.suggested):
        found = decided(answer(item, "class", name))
        kept = [image for image, (word, _) in found.items() if word == "keep"]
        assert [given[image] for image in kept] == [name]
        assert len(found) == 2
    third = decided(answer(item, "class", item.likely[0]))
    assert sorted(third.values()) == [("exclude", ""), ("relabel", item.likely[0])]
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
