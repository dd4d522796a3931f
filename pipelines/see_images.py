"""The images as they were measured: by an earlier audit, or now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audit.errors import UsageError
from audit.image_results import Collector, read_results
from audit.imagestore import TensorStore
from audit.places import absolute
from audit.representations import (
    AUTO,
    PATCHES,
    choose_backbone,
    choose_runtime,
    find_effort,
    given_embeddings,
)
from audit.row_order import content_order
from pipelines.measure_images import image_timeout_s
from pipelines.measure_shards import ImageFile, MeasureShard, shards_of
from pipelines.past import About, Look

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from audit.engines import Engine
    from audit.imagestore import Looks, Thumbnails
    from audit.representations import Backbone
    from audit.types import Ingested
    from pipelines.past import Fingerprint, Past
    from pipelines.progress import Stages
    from pipelines.settings import Settings


@dataclass(frozen=True)
class Seen:
    """The images as they were measured, and what describes them.

    `order` gives the rows of the manifest in the order of their contents, which all the rest is in.
    Backbone and looks are there if anything is still to be computed from them; whole pictures if
    the network is to be trained further.
    """

    images: pd.DataFrame
    thumbnails: Thumbnails
    order: np.ndarray
    fingerprint: Fingerprint | None
    about: About
    looks: Looks | None = None
    backbone: Backbone | None = None
    tensors: TensorStore | None = None

    @property
    def described(self) -> tuple[Backbone, Looks]:
        """Backbone and looks, which are there where they are needed."""
        if self.backbone is None or self.looks is None:
            raise UsageError("the cache changed while it was read. Run again, or with --no-cache.")
        return self.backbone, self.looks


def see_images(past: Past, settings: Settings, ingested: Ingested, work: Path, engine: Engine,
               stages: Stages) -> Seen:
    """Take what is known of each image from the past, and measure those of which all is not.

    Args:
        past: what earlier audits found.
        settings: of this one.
        ingested: the images.
        work: folder for what is kept of the pictures.
        engine: where they are measured.
        stages: told of the progress.
    """
    paths = ingested.manifest["path"].tolist()
    hashes = past.hashes(paths, ingested.listed)
    if not past.is_empty:
        with stages.stage("hashing what changed", images=hashes.count("")) as advance:
            hashes = past.with_moved(paths, hashes, advance)
        known = _as_it_was(past, ingested, hashes, work, stages)
        if known is not None:
            return known
    backbone, notes = _backbone(past, settings, ingested, stages)
    tuned = backbone.fine_tuner is not None
    extractor = backbone.extractor
    look = Look(backbone.tensor_size, extractor.key if extractor else "")
    collector = Collector(work, len(paths), sum(extractor.widths) if extractor else 0)
    # To train the network further takes whole pictures, which are not kept from one audit to the
    # next.
    missing = (list(range(len(paths))) if tuned else
               _collect_known(past, hashes, paths, look, collector, stages))
    tensors = TensorStore.create(work / "tensors.bin", len(paths), look.tensor_size
                                 ) if tuned else None
    # Whole paths, for a task may be done from another folder.
    whole = work.absolute()
    task = MeasureShard(whole, look.tensor_size, extractor, whole if engine.is_here else None,
                        tensors, image_timeout_s(paths))
    name = "measuring" if extractor is None else "measuring, describing"
    with stages.stage(name, images=len(missing)) as advance:
        shards = shards_of([ImageFile(row, absolute(paths[row])) for row in missing])
        for shard, file in engine.map_shards(task, shards, advance):
            results = read_results(file)
            file.unlink()
            for one, result in zip(shard.items, results, strict=True):
                collector.add(one.row, result)
                hashes[one.row] = result.measures["file_sha256"]
            past.keep_images(results, [paths[one.row] for one in shard.items], look)
    measures, looks, thumbnails = collector.close()
    fingerprint = past.fingerprint(hashes, ingested.manifest)
    about = About(backbone.name, backbone.description, backbone.tensor_size, notes)
    past.keep_about(fingerprint, about)
    images, order = _ordered(ingested, measures)
    return Seen(images, thumbnails.reordered(order), order, fingerprint, about,
                looks.reordered(order), backbone,
                None if tensors is None else tensors.reordered(order))


def _as_it_was(past: Past, ingested: Ingested, hashes: list[str], work: Path, stages: Stages,
               ) -> Seen | None:
    """Images that were measured before, if all is known that takes their pictures."""
    fingerprint = past.fingerprint(hashes, ingested.manifest)
    about = past.about(fingerprint)
    if about is None:
        return None
    collector = Collector(work, len(hashes), 0)
    missing = _collect_known(past, hashes, ingested.manifest["path"].tolist(),
                             Look(about.tensor_size), collector, stages)
    if missing:
        return None
    measures, _, thumbnails = collector.close()
    images, order = _ordered(ingested, measures)
    return Seen(images, thumbnails.reordered(order), order, fingerprint, about)


def _collect_known(past: Past, hashes: list[str], paths: list[str], look: Look,
                   collector: Collector, stages: Stages) -> list[int]:
    """Collect what is known of images, and give the rows of the others."""
    missing = set(range(len(paths)))
    if past.is_empty:
        return sorted(missing)
    with stages.stage("reading the cache", images=len(paths)) as advance:
        for row, result in past.images(hashes, paths, look):
            collector.add(row, result)
            missing.discard(row)
            advance(1)
    past.reuse_images(len(paths) - len(missing), len(paths), look)
    return sorted(missing)


def _ordered(ingested: Ingested, measures: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Manifest and measures side by side in the order of their contents, and that order."""
    images = pd.concat([ingested.manifest, measures], axis=1)
    order = content_order(images)
    return images.iloc[order].reset_index(drop=True), order


def _backbone(past: Past, settings: Settings, ingested: Ingested, stages: Stages,
              ) -> tuple[Backbone, tuple[str, ...]]:
    """The network to use. None is loaded if nothing is trained and none was asked for by name."""
    if settings.embeddings is not None:
        return given_embeddings(settings.embeddings, ingested.manifest["image_id"]), ()
    effort = find_effort(settings.effort)
    trains = len(set(ingested.manifest["given_label"])) > 1
    if settings.backbone == AUTO and (settings.pred_probs is not None or not trains):
        return choose_backbone(PATCHES, effort, stages.say)
    runtime = choose_runtime(settings.runtime, len(ingested.manifest))
    with stages.stage("loading the network"):
        return choose_backbone(settings.backbone, effort, stages.say, runtime, past.network)
