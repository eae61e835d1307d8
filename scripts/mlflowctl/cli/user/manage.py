"""``user list``, ``role``, ``remove`` and ``policy``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    UnaskedYesOption,
    YesOption,
    command,
    confirm,
)
from mlflowctl.cli.options import context_from, print_steps
from mlflowctl.cli.user.common import NameArgument, RoleOption, answer_of, desk_to_change, role_named, tell
from mlflowctl.console import Console
from mlflowctl.errors import UsageError


@command("user.list")
def list_users(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """List users with their roles, and who has keys for the buckets."""
    from mlflowctl.login.users import Desk

    desk = Desk.of(context_from(context, data_dir))
    people = desk.people.all()
    holders = desk.accounts.names() if desk.accounts and not desk.lacking else set()
    rows = [
        {
            "name": one.name,
            "role": one.level.label,
            "roles": list(one.roles),
            "bucket_keys": one.name in holders if not desk.lacking else None,
        }
        for one in people
    ]
    console.table(("user", "role", "bucket keys"), [(r["name"], r["role"], _keys_word(r)) for r in rows])
    left = sorted(holders - {one.name for one in people})
    if left:
        console.result(
            f"Bucket keys without a user: {', '.join(left)}. Remove them: mlflowctl user remove NAME"
        )
    return {"users": rows, "bucket_keys_without_user": left, "bucket_keys_unsupported": desk.lacking}


def _keys_word(row: dict[str, Any]) -> str:
    if row["bucket_keys"] is None:
        return "not supported here"
    return "the store's own" if row["role"] == "admin" else "yes" if row["bucket_keys"] else "no"


@command("user.role")
def change_role(
    console: Console,
    name: NameArgument,
    role: RoleOption = "",
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Give a user another role. Counts from the next request on; password and keys stay."""
    from mlflowctl.login import users

    chosen = role_named(role)
    desk = desk_to_change(console, context, data_dir)
    steps = users.plan_role(desk, name, chosen)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    users.execute(desk, steps, lambda step: tell(console, step))
    changed = any(step.effective for step in steps)
    console.result(f"{name} is {chosen}." if changed else f"Nothing to do: {name} is {chosen}.")
    return answer_of(name, steps)


@command("user.remove")
def remove(
    console: Console,
    name: NameArgument,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Remove a user and the keys. Counts from the next request on; what the user made stays."""
    from mlflowctl.login import users

    desk = desk_to_change(console, context, data_dir)
    steps = users.plan_remove(desk, name)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    confirm(f"Remove the user {name}?", yes=yes)
    users.execute(desk, steps, lambda step: tell(console, step))
    console.result(f"{name} is removed.")
    return answer_of(name, steps)


@command("user.policy")
def policy(
    console: Console,
    role: Annotated[str, typer.Argument(metavar="reader|trainer|promoter", help="The role.")],
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Print what a role may do with the buckets, as a policy for stores where mlflowctl makes no keys."""
    import json

    from mlflowctl.storage import access

    chosen = role_named(role)
    target = context_from(context, data_dir)
    if target.s3 is None:
        raise UsageError(
            f"{target.describe()} names no object store.",
            state="Nothing was changed.",
            next="mlflowctl config show",
        )
    document = access.policy(chosen.value, target.s3)
    console.result(json.dumps(document, indent=2))
    return document
