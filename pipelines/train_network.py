"""`audit train`: a run and its plan → the final network, and what the remedies gained.

read the run → find its images again → plan → read the pictures → train each arm with each seed →
measure on images that nothing saw → write. What is finished is kept: the same command goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.errors import UnauditableError, UsageError
from audit.ingest import TEST
from audit.measures import UNREADABLE
from audit.remedies import LOGIT_ADJUSTMENT, balance_plan
from audit.rundir import RunDir
from audit.stored_run import StoredRun, read_run
from audit.training import (
    CHECKPOINT,
    Arm,
    Examples,
    RangeTest,
    Task,
    TrainingSettings,
    make_arms,
    predict,
    shares_of,
    to_save,
)
from pipelines.measure_images import measure_images
from pipelines.networks_to_train import NetworkToTrain, choose_network
from pipelines.remedy_dataset import RemedySettings, choose_strategy, find_sources, plan_remedies
from pipelines.seed import check_seed
from pipelines.settings import available_cores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from audit.imagestore import TensorStore
    from pipelines.progress import Stages

MOST_SEEDS = 20
TRUSTED_SHARE = 0.2
"""Of the images whose labels are believed, held out where the data have no test split."""

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
    """

    remedies: RemedySettings
    out: Path
    network: str = "auto"
    seeds: int = 3
    steps: bool = True
    training: TrainingSettings = field(default_factory=TrainingSettings)
    workers: int = field(default_factory=available_cores)

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
        model: the Keras network that was trained, with whatever weights it has now.
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
    model: Any


@dataclass(frozen=True)
class _Data:
    """Rows of the plan, then rows of what was held out; pictures are of the same rows."""

    plan: pd.DataFrame
    truth: NDArray[np.object_]
    tested: NDArray[np.int64]
    trainable: NDArray[np.bool_]
    readable: NDArray[np.bool_]
    tensors: TensorStore
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def examples(self, rows: NDArray[np.int64], labels: NDArray[np.object_],
                 weights: NDArray[np.float32] | None = None) -> Examples:
        """Pictures of rows with labels by name."""
        codes = np.searchsorted(np.array(self.classes, object), labels).astype(np.int64)
        return Examples(self.tensors, rows, codes,
                        np.ones(len(rows), np.float32) if weights is None else weights)


def train(settings: TrainSettings, stages: Stages) -> Trained:
    """Train before and after the remedies, and measure both on images that nothing saw.

    Raises:
        UsageError: an option or a path is wrong, or the data are not what was audited.
        UnauditableError: there is nothing to train on or to test on.
    """
    out = RunDir(settings.out)
    with stages.stage("reading the run"):
        run = read_run(settings.remedies.run)
        plan = plan_remedies(run, settings.remedies)
        sources = find_sources(run).set_index("image_id")
    strategy = choose_strategy(run, plan, settings.remedies, stages).strategy
    plan = balance_plan(plan, strategy, settings.remedies.seed)
    with stages.stage("loading the network"):
        network = choose_network(settings.network, settings.training, stages.say)
    work = out.work_folder()
    try:
        data = _read_pictures(settings, run, plan, sources, network.largest_side, work, stages)
        arms = make_arms(data.plan, data.trainable, data.readable, settings.remedies.seed,
                         adjusts_logits=strategy == LOGIT_ADJUSTMENT, steps=settings.steps)
        return _train_all(settings, network, data, arms, out, stages)
    finally:
        out.clear_work()


def _read_pictures(settings: TrainSettings, run: StoredRun, plan: pd.DataFrame,
                   sources: pd.DataFrame, side: int, work: Path, stages: Stages) -> _Data:
    """Pictures of the plan's images and of those held out, and which are tested on."""
    held_out = run.held_out
    names = [*plan["image_id"], *([] if held_out is None else held_out["image_id"])]
    paths = sources.loc[names, "path"].tolist()
    measures, tensors, _ = measure_images(paths, side, settings.workers, work, stages)
    readable = (measures["status"] != UNREADABLE).to_numpy()
    count = len(plan)
    tested, notes = _choose_tested(run, plan, held_out, settings.remedies.seed)
    trainable = ~plan["split"].isin([TEST, "val"]).to_numpy()
    trainable[tested[tested < count]] = False
    labels = np.concatenate([
        plan["given_label"].to_numpy(object),
        np.empty(0, object) if held_out is None else held_out["given_label"].to_numpy(object)])
    learned = set(plan["given_label"][trainable & readable[:count]])
    if len(learned) < 2:  # noqa: PLR2004 - one class cannot be told from anything
        raise UnauditableError("fewer than two classes have images to train on.")
    copies = _copies_of_training(measures, np.flatnonzero(trainable), tested)
    fit_to_test = readable[tested] & ~copies & np.isin(labels[tested], sorted(learned))
    if not fit_to_test.any():
        raise UnauditableError("no image is left to test on: all are unreadable, copies of "
                               "images to train on, or of classes without such images.")
    if copies.any():
        note = f"{copies.sum():,} test images are copies of images to train on and do not count."
        notes = (*notes, note)
    return _Data(plan, labels, tested[fit_to_test], trainable, readable[:count], tensors,
                 tuple(sorted(learned | set(plan["label"][trainable]))), notes)


