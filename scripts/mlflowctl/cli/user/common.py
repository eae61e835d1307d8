"""What the user commands share: options, the target, and how a secret is taken and handed over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.options import context_to_change
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

if TYPE_CHECKING:
    from mlflowctl.login.roles import Role
    from mlflowctl.login.users import Desk
    from mlflowctl.plan import Step

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
RoleOption = Annotated[
    str,
    typer.Option(
        "--role", metavar="reader|trainer|promoter", help="What the user may do.", show_default=False
    ),
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


def role_named(text: str) -> Role:
    from mlflowctl.login.roles import Role

    if text not in set(Role):
        raise UsageError(
            f"There is no role {text!r}." if text else "Say what the user may do, with --role.",
            state="Nothing was changed.",
            next="One of: reader, trainer, promoter   (docs/login.md)",
        )
    return Role(text)


def desk_to_change(console: Console, context: str | None, data_dir: Path | None) -> Desk:
    from mlflowctl.login.users import Desk

    return Desk.of(context_to_change(console, context, data_dir))


def refuse_nowhere(to: Path | None, shown: bool) -> None:
    if (to is not None) == shown:
        raise UsageError(
            "Secrets are made here, and can be had once: say where they go.",
            state="Nothing was changed.",
            next="--to FILE (readable for you only), or --print",
        )


def password_from(file: Path | None, ask: bool) -> str:
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


def tell(console: Console, step: Step) -> None:
    console.progress(f"  {step.action:<18} {step.target}  {step.detail}".rstrip())


def hand_over(
    console: Console, desk: Desk, steps: list[Step], name: str, secret: str | None, to: Path | None
) -> Any:
    """Carry out, then give what was made to whoever asked for it."""
    from mlflowctl.login import handover, users

    made = users.execute(desk, steps, lambda step: tell(console, step))
    found = handover.variables(desk.context, name, secret, made)
    answer = answer_of(name, steps)
    if desk.lacking:
        console.progress(
            f"  Bucket keys are not supported here: {desk.lacking}. If {name} needs some, make them there; "
            "mlflowctl user policy ROLE prints what they should allow."
        )
    if to is None:
        console.result(handover.render(found).rstrip())
        shown = [{"name": key, "value": value} for key, value in found.items()]
        return answer | {"file": None, "variables": shown}
    handover.write(to, found)
    console.result(f"{to} holds what {name} needs:  set -a; . {to}; set +a")
    return answer | {"file": str(to), "variables": None}


def answer_of(name: str, steps: list[Step]) -> dict[str, Any]:
    return {"name": name, "steps": [step.as_dict() for step in steps]}
