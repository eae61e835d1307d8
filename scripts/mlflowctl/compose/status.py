"""What runs of a Compose project, and whether it really serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mlflowctl.compose.engine import OPTIONAL, SERVICES, Compose, Container
from mlflowctl.compose.project import HOST, Project
from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.settings import Context


@dataclass(frozen=True)
class ServiceStatus:
    """One row of ``status``.

    Attributes:
        name: the service.
        state: ``serving``, ``running`` (a container, but it does not serve), ``stopped``.
        address: where this machine reaches it; "" where it cannot.
        status: the engine's own words.
        problem: why it does not serve.
    """

    name: str
    state: str
    address: str
    status: str
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def status(context: Context) -> list[ServiceStatus]:
    """Every service of the project: what the engine says, and what a client sees.

    Raises:
        UnavailableError, UsageError: the engine does not answer, or is not there.
    """
    assert context.project is not None
    containers = Compose(context.project).containers()
    probes = _probes(context)
    absent = {*OPTIONAL, *(["object-store"] if _foreign(context) else [])}
    names = [name for name in SERVICES if name in containers or name not in absent]
    return [_row(name, containers.get(name), probes.get(name), _address(context, name)) for name in names]


def _foreign(context: Context) -> bool:
    return bool(context.project and context.project.variables.get("S3_ENDPOINT_URL"))


def _probes(context: Context) -> dict[str, Callable[[], None]]:
    from mlflowctl.stack import health

    s3, project = context.s3, context.project
    assert s3 is not None
    assert project is not None
    return {
        "object-store": lambda: health.object_store(s3),
        "mlflow": lambda: health.tracking_server(context.tracking_uri, login=context.login),
        "serving": lambda: _model(project),
    }


def _model(project: Project) -> None:
    """The gateway answers, and with a version.

    Raises:
        UnavailableError: it does not.
    """
    from mlflowctl.serving.endpoints import probe

    found = probe(f"http://{HOST}:{project.serving_port}", "champion")
    if not found.ok:
        raise UnavailableError(f"no version of model {project.served!r} answers ({found.error})")


def _address(context: Context, name: str) -> str:
    assert context.project is not None
    ports = {
        "mlflow": context.project.tracking_port,
        "object-store": context.project.s3_port,
        "serving": context.project.serving_port,
    }
    return f"127.0.0.1:{ports[name]}" if name in ports else "(inner network)"


def _row(
    name: str, container: Container | None, probe: Callable[[], None] | None, address: str
) -> ServiceStatus:
    if container is None or container.state not in ("running", "restarting"):
        ended = f"{container.status}" if container else "no container"
        return ServiceStatus(name, "stopped", address, ended, "stopped")
    problem = _problem(probe) if probe else ""
    if not problem and container.health not in ("healthy", ""):
        problem = f"the engine calls it {container.health}"
    return ServiceStatus(name, "running" if problem else "serving", address, container.status, problem)


def _problem(probe: Callable[[], None]) -> str:
    try:
        probe()
    except MlflowctlError as exc:
        return exc.what
    return ""
