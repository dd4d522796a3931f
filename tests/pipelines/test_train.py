"""`audit train`: from a run to networks before and after, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_digits
from rich.console import Console
from typer.testing import CliRunner

from audit.rundir import RunDir
from audit.stored_run import read_run
from audit.training import TrainingSettings
from pipelines.audit_dataset import audit_dataset
from pipelines.cli import app
from pipelines.progress import Stages
from pipelines.remedy_dataset import RemedySettings
from pipelines.settings import Settings
from pipelines.train_network import TrainSettings, train

WRONG, COPIED = 4, 8
QUICK = ("--network", "scratch", "--side", "8", "--epochs", "2", "--seeds", "1",
         "--batch-size", "32", "--no-steps", "--balance", "oversample")
"""Two arms of 60 updates each, before and after all remedies."""

KILLED_WITHIN_S = 120


def digest(folder):
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def told_by(out):
    return json.loads((out / "training.json").read_text(encoding="utf-8"))


def logits_in(out):
    return {path.relative_to(out): np.load(path) for path in sorted(out.rglob("logits.npy"))}


@pytest.fixture(scope="module")
def command():
    """Runs the command line in this process: another takes seconds to load TensorFlow."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def audited(command, tmp_path_factory):
    """Digits with wrong labels and copies, a fifth held out, their run and their digest."""
    base = tmp_path_factory.mktemp("train")
    photos = base / "photos"
    probabilities, pixels = write_digits(photos, per_class=30)
    names = probabilities["image_id"].tolist()
    for number, path in enumerate(sorted((photos / "two").iterdir())[:WRONG]):
        path.rename(photos / "zero" / f"wrong{number}.png")
        names[names.index(f"two/{path.name}")] = f"zero/wrong{number}.png"
    for number, path in enumerate(sorted((photos / "one").iterdir())[:COPIED]):
        shutil.copy(path, photos / "one" / f"copy{number}.png")
        row = names.index(f"one/{path.name}")
        probabilities = pd.concat([probabilities, probabilities.iloc[[row]]])
        pixels = np.vstack([pixels, pixels[row]])
        names.append(f"one/copy{number}.png")
    probabilities.assign(image_id=names).to_csv(base / "pred_probs.csv", index=False)
    embeddings = pd.DataFrame(pixels).rename(columns=str)
    embeddings.insert(0, "image_id", names)
    embeddings.to_parquet(base / "embeddings.parquet")
    before = digest(photos)
    ended = command(
        "run", photos, "--out", base / "run", "--hold-out", "0.2", "--pred-probs",
        base / "pred_probs.csv", "--embeddings", base / "embeddings.parquet")
    assert ended.exit_code == 0, ended.stderr
    return base, before


@pytest.fixture(scope="module")
def trained(audit_command, audited):
    """The folder of a training that nothing interrupted, and what was printed."""
    base, _ = audited
    ended = audit_command("train", base / "run", "--out", base / "unbroken", *QUICK)
    assert ended.returncode == 0, ended.stderr
    return base / "unbroken", ended.stdout


@pytest.fixture
def spoilt(trained, tmp_path):
    """A copy of what was trained that a test may spoil."""
    return Path(shutil.copytree(trained[0], tmp_path / "out"))


def trained_again(run, out):
    """The arms of `trained`, which is finished: nothing is trained."""
    settings = TrainSettings(
        RemedySettings(run=run, out=out, balance="oversample"), out, "scratch", 1, steps=False,
        training=TrainingSettings(epochs=2, batch_size=32, side=8))
    return train(settings, Stages(Console(quiet=True)))


def test_before_and_after_are_compared_on_what_was_held_out(audited, trained):
    base, before = audited
    out, printed = trained
    told = told_by(out)
    names = [arm["name"] for arm in told["arms"]]
    assert len(names) == 2
    assert names[0] == "as-it-came"
    assert told["classes"] == ["one", "two", "zero"]
    assert told["saved"] in names
    assert told["verdict"] in " ".join(printed.split())
    gain = told["arms"][1]["gain"]["accuracy"]
    assert gain["points"] == pytest.approx(
        100 * (told["arms"][1]["accuracy"] - told["arms"][0]["accuracy"]), abs=1e-3)
    assert gain["low"] <= gain["points"] <= gain["high"]
    held = read_run(base / "run").held_out
    contents = {name: before[name] for name in held["image_id"]}
    audited_files = {content for name, content in before.items() if name not in contents}
    copies = sum(content in audited_files for content in contents.values())
    assert copies > 0
    assert told["test_images"] == len(held) - copies
    assert f"{len(held):,} images that were held out" in told["notes"][0]
    assert told["notes"][1].startswith(f"{copies} test images are copies")


def test_source_images_are_not_changed(audited, trained):
    base, before = audited
    assert trained
    assert digest(base / "photos") == before


