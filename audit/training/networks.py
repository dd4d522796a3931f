"""Networks to train: on a pretrained base, or small ones from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.errors import UsageError
from audit.keras_runtime import load_keras
from audit.network_cut import cut_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

FILTERS = (32, 64, 128)
"""Of a network from scratch, each step at half the side."""

LARGE_SIDE = 64
"""Pictures of more pixels are halved before the first block: else most of the time goes there."""

MOMENTUM = 0.9
"""Of the running statistics. Keras has 0.99, which after a few hundred updates still holds where
they began."""

_TOLERANCE = 1e-3
CLASS_NAMES = "class_names"
"""Name of the layer of a saved model that knows the classes."""


@dataclass(frozen=True)
class Network:
    """A network and the part of it that is trained; both share their weights.

    Attributes:
        whole: from uint8 pictures `(n, side, side, 3)` to logits.
        begin: what stays as it is, from pictures to activations; None if all is trained.
        trained: from these activations, or else from pictures, to logits.
    """

    whole: Any
    begin: Any | None
    trained: Any


def on_pretrained(base: Any, preprocess: Callable[[Any], Any], side: int, classes: int,
                  dropout: float) -> Network:
    """A network of pictures on a pretrained base, of which the last blocks are trained.

    Layers of batch normalisation stay as they are: their statistics are of far more pictures. The
    new last layer begins at zero, so that the first updates do not spoil what is below it.

    Args:
        base: a headless Keras model of pictures, which is trained from here on.
        preprocess: from uint8 values as floats to what the base wants.
        side: in pixels.
        classes: number of classes.
        dropout: share of the features left out before the last layer.

    Raises:
        UsageError: `preprocess` is none that can be saved with the network.
    """
    keras = load_keras()
    pictures = keras.Input((side, side, 3), name="pictures")
    ready = preprocessing_layer(preprocess)(pictures)

    def top(features: Any) -> Any:
        hidden = keras.layers.Dropout(dropout, seed=0)(features)
        return keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32",
                                  name="logits")(hidden)

    parts = cut_network(base, side)
    if parts is None:
        for layer in base.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        features = base(ready, training=False)
        if len(features.shape) == 4:  # noqa: PLR2004 - image, y, x, channel
            features = keras.layers.GlobalAveragePooling2D()(features)
        whole = keras.Model(pictures, top(features))
        return Network(whole, None, whole)
    first, last = parts
    first.trainable = False
    begin = keras.Model(pictures, first(ready, training=False))
    passing = keras.Input(begin.output_shape[1:])
    logits = top(last(passing, training=False))
    # Two of the same layers: one is compiled, and how it was compiled cannot be saved.
    rest, trained = keras.Model(passing, logits), keras.Model(passing, logits)
    return Network(keras.Model(pictures, rest(begin(pictures))), begin, trained)


def from_scratch(side: int, classes: int, dropout: float, mean: NDArray[np.float32],
                 deviation: NDArray[np.float32]) -> Any:
    """A small residual network from uint8 pictures `(n, side, side, 3)` to logits.

    Layers before a rectifier begin with He's variance (He et al., "Delving deep into rectifiers",
    2015), the last with Glorot's (Glorot & Bengio, 2010). Blocks as in He et al., "Identity
    mappings in deep residual networks", 2016.

    Args:
        side: in pixels.
        classes: number of classes.
        dropout: share of the features left out before the last layer.
        mean: `(3,)` of the channels of the training pictures, 0 to 255.
        deviation: `(3,)` their standard deviations.
    """
    keras = load_keras()
    layers = keras.layers
    pictures = keras.Input((side, side, 3), name="pictures")
    scaled = preprocessing_layer(lambda values: (values - mean) / deviation)(pictures)
    stride = 2 if side > LARGE_SIDE else 1
    hidden = layers.Conv2D(FILTERS[0], 3, strides=stride, padding="same", use_bias=False,
                           kernel_initializer="he_normal")(scaled)
    for filters in FILTERS:
        hidden = _block(hidden, filters)
    hidden = layers.Activation("relu")(_normalised(hidden))
    hidden = layers.GlobalAveragePooling2D()(hidden)
    hidden = layers.Dropout(dropout, seed=0)(hidden)
    logits = layers.Dense(classes, kernel_initializer="glorot_uniform",
                          dtype="float32", name="logits")(hidden)
    return keras.Model(pictures, logits)


def to_save(network: Any, classes: Sequence[str]) -> Any:
    """The network as it is saved: from pictures of any size to probabilities and a class name.

    Args:
        network: from pictures of its side to logits.
        classes: names, in the order of the logits.
    """
    keras = load_keras()
    side = network.input_shape[1]
    pictures = keras.Input((None, None, 3), name="pictures")
    resized = keras.layers.Resizing(side, side, antialias=True)(pictures)
    # Without how it was compiled, which is of the training and cannot be saved.
    # Nor ever as in training: Keras takes a direct call of `Resizing` for that, and tells the rest.
    logits = keras.Model(network.input, network.output, name="network")(resized, training=False)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
    best = keras.ops.argmax(probabilities, axis=-1)
    names = keras.layers.StringLookup(vocabulary=list(classes), num_oov_indices=0, invert=True,
                                      name=CLASS_NAMES)(best)
    return keras.Model(pictures, {"probabilities": probabilities, "class": names})


def preprocessing_layer(preprocess: Callable[[Any], Any]) -> Any:
    """A frozen layer that does what `preprocess` does to each pixel, and that can be saved.

    All of `keras.applications` scale, shift or reorder the channels: three by three numbers and
    three more, which are read off its answers.

    Raises:
        UsageError: it is no such function.
    """
    keras = load_keras()
    black = np.asarray(preprocess(np.zeros((1, 1, 1, 3), np.float32)), np.float32).reshape(3)
    ones = np.stack([np.asarray(preprocess(np.eye(3, dtype=np.float32)[channel].reshape(1, 1, 1, 3)
                                           * 255), np.float32).reshape(3) for channel in range(3)])
    matrix = (ones - black) / 255
    random = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    wanted = np.asarray(preprocess(random.copy()))
    if np.abs(random @ matrix + black - wanted).max() > _TOLERANCE * max(1, np.abs(wanted).max()):
        raise UsageError("the preprocessing of this network is none that scales, shifts or "
                         "reorders channels, so it cannot be saved with the network. Put it into "
                         "the network itself.")
    layer = keras.layers.Dense(3, trainable=False, name="preprocessing")
    layer.build((None, None, None, 3))
    layer.set_weights([matrix, black])
    return layer


def _normalised(hidden: Any) -> Any:
    return load_keras().layers.BatchNormalization(momentum=MOMENTUM)(hidden)


def _block(hidden: Any, filters: int) -> Any:
    """Two convolutions beside a shortcut, at half the side where the filters grow."""
    keras = load_keras()
    layers = keras.layers
    grows = hidden.shape[-1] != filters
    ready = layers.Activation("relu")(_normalised(hidden))
    shortcut = hidden
    if grows:
        shortcut = layers.Conv2D(filters, 1, strides=2, use_bias=False,
                                 kernel_initializer="he_normal")(ready)
    out = layers.Conv2D(filters, 3, strides=2 if grows else 1, padding="same", use_bias=False,
                        kernel_initializer="he_normal")(ready)
    out = layers.Activation("relu")(_normalised(out))
    out = layers.Conv2D(filters, 3, padding="same", use_bias=False,
                        kernel_initializer="he_normal")(out)
    return layers.Add()([shortcut, out])
