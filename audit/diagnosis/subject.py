"""The model that is diagnosed: built anew for each experiment, as its owner compiles it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.dataset import DEFAULT_SIDE
from audit.errors import UsageError, in_one_line
from audit.keras_runtime import load_keras, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_EPOCHS, DEFAULT_BATCH = 10, 32
"""What Keras users take where they say nothing; 32 is `Model.fit`'s own."""

_ARGUMENTS = ("epochs", "batch_size", "scale", "class_weight")
_PICTURE_RANK = 4


@dataclass(frozen=True)
class Regime:
    """How a model is trained.

    Attributes:
        epochs: times through the training images.
        batch_size: images an update.
        scale: what pictures of 0 to 255 are multiplied by before the model sees them.
        class_weight: class number → weight of its images.
    """

    epochs: int = DEFAULT_EPOCHS
    batch_size: int = DEFAULT_BATCH
    scale: float = 1.0
    class_weight: Mapping[int, float] | None = None


@dataclass(frozen=True)
class Subject:
    """A model and how it is trained.

    Attributes:
        name: as the user gave it.
        make: returns a compiled model of new weights.
        regime: how it is trained.
        edits: changes that are made to a model after it is made, in turn.
    """

    name: str
    make: Callable[[], Any]
    regime: Regime
    edits: tuple[Callable[[Any], Any], ...] = field(default=())

    def build(self, seed: int) -> Any:
        """A new, compiled model, its weights drawn by the seed."""
        seed_everything(seed)
        model = built(self.make())
        for edit in self.edits:
            model = edit(model)
        return model

    def edited(self, *edits: Callable[[Any], Any], **regime: Any) -> Subject:
        """The same with further edits, and another regime."""
        return replace(self, edits=(*self.edits, *edits), regime=replace(self.regime, **regime))


def built(model: Any) -> Any:
    """The model with its weights made: by a picture of 32 pixels, if it waits for one."""
    if not model.built:
        model(np.zeros((1, DEFAULT_SIDE, DEFAULT_SIDE, 3), np.float32))
    return model


def combined(subject: Subject, changed: Sequence[Subject]) -> Subject:
    """The subject with the changes of several others that were made from it by `edited`.

    Edits that add layers come last: the others go by the places of the layers.
    """
    edits = [edit for one in changed for edit in one.edits[len(subject.edits):]]
    regime: dict[str, Any] = {}
    for one in changed:
        regime |= {name: value for name, value in vars(one.regime).items()
                   if value != getattr(subject.regime, name)}
    return subject.edited(*sorted(edits, key=lambda edit: getattr(edit, "adds_layers", False)),
                          **regime)


def load_subject(name: str, epochs: int | None = None, batch_size: int | None = None) -> Subject:
    """Load `FILE.py:FUNCTION` or `MODEL.keras`.

    FUNCTION returns a compiled model, or a model and a dictionary of `epochs`, `batch_size`,
    `scale` and `class_weight`. It is called once for each experiment, so it
    must build a model each time. Of a saved model the architecture and the compilation are taken;
    its weights are drawn anew.

    Args:
        name: what to load.
        epochs: in place of what FUNCTION says.
        batch_size: in place of what FUNCTION says.

    Raises:
        UsageError: there is none, it raises, or what it returns is no compiled model of pictures.
    """
    file, _, function = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"--model {file} does not exist. Give FILE.py:FUNCTION for a function "
                         "that returns a compiled Keras model, or a saved MODEL.keras.")
    load_keras()
    give = _function(path, function, name) if function else _saved(path)
    try:
        told = give()
    except Exception as error:
        raise _no_model(name, error) from error
    model, arguments = told if isinstance(told, tuple) and len(told) == 2 else (told, {})  # noqa: PLR2004
    regime = _regime(arguments, name)
    if epochs is not None:
        regime = replace(regime, epochs=_positive(epochs, "--epochs"))
    if batch_size is not None:
        regime = replace(regime, batch_size=_positive(batch_size, "--batch-size"))
    _refuse_what_is_no_classifier(model, name)
    try:
        built(model)
    except Exception as error:
        raise _no_model(name, error) from error
    _refuse_other_shapes(model, name)

    def make() -> Any:
        try:
            again = give()
        except Exception as error:
            raise _no_model(name, error) from error
        return again[0] if isinstance(again, tuple) else again

    return Subject(name, make, regime)


