"""The first updates, layer by layer: how far each moves, and which units fall silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.diagnosis.anatomy import activation_of, anatomy
from audit.diagnosis.dataset import shape_inputs
from audit.diagnosis.experiment import targets_of
from audit.diagnosis.initial import outputs_of_layers
from audit.keras_runtime import load_keras, seed_everything

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

STEPS = 20
LOOKED_AT = 64

USUAL_RATIO = 1e-3
"""Of the size of a kernel, that an update of it changes: about a thousandth (Karpathy, CS231n,
"Ratio of weights:updates")."""

_FLAT = {"sigmoid": (0.02, 0.98), "tanh": (-0.96, 0.96), "softsign": (-0.9, 0.9),
         "hard_sigmoid": (0.01, 0.99)}
"""Below and above which a saturating activation hardly lets a gradient through: a tenth of the
steepest slope or less."""


@dataclass(frozen=True)
class LayerSteps:
    """A layer over the first updates.

    Attributes:
        name: of the layer.
        ratio: median size of an update over the size of the kernel.
        dead: share of units that give 0 for every image after them; NaN where it is not known.
        saturated: share of what it gives that lies where its activation is flat; NaN likewise.
    """

    name: str
    ratio: float
    dead: float
    saturated: float


def first_steps(subject: Subject, images: Images, seed: int) -> tuple[LayerSteps, ...]:
    """Make `STEPS` updates as the user does, and look at each layer with weights.

    Returns:
        Nothing where the model cannot be trained.
    """
    try:
        return _first_steps(subject, images, seed)
    except Exception:  # noqa: BLE001 - what a model raises is told by its training
        return ()


def _first_steps(subject: Subject, images: Images, seed: int) -> tuple[LayerSteps, ...]:
    model = subject.build(seed)
    about = anatomy(model)
    random = np.random.default_rng(seed)
    seed_everything(seed)
    layers = [one for one in about.layers if getattr(one, "kernel", None) is not None]
    ratios: list[list[float]] = [[] for _ in layers]
    size = min(subject.regime.batch_size, len(images.learned))
    for _ in range(STEPS):
        rows = random.choice(images.learned, size, replace=False)
        before = [_numbers(one.kernel) for one in layers]
        model.train_on_batch(
            shape_inputs(images.pictures[rows], model, subject.regime.scale),
            targets_of(images.labels[rows], about.encoding, about.units))
        for place, one in enumerate(layers):
            change = np.linalg.norm(_numbers(one.kernel) - before[place])
            ratios[place].append(float(change / (np.linalg.norm(before[place]) or 1.0)))
    rows = np.sort(random.permutation(images.learned)[:LOOKED_AT])
    given = outputs_of_layers(
        model, shape_inputs(images.pictures[rows], model, subject.regime.scale))
    names = {id(one): name for name, one in zip(about.names, about.layers, strict=True)}
    return tuple(LayerSteps(names[id(one)], float(np.median(ratios[place])),
                            *_silent(one, given.get(one.name)))
                 for place, one in enumerate(layers))


def _numbers(variable: Any) -> NDArray[np.float32]:
    return np.array(load_keras().ops.convert_to_numpy(variable))


def _silent(layer: Any, outputs: NDArray[np.floating] | None) -> tuple[float, float]:
    if outputs is None:
        return float("nan"), float("nan")
    flat = outputs.reshape(-1, outputs.shape[-1])
    low, high = _FLAT.get(activation_of(layer), (-np.inf, np.inf))
    return float((flat == 0).all(axis=0).mean()), float(((flat < low) | (flat > high)).mean())
