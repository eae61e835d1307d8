"""``cloud backend`` and ``cloud init``: a place for the state, and Terraform connected to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.cli.cloud.common import EnvironmentOption, environment_of
from mlflowctl.cli.command import DryRunOption, ExitCodeOption, JsonOption, UnaskedYesOption, command
from mlflowctl.cli.options import print_steps
from mlflowctl.console import Console

if TYPE_CHECKING:
    from mlflowctl.cloud.backend import StatePlace
    from mlflowctl.cloud.project import Environment


@command("cloud.backend")
def backend(
    console: Console,
    context: EnvironmentOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Make the bucket for the states of this account and region."""
    from mlflowctl.cloud import backend as work
    from mlflowctl.cloud.project import refuse_exported_variables

    environment = environment_of(console, context)
    refuse_exported_variables()
    where = work.place(environment)
    console.progress(f"State: s3://{where.bucket}/{where.key} in {where.region}")
    if not where.ours:
        console.result(f"The bucket {where.bucket} is named by {environment.name}.tfbackend; nothing to do.")
        return _place(environment, where) | {"changed": 0}
    with work.StateBucket(environment, where) as bucket:
        steps = bucket.plan()
        if dry_run:
            return print_steps(console, list(steps), exit_code=exit_code)
        if steps:
            bucket.apply(steps, console.progress)
    console.result(
        f"The bucket {where.bucket} is ready ({len(steps)} changes)."
        if steps
        else f"The bucket {where.bucket} is as it should be; nothing to do."
    )
    console.result(f"  next  mlflowctl cloud init --context {environment.name}")
    return _place(environment, where) | {"changed": len(steps)}


@command("cloud.init")
def init(console: Console, context: EnvironmentOption = None, as_json: JsonOption = False) -> Any:
    """Connect this checkout to the environment's state. Installs the AWS provider."""
    from mlflowctl.cloud.workbench import Workbench

    environment = environment_of(console, context)
    where = Workbench(environment, console.progress).init()
    console.result(f"Connected to s3://{where.bucket}/{where.key} in {where.region}.")
    console.result(f"  next  mlflowctl cloud plan --context {environment.name}")
    return _place(environment, where)


def _place(environment: Environment, where: StatePlace) -> dict[str, Any]:
    return {
        "environment": environment.name,
        "bucket": where.bucket,
        "region": where.region,
        "key": where.key,
    }
