"""The workbench of one smoke test: its connection, its unique names, and what it has made so far."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.settings import Context

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "mlflowctl-smoke-"
MARK = "mlflowctl.smoke-test"  # tag on everything that a smoke test makes; its value is the run's token
KEEP_MARK = "mlflowctl.smoke-test.keep"  # tag on what --keep kept: later runs leave it alone


class Skip(Exception):
    """The step cannot be done here; the text says why."""


@dataclass
class Bench:
    """What the steps share.

    Attributes:
        context: the platform under test.
        folder: a temporary folder on this machine.
        keep: whether what is made stays.
        token: unique name of this run.
        experiment_id: of the experiment, once it is made.
        run_id: of the run, once it is made.
        logged: what MLflow said about the logged model.
        stored: whether artifacts may exist.
        registered: whether the registered model may exist.
        guarded: whether the guard was seen to act.
        expected: the predictions of the model before it was logged.
        level: how much the login may do, where there is one.
        remains: what clean-up could not or must not remove, in words.
    """

    context: Context
    folder: Path
    keep: bool = False
    token: str = field(default_factory=lambda: new_token())
    experiment_id: str = ""
    run_id: str = ""
    logged: Any = None
    expected: Any = None
    stored: bool = False
    registered: bool = False
    guarded: bool = False
    level: Any = None
    remains: list[str] = field(default_factory=list)

    @cached_property
    def client(self) -> Any:
        """MLflow's client, aimed at the context."""
        from mlflow import MlflowClient

        return MlflowClient(self.context.tracking_uri, self.context.tracking_uri)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that everything made here carries."""
        return {MARK: self.token} | ({KEEP_MARK: "true"} if self.keep else {})

    @property
    def made(self) -> dict[str, str]:
        """The names of what was made, for ``--keep``."""
        found = {"experiment": self.token if self.experiment_id else "", "run": self.run_id}
        found["registered model"] = self.token if self.registered else ""
        return {kind: name for kind, name in found.items() if name}

    def transition(self, version: str, stage: str, *, archive: bool = False) -> Any:
        """Set a version's stage, as any client would."""
        return self.client.transition_model_version_stage(
            self.token, version, stage, archive_existing_versions=archive
        )

    def stage_of(self, version: str) -> str:
        return str(self.client.get_model_version(self.token, version).current_stage)

    def alias(self, name: str) -> str | None:
        """The version that an alias of the model names, or None."""
        found: dict[str, str] = self.client.get_registered_model(self.token).aliases
        return found.get(name)


def new_token() -> str:
    """A name that no other smoke test has: also two in the same second on two machines differ."""
    return f"{PREFIX}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class SmokeStep:
    """One step.

    Attributes:
        name: for programs and for ``needs``.
        title: for people.
        doing: what it does, after "could not".
        run: does it; returns what it proved, in words. Raises anything, or :class:`Skip`.
        needs: steps without which this one makes no sense.
        always: runs even after an interruption and after failures (clean-up).
    """

    name: str
    title: str
    doing: str
    run: Callable[[Bench], str]
    needs: tuple[str, ...] = ()
    always: bool = False
