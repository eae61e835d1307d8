"""mlflowctl inside the VPC: the same commands, where the database can be reached, as a task that ends.

compose/inside.py is the same for a Compose project.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from mlflowctl import errors
from mlflowctl.cloud import task
from mlflowctl.cloud.published import Published
from mlflowctl.errors import MlflowctlError

FIRST = '  "schema": "mlflowctl.'  # the second line of every envelope


def run(found: Published, command: Sequence[str], say: Callable[[str], None]) -> Any:
    """The result of ``mlflowctl COMMAND`` in the VPC.

    Args:
        found: the environment.
        command: the arguments of mlflowctl, without --json.
        say: told of the task's progress.

    Raises:
        MlflowctlError: the task did not run, or the command's own error, as the same class as there.
    """
    words = [*(word for word in command if word != "--json"), "--json"]
    ended = task.run(found, words, say)
    answer = envelope(ended.lines)
    if answer is None:
        raise _silent(found, words, ended)
    if error := answer["error"]:
        told = errors.raised(error)
        told.result = answer["result"]
        raise told
    return answer["result"]


def envelope(lines: Sequence[str]) -> dict[str, Any] | None:
    """The JSON object that a command printed among its lines of progress; None if there is none."""
    for number in reversed(range(1, len(lines))):
        if lines[number].startswith(FIRST):
            try:
                found, _ = json.JSONDecoder().raw_decode("\n".join(lines[number - 1 :]))
            except ValueError:
                return None
            return dict(found)
    return None


def _silent(found: Published, command: Sequence[str], ended: task.Ended) -> MlflowctlError:
    """The command gave no answer: it never ran, was killed, or its log cannot be read."""
    how = f"exit code {ended.code}" if ended.code is not None else "it never ran"
    why = f": {ended.reason}" if ended.reason else ""
    last = f" Its last line: {ended.lines[-1]}" if ended.lines else ""
    return MlflowctlError(
        f"mlflowctl {' '.join(command)} in the VPC gave no answer ({how}{why}).{last}",
        state="What it did until then stands in its log.",
        next=f"aws logs tail {found.command_logs} --region {found.region} --since 1h",
    )
