"""Writes the reference pages: commands.md from the commands themselves, json.md from docs/schemas.

Run as ``make docs``, or with a folder to write to. The same input gives the same bytes: nothing depends on
the terminal, the shell or the day. ``tests/unit/test_docs.py`` compares the committed pages with what this
makes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from mlflowctl.cli.command import EXIT_CODES
from mlflowctl.cli.main import app

DOCS = Path(__file__).parent
SCHEMAS = DOCS / "schemas"
WRONG_USAGE = "wrong-usage"  # the one schema that belongs to no command
MADE = "<!-- Made by `make docs`; edits are lost. -->"


@dataclass(frozen=True)
class Command:
    """One command as the command line offers it.

    Attributes:
        path: its words: ("config", "show").
        purpose: its help text in one line.
        usage: what may follow it.
        arguments: (name, help) per argument.
        options: (flags with metavar, help with default) per option.
        has_json: whether it answers with ``--json``.
        is_group: whether it only holds other commands.
    """

    path: tuple[str, ...]
    purpose: str
    usage: str
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    has_json: bool
    is_group: bool

    @property
    def line(self) -> str:
        """As it is typed."""
        return " ".join(("mlflowctl", *self.path))

    @property
    def schema(self) -> str:
        """The name of its JSON schema, without version: "config.show"."""
        return ".".join(self.path)


def commands() -> list[Command]:
    """The root, every command and every sub-command, in the order of ``--help``."""
    return list(_walk(typer.main.get_command(app), ()))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[Command]:
    line = " ".join(("mlflowctl", *path))
    context = command.context_class(command, info_name=line)
    arguments: list[tuple[str, str]] = []
    options: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            (arguments if parameter.param_type_name == "argument" else options).append(_plain(record))
    inner = getattr(command, "commands", {})
    yield Command(
        path=path,
        purpose=" ".join((command.help or "").split()),
        usage=" ".join((line, *command.collect_usage_pieces(context))),
        arguments=tuple(arguments),
        options=tuple(options),
        has_json=any("--json" in parameter.opts for parameter in command.params),
        is_group=bool(inner),
    )
    for name, below in inner.items():
        yield from _walk(below, (*path, name))


def _plain(record: tuple[str, str]) -> tuple[str, str]:
    """Flags and help without the spacing that belongs to a terminal."""
    flags, text = record
    return flags, " ".join(text.split())


def commands_page() -> str:
    """The text of ``commands.md``."""
    found = commands()
    lines = ["# Commands", "", MADE, "", *_exit_codes(), *_contents(found)]
    for command in found:
        lines += _command_section(command)
    return "\n".join(lines) + "\n"


def _exit_codes() -> list[str]:
    """The table of exit codes, from the line that ``--help`` prints."""
    pairs = [part.strip().split(" ", 1) for part in EXIT_CODES.removeprefix("Exit codes: ").split("·")]
    rows = [f"| {code} | {meaning} |" for code, meaning in pairs]
    return ["Exit codes, the same for every command:", "", "| code | meaning |", "|---|---|", *rows, ""]


def _contents(found: list[Command]) -> list[str]:
    rows = [f"| [`{one.line}`](#{anchor(one.line)}) | {_cell(one.purpose)} |" for one in found if one.path]
    return ["| command | what it does |", "|---|---|", *rows, ""]


def _command_section(command: Command) -> list[str]:
    lines = [f"## {command.line}", "", command.purpose, "", "```", command.usage, "```", ""]
    if command.arguments:
        lines += ["| argument | meaning |", "|---|---|", *_rows(command.arguments), ""]
    lines += ["| option | meaning |", "|---|---|", *_rows(command.options), ""]
    if not command.is_group:
        lines += [_json_note(command), ""]
    return lines


def _json_note(command: Command) -> str:
    if not command.has_json:
        return "Has no `--json`; [json.md](json.md#commands-without---json) says why."
    return f"JSON: `mlflowctl.{command.schema}/1`, [described here](json.md#{anchor(command.line)})."


def _rows(pairs: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"| `{_cell(left)}` | {_cell(right)} |" for left, right in pairs]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def anchor(heading: str) -> str:
    """The fragment by which GitHub links to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


