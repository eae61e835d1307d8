"""The Compose project of the working directory, as the host sees it.

Its database is on a network that the host cannot reach, so what needs it is done inside a container.
"""

from __future__ import annotations

import configparser
import socket
from collections.abc import Mapping

from mlflowctl import defaults
from mlflowctl.compose import project as projects
from mlflowctl.compose.project import HOST, Project
from mlflowctl.errors import UsageError
from mlflowctl.settings import COMPOSE, Context, Login
from mlflowctl.storage.settings import S3Settings


def running_project(env: Mapping[str, str]) -> Project | None:
    """The project of this folder, if its tracking port answers. Asks no Docker engine: that is slow."""
    project = projects.find(env)
    if project is None or not project.secrets.is_dir():
        return None
    try:
        socket.create_connection((HOST, project.tracking_port), timeout=1).close()
    except OSError:
        return None
    return project


def build(reason: str, env: Mapping[str, str]) -> Context:
    """The context of the Compose project of the working directory.

    Args:
        reason: what made this the context, in words.
        env: the environment.

    Raises:
        UsageError: there is no project here, or it has no secrets yet.
    """
    project = projects.find(env)
    if project is None:
        raise UsageError(
            f"There is no Compose project of ours here: no {projects.FILE} in this folder or above.",
            state="Nothing was changed.",
            next="cd to the folder of the project",
        )
    return Context(
        name=COMPOSE,
        chosen_by=reason,
        tracking_uri=f"http://{HOST}:{project.tracking_port}",
        login=_login(project),
        s3=_s3(project),
        project=project,
        origins=_origins(project, reason),
    )


def _login(project: Project) -> Login | None:
    if project.variables.get("MLFLOWCTL_AUTH", "true").lower() == "false":
        return None
    return Login(defaults.ADMIN_USERNAME, _secret(project, "mlflow-admin.password"))


def _s3(project: Project) -> S3Settings:
    keys = _keys(project)
    values = project.variables
    foreign = values.get("S3_ENDPOINT_URL")
    return S3Settings(
        endpoint_url=foreign or f"http://{HOST}:{project.s3_port}",
        region=values.get("AWS_DEFAULT_REGION") or defaults.REGION,
        access_key_id=keys["aws_access_key_id"],
        secret_access_key=keys["aws_secret_access_key"],
        artifact_bucket=values.get("MLFLOWCTL_ARTIFACT_BUCKET") or defaults.ARTIFACT_BUCKET,
        registry_bucket=values.get("MLFLOWCTL_REGISTRY_BUCKET") or defaults.REGISTRY_BUCKET,
    )


def _keys(project: Project) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(_secret(project, "s3-credentials.ini"))
        section = parser["default"]
        section["aws_access_key_id"], section["aws_secret_access_key"]
    except (configparser.Error, KeyError) as exc:
        raise _unusable(project, "s3-credentials.ini", f"damaged: {exc}") from None
    return section


def _secret(project: Project, name: str) -> str:
    try:
        return (project.secrets / name).read_text().strip()
    except OSError as exc:
        raise _unusable(project, name, exc.strerror or str(exc)) from None


def _unusable(project: Project, name: str, why: str) -> UsageError:
    return UsageError(
        f"The secret {project.secrets / name} cannot be used: {why}.",
        state="Nothing was changed.",
        next="mlflowctl compose init   (makes what is missing; if the project has run before, "
        "restore the file from a backup instead)",
    )


def _origins(project: Project, reason: str) -> dict[str, str]:
    keys, password = project.secrets / "s3-credentials.ini", project.secrets / "mlflow-admin.password"
    settings = ("tracking_uri", "project", "s3_endpoint", "s3_region", "artifact_bucket", "registry_bucket")
    return {
        **dict.fromkeys(settings, str(project.env_file)),
        **dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"), str(keys)),
        **dict.fromkeys(("tracking_username", "tracking_password"), str(password)),
        **dict.fromkeys(("context", "project_folder"), reason),
    }
