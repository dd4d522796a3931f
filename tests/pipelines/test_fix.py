"""`audit fix`: from a run to a remedied dataset, by the command line and by the function."""

import json
import os
import shutil
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from audit.errors import UsageError
from audit.remedies import NONE, build_case
from audit.stored_run import read_run
from pipelines.progress import Stages
from pipelines.remedy_dataset import RemedySettings, print_remedied, remedy

COPY, BROKEN = "one/copy.png", "two/broken.png"
WRONG = "zero/wrong.png"


@pytest.fixture(scope="session")
def audited(audit_command, digits_folder, tmp_path_factory):
    """A copy of the clean digits with a copy, a file of text and a wrong label, and its run."""
    base = tmp_path_factory.mktemp("fix")
    photos = base / "photos"
    shutil.copytree(digits_folder / "photos", photos)
    probabilities = pd.read_csv(digits_folder / "pred_probs.csv", dtype={"image_id": str})
    vectors = pd.read_parquet(digits_folder / "embeddings.parquet")
    first = min(path.name for path in (photos / "one").iterdir())
    moved = min(path.name for path in (photos / "two").iterdir())
    shutil.copy(photos / "one" / first, photos / COPY)
    (photos / BROKEN).write_text("no picture")
    (photos / "two" / moved).rename(photos / WRONG)

    def renamed(table):
        copied = table[table["image_id"] == f"one/{first}"].assign(image_id=COPY)
        broken = copied.assign(image_id=BROKEN)
        return pd.concat([table.replace({"image_id": {f"two/{moved}": WRONG}}), copied, broken])

    renamed(probabilities).to_csv(base / "pred_probs.csv", index=False)
    renamed(vectors).to_parquet(base / "embeddings.parquet")
    ended = audit_command("run", photos, "--out", base / "run", "--pred-probs",
                          base / "pred_probs.csv", "--embeddings", base / "embeddings.parquet")
    assert ended.returncode == 0, ended.stderr
    return base


def digest(folder):
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def fixed(audited, out, **options):
    return remedy(RemedySettings(run=audited / "run", out=out, **options),
                  Stages(Console(quiet=True)))


def test_run_json_says_where_the_images_were(audited):
    source = read_run(audited / "run").source
    assert (source.data, source.labels, source.label_column) == (audited / "photos", None, "label")


