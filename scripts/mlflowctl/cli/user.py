"""``user``: who may log in to the MLflow server and to the object store, and as what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from mlflowctl.cli.options import context_from, context_to_change, print_steps
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

if TYPE_CHECKING:
    from mlflowctl.login.roles import Role
    from mlflowctl.login.users import Desk
    from mlflowctl.plan import Step

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
RoleOption = Annotated[
    str, typer.Option("--role", metavar="reader|trainer|promoter", help="What the user may do.")
]
ToOption = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="FILE", dir_okay=False, help="Write what the user needs to this file, 0600."
    ),
]
PrintOption = Annotated[bool, typer.Option("--print", help="Print it instead, this once.")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Take the password from here (- is standard input)."
    ),
]
AskOption = Annotated[bool, typer.Option("--ask-password", help="Ask for the password.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Who may log in, and what each may do.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("add")(add)
    group.command("list")(list_users)
    group.command("role")(change_role)
    group.command("password")(password)
    group.command("keys")(keys)
    group.command("remove")(remove)
    group.command("policy")(policy)
    app.add_typer(group, name="user")


@command("user.add")
def add(
    console: Console,
    name: NameArgument,
    role: RoleOption,
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

    chosen = _role(role)
    if not dry_run:
        _refuse_nowhere(to, shown)
    if to is not None:
        handover.refuse_existing(to)
    secret = _password(password_file, ask_password)
    desk = _desk(console, context, data_dir)
    steps = users.plan_add(desk, names.check_name(name), chosen, secret)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return _hand_over(console, desk, steps, name, secret, to)


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
    role: RoleOption,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Give a user another role. Counts from the next request on; password and keys stay."""
    from mlflowctl.login import users

    chosen = _role(role)
    desk = _desk(console, context, data_dir)
    steps = users.plan_role(desk, name, chosen)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    users.execute(desk, steps, lambda step: _tell(console, step))
    changed = any(step.effective for step in steps)
    console.result(f"{name} is {chosen}." if changed else f"Nothing to do: {name} is {chosen}.")
    return _answer(name, steps)


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
        _refuse_nowhere(to, shown)
    secret = _password(password_file, ask_password)
    desk = _desk(console, context, data_dir)
    steps = users.plan_password(desk, name, secret)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return _hand_over(console, desk, steps, name, secret, to)


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
        _refuse_nowhere(to, shown)
    desk = _desk(console, context, data_dir)
    steps = users.plan_keys(desk, name)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    return _hand_over(console, desk, steps, name, None, to)


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

    desk = _desk(console, context, data_dir)
    steps = users.plan_remove(desk, name)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    confirm(f"Remove the user {name}?", yes=yes)
    users.execute(desk, steps, lambda step: _tell(console, step))
    console.result(f"{name} is removed.")
    return _answer(name, steps)


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

    chosen = _role(role)
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


def _role(text: str) -> Role:
    from mlflowctl.login.roles import Role

    if text not in set(Role):
        raise UsageError(
            f"There is no role {text!r}.",
            state="Nothing was changed.",
            next="One of: reader, trainer, promoter   (docs/login.md)",
        )
    return Role(text)


def _desk(console: Console, context: str | None, data_dir: Path | None) -> Desk:
    from mlflowctl.login.users import Desk

    return Desk.of(context_to_change(console, context, data_dir))


def _refuse_nowhere(to: Path | None, shown: bool) -> None:
    if (to is not None) == shown:
        raise UsageError(
            "Secrets are made here, and can be had once: say where they go.",
            state="Nothing was changed.",
            next="--to FILE (readable for you only), or --print",
        )


def _password(file: Path | None, ask: bool) -> str:
    """The password as the options say; a new one if they say nothing."""
    from mlflowctl.login import names

    if file is not None and ask:
        raise UsageError(
            "--password-file and --ask-password exclude each other.", state="Nothing was changed."
        )
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text()
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{file} cannot be read: {exc}.", state="Nothing was changed.") from None
        return names.check_password(text.rstrip("\r\n"), where=f"The password in {file}")
    if not ask:
        return names.new_password()
    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask for a password on.",
            state="Nothing was changed.",
            next="Use --password-file FILE, or leave it out: a password is made.",
        )
    return names.check_password(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _tell(console: Console, step: Step) -> None:
    console.progress(f"  {step.action:<18} {step.target}  {step.detail}".rstrip())


def _hand_over(
    console: Console, desk: Desk, steps: list[Step], name: str, secret: str | None, to: Path | None
) -> Any:
    """Carry out, then give what was made to whoever asked for it."""
    from mlflowctl.login import handover, users

    made = users.execute(desk, steps, lambda step: _tell(console, step))
    found = handover.variables(desk.context, name, secret, made)
    answer = _answer(name, steps)
    if desk.lacking:
        console.progress(
            f"  Bucket keys are not supported here: {desk.lacking}. If {name} needs some, make them there; "
            "mlflowctl user policy ROLE prints what they should allow."
        )
    if to is None:
        console.result(handover.render(found).rstrip())
        return answer | {"variables": found}
    handover.write(to, found)
    console.result(f"{to} holds what {name} needs:  set -a; . {to}; set +a")
    return answer | {"file": str(to)}


def _answer(name: str, steps: list[Step]) -> dict[str, Any]:
    return {"name": name, "steps": [step.as_dict() for step in steps]}
