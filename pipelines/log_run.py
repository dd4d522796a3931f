"""Log a run and its verdict to MLflow, beside the trainings that follow from it.

    from pipelines.log_run import log_to_mlflow
    log_to_mlflow("reports/photos/latest", assert_dataset("reports/photos/latest"))

needs the extra `mlflow`. It logs into the run that is active, else into one of its own.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError
from audit.gate.record import read_record
from audit.gate.summaries import dumped, markdown

if TYPE_CHECKING:
    from audit.gate.verdict import Verdict

_FILES = ("report.html", "summary.json", "run.json", "findings.csv")


def log_to_mlflow(run: Path | str, verdict: Verdict | None = None) -> str:
    """Log the settings, figures, report and verdict of a run.

    Args:
        run: folder that `audit run` has written.
        verdict: from `assert_dataset` or `gate_run`; not logged if not given.

    Returns:
        Id of the MLflow run.

    Raises:
        UsageError: MLflow is not installed, or the folder does not exist.
        UnreadableRunError: the run is not finished or damaged.
    """
    try:
        import mlflow  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("MLflow is not installed: pip install 'image-audit[mlflow]'.") from error
    run = Path(run)
    record = read_record(run)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    begun = mlflow.active_run()
    with nullcontext(begun) if begun else mlflow.start_run(
            run_name=f"audit {record.digest[:12]}") as active:
        mlflow.log_params({f"audit.{name}": record.settings[name] for name in (
            "backbone", "effort", "folds", "seed") if name in record.settings})
        mlflow.set_tags({"audit.dataset": record.digest, "audit.version": record.version})
        mlflow.log_metrics(dict(_figures(summary)))
        for name in _FILES:
            if (run / name).is_file():
                mlflow.log_artifact(str(run / name), "audit")
        if verdict is not None:
            mlflow.set_tags({"audit.verdict": verdict.status,
                             "audit.policy": verdict.policy.digest})
            mlflow.log_text(dumped(verdict).decode(), "audit/verdict.json")
            mlflow.log_text(markdown(verdict).decode(), "audit/verdict.md")
        return str(active.info.run_id)


def _figures(summary: dict[str, Any]) -> list[tuple[str, float]]:
    """Flags of each check, images, and how well the cross-validated model does."""
    found = [("audit.images", float(summary["dataset"]["images"]))]
    accuracy = summary["model"]["out_of_fold_accuracy"]
    if accuracy is not None:
        found.append(("audit.out_of_fold_accuracy", float(accuracy)))
    return found + [(f"audit.flagged.{one['code']}", float(one["flagged"]))
                    for one in summary["checks"] if one["flagged"] is not None]
