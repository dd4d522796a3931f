"""A run on real digits in which there is something to ask of every kind, and a browser for it."""

import shutil
from contextlib import contextmanager

import pandas as pd
import pytest
from conftest import write_digits
from review.browsing import Line, Reviewer, many_questions, serving

from audit.review.items import Catalogue
from audit.review.store import ReviewStore
from audit.stored_run import read_run


def audited_digits(audit_command, base, *, renamed=False):
    """A run on digits: four labels wrong, a copy in its class, one under another, a broken file."""
    photos = base / "photos"
    probabilities, pixels = write_digits(photos, per_class=30)
    names = probabilities["image_id"].tolist()
    embeddings = pd.DataFrame(pixels).rename(columns=str)

    def move(old, new):
        (photos / old).rename(photos / new)
        names[names.index(old)] = new

    for number, path in enumerate(sorted((photos / "two").iterdir())[:4]):
        move(f"two/{path.name}", f"zero/wrong{number}.png")
    one, other = sorted((photos / "one").iterdir())[:2]
    copies = [("one/copy.png", one), ("two/copy.png", other)]
    for name, path in copies:
        shutil.copy(path, photos / name)
        row = names.index(f"one/{path.name}")
        probabilities = pd.concat([probabilities, probabilities.iloc[[row]]], ignore_index=True)
        embeddings = pd.concat([embeddings, embeddings.iloc[[row]]], ignore_index=True)
        names.append(name)
    if renamed:
        for old in names.copy():
            folder, name = old.split("/")
            move(old, f"{folder}/new-{name}")
    (photos / "one" / "broken.png").write_bytes(b"no picture")
    probabilities.assign(image_id=names).to_csv(base / "probs.csv", index=False)
    embeddings.insert(0, "image_id", names)
    embeddings.to_parquet(base / "embeddings.parquet")
    ended = audit_command("run", photos, "--out", base / "run", "--pred-probs", base / "probs.csv",
                          "--embeddings", base / "embeddings.parquet")
    assert ended.returncode == 0, ended.stderr
    return read_run(base / "run")


@pytest.fixture(scope="session")
def audit_digits(audit_command):
    """Audits such digits in a folder; `renamed`: under other file names."""

    def audit(base, *, renamed=False):
        return audited_digits(audit_command, base, renamed=renamed)

    return audit


@pytest.fixture(scope="session")
def run(audit_digits, tmp_path_factory):
    """Such a run."""
    return audit_digits(tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="session")
def catalogue(run):
    """Its questions."""
    return Catalogue(run)


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    """A run of many questions and its pictures, for pages that many answers are given on."""
    return many_questions(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def server(asked, tmp_path):
    """A server of it, without an answer."""
    store = ReviewStore(tmp_path / "review.sqlite")
    with serving(*asked, store) as found:
        yield found
    store.close()


@contextmanager
def windows(chromium):
    """Windows of a browser that has been nowhere."""
    opened = chromium.new_context(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def context(chromium):
    """Windows of a browser that has been nowhere."""
    with windows(chromium) as opened:
        yield opened


@pytest.fixture
def other_context(chromium):
    """The same, of somebody else."""
    with windows(chromium) as opened:
        yield opened


@pytest.fixture
def line(context):
    """Between the browser and the server; to be asked for before the page is opened."""
    return Line(context)


@pytest.fixture
def reviewer(context, server):
    """Ada at the page, in whose browser nothing may go wrong."""
    one = Reviewer(context, server)
    yield one
    assert one.errors == []
