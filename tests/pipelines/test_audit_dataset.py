"""Whole runs on small real folders: files, statuses, repeatability, interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.registry import all_checks

PINNED = {"run.json", "images.parquet", "images.csv", "pred_probs.parquet", "embeddings.npy",
          "findings.parquet", "findings.csv", "summary.json", "report.html"}


def run_with_own_model(audit_command, digits_folder, photos, out, *options):
    result = audit_command("run", photos, "--out", out, "--pred-probs",
                           digits_folder / "pred_probs.csv", *options)
    assert result.returncode == 0, result.stderr
    return result


def statuses(out):
    summary = json.loads((out / "summary.json").read_text())
    return {one["code"]: one for one in summary["checks"]}


def test_clean_data_is_left_alone(audit_command, digits_folder, photos, tmp_path):
    result = run_with_own_model(audit_command, digits_folder, photos, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= PINNED
    checks = statuses(tmp_path / "out")
    assert set(checks) == {one.meta.code for one in all_checks()}
    assert {one["status"] for one in checks.values()} <= {"ok", "skipped"}
    assert checks["split_leak"]["reason"].startswith("the data has no splits")
    for code in ("label_conflict", "exact_duplicates", "unreadable_file", "dark", "blurry",
                 "class_imbalance", "no_signal", "odd_size"):
        assert checks[code]["flagged"] == 0, code
    assert "120 images" in result.stdout
    assert "pred_probs.csv" in result.stdout


def test_planted_faults_are_found_and_sources_untouched(audit_command, digits_folder, photos,
                                                        tmp_path):
    victim = min((photos / "zero").iterdir())
    shutil.move(victim, photos / "one" / victim.name)  # a wrong label
    twin = min((photos / "two").iterdir())
    shutil.copy(twin, photos / "one" / "twin.png")  # a conflict
    (photos / "two" / "empty.png").write_bytes(b"")
    (photos / "two" / "=evil.png").write_bytes(b"not an image")
    table = pd.read_csv(digits_folder / "pred_probs.csv")
    moved = {f"zero/{victim.name}": f"one/{victim.name}"}
    table["image_id"] = table["image_id"].replace(moved)
    row = table[table["image_id"] == f"two/{twin.name}"].assign(image_id="one/twin.png")
    pd.concat([table, row]).to_csv(tmp_path / "probs.csv", index=False)
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}

    result = audit_command("run", photos, "--out", tmp_path / "out", "--pred-probs",
                           tmp_path / "probs.csv")

    assert result.returncode == 0, result.stderr
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before
    images = pd.read_parquet(tmp_path / "out" / "images.parquet").set_index("image_id")
    assert images.loc[f"one/{victim.name}", "is_label_issue"]
    assert images.loc[f"one/{victim.name}", "predicted_label"] == "zero"
    assert images.loc["one/twin.png", "is_label_conflict_issue"]
    assert images.loc["two/empty.png", "is_empty_file_issue"]
    assert images.loc["two/=evil.png", "is_unreadable_file_issue"]
    assert images["label_score"].dropna().between(0, 1).all()
    causes = json.loads((tmp_path / "out" / "summary.json").read_text())["causes"]
    assert causes[0]["cause"] == "wrong_labels"
    assert causes[0]["checks"][0] == "label_conflict"
    csv = (tmp_path / "out" / "findings.csv").read_text()
    assert "two/=evil.png" in csv


def test_one_class_ends_with_a_report_and_skipped_checks(audit_command, photos, tmp_path):
    for name in ("one", "two"):
        shutil.rmtree(photos / name)
    result = audit_command("run", photos, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    checks = statuses(tmp_path / "out")
    assert checks["label"]["status"] == "skipped"
    assert "only one class" in checks["label"]["reason"]
    assert checks["dark"]["status"] == "ok"
    images = pd.read_parquet(tmp_path / "out" / "images.parquet")
    assert images["is_label_issue"].isna().all()


def test_two_images_end_with_a_report(audit_command, photos, tmp_path):
    for name in ("zero", "one", "two"):
        for path in sorted((photos / name).iterdir())[1:]:
            path.unlink()
    shutil.rmtree(photos / "two")
    result = audit_command("run", photos, "--out", tmp_path / "out", "--backbone", "patches")
    assert result.returncode == 0, result.stderr
    assert statuses(tmp_path / "out")["label"]["status"] == "skipped"


def test_the_same_command_twice_gives_the_same_bytes(audit_command, digits_folder, photos,
                                                     tmp_path):
    for out in ("first", "second"):
        result = audit_command("run", photos, "--out", tmp_path / out, "--embeddings",
                               digits_folder / "embeddings.parquet", "--seed", "3")
        assert result.returncode == 0, result.stderr
    for name in ("findings.csv", "images.csv", "summary.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    probabilities = pd.read_parquet(tmp_path / "first" / "pred_probs.parquet")
    values = probabilities.drop(columns="image_id").to_numpy()
    assert np.allclose(values.sum(axis=1), 1)
    given = probabilities["image_id"].str.split("/").str[0]
    best = probabilities.columns[1:].to_numpy()[values.argmax(axis=1)]
    assert (best == given).mean() > 0.9  # the Keras head learns three digits from their pixels


def test_renamed_files_change_nothing_but_names(audit_command, photos, tmp_path):
    """Folds, samples and ties follow what files hold: the same scores to the last digit."""
    def audit(name):
        ended = audit_command("run", photos, "--out", tmp_path / name, "--backbone", "patches",
                              "--effort", "low")
        assert ended.returncode == 0, ended.stderr
        images = pd.read_parquet(tmp_path / name / "images.parquet").drop(columns="image_id")
        measures = pd.read_parquet(tmp_path / name / "measures.parquet")
        images.insert(0, "file_sha256", measures["file_sha256"])
        embeddings = np.load(tmp_path / name / "embeddings.npy")
        order = np.lexsort([images["given_label"], images["file_sha256"]])
        return measures["image_id"], images.iloc[order].reset_index(drop=True), embeddings[order]

    victim = min((photos / "zero").iterdir())
    shutil.move(victim, photos / "one" / victim.name)
    shutil.copy(min((photos / "two").iterdir()), photos / "one" / "twin.png")
    (photos / "two" / "broken.png").write_bytes(b"no picture")
    names, before, embedded_before = audit("before")
    for number, path in enumerate(sorted(photos.glob("*/*.png"))[::2]):
        path.rename(path.parent / f"{997 * number % 61:02d}-{number}.png")
    new_names, after, embedded_after = audit("after")
    assert (names != new_names).any()
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    np.testing.assert_array_equal(embedded_before, embedded_after)


def test_the_default_place_gets_a_run_folder_and_latest(audit_command, digits_folder, photos,
                                                        tmp_path):
    result = audit_command("run", photos, "--pred-probs", digits_folder / "pred_probs.csv",
                           cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    latest = tmp_path / "reports" / "photos" / "latest"
    assert (latest / "run.json").is_file()
    assert latest.resolve().parent == (tmp_path / "reports" / "photos").resolve()


def test_thresholds_and_disabled_checks_come_from_the_config(audit_command, digits_folder, photos,
                                                             tmp_path):
    config = tmp_path / "audit.toml"
    config.write_text("[checks.too_few_images]\nfloor = 10\n[checks.outlier]\nenabled = false\n")
    run_with_own_model(audit_command, digits_folder, photos, tmp_path / "out", "--config", config)
    checks = statuses(tmp_path / "out")
    assert checks["outlier"]["status"] == "skipped"
    assert checks["too_few_images"]["metrics"]["count"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_half_written(photos, tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "run", str(photos), "--backbone", "patches"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("reports/photos/*/.work-*/looks.bin")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]


def test_a_killed_run_is_no_finished_run_and_is_cleaned_up_by_the_next(
        audit_command, digits_folder, photos, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "run", str(photos), "--backbone", "patches",
         "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    deadline = time.monotonic() + 60
    while not list(out.glob(".work-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (out / "run.json").exists()
    run_with_own_model(audit_command, digits_folder, photos, out)
    assert (out / "run.json").exists()
    assert not list(out.glob(".work-*"))


def test_results_inside_the_data_are_refused(audit_command, photos):
    for options, folder in ((["--out", photos / "out"], None), ([], photos)):
        result = audit_command("run", photos, *options, cwd=folder)
        assert result.returncode == 2
        assert "inside the data" in result.stderr
    assert sorted(path.name for path in photos.iterdir()) == ["one", "two", "zero"]


def test_a_class_named_like_a_column_is_refused_before_the_work(audit_command, photos, tmp_path):
    (photos / "one").rename(photos / "image_id")
    result = audit_command("run", photos, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert '"image_id"' in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_second_run_leaves_no_result_of_the_first(audit_command, digits_folder, photos,
                                                    tmp_path):
    run_with_own_model(audit_command, digits_folder, photos, tmp_path / "out")
    assert (tmp_path / "out" / "pred_probs.parquet").exists()
    for name in ("one", "two"):
        shutil.rmtree(photos / name)
    result = audit_command("run", photos, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "out" / "pred_probs.parquet").exists()


def test_nothing_readable_ends_with_a_report(audit_command, photos, tmp_path):
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")
    result = audit_command("run", photos, "--out", tmp_path / "out", "--backbone", "patches")
    assert result.returncode == 0, result.stderr
    checks = statuses(tmp_path / "out")
    assert checks["empty_file"]["metrics"]["count"] == 120
    assert "error" not in {one["status"] for one in checks.values()}
    assert checks["dark"]["status"] == "skipped"  # not found well: nothing was looked at


def test_a_file_named_like_the_demos_is_no_demo(audit_command, digits_folder, photos, tmp_path):
    (photos / "planted.csv").write_text("species,garden\nrose,north\n")
    result = run_with_own_model(audit_command, digits_folder, photos, tmp_path / "out")
    assert "Planted against found" not in result.stdout