JSON_HEAD = """
Every command that answers something takes `--json` and prints exactly one object on stdout, also when it
fails; progress and messages go to stderr. The exit code is the same with and without it.

| field | meaning |
|---|---|
| `schema` | `mlflowctl.<command>/<version>`; the version grows when a field changes its meaning or goes |
| `ok` | true if the command did what it was asked |
| `result` | what the command found or did; null on most failures |
| `error` | null, or `code`, `message`, `state` (what state things are in now) and `next` (the next command) |

Each command's schema (JSON Schema, draft 2020-12) is a file in [schemas/](schemas), which stands alone.
The tests run every command, and no field may appear that is not described.

Error codes: {codes}.

## Wrong usage

A command or option that does not exist is answered in the same shape, under the name of the command that
was found before it (`mlflowctl.mlflowctl/1` if there was none), with the code `usage` and exit code 2:
[schemas/wrong-usage.json](schemas/wrong-usage.json).

## Commands without --json

- `mlflowctl logs` hands on what the components wrote, line by line and with `--follow` without an end: there
  is no one object to print.
- `mlflowctl env` is read by a shell or a dotenv reader; `mlflowctl env --format json` prints the variables
  alone as one object of strings, without an envelope, so that a program can put it into an environment as is.
"""


def error_codes() -> list[str]:
    """Every code that an error can carry."""
    import importlib
    import pkgutil

    import mlflowctl
    from mlflowctl.errors import MlflowctlError

    for module in pkgutil.walk_packages(mlflowctl.__path__, "mlflowctl."):
        if not module.name.startswith("mlflowctl.stack.gunicorn_settings"):
            importlib.import_module(module.name)
    return sorted({one.code for one in (MlflowctlError, *_below(MlflowctlError))})


def _below(kind: type) -> Iterator[Any]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def json_page() -> str:
    """The text of ``json.md``."""
    codes = ", ".join(f"`{code}`" for code in error_codes())
    lines = ["# What --json prints", "", MADE, *JSON_HEAD.format(codes=codes).splitlines(), ""]
    for command in commands():
        if command.has_json:
            lines += _schema_section(command)
    return "\n".join(lines) + "\n"


def _schema_section(command: Command) -> list[str]:
    name = command.schema
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    lines = [
        f"## {command.line}",
        "",
        f"`mlflowctl.{name}/1`: [schemas/{name}.json](schemas/{name}.json)",
        "",
    ]
    on_success, on_failure = (_shapes(schema[branch]) for branch in ("then", "else"))
    for shape in dict.fromkeys([*on_success, *on_failure]):
        when = [
            text for text, shapes in (("success", on_success), ("failure", on_failure)) if shape in shapes
        ]
        definition = schema["$defs"][shape]
        lines += [f"`result` on {' or '.join(when)}: {definition['description']}", ""]
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += [
            f"| `{field}` | {_cell(kind)} | {_cell(text)} |" for field, kind, text in _fields(schema, shape)
        ]
        lines.append("")
    return lines


def _shapes(branch: dict[str, Any]) -> list[str]:
    """The names of the shapes that ``result`` may have in one branch."""
    result = branch["properties"]["result"]
    return [_name(one["$ref"]) for one in result.get("oneOf", [result]) if "$ref" in one]


def _fields(schema: dict[str, Any], shape: str, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, type, meaning) of every field, with what is inside of it below it."""
    for name, field in schema["$defs"][shape]["properties"].items():
        path = f"{prefix}{name}"
        yield path, _type(field), field.get("description", "")
        for inner, mark in _inside(field):
            yield from _fields(schema, inner, f"{path}{mark}.")


def _inside(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The shapes inside a field that are its own: (name, mark behind the field's name)."""
    if "$ref" in field.get("items", {}):
        yield _name(field["items"]["$ref"]), "[]"
    for one in (field, *field.get("oneOf", [])):
        if "$ref" in one and _name(one["$ref"]) != "error":
            yield _name(one["$ref"]), ""


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "oneOf" in field:
        return " or ".join(one.get("type") or _name(one["$ref"]) for one in field["oneOf"])
    if "$ref" in field:
        return _name(field["$ref"])
    if field["type"] == "array":
        inner = field["items"]
        return f"array of {inner.get('type') or _name(inner['$ref'])}"
    kinds = field["type"]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")


def pages() -> dict[str, str]:
    """Every generated page and its text."""
    return {"commands.md": commands_page(), "json.md": json_page()}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    for page, text in pages().items():
        (folder / page).write_text(text)
        print(f"wrote {page}")
