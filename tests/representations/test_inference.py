"""OpenVINO gives what TensorFlow gives, and is taken where it is installed and pays."""

import numpy as np
import pytest

from audit.errors import UsageError
from audit.imagestore import TensorStore
from audit.keras_runtime import load_keras
from audit.representations import inference
from audit.representations.inference import PAYS_FROM, choose_runtime
from audit.representations.networks import Extractor

SIDE = 48


@pytest.fixture(scope="module")
def network():
    """Of the layers that networks for pictures are made of."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = inputs
    for filters in (8, 16, 24):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(6.0)(x)
        gate = layers.Conv2D(filters, 1, activation="sigmoid")(
            layers.DepthwiseConv2D(3, padding="same")(x))
        x = layers.Multiply()([x, gate])
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twenty, of two sizes."""
    store = TensorStore.create(tmp_path_factory.mktemp("pictures") / "tensors", 20, 100)
    random = np.random.default_rng(0)
    for row in range(20):
        side = 30 if row % 3 else 100
        store.write(row, random.integers(0, 256, (side, side, 3), np.uint8))
    return store


def tenths(pictures):
    return pictures / 255


def extractor(network, runtime, **more):
    return Extractor(network, tenths, 2 * SIDE, SIDE, with_mirror=True, runtime=runtime, **more)


def test_openvino_gives_what_tensorflow_gives_whatever_is_beside_a_picture(network, pictures):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (the extra `openvino`)")
    rows = np.arange(20)
    one, other = (extractor(network, name) for name in ("tensorflow", "openvino"))
    expected, found = one.describe(pictures, rows), other.describe(pictures, rows)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    shuffled = np.random.default_rng(1).permutation(rows)
    np.testing.assert_array_equal(other.describe(pictures, shuffled), found[shuffled])
    assert one.key != other.key, "the last digits differ: neither is looked up for the other"


def test_a_network_that_was_converted_before_is_not_converted_again(network, pictures,
                                                                    monkeypatch):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (the extra `openvino`)")
    kept, asked = {}, []

    def keep(key, convert):
        asked.append(key)
        return kept[key] if key in kept else kept.setdefault(key, convert())

    rows = np.arange(20)
    first, again = (extractor(network, "openvino", keep=keep) for _ in range(2))
    expected = first.describe(pictures, rows)
    assert asked == [first.key], "pictures of both sizes are seen by one"
    monkeypatch.setattr(type(network), "export", None)  # nothing can be converted any more
    np.testing.assert_array_equal(again.describe(pictures, rows), expected)
    monkeypatch.undo()
    np.testing.assert_array_equal(extractor(network, "openvino").describe(pictures, rows), expected)


@pytest.mark.parametrize(("installed", "images", "expected"), [
    (True, PAYS_FROM, "openvino"), (True, PAYS_FROM - 1, "tensorflow"),
    (False, 10 * PAYS_FROM, "tensorflow")])
def test_it_is_taken_where_it_is_installed_and_pays(monkeypatch, installed, images, expected):
    monkeypatch.setattr(inference, "find_spec", lambda _: object() if installed else None)
    assert choose_runtime("auto", images) == expected
    assert choose_runtime("tensorflow", images) == "tensorflow"


@pytest.mark.parametrize(("asked", "message"), [
    ("openvino", r"not installed\. Install image-audit\[openvino\]"),
    ("onnx", r'--runtime must be auto, tensorflow, openvino\. Got "onnx"')])
def test_what_cannot_be_had_is_refused_in_one_line(monkeypatch, asked, message):
    monkeypatch.setattr(inference, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=message):
        choose_runtime(asked, 10)
