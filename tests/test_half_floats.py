"""What is kept as half floats comes back, by place, as near as half floats are."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.half_floats import BYTES, HalfFloats

arrays = st.builds(
    lambda count, shape, seed: np.random.default_rng(seed).normal(
        scale=100, size=(count, *shape)).astype(np.float32),
    st.integers(1, 9), st.sampled_from([(3,), (2, 2, 5), (1, 1, 1)]), st.integers(0, 2**32))


@settings(max_examples=40, deadline=None)
@given(arrays, st.data())
def test_arrays_come_back_in_any_order_and_any_batches(values, data):
    order = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=12))
    cut = data.draw(st.integers(0, len(values)))
    with tempfile.TemporaryFile() as file:
        kept = HalfFloats(file.fileno(), values.shape[1:])
        kept.write(cut, values[cut:])
        kept.write(0, values[:cut])
        found = kept.read(np.array(order, np.int64))
        assert file.seek(0, 2) == BYTES * values.size
    assert found.dtype == np.float32
    assert found.shape == (len(order), *values.shape[1:])
    np.testing.assert_allclose(found, values[order], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("value", "kept_as"), [(1e9, 65_504), (-1e9, -65_504), (0.5, 0.5)])
def test_what_is_too_large_becomes_the_largest(value, kept_as):
    with tempfile.TemporaryFile() as file:
        kept = HalfFloats(file.fileno(), (1,))
        kept.write(0, np.full((1, 1), value, np.float32))
        assert kept.read(np.array([0])).item() == kept_as
