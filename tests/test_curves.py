"""What curves of a training say: the faults planted in them, and nothing of healthy ones."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.curves import LEAST_EPOCHS, Curves, curves_of, extrapolated_gain, observe, read_history
from audit.errors import UsageError

FAULTS = {"no_number", "runs_away", "stands_still", "swings"}
OTHERS = {"not_finished", "overtrained", "plateau", "gap", "nothing_held_out"}

HISTORY = {"loss": [1.4, 0.6, 0.3], "accuracy": [0.3, 0.7, 0.9],
           "val_loss": [1.3, 0.7, 0.5], "val_accuracy": [0.35, 0.65, 0.8]}
READ = Curves((1.4, 0.6, 0.3), (1.3, 0.7, 0.5), (0.3, 0.7, 0.9), (0.35, 0.65, 0.8))

LOSSES = st.floats(1e-6, 1e6)
"""Finite and above 0, within what losses are."""


def healthy(epochs=20, kept=0.6):
    """Each epoch keeps a share of what lies above 0.2: all but nothing is left at the end."""
    return tuple(0.2 + 1.2 * kept ** epoch for epoch in range(epochs))


def keys(loss, held_out=None, **more):
    return [one.key for one in observe(Curves(
        tuple(loss), tuple(loss if held_out is None else held_out), **more))]


@st.composite
def curves(draw):
    """All four columns, each of which but the first may be absent."""
    epochs = draw(st.integers(1, 30))

    def column(values):
        return tuple(draw(st.lists(values, min_size=epochs, max_size=epochs)))

    shares = st.floats(0, 1)
    return Curves(column(LOSSES), *(column(values) if draw(st.booleans()) else ()
                                    for values in (LOSSES, shares, shares)))


def as_table(columns):
    """As `keras.callbacks.CSVLogger` writes it."""
    return "\n".join([",".join(["epoch", *columns]), *(
        ",".join(map(str, row)) for row in zip(
            range(len(columns["loss"])), *columns.values(), strict=True))])


@pytest.mark.parametrize("text", [
    json.dumps(HISTORY), json.dumps({"history": HISTORY}, indent=1),
    json.dumps({"history": HISTORY, "told": {"gap": "It tells 90 %."}}),
    as_table(HISTORY)], ids=["History", "under history", "Watch", "CSVLogger"])
def test_files_of_every_kind_are_read_alike(tmp_path, text):
    (tmp_path / "history").write_text(text)
    assert read_history(tmp_path / "history") == READ


def test_what_keras_itself_logs_is_read(tmp_path):
    """By `CSVLogger`'s own writer: a callback without a model."""
    keras = pytest.importorskip("keras")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    logger.set_model(type("Model", (), {"stop_training": False})())
    logger.on_train_begin()
    for epoch in range(3):
        logger.on_epoch_end(epoch, {name: values[epoch] for name, values in HISTORY.items()})
    logger.on_train_end()
    with (tmp_path / "log.csv").open() as file:
        assert "epoch" in next(csv.reader(file))
    assert read_history(tmp_path / "log.csv") == READ


@pytest.mark.parametrize("text", [
    json.dumps({"loss": [1.0, float("nan")]}), json.dumps({"loss": [1.0, None]}),
    "epoch,loss\n0,1.0\n1,nan\n", "epoch,loss\n0,1.0\n1,\n"])
def test_a_loss_that_was_no_number_is_read_as_one(tmp_path, text):
    (tmp_path / "history").write_text(text)
    loss = read_history(tmp_path / "history").loss
    assert loss[0] == 1
    assert np.isnan(loss[1])


@pytest.mark.parametrize(("name", "said"), [
    ("accuracy", True), ("acc", True), ("sparse_categorical_accuracy", True), ("recall", True),
    ("learning_rate", False), ("mean_squared_error", False)])
def test_the_score_is_the_first_share_of_right_answers(name, said):
    found = curves_of({"loss": [1.0, 0.5], name: [0.5, 0.75], f"val_{name}": [0.25, 0.5]})
    assert bool(found.score) == bool(found.held_out_score) == said


@pytest.mark.parametrize(("held_out", "by_epoch"), [
    ((9.0, 4.0), (9.0, 9.0, 9.0, 4.0)), ((9.0,), (9.0,) * 4), ((1.0, 2.0, 3.0, 4.0),) * 2])
