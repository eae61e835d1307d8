"""MLflow's store of users, made fit for a preloaded server: no migration, no password hashed twice.

MLflow verifies a password by hashing it (90 ms), at every request and several times in each, unless it caches
the outcome for a time in which a removed user still gets in. Here the outcome is remembered together with the
stored hash it was reached with, and the stored hash is read at every request: a new password, a removed user
or another role counts from the next request on, in every worker.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Any, NamedTuple

from flask import g, has_request_context
from mlflow.server.auth.entities import User
from mlflow.server.auth.permissions import RESOURCE_TYPE_WORKSPACE, TYPE, WILDCARD_ONLY
from mlflow.server.auth.sqlalchemy_store import RoleGrantRow, SqlAlchemyStore
from mlflow.store.db.utils import _get_managed_session_maker
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from werkzeug.security import check_password_hash, generate_password_hash

from mlflowctl.login.roles import WORKSPACE, Level, Role, level

REMEMBERED = 4096  # verified passwords per worker
# Types that can be granted as a whole only: at most a row for each role, so they are read along.
WILDCARD_TYPES = frozenset(kind for kind, patterns in TYPE.items() if patterns == WILDCARD_ONLY)
CONNECTIONS = 4  # kept by each worker for the questions of the login; as many again for moments

# As plain text: building a statement takes longer than PostgreSQL takes to answer it.
_IDENTITY = (
    "SELECT u.id, u.password_hash, u.is_admin, r.name FROM users u"
    " LEFT JOIN user_role_assignments a ON a.user_id = u.id"
    " LEFT JOIN roles r ON r.id = a.role_id AND r.workspace = %s AND r.name = ANY(%s)"
    " WHERE u.username = %s"
)
_GRANTS = (
    "SELECT p.resource_type, p.resource_pattern, p.permission FROM role_permissions p"
    " JOIN roles r ON r.id = p.role_id JOIN user_role_assignments a ON a.role_id = r.id"
    " WHERE a.user_id = %s AND r.workspace = %s AND p.resource_type = ANY(%s)"
)


class Identity(NamedTuple):
    """A user as the login sees one."""

    user: Any  # mlflow's User
    level: Level


class LoginStore(SqlAlchemyStore):  # type: ignore[misc]
    """MLflow's store with remembered verifications and one read per request."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)  # of this process: what is remembered is worth nothing elsewhere
        self._verified: OrderedDict[tuple[str, str, bytes], None] = OrderedDict()
        self._lock = threading.Lock()
        self._nobody = generate_password_hash(secrets.token_hex(16))

    def init_db(self, db_uri: str, read_db_uri: str | None = None) -> None:  # noqa: ARG002
        """Prepare connections without opening one: what a parent opens, its workers must not share.

        MLflow's own migrates here; the tables belong to bootstrap, and the server has waited for them.
        """
        self.db_uri, self.db_type, self.read_engine = db_uri, "postgresql", None
        self.engine = create_engine(
            db_uri, pool_pre_ping=True, pool_size=CONNECTIONS, max_overflow=CONNECTIONS
        )
        # Single questions need no transaction around them.
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.ManagedSessionMaker = _get_managed_session_maker(sessionmaker(bind=self.engine), self.db_type)

    def identify(self, username: str) -> Identity | None:
        """The user and its level, read once per request; None if there is no such user."""
        known: dict[str, Identity | None] = _memory("identities")
        if username not in known:
            known[username] = self._read(username)
        return known[username]

    def _read(self, username: str) -> Identity | None:
        rows = self._rows(_IDENTITY, (WORKSPACE, [role.value for role in Role], username))
        if not rows:
            return None
        number, hashed, admin = rows[0][:3]
        user = User(id_=number, username=username, password_hash=hashed, is_admin=bool(admin))
        return Identity(user, level(admin=bool(admin), roles=[row[3] for row in rows if row[3]]))

    def _rows(self, query: str, parameters: tuple[Any, ...]) -> Any:
        with self._reading.connect() as connection:
            return connection.exec_driver_sql(query, parameters).all()

    def list_grants(self, user_id: int, workspace: str, resource_types: Collection[str]) -> list[Any]:
        """MLflow's, asked once per request: its checks and its filters of the answer ask in turn."""
        known: dict[tuple[int, str], tuple[set[str], list[Any]]] = _memory("grants")
        loaded, grants = known.get((user_id, workspace), (set(), []))
        wanted = {*resource_types, RESOURCE_TYPE_WORKSPACE}
        if not wanted <= loaded:
            loaded |= wanted | WILDCARD_TYPES
            grants = [RoleGrantRow(*row) for row in self._rows(_GRANTS, (user_id, workspace, [*loaded]))]
            known[user_id, workspace] = loaded, grants
        return [grant for grant in grants if grant.resource_type in wanted]

    def authenticate_user(self, username: str, password: str, *, use_primary: bool = False) -> bool:  # noqa: ARG002
        """Whether the password is the user's. Takes as long for a user that does not exist."""
        found = self.identify(username or "")
        if found is None:
            check_password_hash(self._nobody, password or "")
            return False
        digest = hmac.new(self._key, password.encode(), "sha256").digest()
        mark = (username, found.user.password_hash, digest)
        with self._lock:
            if mark in self._verified:
                self._verified.move_to_end(mark)
                return True
        if not check_password_hash(found.user.password_hash, password):
            return False
        with self._lock:
            self._verified[mark] = None
            while len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        return True

    def get_user(self, username: str) -> Any:
        """MLflow's user; its error if there is none."""
        found = self.identify(username)
        return found.user if found else super().get_user(username)

    def update_user(self, username: str, *args: Any, **changes: Any) -> Any:
        _memory("identities").pop(username, None)
        return super().update_user(username, *args, **changes)

    def delete_user(self, username: str) -> None:
        _memory("identities").pop(username, None)
        super().delete_user(username)


def _memory(name: str) -> dict[Any, Any]:
    """What was read for this request already; nothing outside of one."""
    if not has_request_context():
        return {}
    found: dict[Any, Any] = g.setdefault(f"mlflowctl_{name}", {})
    return found
