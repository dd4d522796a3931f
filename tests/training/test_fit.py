"""A training learns, ends with its best epoch, and goes on after an end as if there was none."""

import csv
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from audit.imagestore import TensorStore
from audit.keras_runtime import load_tensorflow, seed_everything
from audit.training import (
    CHECKPOINT,
    Loss,
    Pictures,
    Task,
    Trainer,
    TrainingSettings,
    from_scratch,
    log_loss,
    predict,
    training_batches,
)
from audit.training.fit import averaged
from audit.training.learning_rate import make_optimizer

UPDATES, RATE = 12, 0.01
TRAINED, VALIDATED, TESTED = range(240), range(240, 340), range(340, 500)


def trainer_of(network, **settings):
    given = {"epochs": 3, "batch_size": 16, "dropout": 0.2, **settings}
    return Trainer(network, TrainingSettings(**given), UPDATES, RATE)


def folder_in(path, name):
    (path / name).mkdir()
    return path / name


def without_seconds(history):
    return [{name: value for name, value in epoch.items() if name != "seconds"}
            for epoch in history]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def differs(first, second):
    return any((one != other).any() for one, other in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def task(examples):
    plain = Task(examples(TRAINED), examples(VALIDATED), 0)
    return partial(replace, plain)


@pytest.fixture(scope="module")
def trainer(small_network):
    """One compiled network, for all that does not need another."""
    return trainer_of(small_network())


@pytest.fixture(scope="module")
def fitted(trainer, task, tmp_path_factory):
    """A training that nothing interrupted: its folder, standing, weights and progress."""
    folder, told = tmp_path_factory.mktemp("fitted"), []
    standing = trainer.fit(task(), folder, advance=told.append)
    return folder, standing, trainer.network.get_weights(), told


def test_the_log_loss_counts_an_image_as_often_as_its_weight_says():
    logits, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    weights = np.array([1, 3, 0, 2])
    repeated = np.repeat(np.arange(4), weights)
    assert log_loss(logits, labels, weights) == pytest.approx(
        log_loss(logits[repeated], labels[repeated]))


def test_a_small_residual_network_learns_to_tell_digits(examples, task, tmp_path, monkeypatch):
    monkeypatch.setattr("audit.training.networks.FILTERS", (8, 16))
    seed_everything(0)
    network = from_scratch(16, 3, 0.2, np.full(3, 80, np.float32), np.full(3, 90, np.float32))
    test = examples(TESTED)
    trainer_of(network, epochs=4).fit(task(), tmp_path)
    logits = predict(network, test, 64)
    assert logits.shape == (len(TESTED), 3)
    assert (logits.argmax(axis=1) == test.labels).mean() > 0.8, "chance is a third"


def test_figures_of_each_epoch_are_kept_and_shown(fitted):
    folder, standing, _, told = fitted
    assert [epoch["epoch"] for epoch in standing.history] == [1, 2, 3]
    assert sum(told) == 3 * UPDATES
    assert standing.is_over
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()}
                for row in csv.DictReader(file)]
    assert rows == standing.history
    tensorflow = load_tensorflow()
    shown = {(event.step, value.tag): tensorflow.make_ndarray(value.tensor).item()
             for path in (folder / "tensorboard").glob("events.out.tfevents*")
             for event in tensorflow.compat.v1.train.summary_iterator(str(path))
             for value in event.summary.value}
    for epoch in standing.history:
        for name, value in epoch.items():
            if name != "epoch":
                assert shown[epoch["epoch"], name] == pytest.approx(value)


