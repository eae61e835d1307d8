"""One transaction of the guard: pinned search_path, short lock waits, typed errors, the right role."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from mlflowctl.errors import AccessError, ConflictError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

T = TypeVar("T")

# Shorter than PostgreSQL's deadlock_timeout (1 s): when an install and a client wait for each other, the
# install gives way and tries again; the client never sees a deadlock.
LOCK_TIMEOUT = "900ms"
ATTEMPTS = 25
LOCK_SPACE = 1835820652  # advisory locks: (LOCK_SPACE, 1) is the queue of stage changes, see guard.sql
INSTALL_LOCK = 2


def transact(connection: Connection, work: Callable[[Cursor], T]) -> T:
    """Run ``work`` in one transaction, again if it could not get its locks.

    Raises:
        ConflictError: the tables stayed locked.
        AccessError: a right is missing.
    """
    from psycopg2 import errors

    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.2)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    f"SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"
                )
                return work(cursor)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            continue
        except errors.InsufficientPrivilege as exc:
            raise AccessError(
                f"The role of this connection may not do this: {str(exc).strip().splitlines()[0]}",
                state="Nothing was changed.",
                next="Connect as the admin role; it must be able to SET ROLE to the owner of "
                "MLflow's tables: GRANT <owner of the tables> TO <admin role>",
            ) from exc
    raise ConflictError(
        "MLflow's tables, or another install of the guard, stayed locked.",
        state="Nothing was changed.",
        next="Find the open session (SELECT pid, state, query FROM pg_stat_activity), then try again.",
    )


@contextlib.contextmanager
def acting_as(cursor: Cursor, role: str) -> Iterator[None]:
    """Act as the owner of MLflow's tables: what touches them needs no more than the owner's rights.

    Args:
        cursor: inside a transaction.
        role: quoted as an identifier.
    """
    cursor.execute("SELECT quote_ident(current_user)")
    row = cursor.fetchone()
    assert row is not None
    if row[0] == role:
        yield
        return
    cursor.execute(f"SET LOCAL ROLE {role}")
    yield  # after an error the transaction, and the role with it, is rolled back
    cursor.execute(f"SET LOCAL ROLE {row[0]}")
