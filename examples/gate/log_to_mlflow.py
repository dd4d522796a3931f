"""Log an audit and its verdict to MLflow, in the run of the training that follows.

python log_to_mlflow.py RUN      # needs image-audit[mlflow]; MLFLOW_TRACKING_URI says where to
"""

import sys
from pathlib import Path

import mlflow

from audit.gating import gate_run
from pipelines.log_run import log_to_mlflow

verdict = gate_run(Path(sys.argv[1]))
with mlflow.start_run(run_name="training"):
    log_to_mlflow(sys.argv[1], verdict)
    mlflow.log_param("what", "your training goes on here")
print(verdict.status)
sys.exit(verdict.exit_code)