def test_the_weights_are_those_of_the_epoch_with_the_lowest_validation_loss(fitted, trainer,
                                                                            examples):
    _, standing, weights, _ = fitted
    losses = [epoch["validation_loss"] for epoch in standing.history]
    assert standing.best_epoch == 1 + int(np.argmin(losses))
    assert_same(weights, standing.best)
    trainer.network.set_weights(weights)
    validation = examples(VALIDATED)
    logits = predict(trainer.network, validation, 32)
    assert log_loss(logits, validation.labels) == pytest.approx(min(losses), rel=1e-5)
    assert log_loss(logits, validation.labels) == pytest.approx(
        -np.log((np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[
            np.arange(len(logits)), validation.labels]).mean(), rel=1e-4)


@pytest.mark.parametrize("ended_after", [UPDATES + 3, 2 * UPDATES + 1])
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(
        fitted, trainer, task, small_network, tmp_path, ended_after):
    done = 0

    def kill(updates):
        nonlocal done
        done += updates
        if done >= ended_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(task(), tmp_path, advance=kill)
    assert (tmp_path / CHECKPOINT).exists()
    told = []
    again = trainer_of(small_network()) if ended_after > 2 * UPDATES else trainer
    standing = again.fit(task(), tmp_path, advance=told.append)
    folder, unbroken, weights, _ = fitted
    assert told[0] == ended_after // UPDATES * UPDATES, "what was done is not done again"
    assert sum(told) == 3 * UPDATES
    assert_same(again.network.get_weights(), weights)
    assert without_seconds(standing.history) == without_seconds(unbroken.history)
    with np.load(tmp_path / CHECKPOINT) as here, np.load(folder / CHECKPOINT) as there:
        names = [name for name in there.files if name.startswith("variable_")]
        assert len(names) > len(weights), "optimizer and random numbers too"
        assert_same([here[name] for name in names], [there[name] for name in names])


def test_a_finished_training_is_not_begun_again(fitted, trainer, task, monkeypatch):
    folder, _, weights, _ = fitted

    def refuse(*_):
        raise AssertionError("no batch is wanted")

    monkeypatch.setattr("audit.training.fit.training_batches", refuse)
    told = []
    trainer.network.set_weights([0 * value for value in weights])
    trainer.fit(task(), folder, advance=told.append)
    assert_same(trainer.network.get_weights(), weights)
    assert sum(told) == 3 * UPDATES


def test_the_same_seed_ends_alike_and_another_elsewhere(fitted, trainer, task, tmp_path):
    _, unbroken, weights, _ = fitted
    same = trainer.fit(task(), folder_in(tmp_path, "same"))
    assert_same(same.best, weights)
    assert without_seconds(same.history) == without_seconds(unbroken.history)
    assert differs(trainer.fit(task(seed=1), folder_in(tmp_path, "other")).best, weights)


def test_images_of_no_weight_are_not_learned_from(trainer, task, examples, tmp_path):
    weights = np.where(np.arange(len(TRAINED)) % 2, 2, 0).astype(np.float32)
    right = examples(TRAINED, weights)
    wrong = replace(right, labels=np.where(weights == 0, (right.labels + 1) % 3, right.labels))
    first, second = (trainer.fit(task(training=some), folder_in(tmp_path, name)).best
                     for name, some in (("right", right), ("wrong", wrong)))
    assert_same(first, second)


def test_patience_ends_a_training_that_gets_worse(small_network, task, examples, tmp_path):
    """It is validated by labels that are all wrong: the better it learns, the higher the loss."""
    right = examples(VALIDATED)
    wrong = replace(right, labels=(right.labels + 1) % 3)
    trainer, told = trainer_of(small_network(), epochs=6, patience=1), []
    standing = trainer.fit(task(validation=wrong), tmp_path, advance=told.append)
    losses = [epoch["validation_loss"] for epoch in standing.history]
    assert len(losses) == standing.best_epoch + 1 < 6
    assert losses[-1] > min(losses)
    assert sum(told) == 6 * UPDATES, "a bar is full at the end"
    assert log_loss(predict(trainer.network, wrong, 64), wrong.labels) == pytest.approx(
        min(losses), rel=1e-5)


def test_dropout_is_by_the_seed_of_the_task(trainer, task, monkeypatch, tmp_path):
    """Images and their changes are made the same, so that only dropout is left to differ."""
    monkeypatch.setattr(
        "audit.training.fit.training_batches",
        lambda examples, classes, batch_size, _seed, begin, end: training_batches(
            examples, classes, batch_size, 0, begin, end))
    first, second = (trainer.fit(task(seed=seed), folder_in(tmp_path, str(seed))).best
                     for seed in (0, 1))
    assert differs(first, second)


def test_what_is_validated_is_the_average_of_the_last_weights(small_network, examples):
    network, some = small_network(), examples(TRAINED)
    network.compile(make_optimizer(TrainingSettings(), 0.05, 2), Loss("cross_entropy", 0, 3))

    def now():
        return [variable.numpy() for variable in network.trainable_variables]

    last = []
    for batch in training_batches(some, 3, 16, 0, 0, 3).as_numpy_iterator():
        network.train_on_batch(*batch)
        last.append(now())
    with averaged(network):
        inside = now()
    assert_same(now(), last[-1])
    assert differs(last[-1], last[-2])
    for value, first, second, third in zip(inside, *last, strict=True):
        np.testing.assert_allclose(value, first / 4 + second / 4 + third / 2, atol=1e-6)


def test_it_begins_with_the_weights_it_is_given(trainer, fitted, task, tmp_path):
    _, unbroken, weights, _ = fitted
    trained = trainer.fit(task(), tmp_path, weights)
    assert trained.history[0]["training_loss"] < unbroken.history[0]["training_loss"]


def test_a_picture_and_its_mirror_image_are_answered_alike(trainer, examples, tmp_path):
    some = examples(range(5))
    mirrored = TensorStore.create(tmp_path / "mirrored", 5, 16)
    for row, picture in enumerate(some.source.plain(some.rows, mirrored=True)):
        mirrored.write(row, picture)
    plain = predict(trainer.network, some, 2)
    assert len(plain) == 5
    other = replace(some, source=Pictures(mirrored, 16))
    np.testing.assert_allclose(predict(trainer.network, other, 2), plain, atol=1e-5)