def test_what_was_held_out_is_in_no_arm(audited, trained, monkeypatch):
    base, _ = audited
    monkeypatch.setattr("audit.training.fit.training_batches", None)  # nothing is trained anew
    again = trained_again(base / "run", trained[0])
    run = read_run(base / "run")
    names = np.array(sorted(run.images["image_id"]), object)  # as in the plan
    held = set(run.held_out["image_id"])
    assert not held & set(names)
    for arm in again.arms:
        assert arm.rows.max() < len(names)
        assert arm.validation.max() < len(names)
        assert not set(arm.rows) & set(arm.validation)
    for place, (path, stored) in enumerate(logits_in(trained[0]).items()):
        assert path.parts[1] == again.arms[place].name
        np.testing.assert_array_equal(again.logits[place, 0], stored)
    assert again.logits.shape[2] == len(again.truth) == told_by(trained[0])["test_images"]


def test_remedies_reach_what_is_trained_on(audited, trained):
    base, _ = audited
    first, last = trained_again(base / "run", trained[0]).arms
    names = np.array(sorted(read_run(base / "run").images["image_id"]), object)
    for arm, has_faults in ((first, True), (last, False)):
        seen = names[[*arm.rows, *arm.validation]]
        assert any("wrong" in name for name in seen) == has_faults
    content = {name: (base / "photos" / name).read_bytes() for name in names}
    distinct = {content[name] for name in names[[*last.rows, *last.validation]]}
    assert len(distinct) == len(set(names[[*last.rows, *last.validation]])), "no copies are left"
    assert len(set(np.unique(last.labels, return_counts=True)[1])) <= len(set(
        np.unique(first.labels, return_counts=True)[1]))


