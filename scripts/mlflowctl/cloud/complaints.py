"""Terraform's errors in the words an engineer needs: what, where, what state things are in, what next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mlflowctl.cloud.meanings import MEANINGS
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.terraform import Answer
from mlflowctl.errors import ConflictError, MlflowctlError, UsageError

NOTHING = "Nothing was changed."
_INPUT = re.compile(
    r"Invalid value for (?:input )?variable|precondition failed|Invalid variable value|"
    r"No value for required variable|Value for undeclared variable",
    re.IGNORECASE,
)
_TOLD = 6  # further complaints


@dataclass(frozen=True)
class Complaint:
    """One error of Terraform.

    Attributes:
        summary: its headline.
        detail: the rest of its text.
        where: the resource, or the variable.
    """

    summary: str
    detail: str
    where: str

    @property
    def text(self) -> str:
        return f"{self.summary}\n{self.detail}"

    @property
    def at(self) -> str:
        """Where, as a part of a sentence."""
        return f" at {self.where}" if self.where else ""


def failure(answer: Answer, environment: Environment, state: str = NOTHING) -> MlflowctlError:
    """The typed error for a command of Terraform that failed.

    Args:
        answer: how the command ended.
        environment: what it worked on.
        state: what state things are in now.
    """
    found = list(complaints(answer))
    if not found:
        return MlflowctlError(
            f"Terraform ended with {answer.code} and said nothing.", state=state, next="Repeat the command."
        )
    error = _meaning(found[0], environment, state)
    others = dict.fromkeys(_meaning(one, environment, state).what for one in found[1:])
    others.pop(error.what, None)
    if others:
        error.what += "".join(f"\n       also: {what}" for what in list(others)[:_TOLD])
        error.args = (error.what,)
    return error


def complaints(answer: Answer) -> Iterable[Complaint]:
    """The errors of a command: from its stream, else from what it printed."""
    for one in answer.diagnostics:
        summary = _line(one.get("summary"))
        where = one.get("address") or (_variable(one) if _INPUT.search(summary) else "")
        yield Complaint(summary, str(one.get("detail") or ""), where)
    if answer.diagnostics:
        return
    for block in re.split(r"\n(?=.{0,3}Error: )", "\n" + answer.err + answer.out):
        text = re.sub(r"^[│╷╵ ]+", "", block.strip(), flags=re.MULTILINE).strip()
        if text.startswith("Error: "):
            summary, _, detail = text.removeprefix("Error: ").partition("\n")
            where = re.search(r"with ([\w.\[\]\"-]+),", detail)
            yield Complaint(summary, detail.strip(), where[1] if where else "")


def _variable(diagnostic: dict[str, Any]) -> str:
    """The name of the variable that a validation refused."""
    snippet = diagnostic.get("snippet") or {}
    code = f"{snippet.get('context') or ''}\n{snippet.get('code') or ''}"
    # Its declaration; else what a module is given; else the line of the environment's file.
    for pattern in (r'variable "(\w+)"', r"= *var\.(\w+)", r"^\s*(\w+) *="):
        if named := re.search(pattern, code, re.MULTILINE):
            return f"var.{named[1]}"
    return ""


def _meaning(one: Complaint, environment: Environment, state: str) -> MlflowctlError:
    for recognise in (_locked, _refused_input):
        if error := recognise(one, environment, state):
            return error
    for meaning in MEANINGS:
        if match := re.search(meaning.pattern, one.text, re.DOTALL):
            fill = _filler(one, environment, match)
            return meaning.error(fill(meaning.what), state=state, next=fill(meaning.next))
    return MlflowctlError(
        f"Terraform: {_plain(one)}",
        state=state,
        next=f"Mend it, then: mlflowctl cloud plan --context {environment.name}",
    )


def _filler(one: Complaint, environment: Environment, match: re.Match[str]) -> Callable[[str], str]:
    values = {"at": one.at, "short": _plain(one, where=False), "env": f"environment {environment.name}"}
    values |= {"name": environment.name, "title": environment.title}

    def fill(text: str) -> str:
        return text.format(*(group or "?" for group in match.groups()), **values)

    return fill


def _locked(one: Complaint, environment: Environment, state: str) -> MlflowctlError | None:
    """Somebody else works on the state."""
    if "state lock" not in one.text:
        return None
    info = dict(re.findall(r"^\s*(ID|Path|Operation|Who|Created):\s+(.+?)\s*$", one.detail, re.MULTILINE))
    if "Who" not in info:
        return None
    since = info.get("Created", "?").split(".")[0]
    unlock = (
        f"TF_DATA_DIR={environment.data} terraform -chdir={environment.configuration} "
        f"force-unlock {info.get('ID', 'ID')}"
    )
    return ConflictError(
        f"The state of environment {environment.name} is locked by {info['Who']} since {since} UTC "
        f"({info.get('Operation', '?').removeprefix('OperationType').lower()}).",
        state=state,
        next=f"Wait for that command. Only if it is certainly dead: {unlock}",
    )


def _refused_input(one: Complaint, environment: Environment, state: str) -> MlflowctlError | None:
    """A validation or a precondition of ours said no: its own words are the message."""
    if not _INPUT.search(one.summary):
        return None
    words = one.detail.split("\n\nThis was checked by")[0].strip()
    where = f"{one.where}: " if one.where.startswith("var.") else ""
    return UsageError(f"{where}{_line(words)}", state=state, next=f"Mend it in {environment.tfvars}")


def _plain(one: Complaint, *, where: bool = True) -> str:
    """A complaint in one line, without request ids."""
    text = re.sub(r",? ?(?:RequestID|request id|HostID): [^,]*,?", "", f"{one.summary} {one.detail}")
    return _line(text)[:400] + (one.at if where else "")


def _line(text: object) -> str:
    return " ".join(str(text or "").split())
