"""The gate between an audit and a training, as containers of Airflow."""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

IMAGE = "registry.example.org/image-audit:latest"  # python:3.12-slim with image-audit installed
RUN = "/data/audit-run"

with DAG("train_on_good_data", schedule=None):
    audit = KubernetesPodOperator(
        task_id="audit", image=IMAGE, cmds=["audit"],
        arguments=["run", "/data/photos", "--out", RUN])
    gate = KubernetesPodOperator(  # 1: the policy is violated, 3: nothing can be certified
        task_id="gate", image=IMAGE, cmds=["audit"], retries=0,
        arguments=["gate", RUN, "--policy", "/data/audit.toml", "--data", "/data/photos",
                   "--bless"])
    train = KubernetesPodOperator(
        task_id="train", image=IMAGE, cmds=["audit"],
        arguments=["train", RUN, "--require-blessing"])
    audit >> gate >> train
