"""Networks begin as they should, train what they should, and are saved whole."""

import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from audit.errors import UsageError
from audit.keras_runtime import load_keras, seed_everything
from audit.training import Loss, from_scratch, on_pretrained, to_save
from audit.training.networks import FILTERS, preprocessing_layer

SIDE, CLASSES = 16, 3
NAMES = ("zebra", "ape", "Äffchen")  # in no order: that of the logits counts
MEAN, DEVIATION = np.float32([90, 120, 30]), np.float32([50, 60, 20])
PICTURES = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3)).astype(np.float32)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def scratch():
    seed_everything(0)
    return from_scratch(SIDE, CLASSES, 0.2, MEAN, DEVIATION)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16", "densenet", "efficientnet"])
def test_the_preprocessing_layer_does_what_keras_does(name):
    load_keras()
    preprocess = importlib.import_module(f"keras.applications.{name}").preprocess_input
    layer = preprocessing_layer(preprocess)
    np.testing.assert_allclose(layer(PICTURES), preprocess(PICTURES.copy()), rtol=1e-4, atol=1e-3)
    assert not layer.trainable_weights


@pytest.mark.parametrize("preprocess", [
    np.square, lambda values: values - values.mean(), lambda values: values[..., ::-1] % 100])
def test_a_preprocessing_that_cannot_be_saved_is_refused(preprocess):
    with pytest.raises(UsageError, match="cannot be saved with the network"):
        preprocessing_layer(preprocess)


def test_pictures_are_standardised_for_a_network_from_scratch(scratch):
    grid = np.random.default_rng(1).normal(size=(4, SIDE, SIDE, 3))
    scaled = scratch.get_layer("preprocessing")(grid * DEVIATION + MEAN)
    np.testing.assert_allclose(scaled, grid, atol=1e-4)


def test_layers_begin_with_the_variance_of_he_and_the_last_with_that_of_glorot(scratch):
    layers = load_keras().layers
    kernels = [layer.kernel.numpy() for layer in scratch.layers if isinstance(layer, layers.Conv2D)]
    assert {kernel.shape[-1] for kernel in kernels} == set(FILTERS)
    for kernel in kernels:
        fan_in = np.prod(kernel.shape[:3])
        reach = 5 * (2 / kernel.size) ** 0.5  # five standard errors of a normal's variance
        assert kernel.var() == pytest.approx(2 / fan_in, rel=reach)
        assert abs(kernel.mean()) < 5 * (2 / fan_in / kernel.size) ** 0.5
    last, bias = scratch.get_layer("logits").get_weights()
    assert last.var() == pytest.approx(2 / sum(last.shape), rel=5 * (2 / last.size) ** 0.5)
    assert np.abs(last).max() <= (6 / sum(last.shape)) ** 0.5
    assert not bias.any()


