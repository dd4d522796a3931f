"""The user's own Keras model as the network whose activations describe the pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError, in_one_line
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNELS = 3


def is_own_network(name: str) -> bool:
    """Whether `--backbone` names a file of the user's and not a network of Keras."""
    return name.endswith(".keras") or ".py:" in name


def load_own_network(name: str) -> Any:
    """Load `MODEL.keras`, or what `FUNCTION` of `FILE.py:FUNCTION` returns.

    Raises:
        UsageError: there is no such file or function, or it gives no Keras model of pictures.
    """
    keras = load_keras()
    file, _, function = name.rpartition(":") if ".py:" in name else (name, "", "")
    if not Path(file).is_file():
        raise UsageError(f"--backbone {file} does not exist. Give a .keras file, or "
                         "FILE.py:FUNCTION for a function that returns a Keras model.")
    try:
        network = (_function(Path(file), function)() if function else
                   keras.models.load_model(file, compile=False))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"--backbone {name} gave no model "
                         f"({in_one_line(error)}). "
                         "Load it in Python first, and save it with model.save.") from error
    if not isinstance(network, keras.Model):
        raise UsageError(f"--backbone {name} must give a Keras model. "
                         f"Got {type(network).__name__} instead.")
    return network


def side_of(network: Any, name: str, otherwise: int) -> int:
    """Side in pixels of the pictures a network takes; `otherwise` if it takes any.

    Raises:
        UsageError: it takes something else than square pictures of three channels.
    """
    shape = network.input_shape
    if (isinstance(shape, list | dict) or len(shape) != 4 or shape[3] != CHANNELS  # noqa: PLR2004
            or shape[1] != shape[2]):
        raise UsageError(f"--backbone {name} must take square pictures of {CHANNELS} channels, "
                         f"(None, side, side, {CHANNELS}). It takes {shape} instead.")
    return int(shape[1] or otherwise)


def _function(path: Path, name: str) -> Callable[[], Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--backbone {path} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"--backbone {path} has no function {name}.")
    return found