def _choose_tested(run: StoredRun, plan: pd.DataFrame, held_out: pd.DataFrame | None, seed: int,
                   ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Rows to test on: what was held out, or the test split, or a fifth of the trusted images."""
    if held_out is not None:
        note = f"Measured on {len(held_out):,} images that were held out before the audit."
        return np.arange(len(plan), len(plan) + len(held_out)), (note,)
    rows = np.flatnonzero(plan["split"] == TEST)
    if len(rows):
        note = (f"Measured on the test split, {len(rows):,} images. No network was trained on "
                "them, but the audit that judged the other labels had learned from them: "
                "`audit run --hold-out test` keeps them out of that too.")
        return rows, (note,)
    judged = set(run.images["image_id"][run.images["predicted_label"] != ""])
    trusted = (plan["image_id"].isin(judged) & (plan["rule"] == "none")
               & (plan["split"] != "val")).to_numpy()
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for name in sorted(set(plan["given_label"])):
        own = np.flatnonzero(trusted & (plan["given_label"] == name).to_numpy())
        chosen += random.permutation(own)[:round(TRUSTED_SHARE * len(own))].tolist()
    note = (f"The data have no test split. Measured on {len(chosen):,} images whose labels the "
            "audit believes; it had seen them, and networks like what it believes. For a figure "
            "that nothing has touched: audit run --hold-out 0.2, then audit train.")
    return np.sort(np.array(chosen, np.int64)), (note,)


def _copies_of_training(measures: pd.DataFrame, trained: NDArray[np.int64],
                        tested: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the tested images are, by file or pixels, among those to train on."""
    pixels = measures["pixel_hash"].to_numpy(object)
    known = {pixels[row] for row in trained} - {""}
    return np.array([pixels[row] in known for row in tested], bool)


def _train_all(settings: TrainSettings, network: NetworkToTrain, data: _Data,
               arms: Sequence[Arm], out: RunDir, stages: Stages) -> Trained:
    """Train each arm with each seed, unless that was done before."""
    first = arms[0]
    updates = max(LEAST_UPDATES, -(-len(first.rows) // settings.training.batch_size))
    training = data.examples(first.rows, first.labels, first.weights)
    network.prepare(training, len(data.classes))
    _same_as_before(out, settings, network, data, arms)
    rate, tested = network.learning_rate(training, out.path / "range_test.json", stages)
    network.compile(updates, rate)
    test = data.examples(data.tested, data.truth[data.tested])
    logits, histories = [], []
    steps = settings.training.epochs * updates
    for arm in arms:
        answers, epochs = [], []
        for number in range(settings.seeds):
            seed = settings.remedies.seed + number
            folder = out.path / "arms" / arm.name / f"seed-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            with stages.stage(f"training {arm.name} {number + 1}/{settings.seeds}",
                              steps=steps) as advance:
                answers.append(_train_one(network, data, arm, seed, folder, test, settings,
                                          advance))
            epochs.append(json.loads((folder / "history.json").read_text(encoding="utf-8")))
        logits.append(answers)
        histories.append(epochs)
    return Trained(arms, np.array(logits), test.labels, data.classes, histories, network.words,
                   rate, tested, data.notes, network.trainer.network)


def _train_one(network: NetworkToTrain, data: _Data, arm: Arm, seed: int, folder: Path,
               test: Examples, settings: TrainSettings, advance: Any) -> NDArray[np.float32]:
    """Logits of the test images; from disk if this training was finished before."""
    done = RunDir(folder)
    if not (folder / LOGITS).exists():
        task = Task(
            data.examples(arm.rows, arm.labels, arm.weights),
            data.examples(arm.validation, arm.validation_labels), seed,
            shares_of(arm.labels, data.classes) if arm.adjusts_logits else None)
        standing = network.trainer.fit(task, folder, network.weights(seed), advance)
        done.write_json("history.json", standing.history)
        buffer = io.BytesIO()
        np.savez(buffer, *standing.best)
        done.write(WEIGHTS, buffer.getvalue())
        done.write_array(LOGITS, predict(network.trainer.network, test,
                                         settings.training.batch_size))
        (folder / CHECKPOINT).unlink(missing_ok=True)
    found: NDArray[np.float32] = np.load(folder / LOGITS, allow_pickle=False)
    return found


def save_network(trained: Trained, arm: int, out: Path) -> Path:
    """Save the network of an arm: that of the seed with the lowest validation loss."""
    def loss(folder: Path) -> float:
        epochs = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        return min(float(one["validation_loss"]) for one in epochs)

    best = min(sorted((out / "arms" / trained.arms[arm].name).glob("seed-*")), key=loss)
    with np.load(best / WEIGHTS) as stored:
        trained.model.set_weights([stored[name] for name in stored.files])
    path = out / "network.keras"
    temporary = out / ".network.tmp.keras"
    to_save(trained.model, trained.classes).save(temporary)
    temporary.replace(path)
    return path


def _same_as_before(out: RunDir, settings: TrainSettings, network: NetworkToTrain, data: _Data,
                    arms: Sequence[Arm]) -> None:
    """Refuse to mix the trainings of two tasks in one folder.

    Raises:
        UsageError: the folder holds those of another.
    """
    digest = hashlib.sha256()
    for arm in arms:
        for part in (arm.rows, arm.weights, arm.validation):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update("\n".join([*arm.labels, *arm.validation_labels]).encode())
    digest.update(data.tested.tobytes())
    digest.update("\n".join(data.plan["file_sha256"]).encode())
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
