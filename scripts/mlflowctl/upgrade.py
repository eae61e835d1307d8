"""Upgrading a stack: look first, back up, migrate while the old server serves, then switch.

What differs from platform to platform stands behind :class:`Platform`. The order, and what is said when a
step fails, stand here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlflowctl import bootstrap
from mlflowctl.backup import make, places
from mlflowctl.backup.present import stack_name
from mlflowctl.backup.progress import Tell, human
from mlflowctl.backup.serving import until
from mlflowctl.database import schema
from mlflowctl.database.connect import admin
from mlflowctl.errors import MlflowctlError, UsageError
from mlflowctl.plan import Action, Step, pending
from mlflowctl.settings import Context
from mlflowctl.stack import health, hold, release, supervisor
from mlflowctl.stack.layout import Layout, quoted

RESERVE = 500_000_000  # bytes that stay free beside the backup


class Platform(Protocol):
    """What an upgrade needs of a stack."""

    name: str  # as --confirm wants it
    context: Context

    def check(self) -> None:
        """Pre-flight: the old server serves, and there is room. Raises UsageError, UnavailableError."""

    def releases(self) -> tuple[dict[str, str], dict[str, str]]:
        """Versions of the server that runs, and of the one that would; the first is empty if unknown."""

    def bootstrap_plan(self) -> list[Step]:
        """What the new release's bootstrap would do; reads only."""

    def revision(self) -> str | None:
        """The revision of MLflow's schema that stands in the database."""

    def back_up(self, to: str, tell: Tell) -> str:
        """Make a set; its name."""

    def bootstrap(self, tell: Tell) -> None:
        """Run the new release's bootstrap, while the old server serves."""

    def switch(self, tell: Tell) -> None:
        """The new server takes over; returns when it answers."""

    def serves(self) -> bool:
        """Whether the server answers now."""


@dataclass(frozen=True)
class Upgraded:
    """An upgrade that was carried out; ``set`` is the name of the backup made before it."""

    steps: list[Step]
    to: str
    set: str

    def as_dict(self) -> dict[str, Any]:
        return {"steps": [step.as_dict() for step in self.steps], "backup": self.to, "set": self.set}


def plan(platform: Platform, to: str) -> list[Step]:
    """What an upgrade would do; nothing if this release runs already. Reads only.

    Args:
        platform: the stack.
        to: where the backup goes.

    Raises:
        UsageError, UnavailableError: the pre-flight found something.
        SchemaTooNewError: the installed release is older than the database.
    """
    platform.check()
    now, then = platform.releases()
    work = pending(platform.bootstrap_plan())
    if not work and now == then:
        return []
    return [
        Step(Action.CREATE, "backup", f"to {to}"),
        *work,
        Step(Action.CHANGE, "MLflow server", f"{_words(now)} → {_words(then)}"),
    ]


def _words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "an unknown release"


def execute(platform: Platform, steps: list[Step], to: str, tell: Tell) -> Upgraded:
    """Carry out :func:`plan`.

    Raises:
        MlflowctlError: a step failed; the message says which server serves on which schema, and the way back.
    """
    tell("Backing up")
    name = platform.back_up(to, tell)
    named = "" if platform.context.is_local else f" --context {platform.context.name}"
    way_back = (
        f"mlflowctl{named} restore --from {places.pasted(to)} --set {name} --confirm {quoted(platform.name)}"
    )
    before = platform.revision()
    tell("Bootstrapping the new release; the old server serves meanwhile")
    try:
        platform.bootstrap(tell)
    except MlflowctlError as exc:
        raise _not_migrated(platform, before, way_back, exc) from exc
    tell("Switching")
    try:
        platform.switch(tell)
    except MlflowctlError as exc:
        raise MlflowctlError(
            f"The new server does not answer: {exc.what}",
            state="The database has the new schema, on which the old release cannot start.",
            next=f"mlflowctl logs mlflow; or back: install the old release again, then {way_back}",
        ) from exc
    return Upgraded(steps, to, name)


