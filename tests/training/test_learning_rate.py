"""The range test leaves no trace and recommends what can be trained with; rates rise and fall."""

import numpy as np
import pytest

from audit.keras_runtime import load_keras
from audit.training import TRIED, Loss, TrainingSettings, find_range, training_batches
from audit.training.learning_rate import (
    RANGE,
    averaged_over,
    make_optimizer,
    warm_up_and_cosine,
)


def ranged(network, examples, settings, told):
    batches = training_batches(examples(range(200)), 3, 16, 0, 0, TRIED)
    return find_range(network, batches.as_numpy_iterator(), Loss("cross_entropy", 0.1, 3),
                      settings, 0, told.append)


@pytest.fixture(scope="module")
def tried(small_network, examples):
    """Values before, the network, what was found, and the progress told."""
    network, told = small_network(), []
    before = [variable.numpy() for variable in network.variables]
    return before, network, ranged(network, examples, TrainingSettings(), told), told


def test_the_network_is_left_as_it_was(tried):
    before, network, _, _ = tried
    assert len(before) > len(network.weights), "random numbers have a state too"
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)


def test_rates_ascend_and_the_one_recommended_is_among_them(tried):
    _, _, found, told = tried
    low, high = RANGE["adamw"]
    assert len(found.rates) == len(found.losses)
    assert (np.diff(found.rates) > 0).all()
    assert low <= found.recommended <= high
    assert found.recommended < found.rates[int(np.argmin(found.losses))], "well below the brink"
    assert min(found.losses) < found.losses[0], "it learns on the way"
    assert sum(told) == TRIED


def test_the_test_ends_where_the_loss_explodes(examples):
    """Pixels up to 255 and rates up to 10 are more than plain gradient descent can bear."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    network, told = keras.Sequential([
        keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]), []
    before = network.get_weights()
    found = ranged(network, examples, TrainingSettings(optimizer="sgd"), told)
    assert len(found.rates) < TRIED
    assert found.losses[-1] > 2 * min(found.losses)
    assert RANGE["sgd"][0] <= found.recommended < found.rates[-1]
    assert sum(told) == TRIED
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("updates", [10, 60, 301])
def test_the_rate_rises_from_0_to_the_highest_and_falls_to_0(updates):
    rates = np.array([float(warm_up_and_cosine(0.3, updates)(step)) for step in range(updates + 1)])
    top = int(rates.argmax())
    assert rates[0] == 0
    assert rates[top] == pytest.approx(0.3)
    assert rates[-1] == pytest.approx(0, abs=1e-7)
    assert top == pytest.approx(updates / 10, abs=1)
    assert (np.diff(rates[:top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_optimizers_are_the_ones_asked_for(name):
    optimizer = make_optimizer(TrainingSettings(optimizer=name, weight_decay=0.03), 0.5)
    assert type(optimizer) is {"adamw": load_keras().optimizers.AdamW,
                               "adam": load_keras().optimizers.Adam,
                               "sgd": load_keras().optimizers.SGD}[name]
    assert float(optimizer.learning_rate) == 0.5
    assert optimizer.weight_decay == (0.03 if name == "adamw" else None)


@pytest.mark.parametrize(("updates", "over"), [(1, 1), (30, 3), (300, 30), (1_250, 100),
                                               (100_000, 100)])
def test_weights_are_averaged_over_a_tenth_of_a_training_and_no_more_than_a_hundred(updates, over):
    assert averaged_over(updates) == over
