"""Where an environment's state lives, and the bucket for it, which a configuration of its own makes.

That configuration (``infra/state``) keeps no state: what exists is looked for and imported each time, so
it runs from any machine, and whatever was killed half way is finished by the next run.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflowctl.cloud import aws, complaints, environments, planned
from mlflowctl.cloud.progress import Progress
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.terraform import Terraform
from mlflowctl.errors import UsageError

Say = Callable[[str], None]
# The parts of the bucket as infra/state names them, and the call that tells whether each exists.
PARTS = {
    "versioning": "get_bucket_versioning",
    "encryption": "get_bucket_encryption",
    "public_access": "get_public_access_block",
    "ownership": "get_bucket_ownership_controls",
    "policy": "get_bucket_policy",
    "lifecycle": "get_bucket_lifecycle_configuration",
}


@dataclass(frozen=True)
class StatePlace:
    """Where the state of one environment is.

    Attributes:
        bucket: the bucket.
        region: of the bucket.
        key: the object.
        ours: True if ``infra/state`` makes the bucket; False if the environment's .tfbackend names one.
        more: further settings of that file (a KMS key, a role).
    """

    bucket: str
    region: str
    key: str
    ours: bool
    more: tuple[tuple[str, str], ...] = ()

    def backend_config(self) -> dict[str, str]:
        """What ``terraform init -backend-config`` needs; the rest stands in the configuration."""
        return {"bucket": self.bucket, "region": self.region, "key": self.key, **dict(self.more)}


def place(environment: Environment) -> StatePlace:
    """Where the state of an environment belongs; asks AWS for the account only."""
    named = dict(environment.state)
    key = named.pop("key", f"environments/{environment.name}/terraform.tfstate")
    region = named.pop("region", environment.region)
    if bucket := named.pop("bucket", ""):
        return StatePlace(bucket, region, key, ours=False, more=tuple(named.items()))
    account = right_account(environment)
    return StatePlace(f"mlflowctl-state-{account}-{region}", region, key, True, tuple(named.items()))


def right_account(environment: Environment) -> str:
    """The account of the credentials.

    Raises:
        UsageError: the environment belongs to another one, or a local stack exported the keys.
        AccessError: there are no credentials.
    """
    environments.refuse_foreign_keys(environment.name, os.environ)
    account = aws.account(environment.region)
    wanted = environment.values.get("account_id")
    if wanted and wanted != account:
        raise UsageError(
            f"These credentials belong to the account {account}; {environment.name} belongs to {wanted}.",
            state="Nothing was changed.",
            next=f"Log in to the account {wanted}, then repeat the command.",
        )
    return account


def exists(where: StatePlace) -> bool:
    """Whether the bucket of the state exists and these credentials may use it."""
    return bool(_part(aws.client("s3", where.region), where, "head_bucket"))


def existing_parts(where: StatePlace) -> list[str]:
    """The parts of the bucket that exist already, as ``infra/state`` names them; [] without the bucket."""
    s3 = aws.client("s3", where.region)
    if not _part(s3, where, "head_bucket"):
        return []
    found = {part: _part(s3, where, call) for part, call in PARTS.items()}
    # A bucket that never had versions answers, but with nothing.
    present = [
        part for part, answer in found.items() if answer and (part != "versioning" or "Status" in answer)
    ]
    return ["bucket", *present]


def _part(s3: Any, where: StatePlace, call: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    with aws.errors(f"look at the bucket {where.bucket}", where.region, f"s3 {call}"):
        try:
            answer: dict[str, Any] = getattr(s3, call)(Bucket=where.bucket)
        except ClientError as exc:
            if aws.missing(exc):
                return None
            raise
    return answer


class StateBucket:
    """One run of ``infra/state``: plan, then carry out that plan. Use as a context manager.

    Args:
        environment: whose region and account.
        where: the bucket.
    """

    def __init__(self, environment: Environment, where: StatePlace) -> None:
        self.environment = environment
        self.where = where
        self._folder = tempfile.TemporaryDirectory(prefix="mlflowctl-state-")
        folder = Path(self._folder.name)
        variables = folder / "state.tfvars.json"
        variables.write_text(json.dumps({"region": where.region, "adopt": existing_parts(where)}))
        self._plan = folder / "state.tfplan"
        self._terraform = Terraform(
            environment.state_configuration,
            environment.data.parent / "state",
            var_files=[variables],
            state=folder / "state.tfstate",
        )

    def __enter__(self) -> StateBucket:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def plan(self) -> list[planned.Change]:
        """What is to be done to the bucket; imports of what is as it should be are left out."""
        for answer in (self._terraform.init(), self._terraform.plan(self._plan, lambda _: None)):
            if answer.code == 1:
                raise complaints.failure(answer, self.environment)
        shown = self._terraform.show(self._plan)
        return [one for one in planned.changes(json.loads(shown.out)) if one.detail != "import"]

    def apply(self, steps: list[planned.Change], say: Say) -> None:
        """Carry out the plan. Whatever is interrupted is finished by the next run."""
        answer = self._terraform.apply(self._plan, Progress(say, len(steps)))
        if answer.code:
            raise complaints.failure(
                answer, self.environment, "The bucket is not finished; the same command goes on from here."
            )
