"""A run that the default policy passes."""

import os
import shutil

import pytest
from gate.gate_builders import write_run


@pytest.fixture(autouse=True)
def _no_flush(monkeypatch):
    """Hundreds of small runs are written here, and none has to outlive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="session")
def clean_run(tmp_path_factory):
    """All checks ran and found nothing; there is enough of both classes. To be read only."""
    return write_run(tmp_path_factory.mktemp("gate") / "run")


@pytest.fixture
def run(tmp_path, clean_run):
    """The same, to be changed."""
    return shutil.copytree(clean_run, tmp_path / "run")