def test_held_out_images_that_are_looked_at_now_and_then_hold_until_the_next(held_out, by_epoch):
    found = curves_of({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": held_out})
    assert found.held_out_loss == by_epoch


@pytest.mark.parametrize(("content", "said"), [
    (None, "json.dump(history.history, file)"), (b"", 'no "loss"'), (b"\xff\xfe\x00", "CSVLogger"),
    (b'{"loss": [1.0', "audit.training.Watch"), (b'{"loss": 3}', "CSVLogger"),
    (b'{"history": null}', "CSVLogger"), (b'{"loss": ["low"]}', "CSVLogger"),
    (b'{"acc": [0.5]}', 'no "loss" in it (found: acc)'), (b"[1, 2]", 'no "loss"'),
    (b"epoch,accuracy\n0,0.5\n", "found: epoch, accuracy"), (b'{"loss": []}', 'no "loss"'),
    (b"epoch,loss\n0,high\n", "CSVLogger"),
    (b'{"loss": [1, 2, 3], "val_loss": [1, 2]}', '"loss" has 3 values and "val_loss" 2')])
def test_files_that_are_no_history_are_refused_in_a_line(tmp_path, content, said):
    path = tmp_path / "history"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        read_history(path)
    text = str(refused.value)
    assert text.startswith(f"--history {path}")
    assert said in text
    assert "\n" not in text


def test_a_folder_is_no_history(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read .* Give json\.dump"):
        read_history(tmp_path)


@pytest.mark.parametrize(("planted", "said"), [
    ((1.4, 1.2, float("nan"), float("nan")), "epoch 3"), ((float("inf"),), "epoch 1")])
def test_no_number_hides_all_else_and_says_where_it_began(planted, said):
    (found,) = observe(Curves(planted, score=(1.0,) * len(planted),
                              held_out_score=(0.1,) * len(planted)))
    assert (found.key, found.is_fault) == ("no_number", True)
    assert said in found.text


def test_no_number_on_held_out_images_alone():
    (found,) = observe(Curves((1.4, 1.2), (1.4, float("nan"))))
    assert found.key == "no_number"
    assert "held-out" in found.text


def test_where_not_all_epochs_were_looked_at_their_own_numbers_are_told():
    (found,) = observe(Curves((1.4, float("nan")), numbers=(5, 10), held_out_score=(0.5, 0.5)))
    assert "epoch 10" in found.text
    held_out = (1.4, 0.5, 0.8, 1.2)
    (found,) = observe(Curves(healthy(4), held_out, numbers=(10, 20, 30, 40)))
    assert found.key == "overtrained"
    assert "epoch 20" in found.text


@pytest.mark.parametrize("loss", [(1.4, 0.9, 2.0, 9.0), (1.4, 40.0), (1.4, 1.3, 1.2, 1.1, 80.0)])
def test_divergence(loss):
    found = observe(Curves(loss, loss))[0]
    assert (found.key, found.is_fault) == ("runs_away", True)
    assert f"{min(loss):.3g}" in found.text
    assert f"{loss[-1]:.3g}" in found.text


def test_a_loss_that_rises_and_comes_back_does_not_run_away():
    assert "runs_away" not in keys((1.4, 9.0, 0.9, 0.5, 0.3, 0.2))


@pytest.mark.parametrize("loss", [
    (1.386,) * 8, (1.386, 1.38, 1.39, 1.385), (1.0, 1.5, 1.6, 1.7, 1.8)])
def test_standing_still(loss):
    found = observe(Curves(loss, loss))
    assert [one.key for one in found] == ["stands_still"]
    assert found[0].is_fault


def test_a_shape_is_told_of_four_epochs_and_not_of_fewer():
    assert keys((1.4,) * LEAST_EPOCHS) == ["stands_still"]
    assert keys((1.4,) * (LEAST_EPOCHS - 1)) == []


def test_swings():
    loss = (2.0, 1.0, 1.7, 0.8, 1.5, 0.7, 1.3, 0.6)
    assert keys(loss) == ["swings"]
    smooth = tuple(sorted(loss, reverse=True))
    assert "swings" not in keys(smooth)


def test_overtraining_is_told_of_held_out_images_only():
    loss, held_out = healthy(12), (1.4, 0.8, 0.5, 0.45, 0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
    (found,) = [one for one in observe(Curves(loss, held_out)) if one.key == "overtrained"]
    assert not found.is_fault
    assert "epoch 4" in found.text
    assert "EarlyStopping" in found.fix
    assert "overtrained" not in keys(loss, ())


def test_an_end_that_still_falls_is_not_finished():
    falling = tuple(2 / epoch for epoch in range(1, 11))
    found = observe(Curves(falling, falling))
    assert [one.key for one in found] == ["not_finished"]
    assert "20 epochs" in found[0].fix
    assert not found[0].is_fault


def test_a_plateau_names_the_epoch_it_began_in():
    flat = (2.0, 1.0, 0.5, *(0.5,) * 9)
    (found,) = observe(Curves(flat, flat))
    assert (found.key, found.is_fault) == ("plateau", False)
    assert "epoch 3 of 12" in found.text


@pytest.mark.parametrize(("held_out", "is_gap"), [(0.6, True), (0.9, False), (1.0, False)])
def test_a_gap_between_images_learned_from_and_others(held_out, is_gap):
    count = len(healthy())
    found = keys(healthy(), score=(0.98,) * count, held_out_score=(held_out,) * count)
    assert ("gap" in found) == is_gap


def test_nothing_held_out_is_said_of_the_best_of_trainings():
    assert keys(healthy(), ()) == ["nothing_held_out"]
    assert keys(healthy(), (), held_out_score=(0.9,) * len(healthy())) == []


@pytest.mark.parametrize("epochs", [20, 21])
def test_of_a_healthy_curve_that_is_finished_nothing_is_said(epochs):
    count = len(healthy(epochs))
    assert keys(healthy(epochs), score=(0.95,) * count, held_out_score=(0.93,) * count) == []


def test_what_has_converged_is_not_told_to_go_on():
    loss = healthy(13, kept=0.45)
    assert loss[-1] - 0.2 < 0.001 * loss[-1]
    assert "not_finished" not in keys(loss)


@pytest.mark.parametrize("loss", [(1.0, 1.0, 1.0, 1.0), (1.0, 1.1, 1.2, 1.3, 1.4),
                                  (1.0, 0.5, float("nan"), 0.2), (1.0, 0.5, 0.2),
                                  (1.0, 0.5, 0.2, 0.0)])
def test_nothing_is_gained_where_nothing_falls_or_is_known(loss):
    assert extrapolated_gain(np.array(loss)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_gain_of_a_power_law_is_no_more_than_what_it_falls_by(exponent):
    """The least of three exponents is taken, so never more than the true one gives."""
    epochs = np.arange(1, 21, dtype=float)
    loss = 0.5 + epochs ** -exponent
    true = (loss[-1] - (0.5 + 40.0 ** -exponent)) / loss[-1]
    gain = extrapolated_gain(loss)
    assert 0 < gain <= true + 1e-9


def test_noise_is_no_gain():
    random = np.random.default_rng(0)
    gains = [extrapolated_gain(1 + 0.1 * random.standard_normal(20)) for _ in range(200)]
    assert np.mean(np.array(gains) > 0.02) < 0.1


@given(curves())
def test_any_finite_curves_are_told_of_in_sentences(found):
    told = observe(found)
    names = [one.key for one in told]
    assert len(names) == len(set(names))
    assert set(names) <= FAULTS | OTHERS
    assert all(one.is_fault == (one.key in FAULTS) for one in told)
    assert [one.is_fault for one in told] == sorted((one.is_fault for one in told), reverse=True)
    for one in told:
        assert one.text.endswith(".")
        assert one.fix.endswith(".")
        assert "nan" not in f"{one.text} {one.fix}".lower()


@given(st.lists(st.floats(0, allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_the_largest_and_smallest_of_numbers_raise_nothing(loss):
    with np.errstate(all="ignore"):
        observe(Curves(tuple(loss), tuple(loss)))


@given(curves(), st.integers(-10, 10))
def test_the_scale_of_the_loss_changes_nothing(found, power):
    """By powers of two, which no rounding is in the way of."""
    scaled = Curves(tuple(one * 2.0 ** power for one in found.loss),
                    tuple(one * 2.0 ** power for one in found.held_out_loss),
                    found.score, found.held_out_score)
    assert [one.key for one in observe(scaled)] == [one.key for one in observe(found)]


@given(st.lists(LOSSES, min_size=1, max_size=40))
def test_a_gain_is_a_number_of_0_or_more(loss):
    gain = extrapolated_gain(np.array(loss))
    assert np.isfinite(gain)
    assert gain >= 0


@pytest.mark.parametrize("loss", [
    (10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.01), (4.0, 3.0, 2.0, 1.0, 0.1)])
def test_no_more_can_be_gained_than_there_is(loss):
    assert extrapolated_gain(np.array(loss)) <= 1
