"""What ECS would run is run: the planned task definition's containers, on the Compose engine.

Terraform computes the definitions; nothing of them is written here a second time. Not seen: Fargate's own
limits, pulling from ECR, a load balancer with TLS, and RDS and S3 themselves.
"""

from __future__ import annotations

import configparser
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.compose import ecs_task
from tests.compose.ecs_task import Definition, EcsTask, Ended
from tests.compose.lives import IMAGE
from tests.compose.projects import API, ComposeProject

# All that is not as planned: what is AWS itself, why, and what stands in for it. The image, beside these, is
# the one that `docker compose build` makes; ECR's is built from the same Dockerfile.
INSTEAD_OF_AWS = {
    "MLFLOWCTL_DATABASE_HOST": ("RDS; the planned port and database name stay", "postgres"),
    "PGSSLMODE": ("Compose's PostgreSQL speaks no TLS, and the stand-in is built without it", "prefer"),
    "MLFLOW_S3_ENDPOINT_URL": ("S3; a store with an endpoint is one whose buckets bootstrap makes", "http://object-store:9000"),
    "MLFLOWCTL_PRESIGNED_URLS": ("as without an endpoint", "true"),
    "AWS_ACCESS_KEY_ID": ("the task role's credentials", "aws_access_key_id"),
    "AWS_SECRET_ACCESS_KEY": ("the task role's credentials", "aws_secret_access_key"),
}  # fmt: skip
# Secrets Manager's values, by the variable that ECS sets from them.
SECRETS = {
    "MLFLOWCTL_DATABASE_PASSWORD": "postgres-mlflow.password",
    "MLFLOWCTL_DATABASE_ADMIN_PASSWORD": "postgres-admin.password",
    "MLFLOWCTL_ADMIN_PASSWORD": "mlflow-admin.password",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "mlflow-session.key",
}
SEARCH = f"{API}registered-models/search?max_results=1"
PROBED_EVERY = 30  # seconds, in the probe's planned command
NEWER = "newer"  # a database whose schema this image does not know

NewTask = Callable[..., EcsTask]


@pytest.fixture(scope="module")
def definitions() -> dict[str, Definition]:
    return ecs_task.planned()


@pytest.fixture(scope="module")
def platform(
    definitions: dict[str, Definition],  # before the engine: it skips without Terraform
    built: ComposeProject,
    new_project: Callable[[str], ComposeProject],
) -> Iterator[ComposeProject]:
    """What stands in for RDS and S3: a Compose project of which only database and object store run."""
    project = new_project("ecs")
    project.up("--no-build", "postgres", "object-store")
    yield project
    project.down("--volumes", "--timeout", "5")
    assert project.leftovers() == {"containers": [], "volumes": [], "networks": []}
    ours = ("--all", "--quiet", "--filter", f"name={project.name}-")
    assert project.engine.docker("ps", *ours).stdout == ""


@pytest.fixture(scope="module")
def new_task(platform: ComposeProject, definitions: dict[str, Definition]) -> NewTask:
    """Tasks of the planned definitions, each with a network and volumes of its own."""
    keys = configparser.RawConfigParser()
    keys.read_string(platform.secret("s3-credentials.ini"))
    values = {name: keys["default"].get(value, value) for name, (_, value) in INSTEAD_OF_AWS.items()}
    secrets = {variable: platform.secret(file) for variable, file in SECRETS.items()}

    def build(kind: str, name: str, *, port: int | None = None, **others: str) -> EcsTask:
        return EcsTask(platform, definitions[kind], name, IMAGE, values | others, secrets, port)

    return build


@pytest.fixture(scope="module")
def service(platform: ComposeProject, new_task: NewTask) -> Iterator[EcsTask]:
    """The service's task after its bootstrap."""
    with new_task("server", "service", port=int(platform.variables()["MLFLOW_PORT"])).made() as task:
        task.reach("bootstrap", "SUCCESS")
        yield task


@pytest.fixture(scope="module")
def newer(platform: ComposeProject, service: EcsTask) -> None:
    """A copy of the database as a newer release would leave it; nobody uses the original yet."""
    _sql(platform, "mlflow", f"CREATE DATABASE {NEWER} TEMPLATE mlflow")
    _sql(platform, NEWER, "UPDATE alembic_version SET version_num = 'fffffffffffe'")


@pytest.fixture(scope="module")
def serving(service: EcsTask, newer: None) -> EcsTask:
    """The service's task as far as ECS brings it."""
    service.reach("probe", "START")
    return service


def _sql(project: ComposeProject, database: str, statement: str) -> str:
    return _in_postgres(project, "psql", "-d", database, "-v", "ON_ERROR_STOP=1", "-XAtqc", statement)


def _in_postgres(project: ComposeProject, program: str, *arguments: str) -> str:
    """A client of PostgreSQL as the database's administrator."""
    script = 'PGPASSWORD="$(cat /run/secrets/postgres-admin.password)" exec "$@"'
    login = ("-h", "127.0.0.1", "-U", "mlflowctl_admin")
    run = ("exec", "-T", "postgres", "sh", "-c", script, "sh", program, *login, *arguments)
    return project.compose(*run).stdout.strip()


def _content(project: ComposeProject) -> list[str]:
    """Everything in the database; the key of psql's restricted mode differs each time."""
    dump = _in_postgres(project, "pg_dump", "mlflow").splitlines()
    return [line for line in dump if not line.startswith(("\\restrict", "\\unrestrict"))]


