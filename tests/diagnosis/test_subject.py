"""What is no model that could be diagnosed is refused in one clear line."""

import pytest
from refused_models import REFUSED

from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.subject import load_subject
from audit.errors import UsageError

MODELS = REFUSED + """
def model(**more):
    one = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3, "softmax")])
    one.compile("adam", "sparse_categorical_crossentropy")
    return one

def with_arguments():
    return model(), {"epochs": 7, "batch_size": 5, "scale": 1 / 255}

def unknown_argument():
    return model(), {"epoch": 7}

def no_epochs():
    return model(), {"epochs": 0}

def a_list():
    return model(), [7]

def not_compiled():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])

def no_model():
    return 3

def vectors():
    one = keras.Sequential([keras.Input((20,)), layers.Dense(3)])
    one.compile("adam", "mse")
    return one

"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path / "models.py"


@pytest.mark.parametrize(("name", "said"), [
    ("unknown_argument", 'returns an argument "epoch"'), ("no_epochs", "1 or more. Got 0"),
    ("a_list", "a model and a dictionary"), ("not_compiled", "not compiled"),
    ("raises", "RuntimeError: no weights here"), ("no_model", "Got int instead"),
    ("vectors", "takes (None, 20)"), ("maps", "gives (None, 8, 8, 3)"),
    ("two_inputs", "has 2 inputs"), ("nothing", "has no function nothing")])
def test_what_is_no_classifier_of_pictures_is_refused(file, name, said):
    with pytest.raises(UsageError) as refused:
        load_subject(f"{file}:{name}")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "broken.py").write_text("def model(:")
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    for name, said in ((tmp_path / "gone.py:model", "does not exist"),
                       (f"{tmp_path}/broken.py:model", "SyntaxError"),
                       (tmp_path / "broken.keras", "cannot be loaded")):
        with pytest.raises(UsageError, match=said):
            load_subject(str(name))


def test_the_regime_is_what_the_function_says_unless_it_is_told_otherwise(file):
    found = load_subject(f"{file}:with_arguments")
    assert (found.regime.epochs, found.regime.batch_size) == (7, 5)
    assert found.regime.scale == pytest.approx(1 / 255)
    told = load_subject(f"{file}:with_arguments", epochs=2, batch_size=9)
    assert (told.regime.epochs, told.regime.batch_size) == (2, 9)
    with pytest.raises(UsageError, match="--epochs must be a whole number"):
        load_subject(f"{file}:model", epochs=0)


def test_each_build_is_new_and_follows_the_seed(file):
    found = load_subject(f"{file}:model")
    first, same, other = (found.build(seed).get_weights()[0] for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


def test_of_a_saved_model_the_weights_are_drawn_anew(file, tmp_path):
    model = load_subject(f"{file}:model").build(0)
    model.save(tmp_path / "saved.keras")
    found = load_subject(str(tmp_path / "saved.keras"))
    assert (found.build(1).get_weights()[0] != model.get_weights()[0]).any()
    assert anatomy(found.build(1)).loss == "sparse_categorical_crossentropy"
