"""Questions are about what was flagged, keep their names, and show trusted pictures beside them."""

import numpy as np
import pytest

from audit.review.items import EXEMPLARS, LEAST_KNOWN, Catalogue


def asked(catalogue):
    return [one for one in catalogue.items if not one.truth]


def test_every_suspected_label_is_asked_about_worst_first(run, catalogue):
    labels = [one for one in asked(catalogue) if one.kind == "label"]
    flagged = run.images.loc[run.images["is_label_issue"].fillna(value=False), "image_id"]
    assert {catalogue.image_ids[one.rows[0]] for one in labels} == set(flagged)
    assert {f"zero/wrong{number}.png" for number in range(4)} <= set(flagged)
    scores = [one.score for one in labels]
    assert scores == sorted(scores)


def test_the_suggested_class_is_the_most_probable_other_one(run, catalogue):
    for one in catalogue.items:
        if one.kind == "label":
            probabilities = dict(zip(run.classes, run.probabilities[one.rows[0]], strict=True))
            del probabilities[one.given]
            assert one.suggested == max(probabilities, key=probabilities.get)
            assert {one.given, one.suggested, *one.likely} == set(run.classes)


def test_copies_and_broken_files_are_asked_about_once(catalogue):
    about = [(one.kind, one.check, {catalogue.image_ids[row] for row in one.rows})
             for one in asked(catalogue) if one.kind != "label"]
    copied = sorted(name for name in catalogue.image_ids if name.startswith("one/"))[:2]
    assert ("duplicates", "exact_duplicates", {"one/copy.png", copied[0]}) in about
    assert ("conflict", "label_conflict", {"two/copy.png", copied[1]}) in about
    assert ("quality", "unreadable_file", {"one/broken.png"}) in about
    assert sum("two/copy.png" in names for _, _, names in about) == 1
    conflict = next(one for one in catalogue.items if one.kind == "conflict")
    assert {conflict.given, conflict.suggested} == {"one", "two"}
    assert conflict.likely == ("zero",)


def test_no_two_questions_have_one_name(catalogue):
    names = [one.item_id for one in catalogue.items]
    assert len(names) == len(set(names))
    for name in names:
        assert catalogue.item(name).item_id == name
    with pytest.raises(KeyError):
        catalogue.item("0" * 16)


def test_names_outlive_other_file_names(catalogue, audit_digits, tmp_path):
    other = Catalogue(audit_digits(tmp_path, renamed=True))
    assert {one.item_id for one in asked(other)} == {one.item_id for one in asked(catalogue)}
    assert set(other.image_ids).isdisjoint(set(catalogue.image_ids) - {"one/broken.png"})


def test_exemplars_are_unflagged_images_of_the_class(run, catalogue):
    flagged = {row for one in asked(catalogue) for row in one.rows}
    for name in run.classes:
        rows = catalogue.exemplars(name)
        assert len(set(rows)) == EXEMPLARS
        assert not flagged & set(rows)
        assert {run.images["given_label"].iloc[row] for row in rows} == {name}
    assert catalogue.exemplars("no class") == ()


def test_questions_with_a_known_answer_are_about_trusted_images_of_all_classes(run, catalogue):
    known = [one for one in catalogue.items if one.truth]
    flagged = {row for one in asked(catalogue) for row in one.rows}
    assert len(known) == LEAST_KNOWN
    assert {one.truth for one in known} == set(run.classes)
    for one in known:
        assert one.truth == one.given == run.images["given_label"].iloc[one.rows[0]]
        assert one.rows[0] not in flagged
    assert {one.rows for one in Catalogue(run, seed=1).items if one.truth} != {
        one.rows for one in known}


def test_a_picture_is_found_by_its_opaque_name_only(run, catalogue):
    keys = {row: catalogue.image_key(row) for row in range(len(run.images))}
    for row, key in keys.items():
        assert catalogue.sha256[catalogue.row_of_key(key)] == catalogue.sha256[row]
        assert not set(key) - set("0123456789abcdef")
    for name in ("one/broken.png", "../run.json", ""):
        with pytest.raises(KeyError):
            catalogue.row_of_key(name)
    assert len(set(keys.values())) == len(set(catalogue.sha256))


def test_an_image_that_is_not_asked_about_has_a_question_all_the_same(catalogue):
    row = int(np.setdiff1d(np.arange(len(catalogue.image_ids)),
                           [row for one in catalogue.items for row in one.rows])[0])
    item = catalogue.about_label(row)
    assert item.rows == (row,)
    assert item.item_id not in {one.item_id for one in catalogue.items}
    first = catalogue.items[0]
    assert catalogue.about_label(first.rows[0]) is first