def test_the_command_does_what_it_says(audited, audit_command, tmp_path):
    ended = audit_command("fix", audited / "run", "--out", tmp_path / "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    plan = pd.read_csv(tmp_path / "out" / "plan.csv", keep_default_na=False)
    dropped = plan[plan["action"] == "drop"].set_index("image_id")["rule"].to_dict()
    assert dropped == {COPY: "exact_duplicates", BROKEN: "unreadable_file", WRONG: "label"}
    pd.testing.assert_frame_equal(
        plan, pd.read_parquet(tmp_path / "out" / "plan.parquet"), check_dtype=False)
    for words in ("exact_duplicates", "Source images were not changed", "audit run"):
        assert words in ended.stdout
    about = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert about["counts"]["drop"] == {"exact_duplicates": 1, "label": 1, "unreadable_file": 1}
    assert about["run"]["digest"] == read_run(audited / "run").digest
    assert str(tmp_path) not in json.dumps(about)


@pytest.mark.parametrize("mode", ["manifest", "symlink", "copy"])
def test_sources_are_never_changed_and_bytes_are_the_same_again(audited, tmp_path, mode):
    before = digest(audited)
    for out in (tmp_path / "a", tmp_path / "b", tmp_path / "a"):
        fixed(audited, out, mode=mode, balance="oversample", relabel_above=0.6)
    assert digest(audited) == before
    first, second = digest(tmp_path / "a"), digest(tmp_path / "b")
    assert list(first.values()) == list(second.values())


def test_a_correction_lies_under_its_new_class(audited, tmp_path):
    fixed(audited, tmp_path / "out", mode="copy", relabel_above=0.6)
    images = tmp_path / "out" / "images"
    assert (images / "two" / "wrong.png").read_bytes() == (audited / "photos" / WRONG).read_bytes()
    assert not (images / WRONG).exists()


def test_an_audit_of_what_was_remedied_finds_the_faults_gone(audited, audit_command, tmp_path):
    def flagged(run):
        checks = json.loads((run / "summary.json").read_text())["checks"]
        return {one["code"]: one["flagged"] for one in checks}

    fixed(audited, tmp_path / "out", mode="copy")
    again = audit_command(
        "run", tmp_path / "out" / "images", "--out", tmp_path / "again",
        "--pred-probs", audited / "pred_probs.csv", "--embeddings", audited / "embeddings.parquet")
    assert again.returncode == 0, again.stderr
    for code in ("exact_duplicates", "unreadable_file", "label"):
        assert flagged(audited / "run")[code] > 0
        assert flagged(tmp_path / "again")[code] == 0
    listed = audit_command("fix", tmp_path / "again", "--out", tmp_path / "out")
    assert listed.returncode == 2
    assert "which this is made from" in listed.stderr


def test_keras_loads_the_tree(audited, tmp_path):
    from keras.utils import image_dataset_from_directory  # noqa: PLC0415 - takes seconds

    done = fixed(audited, tmp_path / "out", mode="symlink", balance="oversample")
    loaded = image_dataset_from_directory(tmp_path / "out" / "images", image_size=(8, 8),
                                          verbose=False)
    assert loaded.class_names == ["one", "two", "zero"]
    labels = np.concatenate([batch.numpy() for _, batch in loaded])
    assert np.bincount(labels).tolist() == [40, 40, 40]
    assert len(labels) == done.plan["repeat"].sum()


def test_decisions_outrank_and_are_named(audited, tmp_path):
    (tmp_path / "d.csv").write_text(
        f"image_id,decision,label,reviewer\n{WRONG},keep,,Ada\n{COPY},relabel,zero,Bob\n")
    plan = fixed(audited, tmp_path / "out", decisions=tmp_path / "d.csv").plan.set_index("image_id")
    assert plan.loc[[WRONG, COPY], "decided_by"].tolist() == ["Ada", "Bob"]
    assert plan.loc[[WRONG, COPY], "label"].tolist() == ["zero", "zero"]


def test_auto_says_what_was_tried(audited, tmp_path):
    done = fixed(audited, tmp_path / "out", balance="auto")
    about = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert about["options"]["balance"] == "auto"
    assert about["balance"] == done.choice.strategy
    assert len(about["balance_trials"]) == 5
    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: SIM115
    print_remedied(console, done, RemedySettings(audited / "run", tmp_path, balance="auto"))
    text = console.export_text()
    assert "mean recall" in text
    assert f"Balance: {done.choice.strategy}" in text


@pytest.mark.parametrize(("options", "words"), [
    ({"mode": "hardlink"}, 'mode must be manifest, symlink, copy. Got "hardlink"'),
    ({"balance": "smote"}, "balance must be none, oversample"),
    ({"relabel_above": 0.5}, "above 0.5 and at most 1. Got 0.5"),
    ({"relabel_above": 1.1}, "Got 1.1"),
    ({"class_floor": -1}, "class-floor must be 0 or more"),
    ({"seed": -1}, "--seed must be"),
    ({"run": "."}, "holds no run.json, so it is no finished run"),
])
def test_wrong_options_are_refused(audited, tmp_path, options, words):
    given = {"run": audited / "run", "out": tmp_path / "out", **options}
    if "run" in options:
        given["run"] = tmp_path
    with pytest.raises(UsageError, match=words):
        remedy(RemedySettings(**given), Stages(Console(quiet=True)))
    assert list(tmp_path.iterdir()) == []


def test_decisions_that_are_not_there_are_refused(audit_command, audited, tmp_path):
    ended = audit_command("fix", audited / "run", "--out", tmp_path / "out",
                          "--decisions", tmp_path / "none.csv")
    assert ended.returncode == 2
    assert "--decisions" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def moved(audited, tmp_path):
    """A copy of the run and of its data that a test may spoil."""
    base = tmp_path / "base"
    shutil.copytree(audited, base)
    about = json.loads((base / "run" / "run.json").read_text())
    about["source"]["data"] = str(base / "photos")
    (base / "run" / "run.json").write_text(json.dumps(about))
    return base


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda base: shutil.rmtree(base / "photos"), "not there any more: .*photos does not exist"),
    (lambda base: (base / "photos" / COPY).unlink(), "1 images are not there any more since"),
    (lambda base: shutil.copy(base / "photos" / COPY, base / "photos" / "new.png"), None),
    (lambda base: shutil.copy(base / "photos" / COPY, base / "photos" / "two" / "new.png"),
     "1 images have come since, as two/new.png"),
    (lambda base: (base / "run" / "findings.parquet").unlink(), "cannot be read .*Run the audit"),
    (lambda base: (base / "run" / "summary.json").write_text("{"), "cannot be read"),
])
def test_data_and_runs_that_are_not_what_was_audited_are_refused(moved, tmp_path, spoil, words):
    spoil(moved)
    if words is None:  # a file that is no part of the data
        assert len(fixed(moved, tmp_path / "out").plan)
        return
    with pytest.raises(UsageError, match=words):
        fixed(moved, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_of_before_there_was_a_source_is_read_too(moved, tmp_path):
    about = json.loads((moved / "run" / "run.json").read_text())
    del about["source"]
    about["settings"]["data"] = str(moved / "photos")
    (moved / "run" / "run.json").write_text(json.dumps(about))
    assert len(fixed(moved, tmp_path / "out").plan) == 122


def test_a_table_whose_labels_changed_since_is_refused(moved, tmp_path):
    about = json.loads((moved / "run" / "run.json").read_text())
    about["source"]["labels"] = str(moved / "labels.csv")
    (moved / "run" / "run.json").write_text(json.dumps(about))
    named = read_run(moved / "run").images.rename(
        columns={"image_id": "path", "given_label": "label"})
    named[["path", "label"]].to_csv(moved / "labels.csv", index=False)
    assert len(fixed(moved, tmp_path / "out").plan) == len(named)
    text = (moved / "labels.csv").read_text()
    (moved / "labels.csv").write_text(text.replace(f"{COPY},one", f"{COPY},two"))
    with pytest.raises(UsageError, match="1 images have another label or split since, as one/copy"):
        fixed(moved, tmp_path / "out")


def test_a_run_without_predictions_still_has_its_other_remedies(moved, tmp_path):
    (moved / "run" / "pred_probs.parquet").unlink()
    images = pd.read_parquet(moved / "run" / "images.parquet")
    images["is_label_issue"] = pd.Series(pd.NA, images.index, "boolean")
    images.to_parquet(moved / "run" / "images.parquet")
    plan = fixed(moved, tmp_path / "out", relabel_above=0.6).plan
    assert set(plan["image_id"][plan["action"] != "keep"]) == {COPY, BROKEN}


def test_without_embeddings_nothing_can_be_tried(moved, tmp_path):
    (moved / "run" / "embeddings.npy").unlink()
    choice = fixed(moved, tmp_path / "out", balance="auto").choice
    assert (choice.strategy, choice.trials) == (NONE, ())
    assert "no embeddings" in choice.reason


def test_the_posterior_is_the_one_that_the_label_check_flags_with(audited):
    run = read_run(audited / "run")
    images = build_case(run.images, run.findings, run.classes, run.probabilities,
                        is_own_model=run.is_own_model).images
    images = images[images["label_score"].notna()]
    believed = images["likely_label"] == images["given_label"]
    assert (believed == ~images["is_label_issue"]).all()
    assert (~believed).any()
    assert images["likely_probability"][believed].to_numpy() == pytest.approx(
        images["label_score"][believed].to_numpy(), abs=1e-6)
