"""TensorFlow and Keras, imported when first needed, quiet and repeatable."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@cache
def load_keras() -> ModuleType:
    """Import Keras on TensorFlow with deterministic operations. Takes about 5 s the first time."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr():
        tensorflow = importlib.import_module("tensorflow")
        keras = importlib.import_module("keras")
        tensorflow.get_logger().setLevel("ERROR")
        keras.utils.set_random_seed(0)  # enable_op_determinism wants one before any random op
        tensorflow.config.experimental.enable_op_determinism()
        tensorflow.zeros(1)  # starts the runtime, which has more to say
    return keras


def load_tensorflow() -> ModuleType:
    """TensorFlow itself, set up as `load_keras` does."""
    load_keras()
    return importlib.import_module("tensorflow")


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow. Called before each training, since any draw moves it."""
    load_keras().utils.set_random_seed(seed)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what the C++ runtime prints on starting, which no setting of its own silences.

    A Python error passes through as an exception and is not lost.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
