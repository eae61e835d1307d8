"""The context: which platform a command is aimed at, chosen first; every connection setting follows.

Order (design rule 5): a context named by ``--context`` or ``MLFLOWCTL_CONTEXT``; a stack named by
``--data-dir``; exported client variables; the one stack running here. Nothing is ever mixed from two
of these.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.compose.project import Project
from mlflowctl.database.connect import Database
from mlflowctl.errors import AccessError, UsageError
from mlflowctl.stack.layout import Layout, quoted
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mlflowctl.cloud.published import Published

LOCAL = "local"
COMPOSE = "compose"
CONTAINER = "container"
CLIENT = "client"
KNOWN = {
    LOCAL: "an embedded stack: mlflowctl up",
    COMPOSE: "the Compose project of this folder: docker compose up",
    CLIENT: "what MLFLOW_TRACKING_URI and its companions describe",
    CONTAINER: "only inside the project's own image",
}

# Client variables, and the setting that each of them would decide.
CLIENT_VARIABLES = {
    "MLFLOW_TRACKING_URI": "tracking_uri",
    "MLFLOW_TRACKING_USERNAME": "tracking_username",
    "MLFLOW_TRACKING_PASSWORD": "tracking_password",
    "MLFLOW_S3_ENDPOINT_URL": "s3_endpoint",
    "AWS_ACCESS_KEY_ID": "s3_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_access_key",
    "AWS_DEFAULT_REGION": "s3_region",
    "MLFLOWCTL_ARTIFACT_BUCKET": "artifact_bucket",
    "MLFLOWCTL_REGISTRY_BUCKET": "registry_bucket",
}
SECRET_SETTINGS = {"s3_secret_access_key", "tracking_password"}


@dataclass(frozen=True)
class Login:
    """A user of the MLflow server and the password, which no text of the object shows."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Context:
    """One platform, and everything that a command needs to reach it.

    Attributes:
        name: one of :data:`KNOWN`.
        chosen_by: what made this the context, in words.
        tracking_uri: the address of the MLflow server, as clients use it.
        login: who the MLflow server is told we are; None where it asks nobody.
        serving_login: the reader as whom model servers log in, where bootstrap keeps one.
        s3: the object store; None if the context does not say.
        database: the registry's database; None where only the server may reach it.
        layout: the folder of the embedded stack, if it is one.
        project: the Compose project, if it is one.
        environment: what the environment in AWS published, if it is one.
        origins: where each setting came from.
    """

    name: str
    chosen_by: str
    tracking_uri: str
    login: Login | None = None
    serving_login: Login | None = None
    s3: S3Settings | None = None
    database: Database | None = None
    layout: Layout | None = None
    project: Project | None = None
    environment: Published | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    def describe(self) -> str:
        """The target as mutating commands print it before they start."""
        folder = self.layout.root if self.layout else self.project.folder if self.project else None
        where = f" in {folder}" if folder else ""
        return f"context {self.name}{where} at {self.tracking_uri}"

    def settings(self) -> list[dict[str, str]]:
        """Every setting with its value and where it came from; secrets are redacted."""
        return [
            {
                "name": name,
                "value": "(set, not shown)" if name in SECRET_SETTINGS and value else value,
                "source": self.origins.get(name, "default"),
            }
            for name, value in self._values().items()
        ]

    def _values(self) -> dict[str, str]:
        values = {"context": self.name, "tracking_uri": self.tracking_uri}
        if self.layout:
            values["data_dir"] = str(self.layout.root)
        if self.project:
            values["project"] = self.project.name
            values["project_folder"] = str(self.project.folder)
        if self.login:
            values |= {"tracking_username": self.login.username, "tracking_password": self.login.password}
        if self.s3:
            values |= {
                "s3_endpoint": self.s3.endpoint_url or "AWS",
                "s3_region": self.s3.region,
                "s3_access_key_id": self.s3.access_key_id or "",
                "s3_secret_access_key": self.s3.secret_access_key or "",
                "artifact_bucket": self.s3.artifact_bucket,
                "registry_bucket": self.s3.registry_bucket,
            }
        if self.database:
            values |= {
                "database": f"{self.database.host}:{self.database.port}/{self.database.name}",
                "database_login": self.database.app_role,
                "database_admin": self.database.admin_role,
                "database_passfile": str(self.database.app_passfile),
                "database_admin_passfile": str(self.database.admin_passfile),
            }
        return values


