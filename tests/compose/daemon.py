"""A Docker engine of our own: installed with apt, started by hand in one folder, stopped by its pid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.compose import leftovers

PACKAGES = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class EngineError(RuntimeError):
    """The engine cannot be had; the text says why."""


def default_folder() -> Path:
    """Where the engine keeps images and build cache, so that a second run on this machine is quick."""
    return Path(os.environ.get("MLFLOWCTL_TEST_ENGINE_DIR") or "/var/tmp/mlflowctl-engine")


def install() -> None:
    """Install what is missing; ``policy-rc.d`` keeps the packages from starting services."""
    missing = [package for binary, package in PACKAGES.items() if not shutil.which(binary, path=SYSTEM_PATH)]
    if not missing:
        return
    policy = Path("/usr/sbin/policy-rc.d")
    if not policy.exists():
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    _apt("update", "-qq")
    _apt("install", "-y", "-qq", "--no-install-recommends", *missing)


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-800:]}")


@dataclass(frozen=True)
class Daemon:
    """``dockerd`` with everything it writes below one folder."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def log(self) -> Path:
        return self.folder / "dockerd.log"

    @property
    def _pidfile(self) -> Path:
        return self.folder / "dockerd.pid"

    @property
    def _before(self) -> Path:
        return self.folder / "network-before.json"

    def process(self) -> psutil.Process | None:
        """The running daemon, and no other process that got its old pid."""
        try:
            process = psutil.Process(int(self._pidfile.read_text()))
            ours = str(self._pidfile) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.Error):
            return None
        return process if ours else None

    def start(self, within: float = 60) -> None:
        """Start the daemon unless it runs, and wait until it answers."""
        child = None
        if not self.process():
            leftovers.end_processes(self.folder)
            self._pidfile.unlink(missing_ok=True)
            self._before.write_text(json.dumps(leftovers.network_state()))
            child = self._spawn()
        deadline = time.monotonic() + within
        while not self.answers():
            if time.monotonic() > deadline or (child and child.poll() is not None):
                raise EngineError(f"dockerd does not answer; the end of {self.log}:\n{self._log_tail()}")
            time.sleep(0.1)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [
            shutil.which("dockerd", path=SYSTEM_PATH) or "dockerd",
            f"--host=unix://{self.socket}",
            f"--data-root={self.folder / 'data'}",
            f"--exec-root={self.folder / 'run'}",
            "--pidfile",
            str(self._pidfile),
        ]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | {"PATH": SYSTEM_PATH},
                start_new_session=True,
            )

    def answers(self) -> bool:
        return answers({"DOCKER_HOST": f"unix://{self.socket}"})

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else "(no log)"

    def stop(self, within: float = 60) -> None:
        """Stop the daemon and take away what it left on the machine; images and build cache stay."""
        process = self.process()
        if process:
            process.terminate()
            try:
                process.wait(within)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)
        leftovers.end_processes(self.folder)
        leftovers.unmount(self.folder)
        before = json.loads(self._before.read_text()) if self._before.exists() else {}
        leftovers.restore_network(before)
        for path in (self.socket, self._pidfile, self._before):
            path.unlink(missing_ok=True)


def answers(environment: dict[str, str]) -> bool:
    """Does an engine answer to the Docker client with this environment?"""
    if not shutil.which("docker"):
        return False
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            env=os.environ | environment,
            capture_output=True,
            timeout=15,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
