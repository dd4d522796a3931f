"""The digest follows contents, labels and splits, and nothing else."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.digest import dataset_digest

COLUMNS = ["file_sha256", "given_label", "split"]
ROWS = [("aa", "cat", "train"), ("bb", "dog", "test"), ("aa", "cat", "train"), ("", "cat", "")]


def digest(rows) -> str:
    return dataset_digest(pd.DataFrame(list(rows), columns=COLUMNS))


def test_order_names_and_measures_do_not_matter():
    frame = pd.DataFrame(ROWS, columns=COLUMNS)
    assert digest(ROWS) == digest(reversed(ROWS)) == dataset_digest(
        frame.assign(image_id=list("wxyz"), width=3).iloc[[2, 0, 3, 1]])


@pytest.mark.parametrize("changed", [
    [*ROWS[:3], ("cc", "cat", "")], [*ROWS[:3], ("", "dog", "")], [*ROWS[:3], ("", "cat", "val")],
    ROWS[:3], [*ROWS, ROWS[0]], []])
def test_contents_labels_splits_and_counts_do(changed):
    assert digest(changed) != digest(ROWS)


text = st.text(st.sampled_from('a\0\n,"'), max_size=3)
tables = st.lists(st.tuples(text, text, text), max_size=3)


@given(tables, tables)
def test_only_equal_contents_have_equal_digests(one, other):
    assert (digest(one) == digest(other)) == (sorted(one) == sorted(other))


def test_labels_that_hold_separators_are_not_confused():
    assert digest([("a", "b\0c\nd", "e")]) != digest([("a", "b", "c\nd\0e")])
    assert digest([("a", "b\0c", "d")]) != digest([("a", "b", "c\0d")])
