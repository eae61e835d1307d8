"""Facts that the embedded stack, Compose and Terraform share: each stands here once.

Compose and Terraform files cannot import Python; parity tests compare them with these values.
"""

from __future__ import annotations

POSTGRES_MAJOR = 18

# Public ports of a stack; a stack started with --auto-ports falls back to free ones.
TRACKING_PORT = 5000
S3_PORT = 9000
SERVING_PORT = 8080
DATABASE_PORT = 5432

REGION = "us-east-1"
ARTIFACT_BUCKET = "mlflow-artifacts"
REGISTRY_BUCKET = "mlflow-registry"

DATABASE_NAME = "mlflow"
APP_ROLE = "mlflow"
ADMIN_ROLE = "mlflowctl_admin"
ADMIN_USERNAME = "admin"  # MLflow's first user, where the server asks for a login
SERVING_USERNAME = "mlflowctl-serving"  # the reader as whom model servers in Compose log in

SERVER_WORKERS = 2
# Requests that one worker handles at once; more threads only queue on the interpreter's lock.
SERVER_THREADS = 8

# Server behaviour that must be the same wherever the tracking server runs.
SERVER_ENVIRONMENT = {
    # 8 consumers and a runner, about 1 GB, for features that a registry does not use.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_WORKSPACES": "false",
    # One thread per worker for linear algebra that the server never does: fewer stacks, less memory.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # A kept connection for every thread, and a second one for the calls that nest two (log_batch).
    # Two stores in each worker: at rest at most 2 x 8 connections a worker, of max_connections 100.
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(SERVER_THREADS),
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(SERVER_THREADS),
}
