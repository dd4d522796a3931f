"""Networks of `keras.applications` with ImageNet weights, frozen, and a linear head on top."""

from __future__ import annotations

import importlib
import os
import re
import socket
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.errors import UsageError
from audit.representations.head import STEPS, cross_validate_head
from audit.representations.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

BATCH = 64
DOWNLOAD_TIMEOUT_S = 10.0


class WeightsUnavailableError(UsageError):
    """The pretrained weights are neither on disk nor reachable."""


class Pretrained:
    """A frozen `keras.applications` network, average-pooled."""

    tensor_size = 160

    def __init__(self, name: str, network: Any, preprocess: Callable[[Any], Any]) -> None:
        """Wrap a built network; `preprocess` is its module's own."""
        self.name = name
        self.description = f"{name} (ImageNet), frozen, and a linear Keras head"
        self._network = network
        self._preprocess = preprocess

    def steps(self, images: int) -> int:
        """Steps of the bar of cross-validation."""
        del images
        return STEPS

    def embed(self, tensors: TensorStore, rows: NDArray[np.int64],
              advance: Callable[[int], None] = lambda _: None) -> NDArray[np.float32]:
        """Features of images `rows`, shape `(len(rows), d)`."""
        parts = [np.empty((0, self._network.output_shape[-1]), np.float32)]
        for start in range(0, len(rows), BATCH):
            batch = tensors.read(rows[start:start + BATCH]).astype(np.float32)
            parts.append(self._network.predict_on_batch(self._preprocess(batch)))
            advance(len(batch))
        return np.concatenate(parts).astype(np.float32)

    def cross_validate(
        self, tensors: TensorStore, rows: NDArray[np.int64], embeddings: NDArray[np.float32],
        labels: NDArray[np.int64], folds: NDArray[np.int64], classes: int, seed: int,
        advance: Callable[[int], None] = lambda _: None,
    ) -> tuple[NDArray[np.float64], float]:
        """Out-of-fold probabilities of the head. See `head.cross_validate_head`."""
        del tensors, rows
        return cross_validate_head(embeddings, labels, folds, classes, seed, advance)


def weights_on_disk(name: str = "MobileNetV2") -> bool:
    """Whether Keras's own cache holds headless weights of the network `name`."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    files = [_plain(path.name) for path in (home / "models").glob("*")]
    # Not MobileNetV2's file for MobileNet: after the name comes "weights", a size or "notop".
    wanted = re.compile(re.escape(_plain(name)) + r"(weights|notop|\d*_?tf)")
    return any(wanted.match(file) and "notop" in file for file in files)


def load_pretrained(name: str, say: Callable[[str], None]) -> Pretrained:
    """Build a network by its Keras name and load its weights from disk, or download them once.

    Args:
        name: `mobilenet_v2`, `MobileNetV2`, `efficientnet_b0`, ...: case and underscores are free.
        say: told of a download before it begins.

    Raises:
        UsageError: there is no such network.
        WeightsUnavailableError: its weights cannot be had.
    """
    applications = load_keras().applications
    known = {_plain(one): one for one in dir(applications)
             if one[0].isupper() and callable(getattr(applications, one))}
    if _plain(name) not in known:
        message = (f'backbone "{name}" is not known. Give auto, cnn, or one of '
                   f"{', '.join(sorted(known.values()))}.")
        raise UsageError(message)
    name = known[_plain(name)]
    build = getattr(applications, name)
    if not weights_on_disk(name):
        say(f"ImageNet weights of {name} are not on disk: trying to download them, once")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    try:
        with warnings.catch_warnings():
            # No input shape: the file of weights is then the 224 px one, good for any size.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            network = build(weights="imagenet", include_top=False, pooling="avg")
    except Exception as error:
        message = (f"pretrained weights for {name} are neither on disk nor reachable "
                   f"({' '.join(str(error).split())[:120]}). Put the file in ~/.keras/models, "
                   "or choose --backbone cnn.")
        raise WeightsUnavailableError(message) from error
    finally:
        socket.setdefaulttimeout(before)
    module = importlib.import_module(build.__module__)
    return Pretrained(name, network, module.preprocess_input)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
