"""Networks of `keras.applications` with ImageNet weights, from disk or downloaded once."""

from __future__ import annotations

import importlib
import os
import re
import socket
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

DOWNLOAD_TIMEOUT_S = 10.0


class WeightsUnavailableError(UsageError):
    """The pretrained weights are neither on disk nor reachable."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A Keras network without its top, and what its pictures have to go through first."""

    name: str
    network: Any
    preprocess: Callable[[Any], Any]


def weights_on_disk(name: str = "MobileNetV2") -> bool:
    """Whether Keras's own cache holds headless weights of the network `name`."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    files = [_plain(path.name) for path in (home / "models").glob("*")]
    # Not MobileNetV2's file for MobileNet: after the name comes "weights", a size or "notop".
    wanted = re.compile(re.escape(_plain(name)) + r"(weights|notop|\d*_?tf)")
    return any(wanted.match(file) and "notop" in file for file in files)


def load_pretrained(name: str, say: Callable[[str], None], option: str = "backbone",
                    instead: str = "patches") -> LoadedNetwork:
    """Build a network by its Keras name and load its weights from disk, or download them once.

    Args:
        name: `mobilenet_v2`, `MobileNetV2`, `efficientnet_b0`, ...: case and underscores are free.
        say: told of a download before it begins.
        option: of the command line that the name was given with.
        instead: what needs no weights, there.

    Raises:
        UsageError: there is no such network.
        WeightsUnavailableError: its weights cannot be had.
    """
    applications = load_keras().applications
    known = {_plain(one): one for one in dir(applications)
             if one[0].isupper() and callable(getattr(applications, one))}
    if _plain(name) not in known:
        message = (f'--{option} "{name}" is not known. Give auto, {instead}, or one of '
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
                   f"or choose --{option} {instead}.")
        raise WeightsUnavailableError(message) from error
    finally:
        socket.setdefaulttimeout(before)
    module = importlib.import_module(build.__module__)
    return LoadedNetwork(name, network, module.preprocess_input)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
