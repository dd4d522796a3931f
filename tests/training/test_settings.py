"""What no training could make sense of is refused, by the name of its option."""

import pytest

from audit.errors import UsageError
from audit.training import TrainingSettings


@pytest.mark.parametrize(("option", "value"), [
    ("epochs", 0), ("epochs", 10_001), ("batch_size", 0), ("batch_size", 65_537), ("patience", 0),
    ("label_smoothing", -0.1), ("label_smoothing", 1), ("label_smoothing", float("nan")),
    ("dropout", -0.1), ("dropout", 1), ("weight_decay", -1), ("weight_decay", float("inf")),
    ("learning_rate", 0), ("learning_rate", -0.1), ("learning_rate", 101),
    ("learning_rate", float("nan")), ("side", 7), ("side", 1025), ("side", -32),
    ("loss", "hinge"), ("loss", ""), ("optimizer", "lion"), ("optimizer", "AdamW")])
def test_a_bad_value_is_refused_by_the_name_of_its_option(option, value):
    with pytest.raises(UsageError) as refused:
        TrainingSettings(**{option: value})
    message = str(refused.value)
    assert message.startswith(f"--{option.replace('_', '-')} must be ")
    assert str(value) in message
    assert "instead." in message


@pytest.mark.parametrize("settings", [
    {}, {"epochs": 1, "batch_size": 1, "patience": 1, "label_smoothing": 0, "dropout": 0,
         "weight_decay": 0, "side": 8}, {"learning_rate": 100, "side": 1024},
    {"loss": "generalised_cross_entropy", "optimizer": "sgd"}])
def test_what_can_be_trained_with_is_taken(settings):
    taken = TrainingSettings(**settings)
    assert all(getattr(taken, name) == value for name, value in settings.items())
