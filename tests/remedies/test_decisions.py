"""What reviewers decided is matched to images, and what cannot be matched is refused."""

import numpy as np
import pandas as pd
import pytest
from remedy_builders import build_case, name_of, plan_of

from audit import tables
from audit.errors import UsageError
from audit.remedies import match_decisions, read_decisions

SHA = f"{1:064x}"


def table_of(*rows):
    return tables.make(tables.DECISIONS, rows)


def test_decisions_are_read_from_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"image_id": ["a", "b"], "decision": ["keep", "relabel"],
                          "label": [None, "dog"], "seconds": [1, 2]})
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame.to_parquet(tmp_path / "d.parquet")
    first, second = read_decisions(tmp_path / "d.csv"), read_decisions(tmp_path / "d.parquet")
    pd.testing.assert_frame_equal(first, second)
    assert tables.problems(first, tables.DECISIONS) == []
    assert first["label"].tolist() == ["", "dog"]


@pytest.mark.parametrize(("content", "words"), [
    ("image_id,label\na,b\n", "must have the columns decision and image_id or file_sha256"),
    ("decision\nkeep\n", "Got decision instead"),
    ("", "cannot be read as a table"),
])
def test_a_table_that_is_none_of_decisions_is_refused(tmp_path, content, words):
    (tmp_path / "d.csv").write_text(content)
    with pytest.raises(UsageError, match=words):
        read_decisions(tmp_path / "d.csv")


@pytest.mark.parametrize(("rows", "words"), [
    ([{"image_id": name_of(0), "decision": "delete"}],
     'decision 1 must be keep, relabel or exclude. Got "delete"'),
    ([{"image_id": "other.png", "decision": "keep"}], '"other.png", which is not in the run'),
    ([{"file_sha256": "77", "decision": "keep"}], "names neither an image nor a file"),
    ([{"decision": "keep"}], "names neither an image nor a file"),
    ([{"image_id": name_of(0), "file_sha256": SHA, "decision": "keep"}], "file_sha256 differs"),
    ([{"image_id": name_of(0), "decision": "relabel"}], 'cat, dog, owl. Got ""'),
    ([{"image_id": name_of(0), "decision": "relabel", "label": "yak"}], 'Got "yak"'),
    ([{"image_id": name_of(1), "decision": "keep", "reviewer": "Ada"},
      {"file_sha256": SHA, "decision": "exclude", "reviewer": "Bob"}],
     r"contradict each other.*keep \(Ada\) and exclude \(Bob\)"),
])
def test_a_decision_that_cannot_be_followed_is_refused(rows, words):
    with pytest.raises(UsageError, match=words):
        match_decisions(build_case([{}, {}]), table_of(*rows))


def test_the_same_decision_twice_is_one():
    row = {"image_id": name_of(0), "decision": "Keep "}
    found = match_decisions(build_case([{}, {}]), table_of(row, row))
    assert list(found) == [0]


def sha_case(splits):
    case = build_case([{"split": split} for split in splits])
    case.images["file_sha256"] = SHA
    return case


@pytest.mark.parametrize(("splits", "actions"), [
    (("", ""), ["keep", "drop"]),
    (("train", "train", "test"), ["drop", "drop", "keep"]),
])
def test_a_decision_on_a_file_keeps_one_copy_of_it(splits, actions):
    case = sha_case(splits)
    found = match_decisions(case, table_of({"file_sha256": SHA.upper(), "decision": "keep"}))
    assert plan_of(case, found)["action"].tolist() == actions


def test_excluding_a_file_excludes_every_copy():
    case = sha_case(("", ""))
    found = match_decisions(case, table_of({"file_sha256": SHA, "decision": "exclude"}))
    assert plan_of(case, found)["action"].tolist() == ["drop", "drop"]


def test_a_file_that_was_not_read_is_not_found_by_its_empty_hash():
    case = build_case([{}])
    case.images["file_sha256"] = ""
    with pytest.raises(UsageError, match="names neither"):
        match_decisions(case, table_of({"decision": "exclude"}))
    assert np.isin("", case.images["file_sha256"])
