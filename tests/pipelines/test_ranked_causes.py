"""Planted causes on real digits come out first, with a gain that was measured; clean data has none.

Embeddings are the pixels themselves, so that no network has to be run.
"""

import json

import numpy as np
import pandas as pd
import pytest
from builders import png
from sklearn.datasets import load_digits

IMAGES = 700


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Digits as a folder without classes, and the table that gives each its own."""
    base = tmp_path_factory.mktemp("all-digits")
    data = load_digits()
    (base / "photos").mkdir()
    names = [f"{index:04d}.png" for index in range(IMAGES)]
    for name, image in zip(names, data.images[:IMAGES], strict=True):
        (base / "photos" / name).write_bytes(png(image))
    embeddings = pd.DataFrame(data.data[:IMAGES] / 16).rename(columns=str)
    embeddings.insert(0, "image_id", names)
    labels = data.target[:IMAGES].astype(str)
    return base, pd.DataFrame({"path": names, "label": labels}), embeddings


@pytest.fixture
def audit(digits, tmp_path, audit_command):
    """Audits the digits with the labels of a table; returns stdout and summary.json."""
    base, _, embeddings = digits

    def run(table):
        table.to_csv(tmp_path / "labels.csv", index=False)
        rows = embeddings[embeddings["image_id"].isin(table["path"])]
        rows.to_parquet(tmp_path / "embeddings.parquet")
        result = audit_command(
            "run", base / "photos", "--labels", tmp_path / "labels.csv", "--embeddings",
            tmp_path / "embeddings.parquet", "--out", tmp_path / "out", "--effort", "low")
        assert result.returncode == 0, result.stderr
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert [one for one in summary["checks"] if one["status"] == "error"] == []
        return result.stdout, summary

    return run


def gains(summary):
    return {one["cause"]: one["gain"] for one in summary["causes"]}


def test_clean_data_with_copies_has_nothing_to_fix_and_no_gain_is_invented(
        audit, digits, tmp_path):
    base, table, embeddings = digits
    copies = table.iloc[:100].assign(path=[f"copy-{name}" for name in table["path"][:100]])
    for name in table["path"][:100]:
        (base / "photos" / f"copy-{name}").write_bytes((base / "photos" / name).read_bytes())
    for row in embeddings.iloc[:100].to_numpy():
        embeddings.loc[len(embeddings)] = [f"copy-{row[0]}", *row[1:]]
    stdout, summary = audit(pd.concat([table, copies], ignore_index=True))
    assert "Nothing to fix in the data" in stdout
    assert [one for one in summary["causes"] if one["gain"] and one["gain"]["is_measurable"]] == []
    html = (tmp_path / "out" / "report.html").read_text()
    assert "Nothing to fix in the data" in html
    assert 'id="learning-curves"' in html
    duplicates = next(one for one in summary["causes"] if one["cause"] == "duplicates")
    assert "100" in duplicates["summary"]
    assert duplicates["gain"]["low"] <= 0 <= duplicates["gain"]["high"]


def test_planted_wrong_labels_rank_first_with_what_correcting_them_gains(audit, digits):
    random = np.random.default_rng(5)
    table = digits[1].copy()
    wrong = random.random(len(table)) < 0.1
    table.loc[wrong, "label"] = [
        str((int(label) + random.integers(1, 10)) % 10) for label in table["label"][wrong]]
    stdout, summary = audit(table)
    first = summary["causes"][0]
    assert first["cause"] == "wrong_labels"
    assert first["gain"]["low"] > 0
    assert first["gain"]["action"] in {"suspected labels corrected", "suspected labels left out"}
    assert f"+{100 * first['gain']['mean']:.1f} points" in stdout


def test_a_class_cut_to_a_twentieth_ranks_first(audit, digits):
    table = digits[1]
    own = table.index[table["label"] == "8"]
    _, summary = audit(table.drop(own[len(own) // 20:]))
    first = summary["causes"][0]
    assert first["cause"] in {"imbalance", "too_few_images"}
    assert "8 (" in first["summary"]
    checks = {one["code"]: one for one in summary["checks"]}
    told = checks["sufficiency"]["metrics"]["classes"]["8"]
    assert told["more"] is None
    assert "fewer than 20 images" in told["cannot_tell"]


def test_fifty_images_with_random_labels_carry_no_signal_and_no_number_is_made_up(audit, digits):
    random = np.random.default_rng(2)
    table = digits[1].iloc[random.permutation(len(digits[1]))[:50]].assign(
        label=random.choice(["cat", "dog"], 50))
    stdout, summary = audit(table)
    assert summary["causes"][0]["cause"] == "no_signal"
    assert "Labels without signal" in stdout
    assert "labels carry no signal" in summary["causes"][0]["summary"]
    assert "points" not in stdout
    checks = {one["code"]: one for one in summary["checks"]}
    assert checks["sufficiency"]["status"] == "skipped"
    assert "more" not in gains(summary)
    assert all(one["gain"] is None for one in summary["causes"])
