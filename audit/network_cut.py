"""A network cut in two: what stays as it is, and the last blocks, which are trained."""

from __future__ import annotations

from typing import Any

from audit.feature_maps import feature_maps
from audit.keras_runtime import load_keras

SHRUNK_TO = 1 / 16
"""The blocks trained are those that see the picture at this share of its side or less: about the
last half of the work, and the part that knows the classes of ImageNet. What is before knows edges
and textures, which are of all pictures."""


def cut_network(network: Any, side: int) -> tuple[Any, Any] | None:
    """Cut a network where one tensor is all that passes, before the blocks to be trained.

    Layers of batch normalisation after the cut are frozen: their statistics are of far more
    pictures.

    Args:
        network: a Keras functional model of pictures.
        side: of the pictures in pixels.

    Returns:
        From pictures to what passes, and from there to pooled features `(n, d)`; None if no cut
        leaves weights to train.
    """
    keras = load_keras()
    maps = [(layer.output, height) for layer, height in feature_maps(network, side)]
    sides = sorted({one for _, one in maps}, reverse=True)
    at = next((one for one in sides if one <= SHRUNK_TO * side), sides[-1])
    pooled = keras.layers.GlobalAveragePooling2D()(maps[-1][0])
    # Of the places with the same side, the narrowest: what passes is kept for each image.
    for output in sorted((output for output, one in maps[:-1] if one == at),
                         key=lambda one: one.shape[-1]):
        try:
            blocks = keras.Model(output, pooled)
        except ValueError:  # something else passes here too, as a residual connection does
            continue
        for layer in blocks.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
        if not blocks.trainable_weights:
            continue
        begin = keras.Model(network.inputs, output)
        passing = keras.Input((at, at, output.shape[-1]))
        # As in use, not as in training: blocks that drop a part of what they see are left whole.
        return begin, keras.Model(passing, blocks(passing, training=False))
    return None
