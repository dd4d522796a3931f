"""The shipped examples: run where their tool is at hand, else parsed and their commands checked."""

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from conftest import write_digits

from audit.errors import AuditError
from audit.gating import gate_run
from pipelines.cli import app
from pipelines.log_run import log_to_mlflow

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "gate"
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def audited(audit_command, tmp_path_factory):
    """A folder with photos/, an audit of them in audit-run/, audit.toml, and the examples."""
    base = tmp_path_factory.mktemp("project")
    probabilities, pixels = write_digits(base / "photos", per_class=60)
    probabilities.to_csv(base / "probs.csv", index=False)
    np.save(base / "embeddings.npy", pixels[np.argsort(probabilities["image_id"].to_numpy())])
    ended = audit_command("run", "photos", "--out", "audit-run", "--pred-probs", "probs.csv",
                          "--embeddings", "embeddings.npy", cwd=base)
    assert ended.returncode == 0, ended.stderr
    ended = audit_command("gate", "--init", cwd=base)
    assert ended.returncode == 0, ended.stderr
    # The user's own probabilities cannot be trained with fewer images.
    policy = (base / "audit.toml").read_text("utf-8").replace(
        'skipped = ["split_leak"]', 'skipped = ["split_leak", "sufficiency"]')
    (base / "audit.toml").write_text(policy, "utf-8")
    (base / "probs.csv").unlink()
    (base / "embeddings.npy").unlink()
    return base


@pytest.fixture
def project(audited, tmp_path):
    """A copy of it that a test may spoil, with the examples beside the data."""
    shutil.copytree(audited, tmp_path / "project")
    return tmp_path / "project"


def run(project, *command):
    """Run a command there, with this project's `audit` first on the path."""
    beside = project / "bin"
    beside.mkdir(exist_ok=True)
    command_line = beside / "audit"
    command_line.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli "$@"\n')
    command_line.chmod(0o755)
    (beside / "python").unlink(missing_ok=True)
    (beside / "python").symlink_to(sys.executable)
    tools = Path(sys.executable).parent
    return subprocess.run(
        [str(one) for one in command], cwd=project, capture_output=True, text=True, check=False,
        timeout=PATIENCE, env={
            **os.environ, "PYTHONPATH": str(ROOT), "HOME": str(project), "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org", "DVC_NO_ANALYTICS": "1",
            "PATH": f"{beside}:{tools}:{os.environ['PATH']}"})


def spoil(project):
    """Data that were changed after the audit."""
    picture = min((project / "photos" / "one").iterdir())
    picture.write_bytes(picture.read_bytes() + b"\0")


def needs(tool):
    if shutil.which(tool) is None and not (Path(sys.executable).parent / tool).exists():
        pytest.skip(f"{tool} is not installed")


def test_the_hook_lets_good_data_in_and_refuses_others(project):
    needs("pre-commit")
    needs("git")
    shutil.copy(EXAMPLES / "pre-commit-config.yaml", project / ".pre-commit-config.yaml")
    run(project, "git", "init", "--quiet", "--initial-branch", "main")
    run(project, "git", "add", "photos", "audit-run", "audit.toml", ".pre-commit-config.yaml")
    passed = run(project, "pre-commit", "run", "--all-files")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "dataset gate" in passed.stdout
    spoil(project)
    run(project, "git", "add", "photos")
    refused = run(project, "pre-commit", "run", "--all-files")
    assert refused.returncode == 1
    assert "exit code: 3" in refused.stdout
    assert "the data are not those that were audited" in " ".join(refused.stdout.split())


def test_a_stage_that_fails_keeps_the_next_from_running(project):
    needs("dvc")
    shutil.copy(EXAMPLES / "dvc.yaml", project)
    # Training itself is another test's: here it only has to run, or not.
    (project / "train_if_good.py").write_text("open('network.keras', 'w').write('trained')\n")
    assert run(project, "dvc", "init", "--no-scm", "--quiet").returncode == 0
    assert run(project, "dvc", "commit", "--force", "--quiet", "audit").returncode == 0
    passed = run(project, "dvc", "repro", "train")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert (project / "network.keras").read_text() == "trained"
    assert json.loads((project / "gate.json").read_text())["status"] == "pass"
    (project / "network.keras").unlink()
    with (project / "audit.toml").open("a", encoding="utf-8") as policy:
        policy.write('\n[gate.class_size.class."one"]\nerror_below = 1000\n')
    refused = run(project, "dvc", "repro", "train")
    assert refused.returncode != 0
    assert not (project / "network.keras").exists()
    assert "fewer than 1,000" in " ".join((refused.stdout + refused.stderr).split())


