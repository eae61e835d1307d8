"""A checkout of their own for tests that run ``mlflowctl cloud``; nothing lands in the repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.terraform import terraform_cli
from tests.terraform.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan")


@dataclass
class Checkout:
    """A copy of ``infra/`` and ``modules/``, and the command line in it, aimed at an emulator.

    Attributes:
        folder: the copy.
        aws: the emulator.
        printed: everything that any command printed here, for the scan for secrets.
    """

    folder: Path
    aws: Emulator
    printed: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, folder: Path, aws: Emulator) -> Checkout:
        for part in ("infra", "modules"):
            shutil.copytree(ROOT / part, folder / part, ignore=NOT_COPIED)
        return cls(folder, aws)

    def environment_file(self, name: str, text: str) -> Path:
        """Write an environment's tfvars file."""
        file = self.folder / "infra" / "aws" / "envs" / f"{name}.tfvars"
        file.write_text(text)
        return file

    def cli(self, *arguments: str, timeout: float = 600, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``mlflowctl`` here, without a terminal, with the emulator's credentials."""
        done = subprocess.run(
            [sys.executable, "-m", "mlflowctl.cli.main", *arguments],
            cwd=self.folder,
            env=terraform_cli.environment(self.aws.environment()) | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.printed += [done.stdout, done.stderr]
        return done

    def done(self, *arguments: str, timeout: float = 600) -> str:
        """Like :meth:`cli`; the command must succeed. Returns what it printed on stdout."""
        done = self.cli(*arguments, timeout=timeout)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """The envelope that a command with ``--json`` prints."""
        answer: dict[str, Any] = json.loads(self.cli(*arguments, "--json").stdout)
        return answer
