"""Find a Docker engine for the tests, or make one.

By hand: ``python -m tests.compose.engine up``, then ``eval "$(python -m tests.compose.engine env)"``, and
``down`` at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.compose import client, daemon, standin_images
from tests.compose.client import Engine
from tests.compose.daemon import Daemon, default_folder

NO_ENGINE = (
    "no Docker engine; set MLFLOWCTL_TEST_ENGINE=1 as root on Debian to let the tests install and start one"
)


def allowed() -> bool:
    """May the tests install and start an engine here? Only with permission, as root, on Debian."""
    permitted = os.environ.get("CI") or os.environ.get("MLFLOWCTL_TEST_ENGINE") == "1"
    return bool(permitted) and _able()


def _able() -> bool:
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and bool(shutil.which("apt-get"))


@contextlib.contextmanager
def running() -> Iterator[Engine | None]:
    """An engine for as long as the tests run: the machine's, one started by hand, or our own; else None.

    Our own is shared by test runs at the same time, and the last one that leaves it stops it, unless
    ``up`` asked to keep it.
    """
    own = Daemon(default_folder())
    by_hand = own.process() and _able()
    if not by_hand and daemon.answers({}):
        engine = client.of_the_machine()
        standin_images.ensure(engine, may_stand_in=allowed())
        yield engine
        return
    if not by_hand and not allowed():
        yield None
        return
    with _shared(own.folder) as leave:
        try:
            yield start(own)
        finally:
            if leave() and not _kept(own.folder).exists():
                stop(own)


def start(own: Daemon) -> Engine:
    """Our engine, installed and started if need be, with all base images."""
    with _alone(own.folder):
        ran = own.process()
        if not ran:
            daemon.install()
            _kept(own.folder).unlink(missing_ok=True)  # left by one that a reboot ended
        own.start()
        engine = Engine(own.folder, exports(own))
        client.configure(own.folder)
        if not ran:
            _clear(engine)  # what a killed run left would come back, restart policies and ports and all
        standin_images.ensure(engine, may_stand_in=True)
    return engine


def stop(own: Daemon) -> None:
    """Clear our engine while it still answers, then stop it."""
    with _alone(own.folder):
        if own.process():
            _clear(Engine(own.folder, exports(own)))
        own.stop()


def _clear(engine: Engine) -> None:
    """Remove containers, volumes, networks and images without a name; the build cache stays."""
    for listing, remove in (("ps --all", "rm --force --volumes"), ("volume ls", "volume rm")):
        found = engine.docker(*listing.split(), "--quiet", check=False).stdout.split()
        if found:
            engine.docker(*remove.split(), *found, check=False)
    engine.docker("network", "prune", "--force", check=False)
    engine.docker("image", "prune", "--force", check=False)


def exports(own: Daemon) -> dict[str, str]:
    """The variables that lead the Docker client to our engine."""
    return {
        "DOCKER_HOST": f"unix://{own.socket}",
        "DOCKER_CONFIG": str(own.folder / "config"),
        "COMPOSE_BAKE": "false",  # Bake needs buildx, which our engine has not: without this, a warning
    }


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Starting and stopping, one process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _shared(folder: Path) -> Iterator[Callable[[], bool]]:
    """Mark the engine as used by this process; ``leave()`` tells whether nobody else uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)

        def leave() -> bool:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield leave


def _kept(folder: Path) -> Path:
    return folder / "keep"


def main(arguments: list[str] | None = None) -> int:
    """Use the engine by hand: it stays until ``down``."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose.engine", description=__doc__)
    parser.add_argument("action", choices=["up", "env", "down"])
    action = parser.parse_args(arguments).action
    own = Daemon(default_folder())
    if action == "env":
        for name, value in exports(own).items():
            print(f"export {name}={shlex.quote(value)}")
        return 0
    if not _able():
        print("an engine can be installed and started only as root on Debian", file=sys.stderr)
        return 2
    if action == "down":
        _kept(own.folder).unlink(missing_ok=True)
        stop(own)
        return 0
    start(own)
    _kept(own.folder).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