def test_a_run_and_its_verdict_are_logged(project):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri((project / "mlruns").as_uri())
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    verdict = gate_run(project / "audit-run", policy=project / "audit.toml")
    name = log_to_mlflow(project / "audit-run", verdict)
    logged = mlflow.get_run(name)
    assert logged.data.tags["audit.verdict"] == verdict.status
    assert logged.data.tags["audit.dataset"] == verdict.record.digest
    assert logged.data.metrics["audit.images"] == 180
    assert logged.data.metrics["audit.flagged.label_conflict"] == 0
    kept = Path(logged.info.artifact_uri.removeprefix("file://")) / "audit"
    assert {path.name for path in kept.iterdir()} >= {"report.html", "verdict.json", "verdict.md"}
    with pytest.raises(AuditError):
        log_to_mlflow(project / "photos")


def test_the_script_for_mlflow_ends_as_the_gate_does(project):
    pytest.importorskip("mlflow")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    ended = run(project, sys.executable, EXAMPLES / "log_to_mlflow.py", "audit-run")
    assert ended.stdout.split()[-1:] == ["uncertified"], ended.stderr  # by the default policy
    assert ended.returncode == 3


def test_the_training_refuses_data_that_are_not_good_enough(project):
    shutil.copy(EXAMPLES / "train_if_good.py", project)
    blessed = run(project, "audit", "gate", "audit-run", "--data", "photos", "--blessing",
                  "blessing.json")
    assert blessed.returncode == 0, blessed.stdout + blessed.stderr
    spoil(project)
    for arguments in (["photos", "audit-run"], ["photos", "audit-run", "blessing.json"]):
        ended = run(project, sys.executable, "train_if_good.py", *arguments)
        assert ended.returncode == 1
        assert ended.stderr.startswith("no training: ")
        assert not (project / "network.keras").exists()


@pytest.mark.slow
def test_the_training_goes_on_with_good_data(project):
    shutil.copy(EXAMPLES / "train_if_good.py", project)
    run(project, "audit", "gate", "audit-run", "--data", "photos", "--blessing", "blessing.json")
    ended = run(project, sys.executable, "train_if_good.py", "photos", "audit-run",
                "blessing.json")
    assert ended.returncode == 0, ended.stderr
    assert (project / "network.keras").is_file()


def commands_of_the_workflow():
    content = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    return [shlex.split(step["run"]) for step in content["jobs"]["gate"]["steps"]
            if step.get("run", "").startswith("audit")]


def commands_of_kubeflow():
    container = yaml.safe_load((EXAMPLES / "kubeflow_component.yaml").read_text())[
        "implementation"]["container"]
    return [container["command"] + [one if isinstance(one, str) else "a-path"
                                    for one in container["args"]]]


def commands_of_airflow():
    tree = ast.parse((EXAMPLES / "airflow_dag.py").read_text())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "KubernetesPodOperator":
            told = {one.arg: one.value for one in node.keywords}
            arguments = [one.value if isinstance(one, ast.Constant) else "a-path"
                         for one in told["arguments"].elts]
            found.append([*ast.literal_eval(told["cmds"]), *arguments])
    return found


@pytest.mark.parametrize("command", [
    *commands_of_the_workflow(), *commands_of_kubeflow(), *commands_of_airflow()],
    ids=" ".join)
def test_commands_of_the_other_examples_are_understood(command):
    program, name, *arguments = command
    assert program == "audit"
    known = typer.main.get_command(app).commands[name]
    known.make_context(name, arguments)  # raises where an option is none


def test_the_workflow_gates_before_it_tells():
    content = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    steps = content["jobs"]["gate"]["steps"]
    names = [step.get("name") for step in steps]
    assert names.index("Audit") < names.index("Gate") < names.index("Code scanning")
    told = [step for step in steps if step.get("name") in {"Code scanning", "Report"}]
    assert all(step["if"] == "always()" for step in told), "a refusal is what is to be looked at"


def test_the_ray_cluster_is_one_that_ray_takes():
    pytest.importorskip("ray", reason="Ray is not installed (the extra `ray`)")
    from ray.autoscaler._private.util import fillout_defaults, validate_config  # noqa: PLC0415

    config = yaml.safe_load((ROOT / "examples/scale/ray-cluster.yaml").read_text())
    validate_config(fillout_defaults(config))
    assert config["head_node_type"] in config["available_node_types"]
    commands = " ".join(config["setup_commands"])
    assert "image-audit[ray," in commands
