"""Who acts: a name, and what vouches for it."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlflowctl.settings import Context


@dataclass(frozen=True)
class Actor:
    """Who did something.

    Attributes:
        name: the MLflow user, the ARN of the AWS caller, or the account on this machine.
        kind: which of these it is. Only the first two were checked by somebody else than this machine.
        host: the machine's name.
    """

    name: str
    kind: Literal["mlflow", "aws", "os"]
    host: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "kind": self.kind, "host": self.host}

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {self.host})"


def whoami(context: Context) -> Actor:
    """The strongest identity that the context offers."""
    host = socket.gethostname()
    if context.login:
        return Actor(context.login.username, "mlflow", host)
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        return Actor(user, "mlflow", host)
    if context.s3 is not None and context.s3.endpoint_url is None and (arn := _aws_caller(context)):
        return Actor(arn, "aws", host)
    return Actor(_account(), "os", host)


def _account() -> str:
    try:
        # Behind sudo the person counts, not the account.
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's uid without a name
        return f"uid {os.getuid()}"


def _aws_caller(context: Context) -> str:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    assert context.s3 is not None
    try:
        caller = boto3.session.Session().client("sts", region_name=context.s3.region).get_caller_identity()
    except (BotoCoreError, ClientError):
        return ""
    return str(caller["Arn"])
