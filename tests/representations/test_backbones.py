"""The choice of the backbone, and the user's own network as one."""

import numpy as np
import pytest

from audit.errors import UsageError
from audit.imagestore import Looks, TensorStore
from audit.keras_runtime import load_keras
from audit.representations.backbones import choose_backbone
from audit.representations.effort import EFFORTS, find_effort

SIDE = 40
LOW = find_effort("low")


def network(side=SIDE, channels=3, *, is_flat=False):
    keras = load_keras()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((side, side, channels))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    if is_flat:
        return keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture
def store(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), np.uint8)
    tensors = TensorStore.create(tmp_path / "tensors", 12, SIDE)
    for row, picture in enumerate(pictures):
        tensors.write(row, picture)
    return tensors


def embedded(backbone, store):
    """By what the network says of each picture."""
    activations = backbone.extractor.describe(store, np.arange(12))
    return backbone.embed(Looks(store, activations), np.arange(12), 0, lambda _: None).rows


@pytest.mark.parametrize("side", [SIDE, None])
def test_an_own_network_from_a_file_describes_pictures(side, store, tmp_path):
    network(side).save(tmp_path / "own.keras")
    backbone, notes = choose_backbone(str(tmp_path / "own.keras"), LOW, pytest.fail)
    assert backbone.tensor_size == (side or LOW.side)
    assert "your own network" in backbone.description
    assert any("vouches" in note for note in notes), "it may have learned the labels"
    rows = embedded(backbone, store)
    assert len(rows) == 12
    assert np.isfinite(rows).all()


def test_an_own_network_from_a_function_is_the_same(store, tmp_path):
    network().save(tmp_path / "own.keras")
    (tmp_path / "build.py").write_text(
        "import keras\nfrom pathlib import Path\n\ndef build():\n"
        "    return keras.models.load_model(Path(__file__).parent / 'own.keras')\n")
    rows = [embedded(choose_backbone(name, LOW, pytest.fail)[0], store) for name in (
        str(tmp_path / "own.keras"), f"{tmp_path / 'build.py'}:build")]
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-5)


@pytest.mark.parametrize(("name", "message"), [
    ("none.keras", r"none\.keras does not exist\. Give a \.keras file, or FILE\.py:FUNCTION"),
    ("none.py:build", r"none\.py does not exist"),
    ("text.keras", r"text\.keras gave no model"),
    ("build.py:other", r"build\.py has no function other"),
    ("build.py:number", r"must give a Keras model\. Got int instead"),
    ("build.py:fails", r"gave no model \(ZeroDivisionError"),
    ("grey.keras", r"square pictures of 3 channels.*It takes \(None, 40, 40, 1\) instead"),
    ("flat.keras", r"no layer that gives feature maps|convolutional"),
])
def test_what_is_no_network_of_pictures_is_refused_in_one_line(name, message, tmp_path):
    (tmp_path / "text.keras").write_text("not a model")
    (tmp_path / "build.py").write_text("def number():\n    return 3\n\ndef fails():\n    1 / 0\n")
    if name == "grey.keras":
        network(channels=1).save(tmp_path / name)
    if name == "flat.keras":
        keras = load_keras()
        keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten(),
                          keras.layers.Dense(3)]).save(tmp_path / name)
    with pytest.raises(UsageError, match=message) as caught:
        choose_backbone(str(tmp_path / name), LOW, lambda _: None)
    assert "\n" not in str(caught.value)


def test_patches_need_nothing_and_say_what_they_are():
    for effort in EFFORTS.values():
        backbone, notes = choose_backbone("patches", effort, pytest.fail)
        assert (backbone.name, notes) == ("patches", ())
        assert f"{effort.filters} patches" in backbone.description


def test_auto_without_weights_takes_patches_and_says_what_that_costs(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(
        "audit.representations.pretrained.weights_on_disk", lambda _name: False)
    keras = load_keras()

    def offline(**_options):
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    said = []
    backbone, notes = choose_backbone("auto", LOW, said.append)
    assert backbone.name == "patches"
    assert "fewer wrong labels" in notes[0]
    assert said[-1] == notes[0]


@pytest.mark.parametrize("name", ["medium", "", "LOW"])
def test_an_unknown_effort_is_refused(name):
    with pytest.raises(UsageError, match="--effort must be low, normal, high"):
        find_effort(name)
