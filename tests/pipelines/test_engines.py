"""The same findings, wherever images are measured; one engine's audit is another's."""

import json
import shutil

import numpy as np
import pytest
from builders import png
from conftest import write_digits
from rich.console import Console

from audit.keras_runtime import load_keras
from audit.representations import Extractor
from pipelines.audit_dataset import audit_dataset
from pipelines.progress import Stages
from pipelines.settings import Settings

SAME = ("findings.csv", "images.csv", "summary.json", "pred_probs.parquet", "embeddings.npy",
        "measures.parquet")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "photos"
    write_digits(folder)
    (folder / "one" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    (folder / "two" / "nothing.png").touch()
    return folder


@pytest.fixture(scope="module")
def network(photos):
    """A network of the user's own, in a file."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    for filters in (8, 16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(x)
    path = photos.parent / "own.keras"
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x)).save(path)
    return path


@pytest.fixture(scope="module")
def audited(photos, network):
    """Audits once by each name, and gives the folder."""
    def audit(name, **more):
        out = photos.parent / name
        if not out.exists():
            audit_dataset(Settings(data=photos, out=out, backbone=str(network), effort="low",
                                   cache=False, **more), Stages(Console(quiet=True)))
        return out
    return audit


def test_one_worker_and_two_find_the_same_to_the_last_byte(audited):
    one, two = audited("one-worker", workers=1), audited("two-workers", workers=2)
    for name in SAME:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_ray_finds_the_same_to_the_last_byte(audited):
    pytest.importorskip("ray", reason="Ray is not installed (the extra `ray`)")
    local, ray = audited("one-worker", workers=1), audited("ray", workers=2, engine="ray")
    for name in SAME:
        assert (local / name).read_bytes() == (ray / name).read_bytes(), name
    told = json.loads((ray / "run.json").read_text())
    assert told["settings"]["engine"] == "ray"
    statuses = {one["code"]: one["flagged"] for one in json.loads(
        (ray / "summary.json").read_text())["checks"]}
    assert statuses["empty_file"] == 1
    assert statuses["unreadable_file"] == 1


def test_no_pictures_are_left_behind(audited):
    assert not [path for path in audited("two-workers", workers=2).rglob("*")
                if path.suffix in {".bin", ".tensors", ".tmp"} or ".work" in path.name]


def test_only_what_is_new_is_shown_to_the_network_again(photos, network, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGE_AUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IMAGE_AUDIT_CACHE_BYTES", str(10**9))
    data = tmp_path / "photos"
    shutil.copytree(photos, data)
    shown = []
    describe = Extractor.describe
    monkeypatch.setattr(Extractor, "describe", lambda self, pictures, rows, advance: (
        shown.append(len(rows)) or describe(self, pictures, rows, advance)))

    def audit(name, **more):
        audit_dataset(Settings(data=data, out=tmp_path / name, backbone=str(network),
                               effort="low", **more), Stages(Console(quiet=True)))
        return json.loads((tmp_path / name / "run.json").read_text())["reused"]

    assert audit("first") == []
    total = sum(shown)
    shown.clear()
    one, other = sorted((data / "one").glob("*.png"))[:2]
    one.write_bytes(png(np.arange(64.0).reshape(8, 8) / 4))
    other.rename(other.with_name("renamed.png"))
    told, = audit("changed")
    assert told == (f"measures and thumbnails, activations of the network of {total + 1} of "
                    f"{total + 2} images"), "two files have no pixels, one is new"
    assert sum(shown) == 1
    audit("fresh", cache=False)
    for name in SAME:
        assert (tmp_path / "changed" / name).read_bytes() == (
            tmp_path / "fresh" / name).read_bytes(), name
