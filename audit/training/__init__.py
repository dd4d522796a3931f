"""The final network: trained, resumable, and compared before and after a remedy."""

from audit.training.activations import (
    Activations,
    bytes_of_activations,
    count_of_activations,
)
from audit.training.arms import Arm, make_arms, shares_of
from audit.training.compare import Score, differences, log_loss, score
from audit.training.examples import Examples, Pictures, Source, training_batches
from audit.training.fit import CHECKPOINT, Task, Trainer, predict
from audit.training.learning_rate import TRIED, RangeTest, find_range
from audit.training.losses import Loss
from audit.training.networks import Network, from_scratch, on_pretrained, to_save
from audit.training.settings import TrainingSettings
from audit.training.watch import watch_class

__all__ = [
    "CHECKPOINT", "TRIED", "Activations", "Arm", "Examples", "Loss", "Network", "Pictures",
    "RangeTest", "Score", "Source", "Task", "Trainer", "TrainingSettings",
    "bytes_of_activations", "count_of_activations", "differences", "find_range", "from_scratch",
    "log_loss", "make_arms", "on_pretrained", "predict", "score", "shares_of", "to_save",
    "training_batches", "watch_class",
]


def __getattr__(name: str) -> object:
    """`Watch`, a Keras callback: a class that cannot be made without importing Keras."""
    if name == "Watch":
        return watch_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
