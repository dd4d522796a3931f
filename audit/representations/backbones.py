"""What turns pictures into embeddings: the one interface, and the choice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from audit.errors import UsageError
from audit.representations.effort import find_effort
from audit.representations.embed import Embeddings, embed
from audit.representations.external import GivenEmbeddings
from audit.representations.fine_tune import FineTuner
from audit.representations.inference import TENSORFLOW, converted_anew
from audit.representations.networks import SMALL_PICTURE, Extractor, NetworkDescriber
from audit.representations.own_network import is_own_network, load_own_network, side_of
from audit.representations.patches import SIDE, PatchDescriber
from audit.representations.pretrained import WeightsUnavailableError, load_pretrained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from audit.imagestore import Looks
    from audit.representations.effort import Effort
    from audit.representations.embed import Describer
    from audit.representations.inference import Keep

AUTO = "auto"
PATCHES = "patches"
DEFAULT_PRETRAINED = "MobileNetV2"


class Backbone(Protocol):
    """What turns tensors into embeddings. It knows nothing of the labels."""

    @property
    def name(self) -> str:
        """Name in run.json."""
        ...

    @property
    def description(self) -> str:
        """The model in words, for the report."""
        ...

    @property
    def tensor_size(self) -> int:
        """Side in pixels of the largest square tensors it reads."""
        ...

    @property
    def extractor(self) -> Extractor | None:
        """The network that each picture is shown to when it is measured, if there is one."""
        ...

    @property
    def fine_tuner(self) -> FineTuner | None:
        """The network to train further for each fold, if the effort asks for it."""
        ...

    def embed(self, looks: Looks, rows: NDArray[np.int64], seed: int,
              advance: Callable[[int], None]) -> Embeddings:
        """Embed images `rows`; `advance` is told of images done since the last call."""
        ...


@dataclass(frozen=True)
class DescribedPictures:
    """Embeddings from one or more describers."""

    name: str
    description: str
    tensor_size: int
    describers: tuple[Describer, ...]
    extractor: Extractor | None = None
    fine_tuner: FineTuner | None = None

    def embed(self, looks: Looks, rows: NDArray[np.int64], seed: int,
              advance: Callable[[int], None]) -> Embeddings:
        """See `Backbone.embed`."""
        return embed(self.describers, looks, rows, seed, advance)


def choose_backbone(name: str, effort: Effort, say: Callable[[str], None],
                    runtime: str = TENSORFLOW, keep: Keep = converted_anew,
                    ) -> tuple[Backbone, tuple[str, ...]]:
    """The backbone of that name, and what the user should know about the choice.

    `auto` is the pretrained network where its weights are on disk or can be downloaded, and
    features learned from the images where not.

    Args:
        name: of the backbone.
        effort: to take.
        say: told what the user should know at once.
        runtime: what runs a network.
        keep: see `Extractor`.

    Raises:
        UsageError: there is no backbone of that name, or its weights cannot be had.
    """
    if name == PATCHES:
        return _patches(effort), ()
    if is_own_network(name):
        note = (f"--backbone {name}: what it was trained on matters. If it has learned the labels "
                "of these images, it vouches for the wrong ones too.")
        return _own(name, effort, runtime, keep), (note,)
    if name != AUTO:
        return _pretrained(name, effort, say, runtime, keep), ()
    try:
        note = (f"--backbone auto took {DEFAULT_PRETRAINED}, whose weights are at hand, beside "
                "patches learned from your images, which finds most. Patches alone (--backbone "
                "patches) find less (docs/effort.md has figures).")
        return _pretrained(DEFAULT_PRETRAINED, effort, say, runtime, keep), (note,)
    except WeightsUnavailableError:
        note = (f"--backbone auto took patches learned from your images: the pretrained weights of "
                f"{DEFAULT_PRETRAINED} are neither on disk nor reachable. In photos that finds "
                "fewer wrong labels (docs/effort.md has figures). To use the weights, put the "
                "file in ~/.keras/models.")
        say(note)
        return _patches(effort), (note,)


def given_embeddings(path: Path, image_ids: pd.Series) -> Backbone:
    """The user's own embeddings, behind the same interface.

    Raises:
        UsageError: the file does not fit the images.
    """
    return GivenEmbeddings(path, image_ids)


@cache
def extractor_of(name: str, effort: str, runtime: str) -> Extractor:
    """The network of a backbone at an effort, built once a process."""
    found = choose_backbone(name, find_effort(effort), lambda _: None, runtime)[0].extractor
    if found is None:
        raise UsageError(f"--backbone {name} has no network.")
    return found


def _as_they_are(pictures: Any) -> Any:
    return pictures


def _patches(effort: Effort) -> DescribedPictures:
    return DescribedPictures(
        PATCHES, f"{effort.filters} patches learned from your images, and a kernel classifier",
        SIDE, (PatchDescriber(effort.filters),))


def _own(name: str, effort: Effort, runtime: str, keep: Keep) -> DescribedPictures:
    network = load_own_network(name)
    side = side_of(network, name, effort.side)
    small = side_of(network, name, effort.small_side)
    extractor = Extractor(network, _as_they_are, side, small, with_mirror=effort.with_mirror,
                          runtime=runtime, recipe=(extractor_of, (name, effort.name, runtime)),
                          # What a function of the user's computes may change with what it imports.
                          salt="" if name.endswith(".keras") else uuid4().hex, keep=keep)
    return DescribedPictures(
        name, f"your own network, frozen, at {_sides(side, small)}, with {effort.beside} patches "
              f"learned from your images, and a kernel classifier{_tuned(effort)}",
        max(side, SIDE), (NetworkDescriber(extractor.widths), PatchDescriber(effort.beside)),
        extractor, FineTuner(network, _as_they_are, network.input_shape[1])
        if effort.fine_tunes else None)


def _pretrained(name: str, effort: Effort, say: Callable[[str], None], runtime: str, keep: Keep,
                ) -> DescribedPictures:
    loaded = load_pretrained(name, say)
    extractor = Extractor(loaded.network, loaded.preprocess, effort.side, effort.small_side,
                          with_mirror=effort.with_mirror, runtime=runtime, keep=keep,
                          recipe=(extractor_of, (loaded.name, effort.name, runtime)))
    return DescribedPictures(
        loaded.name, f"{loaded.name} (ImageNet), frozen, at "
                     f"{_sides(effort.side, effort.small_side)}, with {effort.beside} patches "
                     f"learned from your images, and a kernel classifier{_tuned(effort)}",
        max(effort.side, SIDE), (NetworkDescriber(extractor.widths), PatchDescriber(effort.beside)),
        extractor, FineTuner(loaded.network, loaded.preprocess) if effort.fine_tunes else None)


def _sides(side: int, small: int) -> str:
    return f"{side} px" if small == side else (
        f"{side} px ({small} px for pictures of at most {SMALL_PICTURE} px)")


def _tuned(effort: Effort) -> str:
    return "; its last blocks trained further for each fold" if effort.fine_tunes else ""