def resolve(
    *, context: str | None = None, data_dir: Path | None = None, environ: Mapping[str, str] | None = None
) -> Context:
    """Choose the context. See the module's text for the order.

    Args:
        context: value of ``--context``.
        data_dir: value of ``--data-dir``.
        environ: the environment; default: the process's own.

    Raises:
        UsageError: no candidate, two candidates, an unknown name, or a variable that contradicts.
    """
    env = os.environ if environ is None else environ
    name = context or env.get("MLFLOWCTL_CONTEXT") or None
    named_by = "--context" if context else "MLFLOWCTL_CONTEXT"
    if name is not None:
        return _named(name, f"{named_by} {name}", data_dir, env)
    if data_dir is not None:
        from mlflowctl.contexts import local

        return _refuse_contradictions(local.build(Layout.at(data_dir), f"--data-dir {data_dir}"), env)
    if env.get("MLFLOW_TRACKING_URI"):
        from mlflowctl.contexts import variables

        return variables.build(env, "MLFLOW_TRACKING_URI")
    return _the_running_one(env)


def _named(name: str, reason: str, data_dir: Path | None, env: Mapping[str, str]) -> Context:
    from mlflowctl.contexts import compose, container, local, variables

    if data_dir is not None and name in KNOWN and name != LOCAL:
        raise UsageError(
            f"{reason} and --data-dir name two different targets: a folder belongs to an embedded stack.",
            state="Nothing was changed.",
            next="Leave one of them out.",
        )
    if name == LOCAL:
        layout = Layout.at(data_dir) if data_dir else _the_embedded_stack()
        return _refuse_contradictions(local.build(layout, reason), env)
    if name == COMPOSE:
        return _refuse_contradictions(compose.build(reason, env), env)
    if name == CONTAINER:
        return container.build(reason, env)
    if name == CLIENT:
        return variables.build(env, reason)
    return _environment(name, reason, env)


def _environment(name: str, reason: str, env: Mapping[str, str]) -> Context:
    """An environment in AWS, as ``cloud apply`` published it."""
    from mlflowctl.cloud import aws, environments

    why = ""
    try:
        found = environments.context(name, env, reason)
    except (AccessError, aws.NoRegion) as exc:
        found, why = None, f" AWS could not be asked for an environment of that name: {exc.what}"
    if found is not None:
        return found
    known = "; ".join(f"{one} ({what})" for one, what in KNOWN.items())
    raise UsageError(
        f"There is no context {name!r} (named by {reason.split()[0]}).{why}",
        state="Nothing was changed.",
        next=f"Known here: {known}; and each environment in AWS that mlflowctl cloud apply made.",
    )


def _the_running_one(env: Mapping[str, str]) -> Context:
    """The one platform that is running here: an embedded stack, or the Compose project of this folder."""
    from mlflowctl.contexts import compose, local

    stacks = local.running_stacks()
    project = compose.running_project(env)
    if stacks and project:
        raise _several(stacks, compose=str(project))
    if project:
        return _refuse_contradictions(compose.build("the Compose project that is running here", env), env)
    return _refuse_contradictions(
        local.build(_the_embedded_stack(), "the one stack that is running here"), env
    )


def _the_embedded_stack() -> Layout:
    from mlflowctl.contexts import local

    candidates = local.running_stacks()
    if not candidates:
        raise UsageError(
            "There is no target: no stack is running here, and MLFLOW_TRACKING_URI is not set.",
            state="Nothing was changed.",
            next="mlflowctl up   (or --data-dir DIR, or export MLFLOW_TRACKING_URI)",
        )
    if len(candidates) > 1:
        raise _several(candidates)
    return candidates[0]


def _several(stacks: list[Layout], *, compose: str | None = None) -> UsageError:
    ways = [f"--data-dir {quoted(one.root)}" for one in stacks]
    ways += [f"--context {COMPOSE}   ({compose})"] if compose else []
    return UsageError(
        f"{len(ways)} stacks are running here and none was named.",
        state="Nothing was changed.",
        next="Name one of them:" + "".join(f"\n    {way}" for way in ways),
    )


def _refuse_contradictions(chosen: Context, env: Mapping[str, str]) -> Context:
    values = chosen._values()
    for variable, setting in CLIENT_VARIABLES.items():
        exported = env.get(variable, "").rstrip("/")
        if exported and exported != values.get(setting, exported):
            shown = "" if setting in SECRET_SETTINGS else f" ({exported} instead of {values[setting]})"
            raise UsageError(
                f"{variable} is exported and contradicts the context that {chosen.chosen_by} names{shown}.",
                state="Nothing was changed.",
                next=f"unset {variable}   (or leave out {chosen.chosen_by.split()[0]} to use the variables)",
            )
    return chosen
