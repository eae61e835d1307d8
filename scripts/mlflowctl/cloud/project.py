"""The Terraform configurations of a checkout, and the environments in it: one tfvars file each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflowctl.errors import NotFoundError, UsageError

ENVIRONMENTS = Path("infra") / "aws" / "envs"
# Names that already mean another platform, so no environment may be called like that.
TAKEN = ("local", "compose", "container", "client")
_SCALAR = re.compile(r'^(\w+)\s*=\s*(?:"([^"\\$]*)"|([\w.]+))\s*(?:(?:#|//).*)?$')


@dataclass(frozen=True)
class Environment:
    """One environment in AWS, as its tfvars file describes it.

    Attributes:
        name: of the file, and of the context: "prod".
        root: the checkout that holds ``infra/`` and ``modules/``.
        values: the file's plain top-level values, as text; lists and objects are left to Terraform.
        state: what ``<name>.tfbackend`` beside it says about the place of the state; usually nothing.
    """

    name: str
    root: Path
    values: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    state: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def tfvars(self) -> Path:
        return self.root / ENVIRONMENTS / f"{self.name}.tfvars"

    @property
    def databases(self) -> Path:
        """Which databases there are, once one was restored: written by ``cloud restore``."""
        return self.tfvars.with_suffix(".database.tfvars.json")

    @property
    def configuration(self) -> Path:
        """The root configuration of every environment."""
        return self.root / "infra" / "aws"

    @property
    def state_configuration(self) -> Path:
        """The configuration of the bucket that holds states."""
        return self.root / "infra" / "state"

    @property
    def data(self) -> Path:
        """What Terraform keeps between two commands, apart for each environment."""
        return self.configuration / ".terraform" / "environments" / self.name

    @property
    def title(self) -> str:
        """In front of every name in AWS: "mlflow-prod"."""
        return f"{self.values.get('name', 'mlflow')}-{self.name}"

    @property
    def region(self) -> str:
        """The region. Raises UsageError if the file names none."""
        if not self.values.get("region"):
            raise UsageError(
                f"{self.tfvars} names no region.",
                state="Nothing was changed.",
                next=f'Write into {self.tfvars}: region = "eu-central-1"',
            )
        return self.values["region"]

    def describe(self) -> str:
        """The target as mutating commands print it before they start."""
        return f"environment {self.name} ({self.title} in {self.region})"


def find(name: str | None, start: Path | None = None) -> Environment:
    """The environment of that name in the checkout around ``start`` (default: the working directory).

    Raises:
        UsageError: none was named, or there is no checkout here.
        NotFoundError: the checkout has no such environment.
    """
    root = checkout(start or Path.cwd())
    known = names(root)
    if not name:
        raise UsageError(
            "No environment is named; in AWS mlflowctl never guesses one.",
            state="Nothing was changed.",
            next=f"Add --context NAME; known here: {', '.join(known) or 'none'}",
        )
    if name in TAKEN or name not in known:
        raise NotFoundError(
            f"There is no environment {name!r} in AWS.",
            state="Nothing was changed.",
            next=f"Known here: {', '.join(known) or 'none'}; another is made by a file {root / ENVIRONMENTS}"
            f"/{'NAME' if name in TAKEN else name}.tfvars",
        )
    file = root / ENVIRONMENTS / f"{name}.tfvars"
    return Environment(name, root, scalars(file), scalars(file.with_suffix(".tfbackend")))


def checkout(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds the configurations; else the installed checkout.

    Raises:
        UsageError: there is none. The configurations are no part of the Python package.
    """
    ours = Path(__file__).resolve().parents[3]
    for folder in (start.resolve(), *start.resolve().parents, ours):
        if (folder / ENVIRONMENTS).is_dir():
            return folder
    raise UsageError(
        f"There are no Terraform configurations here: no {ENVIRONMENTS} in this folder or above.",
        state="Nothing was changed.",
        next="cd to a checkout of mlflowctl, then repeat the command",
    )


def names(root: Path) -> list[str]:
    """The environments of a checkout."""
    return sorted(file.stem for file in (root / ENVIRONMENTS).glob("*.tfvars"))


def scalars(file: Path) -> dict[str, str]:
    """The top-level strings, numbers and booleans of a tfvars file; {} if there is no such file.

    Not a parser of HCL: what is nested or computed is Terraform's. A line inside a nested value is
    indented, as ``terraform fmt`` writes it.
    """
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    found = (_SCALAR.match(line) for line in lines)
    values = {match[1]: match[2] if match[2] is not None else match[3] for match in found if match}
    return {name: value for name, value in values.items() if value != "null"}


def refuse_exported_variables(environ: Mapping[str, str] | None = None) -> None:
    """An exported TF_VAR_… would change an environment behind its file's back.

    Raises:
        UsageError: one is exported.
    """
    exported = sorted(name for name in (environ or os.environ) if name.startswith("TF_VAR_"))
    if exported:
        raise UsageError(
            f"{', '.join(exported)} would change what the environment's file says.",
            state="Nothing was changed.",
            next=f"unset {' '.join(exported)}   (and write the value into the tfvars file)",
        )
