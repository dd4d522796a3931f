"""The one interface behind which all networks stand, and the choice between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from audit.representations.cnn import CompactCNN
from audit.representations.external import GivenEmbeddings
from audit.representations.pretrained import WeightsUnavailableError, load_pretrained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from audit.imagestore import TensorStore

AUTO = "auto"
DEFAULT_PRETRAINED = "MobileNetV2"


class Backbone(Protocol):
    """What turns tensors into embeddings and, with labels and folds, into probabilities."""

    name: str
    description: str
    tensor_size: int
    """Side in pixels of the square tensors it reads."""

    def embed(self, tensors: TensorStore, rows: NDArray[np.int64],
              advance: Callable[[int], None]) -> NDArray[np.float32]:
        """Embeddings `(len(rows), d)` that know nothing of the labels."""
        ...

    def steps(self, images: int) -> int:
        """Steps that `cross_validate` will tell `advance` of, in all."""
        ...

    def cross_validate(
        self, tensors: TensorStore, rows: NDArray[np.int64], embeddings: NDArray[np.float32],
        labels: NDArray[np.int64], folds: NDArray[np.int64], classes: int, seed: int,
        advance: Callable[[int], None],
    ) -> tuple[NDArray[np.float64], float]:
        """Out-of-fold probabilities `(len(rows), classes)` and mean training accuracy."""
        ...


def choose_backbone(name: str, say: Callable[[str], None]) -> tuple[Backbone, tuple[str, ...]]:
    """The backbone of that name, and what the user should know about the choice.

    `auto` is the pretrained network where its weights are on disk or can be downloaded, and the
    network trained from scratch where not.

    Raises:
        UsageError: there is no backbone of that name, or its weights cannot be had.
    """
    if name == CompactCNN.name:
        return CompactCNN(), ()
    if name != AUTO:
        return load_pretrained(name, say), ()
    try:
        return load_pretrained(DEFAULT_PRETRAINED, say), ()
    except WeightsUnavailableError:
        note = (f"pretrained weights for {DEFAULT_PRETRAINED} are neither on disk nor reachable: "
                f"using {CompactCNN.description}, which finds fewer wrong labels. To use them: "
                "put the file in ~/.keras/models.")
        say(note)
        return CompactCNN(), (note,)


def given_embeddings(path: Path, image_ids: pd.Series) -> Backbone:
    """The user's own embeddings, behind the same interface.

    Raises:
        UsageError: the file does not fit the images.
    """
    return GivenEmbeddings(path, image_ids)
