"""`audit train`: a run and its plan → the final network, and what the remedies gained.

read the run → find its images again → plan → read the pictures → train each arm with each seed →
measure on images that nothing saw → write. What is finished is kept: the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.errors import UnauditableError, UsageError
from audit.gating import verify_blessing
from audit.places import Url
from audit.remedies import LOGIT_ADJUSTMENT, balance_plan
from audit.rundir import RunDir
from audit.stored_run import read_run
from audit.training import (
    CHECKPOINT,
    Arm,
    RangeTest,
    Task,
    TrainingSettings,
    make_arms,
    predict,
    shares_of,
    to_save,
)
from pipelines.networks_to_train import NetworkToTrain, choose_network
from pipelines.remedy_dataset import (
    RemedySettings,
    choose_strategy,
    find_sources,
    plan_remedies,
)
from pipelines.seed import check_seed
from pipelines.settings import available_cores
from pipelines.training_data import PictureSettings, TrainingData, read_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from audit.places import Place
    from audit.training import Examples
    from pipelines.progress import Stages

MOST_SEEDS = 20
LEAST_UPDATES = 30
"""An epoch of a few hundred images goes through them more than once: else ten epochs are too few
updates for any network."""

WEIGHTS, LOGITS = "weights.npz", "logits.npy"


@dataclass(frozen=True)
class TrainSettings:
    """Settings of `audit train`.

    Attributes:
        remedies: how the run is remedied.
        out: folder for the network and what was measured.
        network: `auto`, `scratch` or a network of `keras.applications`.
        seeds: trainings of each arm.
        steps: train with each kind of remedy added alone, not only before and after.
        needs_blessing: train only what `audit gate --bless` has certified, and that is as it was.
    """

    remedies: RemedySettings
    out: Path
    network: str = "auto"
    seeds: int = 3
    steps: bool = True
    training: TrainingSettings = field(default_factory=TrainingSettings)
    workers: int = field(default_factory=available_cores)
    needs_blessing: bool = False

    def __post_init__(self) -> None:
        """Refuse what no training could make sense of."""
        check_seed(self.remedies.seed)
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise UsageError(f"--seeds must be from 1 to {MOST_SEEDS}. Got {self.seeds} instead.")
        if self.workers < 1:
            raise UsageError(f"--workers must be 1 or more. Got {self.workers} instead.")


@dataclass(frozen=True)
class Trained:
    """What was trained, ready to be told.

    Attributes:
        arms: what was trained on, from the data as they came to all remedies.
        logits: `(arms, seeds, t, classes)` of the test images.
        truth: `(t,)` their labels, from 0 on.
        classes: names.
        histories: arm → seed → epochs.
        network: what was trained, in words.
        learning_rate: the highest, and the range test it came from, if there was one.
        notes: sentences about the test images.
        built: the network, with whatever weights it has now.
        seeds: of the trainings of each arm.
    """

    arms: Sequence[Arm]
    logits: NDArray[np.float32]
    truth: NDArray[np.int64]
    classes: tuple[str, ...]
    histories: Sequence[Sequence[Sequence[dict[str, float]]]]
    network: str
    learning_rate: float
    range_test: RangeTest | None
    notes: tuple[str, ...]
    built: NetworkToTrain
    seeds: tuple[int, ...]


def train(settings: TrainSettings, stages: Stages) -> Trained:
    """Train before and after the remedies, and measure both on images that nothing saw.

    Raises:
        UsageError: an option or a path is wrong, or the data are not what was audited.
        UnauditableError: there is nothing to train on or to test on.
        NotBlessedError: a blessing was asked for, and there is none, or something has changed.
    """
    out = RunDir(settings.out)
    with stages.stage("reading the run"):
        run = read_run(settings.remedies.run)
        if settings.needs_blessing:
            verify_blessing(run.path, data=run.source.data)
        plan = plan_remedies(run, settings.remedies)
        sources = find_sources(run).set_index("image_id")
        _refuse_data_folder(settings.out, run.source.data)
    choice = choose_strategy(run, plan, settings.remedies, stages)
    balanced = balance_plan(plan, choice.strategy, settings.remedies.seed)
    with stages.stage("loading the network"):
        network = choose_network(settings.network, settings.training, stages.say)
    work = out.work_folder()
    try:
        data = read_pictures(run, plan, sources, PictureSettings(
            network.largest_side, settings.workers, settings.remedies.seed), work, stages)
        data = replace(data, notes=(
            *data.notes, f"Balance of the classes: {choice.strategy} ({choice.reason})."))
        arms = make_arms(data.plan, balanced, data.trainable, data.readable, settings.remedies.seed,
                         adjusts_logits=choice.strategy == LOGIT_ADJUSTMENT, steps=settings.steps)
        return _train_all(settings, network, data, arms, out, stages)
    finally:
        out.clear_work()


def _refuse_data_folder(out: Path, data: Place) -> None:
    if not isinstance(data, Url) and data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"--out {out} lies in the data ({data}), where the next audit would take "
                         "it for images. Give a folder elsewhere.")


def _train_all(settings: TrainSettings, network: NetworkToTrain, data: TrainingData,
               arms: Sequence[Arm], out: RunDir, stages: Stages) -> Trained:
    """Train each arm with each seed, unless that was done before."""
    first = arms[0]
    for arm in arms:
        if not len(arm.validation) or not len(arm.rows):
            raise UnauditableError(f"too few images are left to train on or to choose the epoch by "
                                   f"({arm.what}: {len(arm.rows)} and {len(arm.validation)}).")
    updates = max(LEAST_UPDATES, -(-len(first.rows) // settings.training.batch_size))
    learned = np.unique(np.concatenate([arm.rows for arm in arms]))
    others = np.unique(np.concatenate([data.tested, *(arm.validation for arm in arms)]))
    network.prepare(data.tensors, learned, others, len(data.classes))
    _same_as_before(out, settings, network, data, arms)
    seeds = tuple(settings.remedies.seed + number for number in range(settings.seeds))
    folders = {(arm.name, seed): out.path / "arms" / arm.name / f"seed-{seed}"
               for arm in arms for seed in seeds}
    is_over = all((folder / LOGITS).exists() for folder in folders.values())
    source = network.source(settings.remedies.seed, stages, is_used=not is_over)
    training = data.examples(source, first.rows, first.labels, first.weights)
    rate, tested = network.learning_rate(training, out.path / "range_test.json", stages)
    network.compile(updates, rate)
    test = data.examples(source, data.tested, data.truth[data.tested])
    logits, histories = [], []
    steps = settings.training.epochs * updates
    for arm in arms:
        answers, epochs = [], []
        for number, seed in enumerate(seeds):
            folder = folders[arm.name, seed]
            folder.mkdir(parents=True, exist_ok=True)
            with stages.stage(f"training {arm.name} {number + 1}/{settings.seeds}",
                              steps=steps) as advance:
                answers.append(_train_one(network, data, arm, seed, folder, test, settings,
                                          advance))
            epochs.append(json.loads((folder / "history.json").read_text(encoding="utf-8")))
        logits.append(answers)
        histories.append(epochs)
    return Trained(arms, np.array(logits), test.labels, data.classes, histories, network.words,
                   rate, tested, data.notes, network, seeds)


def _train_one(network: NetworkToTrain, data: TrainingData, arm: Arm, seed: int, folder: Path,
               test: Examples, settings: TrainSettings, advance: Any) -> NDArray[np.float32]:
    """Logits of the test images; from disk if this training was finished before."""
    done = RunDir(folder)
    if not (folder / LOGITS).exists():
        task = Task(
            data.examples(test.source, arm.rows, arm.labels, arm.weights),
            data.examples(test.source, arm.validation, arm.validation_labels,
                          arm.validation_weights), seed,
            shares_of(arm.labels, data.classes) if arm.adjusts_logits else None)
        standing = network.trainer.fit(task, folder, network.weights(seed), advance)
        done.write_json("history.json", standing.history)
        done.write_arrays(WEIGHTS, {f"{number:04d}": one
                                    for number, one in enumerate(standing.best)})
        done.write_array(LOGITS, predict(network.trainer.network, test,
                                         settings.training.batch_size))
        (folder / CHECKPOINT).unlink(missing_ok=True)
    found: NDArray[np.float32] = np.load(folder / LOGITS, allow_pickle=False)
    return found


def save_network(trained: Trained, arm: int, out: Path) -> Path:
    """Save the network of an arm: that of the seed with the lowest validation loss."""
    def loss(folder: Path) -> float:
        epochs = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        losses = (one["validation_loss"] for one in epochs)
        return min(float("inf") if one is None else float(one) for one in losses)

    folder = out / "arms" / trained.arms[arm].name
    best = min((folder / f"seed-{seed}" for seed in trained.seeds), key=loss)
    with np.load(best / WEIGHTS) as stored:
        trained.built.trainer.network.set_weights([stored[name] for name in stored.files])
    path = out / "network.keras"
    temporary = out / ".network.tmp.keras"
    to_save(trained.built.whole, trained.classes).save(temporary)
    temporary.replace(path)
    return path


def _same_as_before(out: RunDir, settings: TrainSettings, network: NetworkToTrain,
                    data: TrainingData, arms: Sequence[Arm]) -> None:
    """Refuse to mix the trainings of two tasks in one folder.

    Raises:
        UsageError: the folder holds those of another.
    """
    digest = hashlib.sha256()
    for arm in arms:
        for part in (arm.rows, arm.weights, arm.validation, arm.validation_weights):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update("\n".join([*arm.labels, *arm.validation_labels]).encode())
    digest.update(data.tested.tobytes())
    digest.update("\n".join([*data.plan["file_sha256"], *data.tested_files]).encode())
    about = {"training": asdict(settings.training), "network": network.words,
             "classes": list(data.classes), "seed": settings.remedies.seed,
             "learned_from": digest.hexdigest()}
    path = out.path / "training_settings.json"
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(about)):
            raise UsageError(f"{out.path} holds a training of other data or settings. "
                             "Give another --out, or remove that folder.")
        return
    out.write_json("training_settings.json", about)
