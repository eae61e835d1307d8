"""``user add``, ``password`` and ``keys``: what makes a secret and hands it over."""

from __future__ import annotations

from typing import Any

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    UnaskedYesOption,
    command,
)
from mlflowctl.cli.options import print_steps
from mlflowctl.cli.user.common import (
    AskOption,
    NameArgument,
    PasswordFileOption,
    PrintOption,
    RoleOption,
    ToOption,
    desk_to_change,
    hand_over,
    password_from,
    refuse_nowhere,
    role_named,
)
from mlflowctl.console import Console


@command("user.add")
def add(
    console: Console,
    name: NameArgument,
    role: RoleOption = "",
    to: ToOption = None,
    shown: PrintOption = False,
    password_file: PasswordFileOption = None,
    ask_password: AskOption = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Add a user, with a role, a password and keys for the buckets."""
    from mlflowctl.login import handover, names, users

    chosen = role_named(role)
    if not dry_run:
        refuse_nowhere(to, shown)
    if to is not None:
        handover.refuse_existing(to)
    secret = password_from(password_file, ask_password)
    desk = desk_to_change(console, context, data_dir)
    steps = users.plan_add(desk, names.check_name(name), chosen, secret)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return hand_over(console, desk, steps, name, secret, to)


@command("user.password")
def password(
    console: Console,
    name: NameArgument,
    to: ToOption = None,
    shown: PrintOption = False,
    password_file: PasswordFileOption = None,
    ask_password: AskOption = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Set another password. The old one ends with the next request."""
    from mlflowctl.login import users

    if not dry_run:
        refuse_nowhere(to, shown)
    secret = password_from(password_file, ask_password)
    desk = desk_to_change(console, context, data_dir)
    steps = users.plan_password(desk, name, secret)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return hand_over(console, desk, steps, name, secret, to)


@command("user.keys")
def keys(
    console: Console,
    name: NameArgument,
    to: ToOption = None,
    shown: PrintOption = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Make other keys for the buckets. The old ones end at once."""
    from mlflowctl.login import users

    if not dry_run:
        refuse_nowhere(to, shown)
    desk = desk_to_change(console, context, data_dir)
    steps = users.plan_keys(desk, name)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return hand_over(console, desk, steps, name, None, to)
