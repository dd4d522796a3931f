"""A model before its first update: the loss it begins with, what passes through its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.anatomy import Anatomy, fan_in, flat, kind
from audit.diagnosis.dataset import shape_inputs
from audit.diagnosis.experiment import targets_of
from audit.errors import in_one_line
from audit.keras_runtime import load_keras, load_tensorflow

if TYPE_CHECKING:
    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

LOOKED_AT = 64


@dataclass(frozen=True)
class LayerStart:
    """A layer with weights, before the first update.

    Attributes:
        name: of the layer.
        kind: class name.
        spread: standard deviation of its kernel over that of He's initialisation, 1 where it is
            just that (He et al., "Delving deep into rectifiers", 2015).
        is_constant: whether all its units begin alike, and so stay alike.
        is_trainable: whether it learns.
        activation: standard deviation of what it gives, over images and units.
        dead: share of units that give 0 for every image.
        gradient: root mean square of the gradient of its kernel; NaN if it is not trained.
    """

    name: str
    kind: str
    spread: float
    is_constant: bool
    is_trainable: bool
    activation: float
    dead: float
    gradient: float


@dataclass(frozen=True)
class Initial:
    """A model before its first update.

    Attributes:
        loss: of some images; NaN where it cannot be had.
        expected: what a model that knows nothing has, ln C for the cross entropies; NaN for others.
        lowest: of the inputs after the layers that scale them.
        highest: of the same.
        layers: with weights, in their order.
        failure: why not all of it is known.
        first_without_number: first layer that gives NaN or infinity for these images; empty if
            none does, or it cannot be told.
    """

    loss: float
    expected: float
    lowest: float
    highest: float
    layers: tuple[LayerStart, ...]
    failure: str = ""
    first_without_number: str = ""


def look(subject: Subject, about: Anatomy, images: Images, seed: int) -> Initial:
    """Look at a model before it is trained."""
    keras = load_keras()
    model = subject.build(seed)
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(images.learned)[:LOOKED_AT])
    inputs = shape_inputs(images.pictures[rows], model, subject.regime.scale)
    lowest, highest = _range(model, inputs)
    expected = float(np.log(len(images.classes))) if "crossentropy" in about.loss else float("nan")
    try:
        targets = targets_of(images.labels[rows], about.encoding, about.units)
        loss, gradients = _gradients(model, inputs, targets)
        given = outputs_of_layers(model, inputs)
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        return Initial(float("nan"), expected, lowest, highest, (),
                       in_one_line(error))
    starts = []
    for name, layer in zip(about.names, flat(model), strict=True):
        if getattr(layer, "kernel", None) is None:
            continue
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        units = kernel.reshape(-1, kernel.shape[-1])
        outputs = given.get(layer.name)
        given_by = None if outputs is None else outputs.reshape(-1, outputs.shape[-1])
        starts.append(LayerStart(
            name, kind(layer), float(kernel.std() / np.sqrt(2 / max(1, fan_in(layer)))),
            bool(units.shape[1] > 1 and (np.ptp(units, axis=1) == 0).all()),
            bool(layer.trainable and layer.kernel.trainable),
            float("nan") if given_by is None else float(given_by.std()),
            float("nan") if given_by is None else float((given_by == 0).all(axis=0).mean()),
            gradients.get(layer.kernel.path, float("nan"))))
    bad = "" if np.isfinite(loss) else _first_without_number(model, about, inputs)
    return Initial(loss, expected, lowest, highest, tuple(starts), first_without_number=bad)


def _first_without_number(model: Any, about: Anatomy, inputs: np.ndarray) -> str:
    keras = load_keras()
    for name, layer in zip(about.names, flat(model), strict=True):
        if kind(layer) == "InputLayer":
            continue
        try:
            outputs = keras.Model(model.inputs, layer.output).predict_on_batch(inputs)
        except (AttributeError, ValueError):  # no graph of layers, or inside another model
            continue
        if not np.isfinite(outputs).all():
            return name
    return ""


def _range(model: Any, inputs: np.ndarray) -> tuple[float, float]:
    """Lowest and highest input after the layers at the beginning that scale them."""
    keras = load_keras()
    seen = inputs
    for one in flat(model):
        if kind(one) in {"InputLayer", "RandomFlip", "RandomRotation", "RandomZoom",
                         "RandomTranslation", "RandomCrop", "Resizing"}:
            continue
        if kind(one) not in {"Rescaling", "Normalization"}:
            break
        seen = keras.ops.convert_to_numpy(one(seen))
    return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)


def _gradients(model: Any, inputs: np.ndarray, targets: np.ndarray,
               ) -> tuple[float, dict[str, float]]:
    tensorflow = load_tensorflow()
    with tensorflow.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = model.compute_loss(x=inputs, y=tensorflow.convert_to_tensor(targets), y_pred=outputs)
    variables = list(model.trainable_variables)
    found = tape.gradient(loss, [one.value for one in variables])
    return float(loss), {
        variable.path: float(np.sqrt(np.mean(np.square(gradient.numpy()))))
        for variable, gradient in zip(variables, found, strict=True) if gradient is not None}


def outputs_of_layers(model: Any, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Name → `(n, ..., units)` of the layers with weights; nothing for a model of another kind."""
    keras = load_keras()
    try:
        layers = [one for one in model.layers if getattr(one, "kernel", None) is not None]
        seen = keras.Model(model.inputs, [one.output for one in layers])
        outputs = seen.predict_on_batch(inputs)
    except (AttributeError, ValueError):
        return {}
    several = outputs if isinstance(outputs, list) else [outputs]
    return {one.name: np.asarray(output) for one, output in zip(layers, several, strict=True)}
