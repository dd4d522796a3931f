"""A whole run on real photos with real faults, where they lie beside the checkout."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
TRASHNET = SHARED / "data" / "trashnet-256.zip"
WEIGHTS = SHARED / "weights" / "keras-home"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not TRASHNET.exists() or not WEIGHTS.exists(),
                       reason="the real data sets do not lie beside this checkout"),
]

CONFLICTS = {("glass/glass115.jpg", "metal/metal91.jpg"),
             ("glass/glass389.jpg", "plastic/plastic332.jpg"),
             ("glass/glass176.jpg", "plastic/plastic152.jpg")}
"""The same photo under two classes: known of this data set, not found by this audit."""


@pytest.fixture(scope="module")
def trashnet_run(tmp_path_factory, audit_command):
    base = tmp_path_factory.mktemp("trashnet")
    with zipfile.ZipFile(TRASHNET) as archive:
        archive.extractall(base)
    result = audit_command("run", base / "trashnet", "--out", base / "out", "--effort", "low",
                           KERAS_HOME=str(WEIGHTS))
    assert result.returncode == 0, result.stderr
    return base / "out"


def test_known_conflicts_stand_at_the_top(trashnet_run):
    first = pd.read_csv(trashnet_run / "findings.csv").head(len(CONFLICTS))
    assert set(first["check"]) == {"label_conflict"}
    pairs = {(row["subject"], *json.loads(row["related"])) for row in first.to_dict("records")}
    assert pairs == CONFLICTS


def test_pretrained_weights_on_disk_are_used_and_good(trashnet_run):
    model = json.loads((trashnet_run / "summary.json").read_text())["model"]
    assert "MobileNetV2" in model["description"]
    assert model["out_of_fold_accuracy"] >= 0.87  # 0.893 to 0.902 over three seeds
