"""Changes to a compiled model: each gives a function from a model to a changed, compiled one.

They rebuild a model from its configuration. Models that are written as a class of their own cannot
be taken apart: such a change raises, and is reported as not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.diagnosis.anatomy import activation_of, flat, is_weighted, kind
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[Any], Any]
    Change = Callable[[int, Any, dict[str, Any]], dict[str, Any]]


def with_optimizer(make: Callable[[Any], Any]) -> Edit:
    """Compile with another optimizer, which `make` gives from the one before."""
    def edit(model: Any) -> Any:
        return _compiled(model, make(model.optimizer), model.loss)

    return edit


def with_rate(rate: float) -> Edit:
    """The same optimizer at another, constant learning rate."""
    def make(optimizer: Any) -> Any:
        return type(optimizer).from_config(optimizer.get_config() | {"learning_rate": rate})

    return with_optimizer(make)


def with_adam(rate: float = 1e-3) -> Edit:
    """Adam at a rate; 0.001 is its authors' and Keras' own."""
    return with_optimizer(lambda _: load_keras().optimizers.Adam(rate))


def with_softmax(classes: int) -> Edit:
    """A last layer of one unit a class with softmax, and the loss that goes with it."""
    def edit(model: Any) -> Any:
        last = [one for one in model.layers if is_weighted(one)][-1]
        rest = model.layers[model.layers.index(last) + 1:]
        after = [one.name for one in rest]
        own = "linear" if any(kind(one) == "Softmax" for one in rest) else "softmax"

        def change(_place: int, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
            if layer.name == last.name:
                return config | {"units": classes, "activation": own}
            if layer.name in after and kind(layer) == "Activation":
                return config | {"activation": "linear"}
            return config

        loss = load_keras().losses.SparseCategoricalCrossentropy()
        return _compiled(_cloned(model, change), _same(model.optimizer), loss)

    return edit


def with_layers(change: Change) -> Edit:
    """Each layer made again from its configuration as `change(place, layer, config)` gives it.

    The place is that in `Anatomy.layers`: names of layers are others in each model that is built.
    """
    def edit(model: Any) -> Any:
        return _compiled(_cloned(model, change), _same(model.optimizer), model.loss)

    return edit


def with_normalisation() -> Edit:
    """Batch normalisation between each hidden layer and its activation.

    Ioffe & Szegedy, "Batch normalization", 2015. Of models that are one row of layers.
    """
    def edit(model: Any) -> Any:
        layers = load_keras().layers
        weighted = [one for one in model.layers if is_weighted(one)]
        row: list[Any] = [load_keras().Input(model.input_shape[1:])]
        for one in model.layers:
            if kind(one) == "InputLayer":
                continue
            config = one.get_config()
            if not is_weighted(one) or one is weighted[-1]:
                row.append(type(one).from_config(config))
                continue
            activation = activation_of(one)
            row.append(type(one).from_config(config | {"activation": "linear"}))
            row.append(layers.BatchNormalization())
            if activation != "linear":
                row.append(layers.Activation(activation))
        if not is_a_row(model):
            raise ValueError("the model is not one row of layers")
        return _compiled(load_keras().Sequential(row), _same(model.optimizer), model.loss)

    return edit


def is_a_row(model: Any) -> bool:
    """Whether each layer takes what the one before gives, and nothing else."""
    if type(model).__name__ == "Sequential":
        return not any(getattr(one, "layers", None) for one in model.layers)
    nodes = [one for one in model.layers if kind(one) != "InputLayer"]
    return all(len(one._inbound_nodes) == 1 and len(one._outbound_nodes) <= 1  # noqa: SLF001
               and not isinstance(one.input, list) and not getattr(one, "layers", None)
               for one in nodes)


def _cloned(model: Any, change: Change) -> Any:
    places = {id(one): place for place, one in enumerate(flat(model))}

    def clone(layer: Any) -> Any:
        return type(layer).from_config(
            change(places.get(id(layer), -1), layer, layer.get_config()))

    return load_keras().models.clone_model(model, clone_function=clone, recursive=True)


def _same(optimizer: Any) -> Any:
    return type(optimizer).from_config(optimizer.get_config())


def _compiled(model: Any, optimizer: Any, loss: Any) -> Any:
    model.compile(optimizer=optimizer, loss=loss)
    return model
