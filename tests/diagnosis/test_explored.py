"""What is seen beside the verdict: a handful by heart, first updates, what else would do."""

from dataclasses import replace

import numpy as np
import pytest
from diagnosis.small_models import CLASSES, SIDE, dense, digits, subject_of, training

from audit.diagnosis.alternatives import SIZES, USUAL, optimizers, sizes
from audit.diagnosis.anatomy import anatomy, flat, names_of
from audit.diagnosis.control import BEYOND_DOUBT, halved_control, shuffled_control
from audit.diagnosis.diagnose import Budget, standard_error
from audit.diagnosis.experiment import Limits
from audit.diagnosis.first_steps import first_steps
from audit.diagnosis.one_batch import HANDFUL, UPDATES, learn_one_batch
from audit.diagnosis.subject import Regime, Subject
from audit.keras_runtime import load_keras

SHORT = Limits(updates=8, seconds=20)


@pytest.fixture(scope="module")
def images():
    return digits()


def broken():
    model = dense()
    model.layers[-1].call = None
    return model


BROKEN = Subject("broken", broken, Regime(1, 32))


def test_a_healthy_model_learns_a_handful_by_heart(images):
    found = learn_one_batch(subject_of(), images, 0)
    assert found.is_learned
    assert (found.images, len(found.losses), found.failure) == (HANDFUL, UPDATES, "")
    assert found.losses[-1] < 0.1 * found.losses[0]
    assert found == learn_one_batch(subject_of(), images, 0), "the seed decides"


def test_a_model_of_zeros_does_not(images):
    found = learn_one_batch(subject_of(initializer="zeros"), images, 0)
    assert not found.is_learned
    assert not found.failure
    assert min(found.losses) > 0.5 * found.losses[0]


def test_the_handful_has_all_classes_alike(images):
    seen = []

    def make():
        model = dense()
        train = model.train_on_batch
        model.train_on_batch = lambda inputs, targets: seen.append(targets) or train(
            inputs, targets)
        return model

    rare = replace(images, learned=np.concatenate([
        images.learned[images.labels[images.learned] == one][:40 if one else 5]
        for one in range(CLASSES)]))
    learn_one_batch(Subject("a test's", make, Regime()), rare, 0)
    assert all((one == seen[0]).all() for one in seen), "the same images each time"
    assert np.bincount(seen[0]).tolist() == [HANDFUL // CLASSES] * CLASSES


def test_fewer_images_than_a_handful_are_all_taken(images):
    few = replace(images, learned=images.learned[:5])
    assert learn_one_batch(subject_of(), few, 0).images == 5


def test_what_a_model_raises_is_told_and_nothing_more(images):
    found = learn_one_batch(BROKEN, images, 0)
    assert found.failure
    assert "\n" not in found.failure
    assert not found.is_learned
    assert first_steps(BROKEN, images, 0) == ()


def test_what_a_model_raises_is_told_without_signs_for_a_terminal(images):
    assert "\x1b" not in learn_one_batch(BROKEN, images, 0).failure


def test_updates_of_a_healthy_model_are_small_and_not_nothing(images):
    found = first_steps(subject_of(depth=2), images, 0)
    assert [one.name for one in found] == ["dense", "dense_1", "dense_2"]
    assert all(1e-4 < one.ratio < 0.3 for one in found)
    assert all(one.dead < 0.6 and one.saturated == 0 for one in found)


def test_a_higher_rate_moves_the_weights_further(images):
    ratios = [first_steps(Subject("a test's", lambda rate=rate: dense(
        optimizer=load_keras().optimizers.SGD(rate)), Regime(1, 32)), images, 0)[0].ratio
        for rate in (0.0, 1e-4, 1e-2)]
    assert ratios[0] == 0
    assert ratios[2] > 10 * ratios[1] > 0


def test_kernels_of_zero_hardly_move(images):
    found = first_steps(subject_of(initializer="zeros"), images, 0)
    assert [one.ratio for one in found] == pytest.approx([0, 0], abs=1e-6)
    assert found[0].dead == 1


def of_one_hidden_layer(activation, **more):
    """A dense network whose hidden layer begins as a test wants."""
    def make():
        keras = load_keras()
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
            layers.Dense(32, activation=activation, **more), layers.Dense(CLASSES, "softmax")])
        model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
        return model

    return Subject("a test's", make, Regime(1, 32))


def test_units_with_a_bias_far_below_0_are_dead(images):
    initializers = load_keras().initializers
    dead = first_steps(of_one_hidden_layer(
        "relu", kernel_initializer=initializers.RandomUniform(-0.01, 0.01),
        bias_initializer=initializers.Constant(-10)), images, 0)
    alive = first_steps(of_one_hidden_layer(
        "relu", bias_initializer=initializers.Constant(10)), images, 0)
    assert (dead[0].dead, alive[0].dead) == (1, 0)
    assert dead[0].ratio == 0
    assert alive[0].ratio > 0


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_huge_weights_saturate_what_is_flat_at_its_ends(images, activation):
    wide = load_keras().initializers.RandomNormal(stddev=20)
    huge = first_steps(of_one_hidden_layer(activation, kernel_initializer=wide), images, 0)
    usual = first_steps(of_one_hidden_layer(activation), images, 0)
    assert huge[0].saturated > 0.9
    assert usual[0].saturated < 0.1
    relu = first_steps(of_one_hidden_layer("relu", kernel_initializer=wide), images, 0)
    assert relu[0].saturated == 0


