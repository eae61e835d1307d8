"""Checks of a Compose project on this machine, most of which make sense before anything is started."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from mlflowctl.compose import engine, inside
from mlflowctl.compose.engine import Compose
from mlflowctl.compose.project import Project
from mlflowctl.doctor.check import Check, Finding, Result, Skip
from mlflowctl.settings import Context

START = "docker compose up --detach --wait"
# Images and layers of a first build, before any data.
FREE_BYTES = 6_000_000_000


def _project(context: Context) -> Project:
    if context.project is None:
        raise Skip("no Compose project")
    return context.project


def docker_engine(context: Context) -> str:
    """The engine answers, to this user."""
    _project(context)
    return f"Docker Engine {engine.engine_version()}"


def compose_version(context: Context) -> str:
    """The Compose plugin knows what the project's file uses."""
    _project(context)
    found = engine.compose_version()
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    oldest = ".".join(map(str, engine.OLDEST))
    if numbers < engine.OLDEST:
        raise Finding(
            f"Docker Compose {found} is too old: {oldest} is needed", "Update docker-compose-plugin"
        )
    return f"Docker Compose {found} (at least {oldest})"


def project_files(context: Context) -> str:
    """Variables are set and every secret that the file mounts exists."""
    project = _project(context)
    wanted = json.loads(Compose(project).ask("config", "--format", "json")).get("secrets", {})
    missing = [str(one["file"]) for one in wanted.values() if not Path(one.get("file", "")).is_file()]
    if missing:
        raise Finding(f"secrets are missing: {', '.join(sorted(missing))}", "mlflowctl compose init")
    return f"{len(wanted)} secrets in {project.secrets}"


def ports(context: Context) -> str:
    """The published ports belong to the project, or are still free for it."""
    from mlflowctl.stack import ports as machine_ports

    project = _project(context)
    running = {name for name, one in Compose(project).containers().items() if one.state == "running"}
    published = {"mlflow": ("MLFLOW_PORT", project.tracking_port)}
    if not project.variables.get("S3_ENDPOINT_URL"):
        published["object-store"] = ("S3_PORT", project.s3_port)
    if project.served:
        published["serving"] = ("SERVING_PORT", project.serving_port)
    for service, (variable, port) in published.items():
        if service not in running and not machine_ports.is_free(port):
            raise Finding(
                f"port {port} of {service} is taken by {machine_ports.holder(port)}",
                f"Write another {variable} into {project.env_file}, then {START}",
            )
    return ", ".join(f"{service} {port}" for service, (_, port) in published.items())


def disk(context: Context) -> str:
    """Room where the engine keeps images and volumes."""
    _project(context)
    folder = Path(engine.data_folder())
    if not folder.exists():  # a virtual machine's (Docker Desktop)
        raise Skip(f"the engine keeps its data in {folder}, not on this machine")
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise Finding(
            f"{free / 1e9:.1f} GB free in {folder}, {FREE_BYTES / 1e9:.0f} GB are needed",
            "docker system df   (then docker image prune)",
        )
    return f"{free / 1e9:.1f} GB free in {folder}"


def services(context: Context) -> str:
    """Every service's container runs and is healthy; the one-shot before them ended well."""
    project = _project(context)
    found = Compose(project).containers()
    bootstrap = found.get(inside.SERVICE)
    if bootstrap and bootstrap.state == "exited" and bootstrap.exit_code:
        raise Finding(
            f"bootstrap ended with {bootstrap.exit_code}, so the server does not start",
            f"docker compose logs {inside.SERVICE}",
        )
    wrong = [name for name in engine.SERVICES if name in found and found[name].state != "running"]
    if "mlflow" not in found:
        raise Finding("the project does not run", START)
    if wrong:
        raise Finding(f"not running: {', '.join(wrong)}", START)
    sick = [f"{one.service} is {one.health}" for one in found.values() if one.health not in ("healthy", "")]
    if sick:
        raise Finding("; ".join(sick), f"docker compose logs {sick[0].split()[0]}")
    return ", ".join(f"{name} runs" for name in engine.SERVICES if name in found)


def within(project: Project) -> dict[str, Result]:
    """The results of ``doctor`` in a container of the project, by name of the check.

    Raises:
        MlflowctlError: no container could be started.
    """
    found = inside.ask(project, ["doctor"])["checks"]
    return {row["name"]: Result(**row) for row in found}


ENGINE = Check("engine", "docker engine", docker_engine)
COMPOSE = Check("compose", "docker compose", compose_version, ("engine",))
FILES = Check("project-files", "project files", project_files, ("compose",))
PUBLISHED = Check("published-ports", "published ports", ports, ("project-files",))
ENGINE_DISK = Check("engine-disk", "engine's disk", disk, ("engine",))
SERVICES = Check("services", "services", services, ("project-files",))
