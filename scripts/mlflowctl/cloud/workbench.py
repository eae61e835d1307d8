"""Planning and applying one environment: a plan is made and shown, and exactly that is carried out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflowctl.cloud import backend, complaints, planned
from mlflowctl.cloud.planned import Change
from mlflowctl.cloud.progress import Progress
from mlflowctl.cloud.project import Environment, refuse_exported_variables
from mlflowctl.cloud.terraform import Answer, Terraform
from mlflowctl.errors import NotFoundError, UsageError
from mlflowctl.plan import Action

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A plan of Terraform in a file, and what it means.

    Attributes:
        environment: what it is for.
        file: what Terraform will carry out.
        steps: what it does.
        image: the server's image before and after, if that changes.
        resources: the ``resource_changes`` of Terraform's own description; may hold sensitive values.
    """

    environment: Environment
    file: Path
    steps: list[Change]
    image: tuple[str, str] | None = None
    resources: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def losses(self) -> list[Change]:
        """The steps after which data is gone."""
        return planned.losses(self.steps)


class Workbench:
    """Terraform in the configuration of an environment.

    Args:
        environment: the environment.
        say: prints a line of progress.

    Raises:
        UsageError: a TF_VAR_… is exported, Terraform is missing, or the credentials are another account's.
        AccessError: there are no credentials.
    """

    def __init__(self, environment: Environment, say: Say) -> None:
        refuse_exported_variables()
        backend.right_account(environment)
        self.environment = environment
        self.say = say
        files = (environment.tfvars, environment.databases)
        self.terraform = Terraform(
            environment.configuration,
            environment.data,
            var_files=[one for one in files if one.exists()],
        )

    def init(self) -> backend.StatePlace:
        """Connect the environment's state and install the provider.

        Raises:
            UsageError: the state's bucket does not exist.
        """
        where = backend.place(self.environment)
        if not backend.exists(where):
            raise UsageError(
                f"The bucket {where.bucket} for the state of {self.environment.describe()} does not exist.",
                state="Nothing was changed.",
                next=f"mlflowctl cloud backend --context {self.environment.name}",
            )
        self._checked(self.terraform.init(where.backend_config()))
        return where

    def plan(self, *, destroy: bool = False, out: Path | None = None, extra: Path | None = None) -> Plan:
        """Make a plan.

        Args:
            destroy: plan to destroy everything.
            out: where the plan is kept; default: beside Terraform's own files.
            extra: a file of variables that win over those of the environment.
        """
        if extra:
            self.terraform.var_files.append(extra)
        file = out.resolve() if out else self.environment.data / "last.tfplan"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        answer = self.terraform.plan(file, Progress(self.say), destroy=destroy)
        if answer.code == 1:
            file.unlink(missing_ok=True)
            raise complaints.failure(answer, self.environment)
        return self.read(file)

    def read(self, file: Path) -> Plan:
        """A saved plan.

        Raises:
            NotFoundError: there is no such file, or it is no plan.
            UsageError: the plan belongs to another environment.
        """
        answer = self.terraform.show(file.resolve())
        if not file.is_file() or answer.code:
            raise NotFoundError(
                f"{file} is no plan of Terraform.",
                state="Nothing was changed.",
                next=f"mlflowctl cloud plan --context {self.environment.name} --out {file}",
            )
        document = json.loads(answer.out)
        meant = document.get("variables", {}).get("environment", {}).get("value")
        if meant != self.environment.name:
            raise UsageError(
                f"{file} is a plan for environment {meant}, not for {self.environment.name}.",
                state="Nothing was changed.",
                next=f"mlflowctl cloud plan --context {self.environment.name}",
            )
        return _plan(self.environment, file, document)

    def apply(self, plan: Plan) -> None:
        """Carry out a plan.

        Raises:
            ConflictError: something was applied since it was made, or somebody else holds the lock.
            MlflowctlError: a change failed; those before it stay done and are recorded.
        """
        # A replacement is told in two parts: one is destroyed, one is created.
        parts = sum(2 if step.replaced else 1 for step in plan.steps if step.kind)
        progress = Progress(self.say, parts)
        answer = self.terraform.apply(plan.file.resolve(), progress)
        if answer.code:
            raise complaints.failure(answer, self.environment, _left(self.environment, progress))
        plan.file.unlink(missing_ok=True)  # Terraform would refuse it a second time

    def outputs(self) -> dict[str, dict[str, Any]]:
        """Every output of the last apply: ``{"value": …, "sensitive": …}``. Never print sensitive ones."""
        answer = self._checked(self.terraform.outputs())
        found: dict[str, dict[str, Any]] = json.loads(answer.out)
        return found

    def _checked(self, answer: Answer) -> Answer:
        if answer.code:
            raise complaints.failure(answer, self.environment)
        return answer


def _plan(environment: Environment, file: Path, document: dict[str, Any]) -> Plan:
    steps = planned.changes(document)
    outputs = {
        name: change
        for name, change in document.get("output_changes", {}).items()
        if change["actions"] != ["no-op"]
    }
    if outputs and not steps:
        steps = [Change(Action.CHANGE, "outputs", ", ".join(sorted(outputs)))]
    image = outputs.get("image", {})
    old, new = image.get("before"), image.get("after")
    changed = (old, new) if old and new else None
    return Plan(environment, file, steps, changed, document.get("resource_changes", []))


def _left(environment: Environment, progress: Progress) -> str:
    if not progress.done:
        return "Nothing was changed."
    return (
        f"{progress.done} of {progress.total} changes are done and recorded in the state; "
        f"mlflowctl cloud apply --context {environment.name} goes on from here."
    )
