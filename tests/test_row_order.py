"""An order of rows by what files hold."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audit.row_order import back, content_order

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.sampled_from(["x", "y"]),
                          st.sampled_from(["", "test"])), max_size=20)


@given(ROWS, st.randoms(use_true_random=False))
def test_names_and_their_order_make_no_difference(rows, random):
    def seen(names):
        images = pd.DataFrame(rows, columns=["file_sha256", "given_label", "split"]).assign(
            image_id=names)
        images = images.sort_values("image_id", ignore_index=True)
        ordered = images.iloc[content_order(images)].drop(columns="image_id")
        return ordered.to_numpy().tolist()

    names = [f"{place:03d}" for place in range(len(rows))]
    others = random.sample(names, len(names))
    assert seen(names) == seen(others)


@given(st.permutations(range(9)))
def test_an_order_is_taken_back(order):
    order = np.array(order, np.int64)
    rows = np.arange(9) * 10
    np.testing.assert_array_equal(rows[order][back(order)], rows)
