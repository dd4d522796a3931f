"""Images held out before the audit: which, and that nothing of them is left."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audit import tables
from audit.errors import UsageError
from audit.ingest.hold_out import TEST, hold_out


def manifest_of(rows):
    """Rows of label, split and group."""
    return tables.make(tables.MANIFEST, [
        {"image_id": f"{number:03d}.png", "path": f"data/{number:03d}.png", "given_label": label,
         "split": split, "group": group} for number, (label, split, group) in enumerate(rows)])


PLAIN = manifest_of([("cat", "", "")] * 50 + [("dog", "", "")] * 20 + [("owl", "", "")] * 10)
SPLIT = manifest_of([("cat", "train", "")] * 6 + [("cat", "val", "")] * 3
                    + [("dog", "train", "")] * 4 + [("dog", "holdback", "")] * 2
                    + [("dog", "test", "")] * 2)
some_rows = st.lists(st.tuples(st.sampled_from(["cat", "dog"]),
                               st.sampled_from(["", "", "train", "val", "test"]),
                               st.sampled_from(["", "", "", "a", "b", "c"])), max_size=40)


def ids(table):
    return table["image_id"].tolist()


def counts_of(table):
    return Counter(table["given_label"])


@pytest.mark.parametrize("name", ["test", "val", "holdback"])
def test_a_split_is_held_out_by_its_name(name):
    left, held = hold_out(SPLIT, name, 0)
    assert ids(held) == ids(SPLIT[SPLIT["split"] == name])
    assert ids(left) == ids(SPLIT[SPLIT["split"] != name])
    assert set(held["split"]) == {TEST}
    assert name not in set(left["split"])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_a_share_is_taken_of_each_class(share):
    left, held = hold_out(PLAIN, str(share), 0)
    for label, count in counts_of(PLAIN).items():
        assert abs(counts_of(held)[label] - share * count) <= 0.5
        assert counts_of(left)[label] > 0
    assert set(held["split"]) == {TEST}
    assert set(left["split"]) == {""}


def test_images_of_the_val_and_test_splits_are_not_taken():
    left, held = hold_out(SPLIT, "0.5", 0)
    before = SPLIT.set_index("image_id")["split"]
    assert set(before[ids(held)]) <= {"train", "holdback"}
    assert before[ids(left)].isin(["val", "test"]).sum() == 5
    assert counts_of(held) == {"cat": 3, "dog": 3}, "shares are of what may be taken"


@settings(deadline=None, max_examples=50)
@given(some_rows, st.floats(0.01, 0.9), st.integers(0, 2**32 - 1))
def test_every_image_is_in_one_part_and_a_group_is_not_torn(rows, share, seed):
    manifest = manifest_of(rows)
    try:
        left, held = hold_out(manifest, str(share), seed)
    except UsageError as refused:
        assume("Both are needed" not in str(refused))
        raise
    assert sorted([*ids(left), *ids(held)]) == ids(manifest)
    assert list(left.index) == list(range(len(left)))
    assert list(left.columns) == list(held.columns) == list(manifest.columns)
    pd.testing.assert_frame_equal(
        left, manifest[manifest["image_id"].isin(ids(left))].reset_index(drop=True))
    free = left[~left["split"].isin(["val", "test"])]
    assert not set(free["group"]) & set(held["group"]) - {""}
    again = hold_out(manifest, str(share), seed)
    pd.testing.assert_frame_equal(again[0], left)
    pd.testing.assert_frame_equal(again[1], held)


def test_a_group_goes_whole_even_through_two_classes():
    manifest = manifest_of([("cat", "", "pair"), ("dog", "", "pair"), ("cat", "", "pair")])
    manifest = pd.concat([manifest, PLAIN.assign(image_id="x" + PLAIN["image_id"])],
                         ignore_index=True)
    taken = []
    for seed in range(20):
        held = set(ids(hold_out(manifest, "0.4", seed)[1]))
        inside = held & set(ids(manifest)[:3])
        assert len(inside) in {0, 3}
        taken.append(len(inside))
    assert {0, 3} == set(taken)


def test_another_seed_takes_other_images():
    assert ids(hold_out(PLAIN, "0.2", 0)[1]) != ids(hold_out(PLAIN, "0.2", 1)[1])


@pytest.mark.parametrize("wanted", ["0", "-0.1", "0.91", "1", "20", "nan", "inf"])
def test_what_is_no_share_is_refused(wanted):
    with pytest.raises(UsageError, match=f"^--hold-out must be above 0 .* Got {wanted} instead"):
        hold_out(PLAIN, wanted, 0)


def test_a_split_that_is_not_there_is_refused_by_those_that_are():
    with pytest.raises(UsageError, match=r'no split "tset" \(splits: holdback, test, train, val\)'):
        hold_out(SPLIT, "tset", 0)
    with pytest.raises(UsageError, match=r'no split "test" \(splits: none\)'):
        hold_out(PLAIN, "test", 0)


@pytest.mark.parametrize(("manifest", "wanted"), [
    (manifest_of([("cat", "only", "")] * 5), "only"),
    (manifest_of([("cat", "", "")] * 2), "0.1"),
    (manifest_of([("cat", "", "one")] * 9), "0.5")])
def test_both_parts_are_needed(manifest, wanted):
    with pytest.raises(UsageError, match="Both are needed"):
        hold_out(manifest, wanted, 0)