def test_the_saved_network_works_by_the_example_beside_it(audited, trained, tmp_path):
    base, _ = audited
    out, _ = trained
    pictures = [base / "photos" / name for name in read_run(base / "run").held_out["image_id"]]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run([sys.executable, out / "load_network.py", *pictures], cwd=tmp_path,
                           env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    answers = [line.removeprefix(f"{path}: ").split()
               for line, path in zip(ended.stdout.splitlines(), pictures, strict=True)]
    assert {name for name, _ in answers} <= {"one", "two", "zero"}
    right = np.mean([name == path.parent.name
                     for (name, _), path in zip(answers, pictures, strict=True)])
    saved = next(arm for arm in told_by(out)["arms"] if arm["name"] == told_by(out)["saved"])
    assert right == pytest.approx(saved["accuracy"], abs=0.25), "the network that was measured"
    assert all(1 / 3 <= float(share.strip("()")) <= 1 for _, share in answers)


def test_a_training_that_was_killed_goes_on_and_ends_the_same(audited, trained, command):
    base, _ = audited
    out = base / "killed"
    arguments = ["train", base / "run", "--out", out, *QUICK]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = out / "arms" / "as-it-came" / "seed-0"
    begun = time.monotonic()
    while not any((first / name).exists() for name in ("checkpoint.npz", "weights.npz")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() - begun < KILLED_WITHIN_S
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "training.json").exists()
    kept = {path: path.read_bytes() for path in out.rglob("range_test.json")}
    ended = command(*arguments)
    assert ended.exit_code == 0, ended.stderr
    expected, found = logits_in(trained[0]), logits_in(out)
    assert len(expected) == 2
    assert list(found) == list(expected)
    for path, logits in expected.items():
        np.testing.assert_array_equal(found[path], logits)
    assert told_by(out) == told_by(trained[0])
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(out.glob(".*")), "what the killed one was working on is cleared"
    assert not list(out.rglob("checkpoint.npz"))


@pytest.mark.parametrize("other", [("--epochs", 3), ("--label-smoothing", 0), ("--seed", 1),
                                   ("--balance", "none")])
def test_other_settings_into_the_same_folder_are_refused(audited, trained, command, other):
    base, _ = audited
    before = digest(trained[0])
    ended = command("train", base / "run", "--out", trained[0], *QUICK, *other)
    assert ended.exit_code == 2
    assert ended.stderr.count("\n") == 1
    assert "holds a training of other data or settings" in ended.stderr
    assert digest(trained[0]) == before


@pytest.mark.parametrize(("options", "words"), [
    (("--network", "perceptron"), '"perceptron" is not known'),
    (("--seeds", "0"), "--seeds must be from 1 to 20. Got 0 instead."),
    (("--workers", "0"), "--workers must be 1 or more"),
    (("--side", "4"), "--side must be from 8"),
    (("--optimizer", "lion"), "--optimizer must be adamw, adam, sgd"),
    (("--balance", "smote"), "--balance must be none, oversample"),
    (("--seed", "-1"), "--seed must be from 0")])
def test_wrong_options_are_one_line(audited, command, tmp_path, options, words):
    base, _ = audited
    ended = command("train", base / "run", "--out", tmp_path / "out", *QUICK, *options)
    assert ended.exit_code == 2
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_network_is_told_by_the_option_of_this_command(audited, command, tmp_path):
    base, _ = audited
    ended = command("train", base / "run", "--out", tmp_path, *QUICK, "--network", "perceptron")
    assert "--network" in ended.stderr
    assert "patches" not in ended.stderr


def test_what_is_no_run_is_refused(command, tmp_path):
    ended = command("train", tmp_path, "--out", tmp_path / "out")
    assert ended.exit_code == 2
    assert "holds no run.json" in ended.stderr


def test_a_folder_in_the_data_is_refused(audited, command):
    base, before = audited
    out = base / "photos" / "zero" / "training"
    # Were it not refused first, the network would be, before anything is written.
    ended = command("train", base / "run", "--out", out, *QUICK, "--network", "perceptron")
    assert digest(base / "photos") == before
    assert ended.exit_code == 2
    assert f"--out {out}" in ended.stderr


def test_a_seed_of_an_earlier_call_that_was_not_finished_does_not_count(audited, spoilt, command):
    base, _ = audited
    (spoilt / "arms" / told_by(spoilt)["saved"] / "seed-1").mkdir()  # --seeds 2, and then killed
    ended = command("train", base / "run", "--out", spoilt, *QUICK)
    assert ended.exit_code == 0, ended.stderr


def test_a_loss_that_is_no_number_is_the_worst(audited, spoilt, command):
    base, _ = audited
    for path in spoilt.rglob("history.json"):
        history = json.loads(path.read_text(encoding="utf-8"))
        RunDir(path.parent).write_json(path.name, [
            {**epoch, "validation_loss": float("nan")} for epoch in history])
    ended = command("train", base / "run", "--out", spoilt, *QUICK)
    assert ended.exit_code == 0, ended.exception


def test_pictures_that_changed_since_the_audit_are_refused(audited, spoilt, command, tmp_path):
    base, before = audited
    for name in ("photos", "run"):
        shutil.copytree(base / name, tmp_path / name)
    about = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    about["source"]["data"] = str(tmp_path / "photos")
    (tmp_path / "run" / "run.json").write_text(json.dumps(about), encoding="utf-8")
    images = read_run(tmp_path / "run").images
    first, second = images["image_id"][images["pixel_hash"].drop_duplicates().index[:2]]
    assert before[first] != before[second]
    shutil.copy(tmp_path / "photos" / first, tmp_path / "photos" / second)
    ended = command("train", tmp_path / "run", "--out", spoilt, *QUICK)
    assert ended.exit_code == 2
    assert second in ended.stderr


def audited_in(folder, photos, table=None):
    """A run of images, whose embeddings are their pixels, without anything held out."""
    audit_dataset(Settings(data=table or photos, out=folder / "run", backbone="patches",
                           effort="low", folds=2), Stages(Console(quiet=True)))
    return folder / "run"


ONCE = ("--network", "scratch", "--side", "8", "--epochs", "1", "--seeds", "1", "--batch-size",
        "32", "--no-steps", "--learning-rate", "0.01", "--balance", "none")


def test_without_a_test_split_it_says_that_the_audit_had_seen_the_images(command, tmp_path):
    write_digits(tmp_path / "photos", per_class=15, names=("zero", "one"))
    run = audited_in(tmp_path, tmp_path / "photos")
    ended = command("train", run, *ONCE)
    assert ended.exit_code == 0, ended.stderr
    told = told_by(run / "training")
    assert 0 < told["test_images"] <= 6
    assert told["arms"][0]["images"] < 30 - told["test_images"], "some are validated with"
    note = told["notes"][0]
    for words in ("no test split", "it had seen them", "--hold-out 0.2"):
        assert words in note
        assert words in " ".join(ended.stdout.split())


@pytest.fixture(scope="module")
def split_run(tmp_path_factory):
    """A table with splits; one class has images in val and test only."""
    base = tmp_path_factory.mktemp("split")
    write_digits(base / "photos", per_class=15)
    rows = [(path.relative_to(base), path.parent.name, number)
            for name in ("zero", "one", "two")
            for number, path in enumerate(sorted((base / "photos" / name).iterdir()))]
    pd.DataFrame({
        "path": [path for path, _, _ in rows], "label": [name for _, name, _ in rows],
        "split": ["test" if number < 3 else "val" if number < 6 or name == "zero" else "train"
                  for _, name, number in rows]}).to_csv(base / "labels.csv", index=False)
    return audited_in(base, base / "photos", base / "labels.csv")


def test_classes_that_are_not_trained_on_do_not_count(split_run, command):
    ended = command("train", split_run, *ONCE)
    assert ended.exit_code == 0, ended.exception
    told = told_by(split_run / "training")
    assert told["classes"] == ["one", "two"]
    assert told["test_images"] == 6
    assert "audit run --hold-out test" in told["notes"][0]
