"""What a stack holds now, and what of it a restore would take away."""

from __future__ import annotations

import os

from mlflowctl.backup.putting import Difference
from mlflowctl.database.connect import Database, MissingDatabaseError, admin
from mlflowctl.defaults import SERVING_USERNAME
from mlflowctl.settings import Context
from mlflowctl.storage.desired import LEASES_PREFIX

# What people would miss, by table; how many rows of it a fresh stack has. Bootstrap makes the reader of model
# servers anew wherever there is one.
CONTENT = {
    "registered models": ("registered_models", 0),
    "model versions": ("model_versions", 0),
    "experiments": ("experiments", 1),
    "runs": ("runs", 0),
    "logged models": ("logged_models", 0),
    "traces": ("trace_info", 0),
    "users": ("users", 1),
}


def stack_name(context: Context) -> str:
    """The name that --confirm wants."""
    if context.layout:
        return context.layout.load().name
    if context.project:
        return context.project.name
    return os.environ.get("MLFLOWCTL_STACK_NAME") or (context.database.name if context.database else "")


def rows_to_lose(database: Database) -> list[str]:
    """What the database holds beyond a fresh one, in words; nothing if there is no database."""
    found = []
    try:
        with admin(database) as connection, connection.cursor() as cursor:
            for what, (table, fresh) in CONTENT.items():
                cursor.execute("SELECT to_regclass(%s)", (f"public.{table}",))
                row = cursor.fetchone()
                if row is None or row[0] is None:
                    continue
                known = f" WHERE username <> '{SERVING_USERNAME}'" if table == "users" else ""
                cursor.execute(f"SELECT count(*) FROM public.{table}{known}")  # noqa: S608 (names from above)
                row = cursor.fetchone()
                assert row is not None
                if row[0] > fresh:
                    found.append(f"{what}: {row[0]}")
    except MissingDatabaseError:
        return []
    return found


def objects_to_lose(difference: Difference, bucket: str) -> list[str]:
    """What a bucket holds that the set does not, in words. Nobody misses a lease."""
    extra = sum(not key.startswith(LEASES_PREFIX) for key in difference.extra)
    said = [f"objects of bucket {bucket} that the set does not have: {extra}"] if extra else []
    if difference.other:
        said.append(f"objects of bucket {bucket} that are another in the set: {len(difference.other)}")
    return said