def _not_migrated(
    platform: Platform, before: str | None, way_back: str, exc: MlflowctlError
) -> MlflowctlError:
    after = platform.revision()
    server = "The old server serves" if platform.serves() else "The server does not answer"
    if after == before:
        state = f"{server}; the schema is unchanged ({before})."
        mend = "Mend the cause, then mlflowctl upgrade again; nothing has to be restored."
    else:
        state = (
            f"{server}; the schema is the new one ({before} → {after}), and the rest of bootstrap is open."
        )
        mend = "Mend the cause, then mlflowctl upgrade again."
    return MlflowctlError(
        f"The new release's bootstrap failed: {exc.what}",
        state=state,
        next=f"{mend} The way back: {way_back}",
    )


class Embedded:
    """The embedded stack: the release installed here takes over from the one that runs."""

    def __init__(self, context: Context, layout: Layout, to: str) -> None:
        self.context, self.layout, self.to = context, layout, to
        self.name = stack_name(context)

    def check(self) -> None:
        if supervisor.running(self.layout) is None:
            raise UsageError(
                f"The stack in {self.layout.root} does not run. Stopped, it is upgraded by starting it.",
                state="Nothing was changed.",
                next=f"mlflowctl up --data-dir {quoted(self.layout.root)}   (starts it, and migrates)",
            )
        self._probe()
        place = places.place(self.to)
        if isinstance(place, places.Folder):
            needed = make.estimate(self.context, place).bytes + RESERVE
            folder = next(one for one in (place.root, *place.root.parents) if one.exists())
            free = shutil.disk_usage(folder).free
            if free < needed:
                raise UsageError(
                    f"The backup needs up to {human(needed)} in {self.to}, and there are {human(free)}.",
                    state="Nothing was changed.",
                    next="Free some space, or name another place with --backup-to.",
                )

    def releases(self) -> tuple[dict[str, str], dict[str, str]]:
        return release.running(self.layout), release.installed()

    def bootstrap_plan(self) -> list[Step]:
        return bootstrap.plan(self.context)

    def revision(self) -> str | None:
        assert self.context.database is not None
        with admin(self.context.database) as connection:
            return schema.current_revision(connection)

    def back_up(self, to: str, tell: Tell) -> str:
        return make.execute(self.context, places.place(to), tell).header.name

    def bootstrap(self, tell: Tell) -> None:
        steps = bootstrap.plan(self.context)
        try:
            bootstrap.execute(
                steps,
                self.context,
                lambda step: tell(f"  {step.action}  {step.target}") if step.effective else None,
            )
        except MlflowctlError:
            raise
        except Exception as exc:  # of Alembic or SQLAlchemy: a migration script that fails
            first = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
            raise MlflowctlError(f"{type(exc).__name__}: {first}") from exc

    def switch(self, tell: Tell) -> None:
        hold.end(self.layout, "mlflow")
        tell("  the old server has ended")
        until(self._probe)

    def serves(self) -> bool:
        try:
            self._probe()
        except MlflowctlError:
            return False
        return True

    def _probe(self) -> None:
        health.tracking_server(self.context.tracking_uri, login=self.context.login)


def platform_of(context: Context, to: str) -> Platform:
    """The platform of a context.

    Raises:
        UsageError: it is none that can be upgraded from here.
    """
    if context.project:
        from mlflowctl.compose.upgrade import ComposeProject

        return ComposeProject(context, context.project, to)
    if context.layout is None:
        raise UsageError(
            f"{context.describe()} cannot be upgraded from here.",
            state="Nothing was changed.",
            next="Name an embedded stack: mlflowctl --context local upgrade",
        )
    return Embedded(context, context.layout, to)


def default_place(context: Context) -> str:
    """Where the backup goes if nobody says."""
    folder = context.layout.root if context.layout else context.project.folder if context.project else Path()
    return str(folder / "backups")
