"""What bootstrap keeps in the login's tables: the first administrator, roles, and model servers' reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflowctl.database.connect import Database, connect_as_app
from mlflowctl.login import schema
from mlflowctl.login.roles import DESCRIPTIONS, GRANTS, WORKSPACE, Role
from mlflowctl.plan import Action, Step

if TYPE_CHECKING:
    from mlflowctl.settings import Login


@dataclass(frozen=True)
class AdminStep(Step):
    """Make the administrator, or set its password again."""

    login: Login | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class RoleStep(Step):
    """Make a role, or bring its grants to what they should be."""

    role: Role = Role.READER


@dataclass(frozen=True)
class ServingStep(Step):
    """Make the reader as whom model servers log in, or put its password and its role right."""

    login: Login | None = field(default=None, compare=False, repr=False)


LoginStep = schema.LoginTablesStep | AdminStep | RoleStep | ServingStep


def plan(database: Database, login: Login, serving: Login | None = None) -> list[Step]:
    """Everything about the login; reads only.

    Args:
        database: with the login's tables, or not yet.
        login: name and password of the first administrator.
        serving: those of model servers; None where they have no user that bootstrap keeps.
    """
    tables = schema.plan(database)
    if tables.action is Action.CREATE:
        return planned_for_empty(login, serving)
    connection = connect_as_app(database)
    try:
        with connection, connection.cursor() as cursor:
            steps = [tables, _admin_step(cursor, login), *(_role_step(cursor, role) for role in Role)]
            return [*steps, *([_serving_step(cursor, serving)] if serving else [])]
    finally:
        connection.close()


def planned_for_empty(login: Login, serving: Login | None = None) -> list[Step]:
    """The steps where there are no tables yet."""
    return [
        schema.planned_for_empty(),
        AdminStep(Action.CREATE, _admin(login), login=login),
        *(RoleStep(Action.CREATE, _target(role), role=role) for role in Role),
        *([ServingStep(Action.CREATE, _admin(serving), "a reader", login=serving)] if serving else []),
    ]


def _admin(login: Login) -> str:
    return f"login {login.username}"


def _target(role: Role) -> str:
    return f"role {role}"


def _admin_step(cursor: Any, login: Login) -> Step:
    cursor.execute("SELECT password_hash, is_admin FROM users WHERE username = %s", (login.username,))
    row = cursor.fetchone()
    if row is None:
        return AdminStep(Action.CREATE, _admin(login), login=login)
    wrong = _wrong_password(row[0], login)
    if not row[1]:
        wrong.append("it is no administrator")
    action = Action.CHANGE if wrong else Action.UNCHANGED
    return AdminStep(action, _admin(login), "; ".join(wrong), login=login)


def _wrong_password(stored: str, login: Login) -> list[str]:
    from werkzeug.security import check_password_hash

    return [] if check_password_hash(stored, login.password) else ["its password is not the one on file"]


def _serving_step(cursor: Any, login: Login) -> Step:
    cursor.execute(
        "SELECT u.password_hash, u.is_admin, array_remove(array_agg(r.name), NULL) FROM users u"
        " LEFT JOIN user_role_assignments a ON a.user_id = u.id"
        " LEFT JOIN roles r ON r.id = a.role_id AND r.workspace = %s AND r.name = ANY(%s)"
        " WHERE u.username = %s GROUP BY u.id",
        (WORKSPACE, [role.value for role in Role], login.username),
    )
    row = cursor.fetchone()
    if row is None:
        return ServingStep(Action.CREATE, _admin(login), "a reader", login=login)
    wrong = _wrong_password(row[0], login)
    if row[1] or row[2] != [Role.READER.value]:
        wrong.append("it is more or less than a reader")
    action = Action.CHANGE if wrong else Action.UNCHANGED
    return ServingStep(action, _admin(login), "; ".join(wrong) or "a reader", login=login)


def _role_step(cursor: Any, role: Role) -> Step:
    cursor.execute(
        "SELECT p.resource_type, p.resource_pattern, p.permission FROM roles r LEFT JOIN role_permissions p"
        " ON p.role_id = r.id WHERE r.workspace = %s AND r.name = %s",
        (WORKSPACE, role.value),
    )
    rows = cursor.fetchall()
    if not rows:
        return RoleStep(Action.CREATE, _target(role), role=role)
    wanted = {(kind, "*", permission) for kind, permission in GRANTS[role].items()}
    if {tuple(row) for row in rows if row[0]} == wanted:
        return RoleStep(Action.UNCHANGED, _target(role), role=role)
    return RoleStep(Action.CHANGE, _target(role), "its grants are not those of this release", role=role)


def apply(step: LoginStep, database: Database) -> None:
    """Carry out one step. Safe when two run at once: they queue, and each leaves the same."""
    if isinstance(step, schema.LoginTablesStep):
        schema.upgrade(database)
        return
    connection = connect_as_app(database)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (schema.LOCK,))
            if isinstance(step, AdminStep):
                assert step.login is not None
                _write_user(cursor, step.login, admin=True)
            elif isinstance(step, ServingStep):
                assert step.login is not None
                _write_reader(cursor, step.login)
            else:
                _write_role(cursor, step.role)
    finally:
        connection.close()


def _write_user(cursor: Any, login: Login, *, admin: bool) -> int:
    """Make or change a user; returns its number."""
    from werkzeug.security import generate_password_hash

    cursor.execute(
        "INSERT INTO users (username, password_hash, is_admin) VALUES (%s, %s, %s)"
        " ON CONFLICT (username) DO UPDATE SET password_hash = EXCLUDED.password_hash,"
        " is_admin = EXCLUDED.is_admin RETURNING id",
        (login.username, generate_password_hash(login.password), admin),
    )
    return int(cursor.fetchone()[0])


def _write_reader(cursor: Any, login: Login) -> None:
    """A user with the role of a reader, and with no other of ours."""
    number = _write_user(cursor, login, admin=False)
    ours = "SELECT id FROM roles WHERE workspace = %s AND name = ANY(%s)"
    others = [role.value for role in Role if role is not Role.READER]
    cursor.execute(
        f"DELETE FROM user_role_assignments WHERE user_id = %s AND role_id IN ({ours})",  # noqa: S608
        (number, WORKSPACE, others),
    )
    cursor.execute(
        "INSERT INTO user_role_assignments (user_id, role_id) SELECT %s, id FROM roles"
        " WHERE workspace = %s AND name = %s ON CONFLICT (user_id, role_id) DO NOTHING",
        (number, WORKSPACE, Role.READER.value),
    )


def _write_role(cursor: Any, role: Role) -> None:
    cursor.execute(
        "INSERT INTO roles (name, workspace, description) VALUES (%s, %s, %s)"
        " ON CONFLICT (workspace, name) DO UPDATE SET description = EXCLUDED.description RETURNING id",
        (role.value, WORKSPACE, DESCRIPTIONS[role]),
    )
    number = cursor.fetchone()[0]
    cursor.execute("DELETE FROM role_permissions WHERE role_id = %s", (number,))
    for kind, permission in GRANTS[role].items():
        cursor.execute(
            "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission)"
            " VALUES (%s, %s, '*', %s)",
            (number, kind, permission),
        )
