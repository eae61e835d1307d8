"""The guard's replay of the write-ahead log, on an embedded stack."""

from __future__ import annotations

import signal
from typing import Any

from mlflowctl.database.connect import admin
from mlflowctl.stack import health, supervisor


def log_everything(stack: Any) -> None:
    """Have the stack's PostgreSQL write a log that can be decoded, from its next start on; start it again."""
    with admin(stack.context.database) as connection:
        connection.autocommit = True
        connection.cursor().execute("ALTER SYSTEM SET wal_level = 'logical'")
    process = supervisor.components(stack.layout)["postgres"]
    process.send_signal(signal.SIGINT)
    process.wait(30)
    stack.serving(30, lambda: health.database(stack.context.database))
    stack.serving(60)


class StackRegistry:
    """What ``guard_wal.Replay`` needs of a registry."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack

    def sql(self, statement: str, values: Any = None, *, role: str = "") -> list[Any]:
        with admin(self.stack.context.database) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def stages(self, name: str, workspace: str = "default") -> dict[int, str]:
        rows = self.sql(
            "SELECT version, current_stage FROM model_versions WHERE workspace = %s AND name = %s",
            (workspace, name),
        )
        return dict(rows)
