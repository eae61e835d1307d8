"""The interpreter that a model is tried with: this one, or one made from the model's own requirements."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.files import locked

MAKING = 1800  # seconds; a large environment comes over a slow line once
LIMIT = 1 << 20  # bytes of a requirements file
# How uv is told about indexes, certificates and proxies. Credentials of anything else do not reach it.
PASSED_ON = ("UV_", "PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")
INSTALL_UV = "pip install uv   (or set checks.environment to local in the policy)"


class NoEnvironment(MlflowctlError):
    """The model's own environment could not be made.

    Args:
        inconclusive: True if that says nothing about the model (uv is missing); False if its requirements
            cannot be installed.
    """

    code = "no_environment"

    def __init__(self, what: str, *, inconclusive: bool, next: str) -> None:
        super().__init__(what, state="The model was not started.", next=next)
        self.inconclusive = inconclusive


@dataclass(frozen=True)
class Environment:
    """An interpreter with its libraries.

    Attributes:
        python: the interpreter.
        name: for reports.
        readable: what the model's process must be able to read to use it.
    """

    python: Path
    name: str
    readable: tuple[str, ...]


def prepare(model: Path, kind: str) -> Environment:
    """The environment for a model, made if it is not there yet.

    Args:
        model: the model's folder; ``uv`` reads its ``requirements.txt``.
        kind: ``local`` or ``uv``.

    Raises:
        NoEnvironment: uv is missing, or the requirements cannot be installed.
    """
    if kind == "local":
        return Environment(Path(sys.executable), f"local Python {_version()}", _readable(sys.executable))
    return _with_uv(model)


def _version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


@functools.cache
def _readable(python: str) -> tuple[str, ...]:
    """The folders of this interpreter, as it sees them when started clean: not the caller's sys.path."""
    code = "import sys, json; print(json.dumps([sys.prefix, sys.base_prefix, sys.executable, *sys.path]))"
    found = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    paths: list[str] = json.loads(found.stdout)
    real = [str(Path(path).resolve()) for path in paths]
    return tuple(path for path in dict.fromkeys(paths + real) if Path(path).exists())


def _with_uv(model: Path) -> Environment:
    wanted = _requirements(model)
    python = _python_version(model)
    digest = hashlib.sha256(f"{python}\n".encode() + wanted).hexdigest()[:16]
    uv = _find_uv()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlflowctl" / "environments"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / digest
    with locked(cache / f"{digest}.lock"):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(uv, folder, python, wanted)
            (folder / "ready").touch()
    made = folder / "bin" / "python"
    # Not by starting it: its packages are the model's choice and may run code at start.
    base = made.resolve().parent.parent
    return Environment(made, f"uv {digest}, Python {python}", (str(folder), str(base)))


def _requirements(model: Path) -> bytes:
    path = model / "requirements.txt"
    if not path.is_file() or path.stat().st_size > LIMIT:
        raise NoEnvironment(
            "The model has no requirements.txt to make an environment from.",
            inconclusive=False,
            next="Log the model with pip_requirements, then register it again.",
        )
    return path.read_bytes()


def _python_version(model: Path) -> str:
    """The Python that the model was logged with, "3.11.7"; this one's if it does not say."""
    import yaml

    try:
        found: Any = yaml.safe_load((model / "python_env.yaml").read_text())["python"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return _version()
    plain = isinstance(found, str) and found.replace(".", "").isdigit()
    return found if plain else _version()


def _find_uv() -> str:
    beside = Path(sys.executable).parent / "uv"  # where the PyPI package puts it
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if not found:
        raise NoEnvironment(
            "The policy wants the model's own environment, and there is no uv to make it.",
            inconclusive=True,
            next=INSTALL_UV,
        )
    return found


def _make(uv: str, folder: Path, python: str, wanted: bytes) -> None:
    """A virtual environment from wheels alone: building a source package would run its code out here."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    env = {**kept, "PATH": os.defpath, "HOME": str(Path.home()), "LANG": "C.UTF-8"}
    # This interpreter's own minor version is at hand for certain; another one uv finds or downloads.
    same = python.split(".")[:2] == _version().split(".")[:2]
    _uv([uv, "venv", "--quiet", "--python", sys.executable if same else python, str(folder)], env)
    listed = folder / "requirements.txt"
    listed.write_bytes(wanted)
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--only-binary",
        ":all:",
        "--python",
        str(folder / "bin/python"),
    ]
    _uv([*install, "--requirement", str(listed)], env)


def _uv(command: list[str], env: dict[str, str]) -> None:
    from mlflowctl.registry.sandbox.trial import clean

    try:
        done = subprocess.run(
            command,
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAKING,
        )
    except subprocess.TimeoutExpired:
        raise NoEnvironment(
            f"uv had not made the model's environment after {MAKING} seconds.",
            inconclusive=True,
            next="Try again.",
        ) from None
    if done.returncode != 0:
        raise NoEnvironment(
            f"The model's requirements cannot be installed: {clean(done.stderr.strip()[-1500:])}",
            inconclusive=False,
            next="Pin versions that exist as wheels for this Python, log the model again, register it.",
        )
