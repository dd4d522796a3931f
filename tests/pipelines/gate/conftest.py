"""Real runs on digits: as they are, half of the files renamed, and worse."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import write_digits
from gate_runs import BROKEN, EVIL, FAILS, PASSES, QUIET, WRONG, audited, copied


@pytest.fixture(scope="session")
def digits(audit_command, tmp_path_factory):
    """Digits of which four labels are wrong and one file is broken, and `run` of them."""
    base = tmp_path_factory.mktemp("gate")
    table, pixels = write_digits(base / "photos", per_class=30)
    names = table["image_id"].tolist()
    for path, wrong in zip(sorted((base / "photos" / "two").iterdir()), WRONG, strict=False):
        path.rename(base / "photos" / wrong)
        names[names.index(f"two/{path.name}")] = wrong
    (base / "photos" / BROKEN).write_bytes(b"no picture")
    audited(audit_command, base, table.assign(image_id=names),
            pd.DataFrame(pixels).rename(columns=str), "run")
    for name, text in (("fails", FAILS), ("passes", PASSES), ("quiet", QUIET)):
        (base / f"{name}.toml").write_text(text)
    return base


@pytest.fixture(scope="session")
def renamed(audit_command, digits, tmp_path_factory):
    """The same pictures, every second one under another name, and their run."""
    base = tmp_path_factory.mktemp("renamed")
    names = sorted(pd.read_csv(digits / "probs.csv", dtype={"image_id": str})["image_id"])
    halves = {*names[::2], BROKEN}

    def rename(name):
        folder, file = name.split("/")
        return f"{folder}/new-{file}" if name in halves else name

    return audited(audit_command, base, *copied(digits, base, rename), "run")


@pytest.fixture(scope="session")
def worse(audit_command, digits, tmp_path_factory):
    """The class "two" has another name, a wrong label and a broken file more, and the run."""
    base = tmp_path_factory.mktemp("worse")

    def rename(name):
        return f"{EVIL}/{name.removeprefix('two/')}" if name.startswith("two/") else name

    table, embeddings = copied(digits, base, rename)
    table = table.rename(columns={"two": EVIL})
    moved = table["image_id"].loc[table["one"].idxmax()]  # of what the model is most sure
    (base / "photos" / moved).rename(base / "photos" / EVIL / "wrong4.png")
    (base / "photos" / EVIL / "broken.png").write_bytes(b"no picture either")
    return audited(audit_command, base, table.replace(
        {"image_id": {moved: f"{EVIL}/wrong4.png"}}), embeddings, "run")


@pytest.fixture
def run(digits, tmp_path):
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(digits / "run", tmp_path / "run"))


@pytest.fixture
def moved(digits, tmp_path):
    """A copy of the data that a test may change."""
    return Path(shutil.copytree(digits / "photos", tmp_path / "photos"))


@pytest.fixture
def gate(audit_command, digits, tmp_path):
    """Runs `audit gate` on a run, in an empty folder, by a policy of the digits."""
    def command(run, *arguments, policy=None, **environment):
        told = ["--policy", digits / f"{policy}.toml"] if policy else []
        (tmp_path / "here").mkdir(exist_ok=True)
        return audit_command("gate", run, *told, *arguments, cwd=tmp_path / "here",
                             GITHUB_ACTIONS="", **environment)

    return command
