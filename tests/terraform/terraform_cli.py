"""Terraform for the tests: found on the PATH, and offline where a mirror of its providers is on this machine.

Online nothing is needed but the binary. Offline Terraform takes providers from a *filesystem mirror*, a
folder that holds ``registry.terraform.io/…``. Where that lies differs from machine to machine, so it is
searched for at run time and never written into a file of the repository.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

OLDEST = (1, 11)  # write-only arguments
REGISTRY = "registry.terraform.io"
AWS_PROVIDER = Path(REGISTRY) / "hashicorp" / "aws"
REPOSITORY = Path(__file__).resolve().parents[2]
# Where mirrors usually lie, most likely first; then the whole disk, not deep and not for long.
ROOTS = ("/opt", "/usr/local", "/usr/share", "/usr/lib", "/srv", "/var/lib", "/mnt", "/home", "/root", "/")
MAX_DEPTH = 4
MAX_SECONDS = 20.0
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
NEVER_ENTERED = {"proc", "sys", "dev", "run", "tmp", ".git", ".terraform", "node_modules", "site-packages"}


def terraform(
    folder: Path | str,
    *args: str,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 900,
    asked: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run ``terraform ARGS`` in a folder, without colour and without questions.

    Args:
        folder: of the configuration.
        args: of Terraform, the subcommand first.
        env: variables beside those of :func:`environment`; the caller's AWS variables never get in.
        check: fail the test, with all that Terraform printed, if it ends with another code than 0.
        timeout: in seconds.
        asked: what `console` reads; without it nothing is there to be read.
    """
    done = subprocess.run(
        [binary(), *args],
        cwd=folder,
        env=environment(env),
        input=asked,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    # Terraform colours also what goes into a pipe, and -no-color belongs behind the subcommand of some.
    done.stdout, done.stderr = _ESCAPE.sub("", done.stdout), _ESCAPE.sub("", done.stderr)
    if check and done.returncode:
        raise AssertionError(f"terraform {' '.join(args)} ended with {done.returncode}\n{printed(done)}")
    return done


def printed(done: subprocess.CompletedProcess[str]) -> str:
    """Everything that Terraform printed."""
    return f"{done.stdout}\n{done.stderr}"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for Terraform: offline if this machine has a mirror, nobody's AWS account in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "MLFLOW"))}
    ours = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "NO_COLOR": "1"}
    # A fifth less of processor time: most goes into the provider's schema, which is all garbage at once.
    ours["GOGC"] = "400"
    return kept | ours | {"TF_CLI_CONFIG_FILE": str(cli_config())} | dict(extra or {})


@functools.cache
def binary() -> str:
    """The ``terraform`` on the PATH; without it, or if it is too old, the test is skipped (fails in CI)."""
    found = shutil.which("terraform")
    if found is None:
        missing("Terraform is not on the PATH")
    told = subprocess.run(
        [found, "version", "-json"],
        env={"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    version = json.loads(told.stdout)["terraform_version"]
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < OLDEST:
        missing(f"Terraform {version} is older than {'.'.join(map(str, OLDEST))}")
    return found


def missing(why: str) -> None:
    """Skip visibly; in CI a failure, since there nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}, and CI is set", pytrace=False)
    pytest.skip(why)


@functools.cache
def cli_config() -> Path:
    """A CLI configuration of our own in a temporary folder; without a mirror it is empty (the registry)."""
    mirror = provider_mirror()
    path = Path(tempfile.mkdtemp(prefix="mlflowctl-terraform-")) / "terraform.rc"
    path.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
        if mirror
        else ""
    )
    return path


@functools.cache
def provider_mirror() -> Path | None:
    """The folder whose ``registry.terraform.io`` holds the AWS provider; None if this machine has none."""
    deadline = time.monotonic() + MAX_SECONDS
    for root in map(Path, ROOTS):
        for folder in _folders(root, MAX_DEPTH, deadline):
            if folder.name == REGISTRY and (folder.parent / AWS_PROVIDER).is_dir():
                return folder.parent
    return None


def _folders(root: Path, depth: int, deadline: float) -> Iterator[Path]:
    """Folders below ``root``, nearest first; nothing where reading is refused or time is up."""
    level = [root]
    for _ in range(depth):
        below: list[Path] = []
        for folder in level:
            if time.monotonic() > deadline:
                return
            below += _children(folder)
        yield from below
        level = below


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(Path(entry.path) for entry in found if entry.name not in NEVER_ENTERED)
