"""Terraform, through python-terraform, in one typed class that avoids the traps of that library.

The library builds the command lines; running them is ours, because it can neither stream (its
``synchronous=False`` is broken) nor keep secret outputs out of its debug log, and because a misspelt
method of it would be run as a command of Terraform.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as Library

from mlflowctl.errors import UsageError

OLDEST = (1, 11)  # write-only arguments keep passwords out of the state
PARALLELISM = 20  # most of the time AWS is waited for
Event = dict[str, Any]
OnEvent = Callable[[Event], None]
# They change what a command does without standing on its command line, or write secrets into logs.
_DROPPED = re.compile(r"^(TF_CLI_ARGS.*|TF_WORKSPACE|TF_LOG.*|TF_DATA_DIR|TF_INPUT)$")


@dataclass(frozen=True)
class Answer:
    """How a command of Terraform ended.

    Attributes:
        code: its exit code.
        out: what it printed, if that was not streamed.
        events: its ``-json`` stream.
        err: what it printed on stderr.
    """

    code: int
    out: str
    events: tuple[Event, ...]
    err: str

    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """The errors, as Terraform describes them."""
        found = [event["diagnostic"] for event in self.events if event.get("type") == "diagnostic"]
        return [one for one in found if one.get("severity") == "error"]


class _Runner(Library):  # type: ignore[misc]
    """The library with its own way of running commands replaced; everything else is its own."""

    def __init__(self, folder: Path, data: Path) -> None:
        super().__init__(working_dir=str(folder), terraform_bin_path=binary())
        self.data = data
        self.on_event: OnEvent | None = None

    def __getattr__(self, item: str) -> Any:
        raise AttributeError(item)  # the library would run it as a command of Terraform

    def read_state_file(self, file_path: str | None = None) -> None:
        """Nothing: the library would read any local state that lies around."""

    def cmd(self, cmd: str, *args: str, **options: Any) -> Answer:
        """Run a command; with ``-json`` every line of its stream is handed on as it comes."""
        streamed = self.on_event if options.get("json") is IsFlagged else None
        line = self.generate_cmd_string(cmd, *args, **options)
        process = subprocess.Popen(
            line,
            cwd=self.working_dir,
            env=environment(self.data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        return _followed(process, streamed)


def _followed(process: subprocess.Popen[str], on_event: OnEvent | None) -> Answer:
    """Read a process to its end. Ctrl-C reaches Terraform by itself; it is waited for, so it can unlock."""
    assert process.stdout is not None
    assert process.stderr is not None
    complaints: list[str] = []
    reader = threading.Thread(target=lambda stream: complaints.extend(stream), args=(process.stderr,))
    reader.start()
    events: list[Event] = []
    printed: list[str] = []
    interrupted = False
    while True:
        try:
            for line in process.stdout:
                _take(line, on_event, events, printed)
            break
        except KeyboardInterrupt:
            interrupted = True  # go on reading, or Terraform blocks before it has unlocked the state
    reader.join()
    code = process.wait()
    process.stdout.close()
    process.stderr.close()
    if interrupted:
        raise KeyboardInterrupt
    return Answer(code, "".join(printed), tuple(events), "".join(complaints))


def _take(line: str, on_event: OnEvent | None, events: list[Event], printed: list[str]) -> None:
    event = _event(line) if on_event else None
    if event is None or on_event is None:
        printed.append(line)
        return
    events.append(event)
    on_event(event)


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "type" in event else None


class Terraform:
    """One root configuration with one set of variables and one place for what Terraform remembers.

    Args:
        folder: the configuration.
        data: the folder for ``.terraform`` (TF_DATA_DIR); made if missing.
        var_files: the variables; a later file wins over an earlier one.
        state: the state file, for a configuration without a backend.
    """

    def __init__(
        self, folder: Path, data: Path, *, var_files: Sequence[Path], state: Path | None = None
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._runner = _Runner(folder, data)
        self.var_files = list(var_files)
        self._state = str(state) if state else None

    def init(self, backend: Mapping[str, str] | None = None) -> Answer:
        """Install the provider that the lock file names, and connect the backend."""
        settings = dict(backend) if backend else None
        # An empty dictionary of variables would become a file that nobody removes: always None.
        answer: Answer = self._runner.init(backend_config=settings, var=None, lockfile="readonly")
        return answer

    def plan(self, out: Path, on_event: OnEvent, *, destroy: bool = False) -> Answer:
        """Write a plan. The answer's code is 0 for no changes, 2 for changes, 1 for an error."""
        self._runner.on_event = on_event
        answer: Answer = self._runner.plan(
            out=str(out),
            json=IsFlagged,
            destroy=IsFlagged if destroy else None,
            parallelism=PARALLELISM,
            var=None,
            var_file=[str(one) for one in self.var_files],
            state=self._state,
        )
        return answer

    def apply(self, plan: Path, on_event: OnEvent) -> Answer:
        """Carry out a saved plan, and nothing else."""
        self._runner.on_event = on_event
        # A saved plan carries its variables; passed again they are refused.
        answer: Answer = self._runner.apply(
            str(plan), json=IsFlagged, parallelism=PARALLELISM, var=None, var_file=None, state=self._state
        )
        return answer

    def show(self, plan: Path | None = None) -> Answer:
        """A saved plan, or the state, as JSON in ``out``. It may hold sensitive values: never print it."""
        self._runner.on_event = None
        named = [str(plan)] if plan else []
        answer: Answer = self._runner.cmd("show", *named, json=IsFlagged, no_color=IsFlagged)
        return answer

    def outputs(self) -> Answer:
        """Every output with its value as JSON, in ``out``, the sensitive ones too: never print it."""
        self._runner.on_event = None
        answer: Answer = self._runner.cmd("output", json=IsFlagged, no_color=IsFlagged)
        return answer


def environment(data: Path) -> dict[str, str]:
    """The environment of every command: the caller's, without what would change it unseen."""
    kept = {name: value for name, value in os.environ.items() if not _DROPPED.match(name)}
    return kept | {"TF_DATA_DIR": str(data), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}


@functools.cache
def binary() -> str:
    """The ``terraform`` on the PATH.

    Raises:
        UsageError: there is none, or it is too old.
    """
    found = shutil.which("terraform")
    if found is None:
        raise UsageError(
            "Terraform is not installed (no terraform in PATH).",
            state="Nothing was changed.",
            next="Install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install",
        )
    told = subprocess.run([found, "version", "-json"], capture_output=True, text=True, check=False)
    version = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)', told.stdout)
    if version and (int(version[1]), int(version[2])) < OLDEST:
        raise UsageError(
            f"Terraform {version[1]}.{version[2]} is too old: passwords would stand in its state.",
            state="Nothing was changed.",
            next="Install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install",
        )
    return found
