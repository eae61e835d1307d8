"""The secrets of a Compose project: which there are, and what stands in a new one.

The services read them as files below /run/secrets; docker-compose.yml says which service gets which.
"""

from __future__ import annotations

import base64
import configparser
import json
import re
import secrets as random_secrets
from pathlib import Path

from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic
from mlflowctl.stack import object_store
from mlflowctl.stack.secrets import S3Keys, credentials_text, keys_from, new_s3_keys
from mlflowctl.storage import security_files

MOUNTED = "/run/secrets"
STORE = "object-store."  # before the names of the store's own files
SECURITY = f"{STORE}security.toml"
CERTIFICATES = tuple(f"{STORE}{name}" for name in ("ca.crt", "node.crt", "node.key"))
CREDENTIALS, IDENTITIES, MINIO = "s3-credentials.ini", "s3-identities.json", "minio.env"
SERVER_CREDENTIALS = "s3-server.ini"  # the MLflow server's: for the artifact bucket alone
SERVING_CREDENTIALS = "s3-serving.ini"  # model servers': what a gateway reads, and its records
PASSWORDS = (
    "postgres-admin.password",
    "postgres-mlflow.password",
    "mlflow-admin.password",
    "mlflow-serving.password",
    "mlflow-session.key",
)
NAMES = (
    *PASSWORDS,
    CREDENTIALS,
    SERVER_CREDENTIALS,
    SERVING_CREDENTIALS,
    IDENTITIES,
    MINIO,
    *CERTIFICATES,
    SECURITY,
)
# Bootstrap sets the others again; without these, a database or objects that exist are closed for good.
IRREPLACEABLE = ("postgres-admin.password", SECURITY, MINIO)


def missing(folder: Path) -> list[str]:
    """The secrets to be written. Some fit together, so one that is missing means all of them."""
    gone = {name for name in NAMES if not (folder / name).exists()}
    if gone & set(CERTIFICATES):
        gone |= set(CERTIFICATES)
    if gone & {SERVER_CREDENTIALS, SERVING_CREDENTIALS}:
        gone.add(IDENTITIES)
    return [name for name in NAMES if name in gone]


def write(name: str, folder: Path) -> None:
    """Write one secret that is missing, and what belongs to it.

    Containers run under accounts of their own: the folder keeps everybody else out, so that the files may
    be readable for all.

    Args:
        name: one of :data:`NAMES`.
        folder: the project's secrets.

    Raises:
        UsageError: the file that it is derived from is damaged.
    """
    if (folder / name).exists() and name not in (*CERTIFICATES, IDENTITIES):
        return  # another init was faster
    for one, text in _contents(name, folder).items():
        write_atomic(folder / one, text, mode=0o444)


def _contents(name: str, folder: Path) -> dict[str, str]:
    if name in PASSWORDS:
        return {name: random_secrets.token_urlsafe(32) + "\n"}
    if name in CERTIFICATES:
        made = security_files()
        return {one: made[one.removeprefix(STORE)].decode() for one in CERTIFICATES}
    if name == SECURITY:
        made = security_files(f"{MOUNTED}/{STORE}", encryption_key=True)
        return {name: made["security.toml"].decode()}
    if name in (SERVER_CREDENTIALS, SERVING_CREDENTIALS):
        return {name: credentials_text(new_s3_keys())}
    keys = _keys(folder)
    if name == IDENTITIES:
        others = (SERVER_CREDENTIALS, SERVING_CREDENTIALS)
        return {
            name: object_store.identities(keys, *(keys_from((folder / one).read_text()) for one in others))
        }
    return {name: credentials_text(keys) if name == CREDENTIALS else _minio(keys)}


def _keys(folder: Path) -> S3Keys:
    """The keys of the object store, from whichever file still holds them; else new ones."""
    for name, read in ((CREDENTIALS, keys_from), (IDENTITIES, _from_identities), (MINIO, _from_minio)):
        try:
            return read((folder / name).read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, LookupError, configparser.Error) as exc:
            raise UsageError(
                f"The secret {folder / name} is damaged: {exc}.",
                state="What was made so far stays.",
                next="Restore it from a backup, or delete it; then mlflowctl compose init",
            ) from None
    return new_s3_keys()


def _from_identities(text: str) -> S3Keys:
    found = json.loads(text)["identities"][0]["credentials"][0]
    return S3Keys(found["accessKey"], found["secretKey"])


def _from_minio(text: str) -> S3Keys:
    found = dict(re.findall(r'^export MINIO_ROOT_(USER|PASSWORD)="(.*)"$', text, re.MULTILINE))
    return S3Keys(found["USER"], found["PASSWORD"])


def _minio(keys: S3Keys) -> str:
    """The file MINIO_CONFIG_ENV_FILE. MinIO encrypts only with the key of a KMS; this is its built-in one."""
    kms = base64.b64encode(random_secrets.token_bytes(32)).decode()
    return (
        f'export MINIO_ROOT_USER="{keys.access_key_id}"\n'
        f'export MINIO_ROOT_PASSWORD="{keys.secret_access_key}"\n'
        f'export MINIO_KMS_SECRET_KEY="mlflowctl:{kms}"\n'
    )