def test_three_optimizers_are_tried_each_at_a_rate_of_its_own(images):
    advanced = []
    found = list(optimizers(subject_of(), images, 0, SHORT, advanced.append))
    assert [one.what for one in found] == list(USUAL)
    assert len({one.what for one in found}) == 3
    assert all(0 < one.rate < 10 for one in found)
    assert len({one.parameters for one in found}) == 1
    assert found[0].parameters == anatomy(dense()).parameters
    assert all(not one.training.failure and one.training.updates == SHORT.updates
               for one in found)
    assert sum(advanced) == 3 * SHORT.updates


def test_where_no_range_is_found_the_usual_rates_are_taken(images):
    found = list(optimizers(subject_of(initializer="zeros", trainable=False), images, 0,
                            Limits(1, 20), lambda _: None))
    assert {one.what: one.rate for one in found} == USUAL


def test_sizes_have_half_and_twice_the_units(images):
    own = anatomy(dense(depth=2)).parameters
    half, twice = sizes(subject_of(depth=2), images, 0, SHORT, lambda _: None)
    assert [half.what, twice.what] == list(SIZES)
    assert half.parameters < own < twice.parameters
    assert half.parameters == anatomy(dense(width=16, depth=2)).parameters
    assert twice.parameters == anatomy(dense(width=64, depth=2)).parameters
    assert half.rate is twice.rate is None


def test_a_size_that_cannot_be_made_is_told_as_chance(images):
    """What comes after a layer may want just its units."""
    def make():
        keras = load_keras()
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(32),
            layers.Reshape((4, 8)), layers.Flatten(), layers.Dense(CLASSES, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    for one in sizes(Subject("a test's", make, Regime(1, 32)), images, 0, SHORT, lambda _: None):
        assert one.training.failure
        assert one.parameters == 0
        assert one.training.recall == images.chance


def test_beyond_doubt_no_control_is_trained(images):
    best = training(0.95)
    error = standard_error(best.recall, images.chance, images)
    assert best.recall > images.chance + BEYOND_DOUBT * error
    assert shuffled_control(images, best, 0, Budget(updates=10, seconds=10)) is None


def test_in_doubt_the_control_learns_nothing_in_no_more_updates(images):
    advised = training(0.4, updates=30)
    control = shuffled_control(images, advised, 0, Budget(updates=2_000, seconds=30))
    assert control is not None
    assert not control.failure
    assert control.updates == 30
    error = standard_error(control.recall, images.chance, images)
    assert control.recall < images.chance + 4 * error


def test_half_of_the_images_is_tried_where_there_are_few(images):
    assert halved_control(images, training(0.95), 0, Budget(updates=10, seconds=10)) is None
    few = digits(20)
    half = few.halved(0)
    assert set(half.learned) < set(few.learned)
    assert np.bincount(half.labels[half.learned]) == pytest.approx(
        np.bincount(few.labels[few.learned]) / 2, abs=1)
    np.testing.assert_array_equal(half.judged, few.judged)
    control = halved_control(few, training(0.9, updates=20), 0, Budget(updates=10, seconds=10))
    assert control is not None
    assert not control.failure
    assert 0 < control.updates <= 20


def test_shuffling_leaves_the_images_judged_by_alone(images):
    shuffled = images.shuffled(0)
    np.testing.assert_array_equal(shuffled.labels[images.judged], images.labels[images.judged])
    learned = images.labels[images.learned]
    other = shuffled.labels[images.learned]
    assert sorted(other) == sorted(learned)
    assert np.mean(other == learned) < 0.5


KINDS = ("Dense", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "ReLU",
         "PReLU", "ELU", "LeakyReLU", "BatchNormalization", "LayerNormalization", "MaxPooling2D",
         "GlobalAveragePooling2D", "Flatten", "Dropout", "Rescaling", "LSTM", "GRU", "UpSampling2D",
         "ZeroPadding2D", "RMSNormalization", "SpatialDropout2D", "GaussianNoise", "Conv1D")
MORE = {"Dense": (3,), "Conv2D": (3, 1), "Conv2DTranspose": (3, 1), "DepthwiseConv2D": (3,),
        "SeparableConv2D": (3, 1), "Dropout": (0.1,), "Rescaling": (1,), "LSTM": (3,), "GRU": (3,),
        "SpatialDropout2D": (0.1,), "GaussianNoise": (0.1,), "Conv1D": (3, 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_those_that_keras_gives_first(kind):
    keras = load_keras()

    def made():
        return [getattr(keras.layers, kind)(*MORE.get(kind, ())) for _ in range(3)]

    made()
    later = names_of(made())
    keras.backend.clear_session()
    assert later == tuple(one.name for one in made())


def test_names_of_whole_models_are_those_of_the_first_of_a_process():
    keras = load_keras()
    models = [dense(depth=3, normalised=0.99, dropout=0.1) for _ in range(3)]
    keras.backend.clear_session()
    first = tuple(one.name for one in flat(dense(depth=3, normalised=0.99, dropout=0.1)))
    for model in models:
        assert anatomy(model).names == first
    assert len(set(first)) == len(first)


def test_names_that_the_user_gave_are_kept():
    layers = load_keras().layers
    row = [layers.Dense(3), layers.Dense(3, name="head"), layers.Dense(3, name="dense_of_mine"),
           layers.Dense(3)]
    assert names_of(row) == ("dense", "head", "dense_of_mine", "dense_1")