@pytest.mark.parametrize(("side", "last"), [(SIDE, SIDE // 4), (96, 12)])
def test_large_pictures_are_halved_before_the_first_block(side, last):
    network = from_scratch(side, CLASSES, 0.2, MEAN, DEVIATION)
    maps = [layer.output.shape[1] for layer in network.layers if len(layer.output.shape) == 4]
    assert maps[-1] == last
    assert network.output_shape == (None, CLASSES)


LOADED = """
import json, sys
import keras, numpy as np
network = keras.models.load_model(sys.argv[1])
own, other = np.load(sys.argv[2]), np.load(sys.argv[3])
told, elsewhere = network.predict(own, verbose=0), network.predict(other, verbose=0)
print(json.dumps({
    "classes": network.get_layer("class_names").get_vocabulary(),
    "probabilities": told["probabilities"].tolist(),
    "class": [one.decode() for one in told["class"].tolist()],
    "other": elsewhere["probabilities"].tolist(),
    "ours": [name for name in sys.modules if name.split(".")[0] in ("audit", "pipelines")]}))
"""


def test_a_saved_network_is_all_that_is_needed(scratch, tmp_path):
    network = load_keras().models.clone_model(scratch)
    random = np.random.default_rng(0)
    network.set_weights([value + random.normal(scale=0.05, size=value.shape)
                         if value.ndim > 1 else value for value in scratch.get_weights()])
    to_save(network, NAMES).save(tmp_path / "network.keras")
    np.save(tmp_path / "own.npy", PICTURES)
    np.save(tmp_path / "other.npy", np.full((2, 40, 24, 3), 200, np.float32))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, "network.keras", "own.npy", "other.npy"], cwd=tmp_path,
        env={**clean, "KERAS_BACKEND": "tensorflow"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    expected = softmax(network.predict_on_batch(PICTURES))
    assert told["ours"] == []
    assert told["classes"] == list(NAMES)
    np.testing.assert_allclose(told["probabilities"], expected, atol=1e-5)
    assert told["class"] == [NAMES[best] for best in expected.argmax(axis=1)]
    assert np.shape(told["other"]) == (2, CLASSES)
    np.testing.assert_allclose(
        told["other"], softmax(network.predict_on_batch(np.full((2, SIDE, SIDE, 3), 200.0))),
        atol=1e-4, err_msg="a plain picture is the same at any size")


def test_what_is_saved_answers_a_call_as_it_predicts_and_is_not_changed_by_it():
    network = from_scratch(SIDE, CLASSES, 0.5, MEAN, DEVIATION)
    saved, before = to_save(network, NAMES), network.get_weights()
    expected = saved.predict_on_batch(PICTURES)["probabilities"]
    np.testing.assert_allclose(saved(PICTURES)["probabilities"], expected, atol=1e-5)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.fixture(scope="module", params=[32, None])
def pretrained(request):
    """A network on a base of a side of its own, and on one of any side; shown at 32 px."""
    keras = load_keras()
    seed_everything(0)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", alpha=0.35,
        input_shape=(request.param, request.param, 3))
    preprocess = importlib.import_module("keras.applications.mobilenet_v2").preprocess_input
    return base, on_pretrained(base, preprocess, 32, CLASSES, 0.2)


def test_only_the_last_scales_of_a_pretrained_network_are_trained(pretrained):
    base, network = pretrained
    keras = load_keras()
    fixed = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg",
                                           alpha=0.35, input_shape=(32, 32, 3))
    heights = {layer.name: layer.output.shape[1] for layer in fixed.layers
               if len(layer.output.shape) == 4}
    assert {1, 2, 4, 16} <= set(heights.values())
    for layer in base.layers:
        is_large = heights.get(layer.name, 0) > 32 / 16
        if is_large or isinstance(layer, keras.layers.BatchNormalization):
            assert not layer.trainable_weights, layer.name
    trained = [layer for layer in base.layers if layer.trainable_weights]
    assert {heights[layer.name] for layer in trained} == {1, 2}
    for one in (network.whole, network.trained):
        assert len(one.trainable_weights) == len(base.trainable_weights) + 2, "and the last layer"
    assert not network.begin.trainable_weights


def test_the_two_parts_of_a_pretrained_network_are_the_whole(pretrained):
    _, network = pretrained
    logits = network.trained.get_layer("logits")
    before = logits.get_weights()
    random = np.random.default_rng(1)
    logits.set_weights([random.normal(size=one.shape) for one in before])
    pictures = random.integers(0, 256, (3, 32, 32, 3), np.uint8)
    whole = network.whole.predict_on_batch(pictures)
    np.testing.assert_allclose(
        network.trained.predict_on_batch(network.begin.predict_on_batch(pictures)), whole,
        atol=1e-4)
    assert whole.std() > 0
    logits.set_weights(before)


def test_a_pretrained_network_is_saved_as_it_was_trained(pretrained, tmp_path):
    keras = load_keras()
    _, network = pretrained
    random = np.random.default_rng(2)
    pictures = random.integers(0, 256, (8, 32, 32, 3), np.uint8)
    before = network.trained.get_weights()
    network.trained.compile("adam", Loss("cross_entropy", 0.1, CLASSES))
    network.trained.train_on_batch(network.begin.predict_on_batch(pictures),
                                   np.eye(CLASSES, dtype=np.float32)[random.integers(0, 3, 8)])
    to_save(network.whole, NAMES).save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    expected = softmax(network.trained.predict_on_batch(network.begin.predict_on_batch(pictures)))
    np.testing.assert_allclose(loaded.predict_on_batch(pictures)["probabilities"], expected,
                               atol=1e-4)
    assert expected.std() > 1e-4, "it has learned something"
    network.trained.set_weights(before)


def test_a_pretrained_network_begins_without_an_opinion(pretrained):
    _, network = pretrained
    pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(network.whole(pictures), np.zeros((4, CLASSES)))


def test_statistics_of_a_pretrained_network_stay_while_it_is_trained(pretrained):
    base, network = pretrained
    before = base.get_weights()
    network.whole(np.full((2, 32, 32, 3), 255, np.float32), training=True)
    for now, then in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_base_that_cannot_be_cut_is_trained_whole_and_its_maps_are_averaged():
    keras = load_keras()
    pictures = keras.Input((SIDE, SIDE, 3))
    base = keras.Model(pictures, keras.layers.Conv2D(4, 3, strides=4)(pictures))
    parts = on_pretrained(base, lambda values: values / 255, SIDE, CLASSES, 0.0)
    assert parts.begin is None
    assert parts.trained is parts.whole
    network = parts.whole
    assert network.output_shape == (None, CLASSES)
    kernel = np.random.default_rng(0).normal(size=(4, CLASSES)).astype(np.float32)
    network.get_layer("logits").set_weights([kernel, np.zeros(CLASSES)])
    maps = base(PICTURES / 255).numpy()
    np.testing.assert_allclose(network(PICTURES), maps.mean(axis=(1, 2)) @ kernel, atol=1e-4)
