"""Which network `audit train` trains, and where it begins."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.keras_runtime import seed_everything
from audit.representations import (
    DEFAULT_PRETRAINED,
    SMALL_PICTURE,
    load_pretrained,
    weights_on_disk,
)
from audit.rundir import RunDir
from audit.training import (
    TRIED,
    Activations,
    Loss,
    Network,
    Pictures,
    RangeTest,
    Trainer,
    bytes_of_activations,
    count_of_activations,
    find_range,
    from_scratch,
    on_pretrained,
    training_batches,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.imagestore import TensorStore
    from audit.training import Examples, Source, TrainingSettings
    from pipelines.progress import Stages

AUTO, SCRATCH = "auto", "scratch"

PRETRAINED_SIDES = (96, 160)
"""Of small pictures and of others, for a network that was trained on larger ones."""

SCRATCH_SIDES = (32, 96)
"""The same, for one that begins with nothing."""

KEPT_AT_MOST = 16 * 1024**3
"""Bytes of activations. Where they would take more, all of the network is computed each time."""

LOOKED_AT = 1_000
"""Pictures from which the mean and the deviation of the channels are taken."""


class NetworkToTrain:
    """A network, where each seed begins, and its trainer once it is known how long is trained."""

    def __init__(self, pretrained: Any | None, settings: TrainingSettings) -> None:
        """Take a loaded pretrained network, or None for one from scratch."""
        self._pretrained = pretrained
        self._settings = settings
        self._sides = PRETRAINED_SIDES if pretrained else SCRATCH_SIDES
        self.largest_side = settings.side or self._sides[1]
        self._side = self.largest_side
        self._scale = np.zeros(3, np.float32), np.ones(3, np.float32)
        self._network: Network
        self._classes = 0
        self._pictures: Pictures
        self._learned = self._others = np.empty(0, np.int64)
        self.trainer: Trainer

    @property
    def words(self) -> str:
        """The network in words."""
        if self._pretrained is None:
            return f"a small residual network from scratch, at {self._side} px"
        return (f"{self._pretrained.name} (ImageNet), its last blocks and a new last layer "
                f"trained, at {self._side} px")

    @property
    def whole(self) -> Any:
        """From pictures to logits, with whatever weights it has now."""
        return self._network.whole

    def prepare(self, tensors: TensorStore, learned: NDArray[np.int64],
                others: NDArray[np.int64], classes: int) -> None:
        """Build the network.

        Args:
            tensors: the pictures.
            learned: rows to learn from.
            others: rows to validate and to test with.
            classes: number of classes.
        """
        small, large = self._sides
        self._classes = classes
        is_small = tensors.typical_side(learned) <= SMALL_PICTURE
        self._side = self._settings.side or (small if is_small else large)
        self._pictures, self._learned, self._others = Pictures(tensors, self._side), learned, others
        if self._pretrained is None:
            chosen = learned[:: max(1, len(learned) // LOOKED_AT)]
            pixels = tensors.read(chosen, SCRATCH_SIDES[0]).reshape(-1, 3)
            self._scale = (pixels.mean(axis=0, dtype=np.float32),
                           np.maximum(pixels.std(axis=0, dtype=np.float32), 1))
            model = self._begin(0)
            self._network = Network(model, None, model)
        else:
            self._network = on_pretrained(
                self._pretrained.network, self._pretrained.preprocess, self._side, classes,
                self._settings.dropout)
            if bytes_of_activations(self._network.begin, len(learned), len(others)) > KEPT_AT_MOST:
                self._network = replace(self._network, begin=None, trained=self._network.whole)

    def source(self, seed: int, stages: Stages, *, is_used: bool) -> Source:
        """What is given to what is trained: pictures, or what the first blocks make of them.

        Args:
            seed: of changes of pictures.
            stages: told of the progress.
            is_used: compute what takes time.
        """
        begin = self._network.begin
        if begin is None or not is_used:
            return self._pictures
        steps = count_of_activations(len(self._learned), len(self._others))
        with stages.stage("first blocks", steps=steps) as advance:
            return Activations(begin, self._pictures, self._learned, self._others, seed, advance)

    def weights(self, seed: int) -> list[NDArray[np.floating]] | None:
        """Weights to begin with; None for those of the pretrained network."""
        return None if self._pretrained else self._begin(seed).get_weights()

    def learning_rate(self, training: Examples, path: Path, stages: Stages,
                      ) -> tuple[float, RangeTest | None]:
        """The rate asked for, or what a range test recommends; kept in a file, to go on alike."""
        settings = self._settings
        if settings.learning_rate is not None:
            return settings.learning_rate, None
        if not path.exists():
            batches = training_batches(training, self._classes, settings.batch_size, 0, 0, TRIED)
            loss = Loss(settings.loss, settings.label_smoothing, self._classes)
            with stages.stage("finding the rate", steps=TRIED) as advance:
                found = find_range(self._network.trained, batches.as_numpy_iterator(), loss,
                                   settings, 0, advance)
            RunDir(path.parent).write(path.name, json.dumps(asdict(found)).encode())
        stored = json.loads(path.read_text(encoding="utf-8"))
        test = RangeTest(tuple(stored["rates"]), tuple(stored["losses"]), stored["recommended"])
        return test.recommended, test

    def compile(self, updates_an_epoch: int, learning_rate: float) -> None:
        """Make the trainer."""
        self.trainer = Trainer(self._network.trained, self._settings, updates_an_epoch,
                               learning_rate)

    def _begin(self, seed: int) -> Any:
        seed_everything(seed)
        return from_scratch(self._side, self._classes, self._settings.dropout, *self._scale)


def choose_network(name: str, settings: TrainingSettings, say: Callable[[str], None],
                   ) -> NetworkToTrain:
    """The network of that name; `auto` is a pretrained one where its weights are on disk.

    Raises:
        UsageError: there is no such network, or its weights cannot be had.
    """
    if name == SCRATCH or (name == AUTO and not weights_on_disk(DEFAULT_PRETRAINED)):
        return NetworkToTrain(None, settings)
    return NetworkToTrain(
        load_pretrained(DEFAULT_PRETRAINED if name == AUTO else name, say, "network", SCRATCH),
        settings)
