"""``user``: who may log in to the MLflow server and to the object store, and as what."""

from __future__ import annotations

import typer

from mlflowctl.cli.user import manage, secrets


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Who may log in, and what each may do.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("add")(secrets.add)
    group.command("list")(manage.list_users)
    group.command("role")(manage.change_role)
    group.command("password")(secrets.password)
    group.command("keys")(secrets.keys)
    group.command("remove")(manage.remove)
    group.command("policy")(manage.policy)
    app.add_typer(group, name="user")
