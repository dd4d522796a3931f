"""Where in a Keras network its pictures have which side."""

from __future__ import annotations

from typing import Any

from audit.errors import UsageError
from audit.keras_runtime import load_keras


def feature_maps(network: Any, size: int) -> list[tuple[Any, int]]:
    """Layers that give pictures `(n, y, x, channels)`, in the order of the data, with their height.

    Args:
        network: a Keras functional model of pictures.
        size: side in pixels of the pictures it is shown.

    Raises:
        UsageError: no layer gives a picture.
    """
    keras = load_keras()
    layers = [layer for layer in network.layers
              if not isinstance(layer, keras.layers.InputLayer)
              and not isinstance(layer.output, list | dict)
              and len(layer.output.shape) == 4]  # noqa: PLR2004 - image, y, x, channel
    if not layers:
        raise UsageError("the network of --backbone has no layer that gives feature maps "
                         "(image, y, x, channel). Give a convolutional network.")
    shapes = keras.Model(network.inputs, [layer.output for layer in layers]).compute_output_spec(
        keras.KerasTensor((1, size, size, 3)))
    return [(layer, shape.shape[1])
            for layer, shape in zip(layers, keras.tree.flatten(shapes), strict=True)]
