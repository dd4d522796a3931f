"""TensorFlow and Keras, imported when first needed, quiet and repeatable."""

from __future__ import annotations

import importlib
import os
from functools import cache
from types import ModuleType


@cache
def load_keras() -> ModuleType:
    """Import Keras on TensorFlow with deterministic operations. Takes about 5 s the first time."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up chatter of the C++ runtime
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    tensorflow = importlib.import_module("tensorflow")
    keras = importlib.import_module("keras")
    keras.utils.set_random_seed(0)  # enable_op_determinism wants a seed before the first random op
    tensorflow.config.experimental.enable_op_determinism()
    return keras


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow. Called before each training, since any draw moves it."""
    load_keras().utils.set_random_seed(seed)
