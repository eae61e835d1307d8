"""``compose init``: a project's ``.env`` and ``secrets/``, made once and never overwritten."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mlflowctl import defaults
from mlflowctl.compose import engine, secrets
from mlflowctl.compose.project import FILE, Project
from mlflowctl.errors import MlflowctlError, UsageError
from mlflowctl.files import write_atomic
from mlflowctl.plan import Action, Step
from mlflowctl.stack.layout import quoted
from mlflowctl.stack.ports import PortClaims, claims, taken

EXAMPLE = ".env.example"
PORTS = {"MLFLOW_PORT": defaults.TRACKING_PORT, "S3_PORT": defaults.S3_PORT}
# Beside these; nobody is refused for the sake of a model that is perhaps never served.
SERVING = {"SERVING_PORT": defaults.SERVING_PORT}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class InitOptions:
    """What the user asked for.

    Attributes:
        auto_ports: take other ports where the usual ones are taken.
        name: of the project; "" takes its folder's.
    """

    auto_ports: bool = False
    name: str = ""


@dataclass(frozen=True)
class EnvStep(Step):
    """Write ``.env``."""

    text: str = field(default="", repr=False)


@dataclass(frozen=True)
class FolderStep(Step):
    """Make ``secrets/``, for its owner alone."""


@dataclass(frozen=True)
class SecretStep(Step):
    """Write one secret."""

    name: str = ""


def plan(project: Project, options: InitOptions) -> list[Step]:
    """What is missing; reads only.

    Raises:
        UsageError: a port is taken, the name cannot be, ``.env`` says something else than the options, or a
            secret is gone that alone opens data which still exists.
    """
    missing = secrets.missing(project.secrets)
    env = _env_step(project, options)
    _refuse_new_keys_for_old_data(project, missing)
    made = project.secrets.is_dir()
    folder = FolderStep(Action.UNCHANGED if made else Action.CREATE, "folder secrets/", "for its owner alone")
    files = [
        SecretStep(Action.CREATE if name in missing else Action.UNCHANGED, f"secret {name}", name=name)
        for name in secrets.NAMES
    ]
    return [folder, *files, env]  # .env last: with it, `docker compose up` would start


def apply(step: Step, project: Project) -> None:
    """Carry out one step of :func:`plan`; what exists by now is left as it is."""
    if isinstance(step, FolderStep):
        project.secrets.mkdir(mode=0o700, exist_ok=True)
        project.secrets.chmod(0o700)
    elif isinstance(step, SecretStep):
        secrets.write(step.name, project.secrets)
    elif isinstance(step, EnvStep) and not project.env_file.exists():
        write_atomic(project.env_file, step.text, mode=0o644)


def _env_step(project: Project, options: InitOptions) -> Step:
    if project.env_file.exists():
        if options.name and options.name != project.name:
            raise UsageError(
                f"{project.env_file} names the project {project.name!r} already, and is never overwritten.",
                state="Nothing was changed.",
                next="Change COMPOSE_PROJECT_NAME in it (before the first start), or leave out --project",
            )
        return EnvStep(Action.UNCHANGED, ".env", f"project {project.name}")
    name = options.name or replace(project, variables={}).name or "mlflowctl"
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a project: lower-case letters, digits, - and _ only.",
            state="Nothing was changed.",
            next="mlflowctl compose init --project NAME",
        )
    with claims() as claimed:
        ports = {variable: _port(claimed, usual, options) for variable, usual in PORTS.items()}
        anyway = replace(options, auto_ports=True)
        ports |= {variable: _port(claimed, usual, anyway) for variable, usual in SERVING.items()}
    values = {"COMPOSE_PROJECT_NAME": name, **{variable: str(port) for variable, port in ports.items()}}
    where = ", ".join(f"{variable} {port}" for variable, port in ports.items())
    return EnvStep(Action.CREATE, ".env", f"project {name}, {where}", text=_env_text(project, values))


def _port(claimed: PortClaims, usual: int, options: InitOptions) -> int:
    if claimed.take(usual):
        return usual
    if options.auto_ports:
        return claimed.take_any()
    error = taken(usual, "the Compose project")
    error.state = "Nothing was changed."
    error.next = "mlflowctl compose init --auto-ports   (or stop what holds the port)"
    raise error


def _env_text(project: Project, values: dict[str, str]) -> str:
    """``.env.example`` with some values replaced."""
    example = project.folder / EXAMPLE
    try:
        lines = example.read_text().splitlines()
    except OSError as exc:
        raise UsageError(
            f"{example} cannot be read: {exc.strerror}.",
            state="Nothing was changed.",
            next=f"Restore it beside {FILE}, from the release that this {FILE} is from",
        ) from None
    chosen = [line.partition("=")[0] for line in lines]
    return "".join(
        f"{name}={values[name]}\n" if name in values else f"{line}\n"
        for name, line in zip(chosen, lines, strict=True)
    )


def _refuse_new_keys_for_old_data(project: Project, missing: Iterable[str]) -> None:
    """New passwords and keys would lock everybody out of a database and a store that exist already."""
    lost = [name for name in missing if name in secrets.IRREPLACEABLE]
    if not lost or not project.env_file.exists():
        return
    volumes = data_volumes(project)
    if volumes == [] or (volumes is None and not project.secrets.is_dir()):
        return
    raise UsageError(
        f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} gone from {project.secrets}, and the project "
        f"{project.name} has data that only the old one opens"
        f"{': volumes ' + ', '.join(volumes) if volumes else ', as far as can be told without the engine'}.",
        state="Nothing was changed; the data is still there.",
        next=f"Restore {quoted(project.secrets)} from a backup. To give the data up instead: "
        "docker compose down --volumes, then mlflowctl compose init",
    )


def data_volumes(project: Project) -> list[str] | None:
    """The project's volumes that hold data; None if the engine cannot be asked."""
    label = f"label=com.docker.compose.project={project.name}"
    try:
        done = subprocess.run(
            [engine.docker(), "volume", "ls", "--quiet", "--filter", label],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (MlflowctlError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split() if done.returncode == 0 else None
