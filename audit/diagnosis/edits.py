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
    """Batch normalisation between each hidden layer and its activation, and ways around layers.

    Ioffe & Szegedy, "Batch normalization", 2015; He et al., "Deep residual learning", 2016. The
    averages follow at a momentum of 0.9, so that a short training has them.
    """
    layers = load_keras().layers

    def linear(layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"activation": "linear"} if "activation" in config and is_weighted(
            layer) else config

    def call(layer: Any, old: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        outputs = layer(inputs, *more, **options)
        if not is_weighted(old):
            return outputs
        outputs = layers.BatchNormalization(momentum=0.9)(outputs)
        if inputs.shape == outputs.shape:
            outputs = layers.Add()([inputs, outputs])
        name = activation_of(old)
        return outputs if name == "linear" else layers.Activation(name)(outputs)

    return _rewired(linear, call)


def without_layers(most: int) -> Edit:
    """So many hidden layers with weights at most, where layers that keep the shape can go."""
    kept = [0]

    def call(layer: Any, old: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        outputs = layer(inputs, *more, **options)
        if not is_weighted(old):
            return outputs
        if kept[0] >= most and inputs.shape == outputs.shape:
            return inputs
        kept[0] += 1
        return outputs

    def begin() -> None:
        kept[0] = 0

    return _rewired(lambda _, config: config, call, begin)


def _rewired(change: Callable[[Any, dict[str, Any]], dict[str, Any]], call: Callable[..., Any],
             begin: Callable[[], None] = lambda: None) -> Edit:
    """Each hidden layer made again as `change` says, and called as `call` does."""
    keras = load_keras()

    def edit(model: Any) -> Any:
        begin()
        last = [one for one in flat(model) if is_weighted(one)][-1]
        old_of: dict[int, Any] = {}

        def clone(layer: Any) -> Any:
            if getattr(layer, "layers", None):
                return keras.models.clone_model(_graph(layer), clone_function=clone,
                                                call_function=called)
            config = layer.get_config()
            made = type(layer).from_config(config if layer is last else change(layer, config))
            old_of[id(made)] = layer
            return made

        def called(layer: Any, inputs: Any, *more: Any, **options: Any) -> Any:
            old = old_of.get(id(layer), last)
            if old is last:
                return layer(inputs, *more, **options)
            return call(layer, old, inputs, *more, **options)

        made = keras.models.clone_model(_graph(model), clone_function=clone, call_function=called)
        return _compiled(made, _same(model.optimizer), model.loss)

    edit.adds_layers = True  # type: ignore[attr-defined]
    return edit


def _graph(model: Any) -> Any:
    """A model as a graph of calls: one that is a list of layers is called once."""
    if kind(model) != "Sequential":
        return model
    inputs = load_keras().Input(model.input_shape[1:])
    outputs = inputs
    for one in model.layers:
        outputs = one(outputs)
    return load_keras().Model(inputs, outputs)


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
