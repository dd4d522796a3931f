"""The images as they were measured: by an earlier audit, or now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audit.errors import UsageError
from audit.measures import hash_of_file
from audit.representations import (
    AUTO,
    PATCHES,
    choose_backbone,
    find_effort,
    given_embeddings,
)
from audit.row_order import content_order
from pipelines.measure_images import measure_images
from pipelines.past import OF_PIXELS, About, Past

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from audit.imagestore import TensorStore, Thumbnails
    from audit.representations import Backbone
    from audit.types import Ingested
    from pipelines.progress import Stages
    from pipelines.settings import Settings


@dataclass(frozen=True)
class Seen:
    """The images as they were measured, and what describes them.

    `order` gives the rows of the manifest in the order of their contents, which all the rest is in.
    Pictures and backbone are there if anything is still to be computed from them.
    """

    images: pd.DataFrame
    thumbnails: Thumbnails
    order: np.ndarray
    fingerprint: bytes | None
    about: About
    tensors: TensorStore | None = None
    backbone: Backbone | None = None

    @property
    def described(self) -> tuple[Backbone, TensorStore]:
        """Backbone and pictures, which are there where they are needed."""
        if self.backbone is None or self.tensors is None:
            raise UsageError("the cache changed while it was read. Run again, or with --no-cache.")
        return self.backbone, self.tensors


def see_images(past: Past, settings: Settings, ingested: Ingested, work: Path, stages: Stages,
               ) -> Seen:
    """Take measures, thumbnails and whatever else takes the pictures from the past, or measure.

    Args:
        past: what earlier audits found.
        settings: of this one.
        ingested: the images.
        work: folder for pictures and thumbnails.
        stages: told of the progress.
    """
    return _from_the_past(past, ingested, work, stages) or _anew(
        past, settings, ingested, work, stages)


def _from_the_past(past: Past, ingested: Ingested, work: Path, stages: Stages) -> Seen | None:
    """Images that were measured before, if all is known that takes their pictures."""
    paths = ingested.manifest["path"].tolist()
    hashes = past.hashes(paths)
    if past.is_empty:
        return None
    with stages.stage("hashing what changed", images=hashes.count("")):
        hashes = [sha or hash_of_file(path) for path, sha in zip(paths, hashes, strict=True)]
    past.keep_hashes(paths, hashes)
    fingerprint = past.fingerprint(hashes, ingested.manifest)
    about = past.about(fingerprint, wanted=OF_PIXELS)
    if about is None:
        return None
    with stages.stage("reading the cache", images=len(paths)):
        known = past.measures(hashes, paths, about.tensor_size, work / "thumbnails.bin")
    if known is None:
        return None
    images, order = _ordered(ingested, known[0])
    return Seen(images, known[1].reordered(order), order, fingerprint, about)


def _anew(past: Past, settings: Settings, ingested: Ingested, work: Path, stages: Stages) -> Seen:
    """Measure the images."""
    backbone, notes = _backbone(settings, ingested, stages)
    paths = ingested.manifest["path"].tolist()
    measures, tensors, thumbnails = measure_images(paths, backbone.tensor_size, settings.workers,
                                                   work, stages)
    hashes = measures["file_sha256"].tolist()
    past.keep_hashes(paths, hashes)
    past.keep_measures(measures, thumbnails, backbone.tensor_size)
    fingerprint = past.fingerprint(hashes, ingested.manifest)
    about = About(backbone.name, backbone.tensor_size, notes)
    past.keep_about(fingerprint, about)
    images, order = _ordered(ingested, measures)
    return Seen(images, thumbnails.reordered(order), order, fingerprint, about,
                 tensors.reordered(order), backbone)


def _ordered(ingested: Ingested, measures: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Manifest and measures side by side in the order of their contents, and that order."""
    images = pd.concat([ingested.manifest, measures], axis=1)
    order = content_order(images)
    return images.iloc[order].reset_index(drop=True), order


def _backbone(settings: Settings, ingested: Ingested, stages: Stages,
              ) -> tuple[Backbone, tuple[str, ...]]:
    """The network to use. None is loaded if nothing is trained and none was asked for by name."""
    if settings.embeddings is not None:
        return given_embeddings(settings.embeddings, ingested.manifest["image_id"]), ()
    effort = find_effort(settings.effort)
    trains = len(set(ingested.manifest["given_label"])) > 1
    if settings.backbone == AUTO and (settings.pred_probs is not None or not trains):
        return choose_backbone(PATCHES, effort, stages.say)
    with stages.stage("loading the network"):
        return choose_backbone(settings.backbone, effort, stages.say)
