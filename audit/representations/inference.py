"""What runs a frozen network: TensorFlow, or OpenVINO where it is installed and pays.

OpenVINO is an extra. In single precision (its own default on some processors is half) it gives what
TensorFlow gives to five digits, in two thirds of the time or less (benchmarks/RESULTS.md). It is
told to read a saved model, which does not pass by the part of it that reports its use. That takes
seconds, so what it makes of a network can be kept.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from audit.errors import UsageError
from audit.keras_runtime import load_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Batch = NDArray[np.float32]
    Run = Callable[[Batch], Batch]
    Converted = tuple[bytes, bytes]
    Convert = Callable[[], Converted]
    Keep = Callable[[str, Convert], Converted]

BATCH, BATCH_GPU = 16, 128
"""Pictures at a time. On processors 16 go through their caches a fifth faster than 64."""

AUTO, TENSORFLOW, OPENVINO = "auto", "tensorflow", "openvino"
RUNTIMES = (AUTO, TENSORFLOW, OPENVINO)

PAYS_FROM = 2_000
"""Images from which `auto` takes OpenVINO: to convert a network takes what 1,000 images save."""


def choose_runtime(asked: str, images: int) -> str:
    """The runtime for a dataset of so many images.

    The choice hangs on the dataset and the installation alone, so that images looked up and
    images computed are of one kind.

    Raises:
        UsageError: there is no such runtime, or it is not installed.
    """
    if asked not in RUNTIMES:
        raise UsageError(f'--runtime must be {", ".join(RUNTIMES)}. Got "{asked}" instead.')
    is_installed = find_spec("openvino") is not None
    if asked == OPENVINO and not is_installed:
        raise UsageError("--runtime openvino needs OpenVINO, which is not installed. Install "
                         "image-audit[openvino], or leave --runtime auto.")
    if asked == AUTO:
        return OPENVINO if is_installed and images >= PAYS_FROM else TENSORFLOW
    return asked


def runtime_kind(runtime: str) -> str:
    """A runtime with its version: figures of others differ in the last digits."""
    return f"{runtime} {version(runtime)}"


class Runner(NamedTuple):
    """What runs a network.

    Attributes:
        run: gives all outputs of a batch `(batch, side, side, 3)` side by side, `(batch, d)`.
        batch: pictures of a batch.
        kind: tells it from others, whose figures differ in the last digits.
    """

    run: Run
    batch: int
    kind: str


def converted_anew(_key: str, convert: Convert) -> Converted:
    """The network as OpenVINO has it, where nobody keeps it."""
    return convert()


def runner(network: Any, runtime: str, keep: Callable[[Convert], Converted]) -> Runner:
    """What runs a network.

    Args:
        network: a built Keras model whose outputs are `(n, d)` each.
        runtime: TENSORFLOW or OPENVINO.
        keep: gives the network as it was converted before, or converts it.
    """
    if runtime == OPENVINO:
        return Runner(_in_openvino(network, keep), BATCH, runtime_kind(runtime))
    has_gpu = bool(load_tensorflow().config.list_physical_devices("GPU"))
    return Runner(_in_tensorflow(network), BATCH_GPU if has_gpu else BATCH,
                  f"{runtime_kind(runtime)} on {'gpu' if has_gpu else 'cpu'}")


def _in_tensorflow(network: Any) -> Run:
    def run(pictures: Batch) -> Batch:
        found = network.predict_on_batch(pictures)
        if not isinstance(found, list | tuple):  # one output: no list
            return np.asarray(found, np.float32)
        return np.concatenate(list(found), axis=1)

    return run


def _in_openvino(network: Any, keep: Callable[[Convert], Converted]) -> Run:
    import openvino  # noqa: PLC0415 - an extra that takes a second to import

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit():
        options["INFERENCE_NUM_THREADS"] = threads
    compiled: dict[tuple[int, ...], Any] = {}

    def convert() -> Converted:
        with tempfile.TemporaryDirectory() as folder:
            network.export(folder, verbose=False)
            structure, weights = Path(folder, "network.xml"), Path(folder, "network.bin")
            openvino.serialize(core.read_model(folder), structure, weights)
            return structure.read_bytes(), weights.read_bytes()

    @cache
    def model() -> Any:
        return core.read_model(*keep(convert))

    def run(pictures: Batch) -> Batch:
        request = compiled.get(pictures.shape)
        if request is None:
            model().reshape(list(pictures.shape))
            request = core.compile_model(model(), "CPU", options).create_infer_request()
            compiled[pictures.shape] = request
        found = request.infer({0: np.ascontiguousarray(pictures)})
        by_name = sorted(found, key=lambda one: int(one.any_name.rpartition("_")[2]))
        return np.concatenate([found[one] for one in by_name], axis=1)

    return run
