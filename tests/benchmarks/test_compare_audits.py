"""The comparison with the peer: what is planted, how it is scored and measured, a whole run."""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import UsageError
from benchmarks.compare_audits import flip_labels, prepare, score
from benchmarks.measured_process import run_measured

ROOT = Path(__file__).parents[2]

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory needs /proc")


def test_flips_so_many_labels_each_to_another_class_and_to_all_alike():
    labels = pd.Series(["a", "b", "c", "NA"] * 1000)
    flipped = flip_labels(labels, 0.3, seed=1)
    assert (flipped != labels).sum() == 1200
    counts = flipped[flipped != labels].groupby(labels).value_counts()
    assert len(counts) == 12
    assert counts.between(70, 130).all()
    assert flipped.equals(flip_labels(labels, 0.3, seed=1))
    assert not flipped.equals(flip_labels(labels, 0.3, seed=2))
    assert flip_labels(labels, 0, seed=1).equals(labels)


def test_flipping_needs_two_classes():
    with pytest.raises(UsageError, match="two classes"):
        flip_labels(pd.Series(["a", "a"]), 0.5, seed=0)


def given(folder, **others):
    return argparse.Namespace(**{
        "folder": folder, "labels": None, "label_column": "label", "truth_column": None,
        "flip": None, "seed": 0, **others})


def test_truth_of_a_folder_is_its_sub_folders(photos, tmp_path):
    images = prepare(given(photos, flip=0.25), tmp_path / "labels.csv")
    assert (images["truth"] == [name.split("/")[0] for name in images["image_id"]]).all()
    assert (images["label"] != images["truth"]).sum() == 30
    assert all(Path(path).is_file() for path in images["path"])


def test_truth_of_a_table_is_a_column_that_may_have_gaps(photos, tmp_path):
    names = [f"zero/{path.name}" for path in sorted((photos / "zero").iterdir())[:3]]
    absolute = photos / names[2]  # ids are then those that the audit will give
    pd.DataFrame({"path": [*names[:2], absolute], "crowd": ["one", "zero", "zero"],
                  "expert": ["zero", "zero", ""]}).to_csv(tmp_path / "own.csv", index=False)
    images = prepare(given(photos, labels=tmp_path / "own.csv", label_column="crowd",
                           truth_column="expert"), tmp_path / "labels.csv")
    assert images["image_id"].tolist() == names
    assert images["label"].tolist() == ["one", "zero", "zero"]
    assert images["truth"].tolist() == ["zero", "zero", ""]


def table_of(label, truth):
    names = [str(row) for row in range(len(label))]
    return pd.DataFrame({"image_id": names, "path": names, "label": list(label),
                         "truth": list(truth)})


def result_of(scores, flags):
    return pd.DataFrame({"image_id": [str(row) for row in range(len(scores))],
                         "label_score": scores,
                         "is_label_issue": pd.array(flags, "boolean")}).iloc[::-1]


def test_scores_by_hand():
    images = [*"bbaa"], ["a", "a", "a", "a"]
    scores = score(table_of(*images), result_of([0.1, 0.7, 0.4, 0.9], [True, False, True, False]))
    assert (scores.flagged, scores.precision, scores.recall) == (2, 0.5, 0.5)
    assert scores.auroc == 0.75
    assert scores.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_an_image_without_a_score_ranks_last_and_one_without_a_truth_does_not_count():
    images = table_of([*"bbaaa"], ["a", "a", "a", "a", ""])
    scores = score(images, result_of([0.1, np.nan, 0.4, 0.9, 0.0],
                                     [True, pd.NA, False, False, True]))
    assert (scores.flagged, scores.precision, scores.recall) == (1, 1.0, 0.5)
    assert scores.auroc == 0.5


def test_what_is_not_defined_is_none():
    unscored = score(table_of("ba", "aa"), result_of([np.nan] * 2, [pd.NA] * 2))
    assert (unscored.auroc, unscored.average_precision, unscored.precision) == (None, None, None)
    assert unscored.recall == 0
    clean = score(table_of("aa", "aa"), result_of([0.5, 1.0], [True, False]))
    assert (clean.auroc, clean.average_precision, clean.recall) == (None, None, None)
    assert clean.precision == 0


def test_a_result_that_lacks_images_is_refused():
    with pytest.raises(ValueError, match="1 of 2 images"):
        score(table_of("ba", "aa"), result_of([0.5], [True]))


@needs_proc
def test_memory_and_processors_of_grandchildren_count():
    grandchild = ("import time; kept = bytearray(200 << 20); end = time.process_time() + 0.5\n"
                  "while time.process_time() < end: pass")
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    measured = run_measured([sys.executable, "-c", child])
    assert measured.exit_code == 0
    assert 200 < measured.peak_bytes / 2**20 < 400
    assert 0.5 <= measured.cpu_seconds < 5
    assert measured.seconds >= 0.5


def test_exit_code_and_words_are_kept():
    measured = run_measured([sys.executable, "-c", "import sys; print('said'); sys.exit('why')"])
    assert (measured.exit_code, measured.output, measured.errors) == (1, "said\n", "why\n")


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_whole_comparison(photos, digits_folder):
    pytest.importorskip("cleanvision")
    before = digests(photos)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare_audits", photos, "--flip", "0.1", "--seed", "1",
         "--epochs", "1", "--config", f"--pred-probs {digits_folder / 'pred_probs.csv'}",
         "--config", "--backbone nosuch"],
        cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr  # one of the audits did not run
    assert "120 images, 3 classes, 12 of 120 labels wrong" in done.stdout
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "| " in line]
    heading, peer, ours, failed = rows
    assert len(heading) == len(peer) == len(ours)
    assert (peer[0], peer[2]) == ("glued by hand", "1.0")
    speed, auroc = float(ours[2]), float(ours[heading.index("AUROC")])
    assert speed == pytest.approx(float(peer[1]) / float(ours[1]), abs=0.1)
    assert auroc > 0.9  # of the probabilities of a model of the right labels
    assert "exit code 2" in failed[1]
    assert "nosuch" in failed[1]
    assert "5 folds of 1 epochs" in done.stdout
    assert digests(photos) == before
