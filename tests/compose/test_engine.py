"""The engine itself: what the other tests in this folder take for granted."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compose import standin_images
from tests.compose.client import Engine

PROJECT = "mlflowctl-test-engine"
DATABASE = """
    services:
      db:
        image: ${POSTGRES_IMAGE}
        user: "999:999"
        read_only: true
        tmpfs: [/tmp, /var/run/postgresql]
        environment:
          POSTGRES_USER: someone
          POSTGRES_DB: somewhere
          POSTGRES_PASSWORD_FILE: /run/secrets/password
          POSTGRES_INITDB_ARGS: --auth-local=scram-sha-256
        secrets: [password]
        volumes: ["data:/var/lib/postgresql", "./init:/docker-entrypoint-initdb.d:ro"]
        healthcheck: {test: [CMD, pg_isready, -U, someone, -d, somewhere], interval: 1s, retries: 60}
      client:
        image: ${PYTHON_IMAGE}
        command: [python, -c, "import socket; socket.create_connection(('db', 5432), 5)"]
        depends_on: {db: {condition: service_healthy}}
    volumes: {data: {}}
    secrets: {password: {file: ./secrets/password}}
"""
STORAGE = """
    services:
      s3:
        image: ${OBJECT_STORE_IMAGE}
        command: [server, -s3, -ip.bind=127.0.0.1, -s3.ip.bind=0.0.0.0, -master.telemetry=false]
        healthcheck: {test: [CMD, curl, -fsS, "http://127.0.0.1:8333/healthz"], interval: 1s, retries: 60}
"""
BUILD = """
    services:
      built: {build: {context: ., args: [PYTHON_IMAGE]}, image: mlflowctl-test-engine-built}
"""
# What the project's own image does: a cache mount, a virtual environment, a package from the index.
DOCKERFILE = """
    ARG PYTHON_IMAGE
    FROM ${PYTHON_IMAGE}
    RUN --mount=type=cache,target=/root/.cache/pip python -m venv /venv && /venv/bin/pip install six
    CMD ["/venv/bin/python", "-c", "import six; print(six.__version__)"]
"""

Folder = Callable[..., Path]


@pytest.fixture
def folder(engine: Engine, tmp_path: Path) -> Iterator[Folder]:
    """Write a Compose project; it is taken down, volumes and all, after the test."""

    def write(compose: str, **files: str) -> Path:
        shutil.copy(standin_images.ROOT / ".env.example", tmp_path / ".env")
        (tmp_path / "compose.yaml").write_text(textwrap.dedent(compose))
        for name, content in files.items():
            (tmp_path / name).write_text(textwrap.dedent(content))
        return tmp_path

    yield write
    engine.compose(tmp_path, "down", "--volumes", "--timeout", "5", project=PROJECT)


def test_compose_is_version_2_and_the_engine_runs_linux_containers(engine: Engine) -> None:
    version = engine.docker("compose", "version", "--short").stdout.strip().lstrip("v")
    assert int(version.split(".")[0]) >= 2
    assert engine.docker("info", "--format", "{{.OSType}}").stdout.strip() == "linux"


def test_a_stand_in_says_that_it_is_one(engine: Engine) -> None:
    for item in standin_images.UPSTREAM:
        labels = engine.docker("image", "inspect", "--format", "{{json .Config.Labels}}", item.image).stdout
        found = json.loads(labels) or {}
        # A real image has neither label; a stand-in has both, and is of today's making.
        if standin_images.LABEL in found or standin_images.KEY_LABEL in found:
            assert "not" in found[standin_images.LABEL]
            assert found[standin_images.KEY_LABEL] == standin_images.key(item)


def test_a_database_turns_healthy_and_is_reached_by_name(engine: Engine, folder: Folder) -> None:
    project = folder(DATABASE)
    (project / "init").mkdir()
    (project / "init" / "table.sql").write_text("CREATE TABLE made_by_init (a int);")
    (project / "secrets").mkdir(mode=0o700)
    (project / "secrets" / "password").write_text("a secret")
    (project / "secrets" / "password").chmod(0o444)
    engine.compose(project, "up", "--detach", "--wait", "db", project=PROJECT)
    engine.compose(project, "run", "--rm", "client", project=PROJECT)

    def ask(*environment: str) -> str:
        sql = ["psql", "-h", "127.0.0.1", "-U", "someone", "-w", "-tAd", "somewhere", "-c", r"\dt"]
        options = [word for pair in environment for word in ("-e", pair)]
        command = ["exec", "-T", *options, "db", *sql]
        return engine.compose(project, *command, project=PROJECT, check=False).stdout

    # The image trusts connections from inside its own container unless told otherwise.
    assert "made_by_init" in ask("PGPASSWORD=a secret")
    hba = "tail -1 /var/lib/postgresql/18/docker/pg_hba.conf"
    last = engine.compose(project, "exec", "-T", "db", "sh", "-c", hba, project=PROJECT).stdout
    assert last.split() == ["host", "all", "all", "all", "scram-sha-256"]


def test_the_object_store_turns_healthy(engine: Engine, folder: Folder) -> None:
    project = folder(STORAGE)
    engine.compose(project, "up", "--detach", "--wait", project=PROJECT)
    process = "id -u seaweed; stat -c %u /data /proc/1"
    ids = engine.compose(project, "exec", "-T", "s3", "sh", "-c", process, project=PROJECT).stdout.split()
    assert ids == ["1000", "1000", "1000"]


def test_a_memory_limit_holds_inside_the_container(engine: Engine) -> None:
    files = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true"
    run = ["run", "--rm", "--memory", "64m", standin_images.image("PYTHON_IMAGE"), "sh", "-c", files]
    assert engine.docker(*run).stdout.split() == [str(64 * 1024 * 1024)]


def test_an_image_installs_packages_while_it_is_built(engine: Engine, folder: Folder) -> None:
    project = folder(BUILD, Dockerfile=DOCKERFILE)
    engine.compose(project, "build", project=PROJECT)
    assert engine.compose(project, "run", "--rm", "built", project=PROJECT).stdout.strip().count(".") == 2