def _until_probed(task: EcsTask, after: int, wanted: str) -> None:
    """Wait until the probe, in its own time, prints a line that begins as wanted."""
    until = time.monotonic() + 2 * PROBED_EVERY + 10
    while not any(line.startswith(wanted) for line in _probed(task)[after:]):
        assert time.monotonic() < until, _probed(task)
        time.sleep(0.5)


def _probed(task: EcsTask) -> list[str]:
    return task.logs("probe").stdout.splitlines()


def test_without_prepare_the_volumes_are_closed_to_the_image_user(new_task: NewTask):
    """That they begin as Fargate's do: this is what ``prepare`` is for."""
    with new_task("server", "unprepared").made() as task:
        task.start("bootstrap")
        ended = task.wait("bootstrap")
    assert ended.code == 2, ended
    assert "/run/mlflowctl" in ended.err


def test_prepare_and_bootstrap_succeed_on_an_empty_database(service: EcsTask):
    assert service.ended["prepare"].code == 0
    assert service.ended["bootstrap"].code == 0
    assert "Bootstrapped: " in service.ended["bootstrap"].out


def test_the_next_task_has_nothing_to_bootstrap_and_is_quick(
    platform: ComposeProject, service: EcsTask, new_task: NewTask
):
    before = _content(platform)
    with new_task("server", "next").made() as task:
        ended = task.run("bootstrap")
    assert ended.code == 0, ended
    assert "Nothing to do (0 created, 0 changed" in ended.out
    assert _content(platform) == before
    assert ended.seconds < 5, ended


def test_on_a_newer_schema_the_task_ends_before_its_server(
    platform: ComposeProject, newer: None, new_task: NewTask
):
    with new_task("server", NEWER, MLFLOWCTL_DATABASE_NAME=NEWER).made() as task:
        with pytest.raises(AssertionError, match="bootstrap ended"):
            task.reach("server", "START")
        ended: Ended = task.ended["bootstrap"]
    assert ended.code == 1
    assert "revision fffffffffffe, which the installed MLflow does not know" in ended.err
    assert "next:" in ended.err
    assert _sql(platform, NEWER, "SELECT version_num FROM alembic_version") == "fffffffffffe"


def test_the_server_is_healthy_by_the_planned_check(serving: EcsTask):
    assert (
        serving.healthy_after["server"]
        < serving.definition.containers["server"]["healthCheck"]["startPeriod"]
    )
    assert serving.alive("server")


def test_the_server_asks_for_a_login_and_answers_to_its_own_name(platform: ComposeProject, serving: EcsTask):
    host = serving.definition.host
    assert platform.request("GET", SEARCH, host=host, login=("", ""))[0] == 401
    assert platform.request("GET", SEARCH, host=host, login=("admin", "wrong"))[0] == 401
    assert platform.request("GET", SEARCH, host=host)[0] == 200
    assert platform.request("GET", SEARCH, host="evil.example")[0] == 403


def test_an_artifact_passes_through_the_server(platform: ComposeProject, serving: EcsTask):
    path, host = "/api/2.0/mlflow-artifacts/artifacts/ecs/one.txt", serving.definition.host
    assert platform.request("PUT", path, {"kept": True}, host=host)[0] == 200
    status, text = platform.request("GET", path, host=host)
    assert (status, json.loads(text)) == (200, {"kept": True})


def test_the_server_runs_without_rights(serving: EcsTask):
    status = serving.execute("server", "cat", "/proc/1/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    written = serving.execute("server", "sh", "-c", "echo x > /opt/mlflowctl/x")
    assert written.returncode != 0
    assert "Read-only file system" in written.stderr


def test_the_command_task_reaches_database_and_buckets(serving: EcsTask, new_task: NewTask):
    """As ``run-task`` with the command overridden. Behind the public name is no load balancer here."""
    with new_task("command", "command").made() as task:
        ended = task.run("mlflowctl", "doctor", "--json")
    answer: dict[str, Any] = json.loads(ended.out)
    assert answer["result"], answer["error"]
    verdicts = {one["name"]: one["verdict"] for one in answer["result"]["checks"]}
    expected = (
        "database",
        "login",
        "schema",
        "accounts",
        "guard",
        "duplicates",
        "aliases",
        "object-store",
        "buckets",
    )
    assert {name: verdicts[name] for name in expected} == dict.fromkeys(expected, "ok"), answer
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == ["server"]
    assert ended.code == 6, ended


def test_the_probe_tells_of_a_stopped_database_and_liveness_does_not(
    platform: ComposeProject, serving: EcsTask
):
    """Or a failover of RDS would replace every task."""
    _until_probed(serving, 0, "200")
    assert _probed(serving)[0] == '200 {"status":"ok"}'
    before = len(_probed(serving))
    platform.compose("stop", "postgres")
    try:
        _until_probed(serving, before, '503 {"status":"failing"}')
        assert serving.alive("server")
        assert serving.running("server")
    finally:
        platform.up("--no-build", "postgres")
    platform.request("GET", SEARCH, host=serving.definition.host)  # may still find a dead connection
    assert platform.request("GET", SEARCH, host=serving.definition.host)[0] == 200


def test_stopped_by_ecs_they_end_well_and_in_time(serving: EcsTask):
    probe, server = serving.stop("probe"), serving.stop("server")
    assert (probe.code, server.code) == (0, 0), (probe, server)
    assert server.seconds < serving.definition.containers["server"]["stopTimeout"]
    assert probe.seconds < 10