def _no_model(name: str, error: Exception) -> UsageError:
    return UsageError(f"--model {name} gave no model ({in_one_line(error)}). "
                      "Call it in Python first.")


def _function(path: Path, name: str, whole: str) -> Callable[[], Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--model {path} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _no_model(whole, error) from error
    found: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"--model {path} has no function {name}.")
    return found


def _saved(path: Path) -> Callable[[], Any]:
    keras = load_keras()
    try:
        loaded = keras.models.load_model(path)
    except Exception as error:
        raise UsageError(f"--model {path} cannot be loaded ({in_one_line(error)}). "
                         "Save it with model.save.") from error
    compiled = loaded.get_compile_config()

    def give() -> Any:
        model = keras.models.clone_model(loaded)
        if compiled is not None:
            model.compile_from_config(compiled)
        return model

    return give


def _regime(arguments: Any, name: str) -> Regime:
    if not isinstance(arguments, dict):
        raise UsageError(f"--model {name} must return a model, or a model and a dictionary of "
                         f"{', '.join(_ARGUMENTS)}. Got {type(arguments).__name__} instead.")
    for key in arguments:
        if key not in _ARGUMENTS:
            raise UsageError(f'--model {name} returns an argument "{key}". Known are '
                             f"{', '.join(_ARGUMENTS)}.")
    scale = arguments.get("scale", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or scale <= 0:
        raise UsageError(f"--model {name}: scale must be a number above 0, as 1/255. Got {scale!r} "
                         "instead.")
    return Regime(_positive(arguments.get("epochs", DEFAULT_EPOCHS), f"--model {name}: epochs"),
                  _positive(arguments.get("batch_size", DEFAULT_BATCH),
                            f"--model {name}: batch_size"),
                  float(scale), arguments.get("class_weight"))


def _positive(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{what} must be a whole number of 1 or more. Got {value!r} instead.")
    return value


def _refuse_what_is_no_classifier(model: Any, name: str) -> None:
    """Refuse what no experiment could be made with.

    Raises:
        UsageError: in one line, with what was expected.
    """
    keras = load_keras()
    if not isinstance(model, keras.Model):
        raise UsageError(f"--model {name} must return a Keras model. Got {type(model).__name__} "
                         "instead.")
    if not getattr(model, "compiled", False) or model.optimizer is None or model.loss is None:
        raise UsageError(f"--model {name} returns a model that is not compiled. Call model.compile "
                         "with an optimizer and a loss first: they are diagnosed too.")
    if getattr(model, "inputs", None):
        _refuse_other_shapes(model, name)


def _refuse_other_shapes(model: Any, name: str) -> None:
    """Refuse what does not take pictures or gives no scores, as far as a model tells.

    Raises:
        UsageError: in one line, with what was expected.
    """
    try:
        taken, given = model.input_shape, model.output_shape
    except (AttributeError, RuntimeError, ValueError):  # a class of its own: its training tells
        return
    for what, shape in (("inputs", taken), ("outputs", given)):
        if isinstance(shape, list | dict) or (shape and isinstance(shape[0], tuple)):
            raise UsageError(f"--model {name} has {len(shape)} {what}. A classifier of pictures "
                             "with one is wanted.")
    if len(taken) != _PICTURE_RANK or taken[3] not in {1, 3, None}:
        raise UsageError(f"--model {name} takes {taken}. Pictures (None, height, width, 1 or 3) "
                         "are wanted.")
    if len(given) != 2:  # noqa: PLR2004 - images and classes
        raise UsageError(f"--model {name} gives {given}. One row of class scores an image, "
                         "(None, classes), is wanted.")
