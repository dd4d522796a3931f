"""Datasets and runs that several tests look at, made of scikit-learn's real digits."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import png
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

# No test is to see what another one, or whoever runs them, has audited before.
os.environ["IMAGE_AUDIT_CACHE_BYTES"] = "0"


@pytest.fixture(scope="session")
def audit_command():
    """Runs the command line in a process of its own, as a user does."""

    def run(*arguments, cwd=None, timeout=240, **environment):
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *map(str, arguments)], cwd=cwd, timeout=timeout,
            capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "100",
                 **environment})

    return run


@pytest.fixture(scope="module")
def chromium():
    """A browser; of one file, since others start Playwright too and it bears no other beside it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def write_digits(folder, per_class=40, names=("zero", "one", "two")):
    """A clean folder of real digits; returns the probabilities of a model of its own."""
    digits = load_digits()
    rows, pixels, labels = [], [], []
    for target, name in enumerate(names):
        for index in np.flatnonzero(digits.target == target)[:per_class]:
            path = folder / name / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(digits.images[index]))
            rows.append(f"{name}/{path.name}")
            pixels.append(digits.data[index])
            labels.append(name)
    model = LogisticRegression(max_iter=500)
    probabilities = cross_val_predict(model, np.array(pixels) / 16, labels, cv=5,
                                      method="predict_proba")
    table = pd.DataFrame(probabilities, columns=sorted(names))
    table.insert(0, "image_id", rows)
    return table, np.array(pixels, np.float32)


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory):
    """A clean folder of three digits, with `pred_probs.csv` and `embeddings.parquet` beside it."""
    base = tmp_path_factory.mktemp("digits")
    probabilities, pixels = write_digits(base / "photos")
    probabilities.to_csv(base / "pred_probs.csv", index=False)
    embeddings = pd.DataFrame(pixels).rename(columns=str)
    embeddings.insert(0, "image_id", probabilities["image_id"])
    embeddings.to_parquet(base / "embeddings.parquet")
    return base


@pytest.fixture
def photos(digits_folder, tmp_path):
    """A copy of the clean folder that a test may spoil."""
    shutil.copytree(digits_folder / "photos", tmp_path / "photos")
    return tmp_path / "photos"
