"""A Keras callback that watches a live training, and speaks only when it does not learn."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.curves import LEAST_EPOCHS, Curves, curves_of, observe
from audit.keras_runtime import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STILL, WILD = 1e-6, 0.3
"""Share of its size that an update changes a kernel by: far below the thousandth that is usual
(Karpathy, CS231n, "Ratio of weights:updates"), and far above."""

MOSTLY_DEAD = 0.5
_EVERY = 25


@cache
def watch_class() -> Any:  # noqa: C901 - hooks of a line or two
    """The class `Watch`, which is made when it is first wanted: Keras takes seconds to import."""
    class Watch(load_keras().callbacks.Callback):  # type: ignore[misc]
        """A callback for `model.fit` that is silent about a training that learns.

        Where the loss is no number, runs away, swings or does not move, it says so once, with what
        is seen in the weights.

        Args:
            file: JSON of the curves and of what was said, written anew after each epoch; what
                `audit diagnose --history` reads. None for no file.
            images: `(n, height, width, channels)` as the model takes them: units that give 0 for
                all of them are counted. None to leave that out.
            stops: end the training when the loss is no number.
            say: is given each line.
        """

        def __init__(self, file: str | Path | None = None, *, images: Any = None,
                     stops: bool = True, say: Callable[[str], None] = print) -> None:
            super().__init__()
            if file is not None:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
            self._watched = _Watched(None if file is None else Path(file), images, say)
            self._stops = stops

        @property
        def history(self) -> Mapping[str, list[float]]:
            """Name → value of each epoch, as in Keras' `History`."""
            return self._watched.history

        @property
        def told(self) -> Mapping[str, str]:
            """Key of `audit.curves.Observation` → what was said."""
            return self._watched.told

        def on_train_begin(self, logs: object = None) -> None:  # noqa: ARG002
            """Begin anew."""
            self._watched.begin()

        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
            """Remember the weights, now and then."""
            if batch % _EVERY == 0:
                self._watched.remember(self.model)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """See how far an update moved them, and whether the loss is a number."""
            is_finite = self._watched.compare(self.model)
            if not is_finite or not np.isfinite((logs or {}).get("loss", 0.0)):
                self._watched.tell_no_number(self.model, batch)
                if self._stops:
                    self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            """Look at the curves so far."""
            self._watched.add(self.model, logs or {})

        def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
            """Keep what a training that ended well says of its end."""
            self._watched.end()

    return Watch


class _Watched:
    """What was seen of a training."""

    def __init__(self, file: Path | None, images: Any, say: Callable[[str], None]) -> None:
        self.file, self.images, self.say = file, images, say
        self.begin()

    def begin(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.told: dict[str, str] = {}
        self._kernels: dict[str, np.ndarray] = {}
        self._steps: dict[str, list[float]] = {}
        self._chance = float("nan")

    def remember(self, model: Any) -> None:
        self._kernels = {layer.name: _numbers(layer.kernel) for layer in _weighted(model)}

    def compare(self, model: Any) -> bool:
        """Whether all weights are numbers, as far as they were remembered."""
        if not self._kernels:
            return True
        for layer in _weighted(model):
            before = self._kernels[layer.name]
            change = np.linalg.norm(_numbers(layer.kernel) - before)
            self._steps.setdefault(layer.name, []).append(
                float(change / (np.linalg.norm(before) or 1.0)))
        self._kernels = {}
        return bool(np.isfinite([one[-1] for one in self._steps.values()]).all())

    def tell_no_number(self, model: Any, batch: int) -> None:
        self._tell("no_number", f"The loss or a weight is no number in batch {batch + 1}.", model,
                   "Take a lower learning rate, or run audit diagnose.")

    def add(self, model: Any, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            if np.size(value) == 1:  # a metric may have a number a class
                self.history.setdefault(name, []).append(float(np.asarray(value).ravel()[0]))
        self._chance = _chance(model)
        for one in observe(self._curves) if "loss" in self.history else ():
            if one.is_fault:
                self._tell(one.key, one.text, model, one.fix)
        self._write()

    @property
    def _curves(self) -> Curves:
        return replace(curves_of(self.history), chance=self._chance)

    def end(self) -> None:
        if not self.told and len(self.history.get("loss", ())) >= LEAST_EPOCHS:
            self.told |= {one.key: one.text for one in observe(self._curves)}
            self._write()

    def _tell(self, key: str, text: str, model: Any, fix: str) -> None:
        if key not in self.told:
            self.told[key] = " ".join([text, *self._seen(), *self._dead(model), fix])
            self.say(f"audit: {self.told[key][:1].lower()}{self.told[key][1:]}")

    def _seen(self) -> list[str]:
        """What the weights show."""
        steps = {name: float(np.median(one)) for name, one in self._steps.items()}
        wild = [name for name, one in steps.items() if not one <= WILD]
        still = [name for name, one in steps.items() if one < STILL]
        if wild:
            size = steps[wild[0]]
            much = f"by {100 * size:,.0f} % of its size" if np.isfinite(size) else "to no number"
            return [f"An update changes {wild[0]} {much}; a thousandth is usual."]
        return [f"Updates hardly change {', '.join(still[:3])}."] if still else []

    def _dead(self, model: Any) -> list[str]:
        """Which layers mostly give nothing."""
        if self.images is None:
            return []
        try:
            layers = _weighted(model)[:-1]
            seen = load_keras().Model(model.inputs, [one.output for one in layers])
            outputs = seen.predict_on_batch(self.images)
        except (AttributeError, ValueError, TypeError):  # no graph of layers, or no hidden one
            return []
        several = outputs if isinstance(outputs, list) else [outputs]
        found = []
        for layer, output in zip(layers, several, strict=True):
            share = float((output.reshape(-1, output.shape[-1]) == 0).all(axis=0).mean())
            if share > MOSTLY_DEAD:
                found.append(f"{layer.name} {100 * share:.0f} %")
        return [f"Units that give 0 for every image: {', '.join(found)}."] if found else []

    def _write(self) -> None:
        if self.file is None:
            return
        history = {name: [one if np.isfinite(one) else None for one in values]
                   for name, values in self.history.items()}
        beside = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        beside.write_text(json.dumps({"history": history, "told": self.told}, allow_nan=False),
                          encoding="utf-8")
        beside.replace(self.file)


def _numbers(variable: Any) -> np.ndarray:
    return np.array(load_keras().ops.convert_to_numpy(variable))


def _chance(model: Any) -> float:
    """Loss of a model that knows nothing; NaN where that cannot be told."""
    units = getattr(model, "output_shape", (None,))[-1]
    name = model.loss if isinstance(model.loss, str) else getattr(model.loss, "name", "")
    if "categorical_crossentropy" not in str(name) or not isinstance(units, int) or units < 2:  # noqa: PLR2004 - two classes
        return float("nan")
    return float("nan") if model.losses else float(np.log(units))


def _weighted(model: Any) -> list[Any]:
    """Layers with a kernel, those of models inside it in their place."""
    found: list[Any] = []
    for one in model.layers:
        if getattr(one, "layers", None):
            found += _weighted(one)
        elif getattr(one, "kernel", None) is not None:
            found.append(one)
    return found
