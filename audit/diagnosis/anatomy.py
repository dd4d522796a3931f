"""What a Keras model is made of: layers, last layer, loss, optimizer, in plain terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SMALL = re.compile("(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")
"""Where Keras puts a line into the name of a class: `Conv2D` is `conv2d`, `ReLU` is `re_lu`."""

INTEGERS, ONE_HOT, BINARY = "integers", "one_hot", "binary"
_NORMALISING = ("BatchNormalization", "LayerNormalization", "GroupNormalization",
                "UnitNormalization", "RMSNormalization")
_ACTIVATING = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax")


@dataclass(frozen=True)
class Anatomy:
    """A model in plain terms.

    Attributes:
        layers: all of them, those of models inside it too, in their order.
        names: of them, as they are in the first model that a process builds: Keras counts on.
        loss: name in snake case, as `sparse_categorical_crossentropy`; empty if it is one of the
            user's own.
        from_logits: whether the loss takes logits; None for a loss that has no such thing.
        optimizer: class name.
        rate: learning rate at the beginning.
    """

    layers: tuple[Any, ...]
    names: tuple[str, ...]
    loss: str
    from_logits: bool | None
    optimizer: str
    rate: float

    @property
    def weighted(self) -> list[Any]:
        """Layers that multiply by weights: dense and convolutional ones."""
        return [one for one in self.layers if is_weighted(one)]

    @property
    def last(self) -> Any:
        """The last layer with weights; None if there is none."""
        return self.weighted[-1] if self.weighted else None

    @property
    def last_activation(self) -> str:
        """What is done to the outputs, `linear` if nothing: by the last layer or layers after."""
        names = [activation_of(one) for one in self.layers[self.layers.index(self.last):]
                 if has_activation(one)] if self.last is not None else []
        return next((one for one in reversed(names) if one != "linear"), "linear")

    @property
    def softmaxes(self) -> int:
        """How often softmax is applied from the last layer with weights on."""
        if self.last is None:
            return 0
        return sum(activation_of(one) == "softmax" for one in
                   self.layers[self.layers.index(self.last):])

    @property
    def units(self) -> int:
        """Numbers the model gives an image."""
        kernel = self.last
        return int(kernel.kernel.shape[-1]) if kernel is not None else 0

    @property
    def encoding(self) -> str:
        """How labels are given to the loss."""
        if self.loss.startswith("sparse"):
            return INTEGERS
        return BINARY if self.units == 1 else ONE_HOT

    @property
    def is_normalised(self) -> bool:
        """Whether any layer normalises what is inside."""
        return any(kind(one) in _NORMALISING for one in self.layers)

    @property
    def parameters(self) -> int:
        """Numbers that are learned or frozen."""
        return sum(int(np.prod(one.shape)) for layer in self.layers for one in layer.weights)


def anatomy(model: Any) -> Anatomy:
    """Describe a compiled model."""
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", "") or getattr(
        loss, "__name__", "")
    from_logits = getattr(loss, "_fn_kwargs", {}).get("from_logits") if not isinstance(
        loss, str) else None
    if from_logits is None and "crossentropy" in _snake(str(name)):
        from_logits = bool(getattr(loss, "from_logits", False))
    rate = model.optimizer.learning_rate
    try:
        value = float(rate)
    except TypeError:  # a schedule
        value = float(rate(0))
    is_keras = isinstance(loss, str) or type(loss).__module__.partition(".")[0] == "keras"
    if not is_keras and not callable(getattr(load_keras().losses, str(name), None)):
        name = ""
    layers = tuple(flat(model))
    return Anatomy(layers, names_of(layers), _alias(_snake(str(name))), from_logits,
                   type(model.optimizer).__name__, value)


_ALIASES = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "kld": "kl_divergence",
            "kl_divergence": "kl_divergence", "bce": "binary_crossentropy"}


def _alias(name: str) -> str:
    return _ALIASES.get(name, name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def flat(model: Any) -> Iterator[Any]:
    """Layers of a model, those of models inside it in their place."""
    for one in model.layers:
        if getattr(one, "layers", None):
            yield from flat(one)
        else:
            yield one


def names_of(layers: Sequence[Any]) -> tuple[str, ...]:
    """Names of layers, those that Keras gave counted from the first of each kind on."""
    seen: dict[str, int] = {}
    found = []
    for one in layers:
        given = _SMALL.sub("_", kind(one)).lower()
        if re.fullmatch(rf"{re.escape(given)}(_\d+)?", one.name):
            number = seen.get(given, 0)
            seen[given] = number + 1
            found.append(f"{given}_{number}" if number else given)
        else:
            found.append(one.name)
    return tuple(found)


def kind(layer: Any) -> str:
    """Class name of a layer."""
    return type(layer).__name__


def is_weighted(layer: Any) -> bool:
    """Whether a layer multiplies by a kernel: dense or convolutional."""
    return getattr(layer, "kernel", None) is not None and kind(layer) != "Embedding"


def has_activation(layer: Any) -> bool:
    """Whether a layer may apply a function to its outputs."""
    return kind(layer) in _ACTIVATING or getattr(layer, "activation", None) is not None


def activation_of(layer: Any) -> str:
    """Name of the function that a layer applies to its outputs."""
    if kind(layer) in _ACTIVATING and kind(layer) != "Activation":
        return _snake(kind(layer)).replace("re_lu", "relu").replace("leaky_relu", "leaky_relu")
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def fan_in(layer: Any) -> int:
    """Numbers that each output of a layer sums over."""
    shape = layer.kernel.shape
    depthwise = "Depthwise" in kind(layer)
    return int(np.prod(shape[:-2])) if depthwise else int(np.prod(shape[:-1]))
