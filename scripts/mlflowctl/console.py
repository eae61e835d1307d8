"""The one console: results to stdout, progress to stderr, decoration only where a person looks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from mlflowctl.errors import MlflowctlError

SCHEMA_VERSION = 1


class Console:
    """Everything that a command says goes through here.

    Args:
        command: the command's name, for the JSON schema name ("config.show").
        as_json: print one JSON object on stdout instead of text.
    """

    def __init__(self, command: str, *, as_json: bool = False) -> None:
        self.command = command
        self.as_json = as_json

    def progress(self, text: str) -> None:
        """One line of progress, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def result(self, text: str) -> None:
        """One line of the result, on stdout; nothing when JSON was asked for."""
        if not self.as_json:
            print(text, flush=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table: drawn on a terminal, plain aligned columns elsewhere; nothing for JSON."""
        if self.as_json:
            return
        if decorated():
            _draw(columns, rows)
            return
        cells = [list(columns), *[[str(cell) for cell in row] for row in rows]]
        widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
        for row in cells:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def envelope(self, result: Any, error: MlflowctlError | None = None) -> None:
        """The JSON answer, if it was asked for: exactly one object on stdout, also on failure."""
        if self.as_json:
            body = {
                "schema": f"mlflowctl.{self.command}/{SCHEMA_VERSION}",
                "ok": error is None,
                "result": result,
                "error": error.as_dict() if error else None,
            }
            print(json.dumps(body, indent=2, default=str), flush=True)

    def error(self, error: MlflowctlError) -> None:
        """The three lines that an on-call engineer needs."""
        mark = "\x1b[31merror:\x1b[0m" if decorated(sys.stderr) else "error:"
        self.progress(f"{mark} {error.what}")
        if error.state:
            self.progress(f"state: {error.state}")
        if error.next:
            self.progress(f"next:  {error.next}")


def decorated(stream: Any = None) -> bool:
    """True if colour and lines are welcome: a terminal, and nothing that asks for plain text."""
    out = stream or sys.stdout
    plain = "NO_COLOR" in os.environ or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return bool(out.isatty()) and not plain


def _draw(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(columns):
        cells = [str(row[index]) for row in rows]
        # What is copied (names, numbers, times) stays in one piece; where it is narrow, sentences are folded.
        whole = all(" " not in cell and len(cell) <= 40 for cell in cells)
        table.add_column(name, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*[Text(str(cell)) for cell in row])
    RichConsole().print(table)
