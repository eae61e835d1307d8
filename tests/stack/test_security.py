"""Who is refused, and where no secret may stand."""

from __future__ import annotations

import os
import stat
import subprocess

import boto3
import psycopg2
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from mlflowctl.database import passwords
from mlflowctl.stack import object_store, secrets, supervisor
from mlflowctl.stack.processes import family

pytestmark = pytest.mark.stack
API = "/api/2.0/mlflow/registered-models/search"


def all_secrets(stack) -> list[str]:
    layout = stack.layout
    return [
        passwords.read(secrets.admin_passfile(layout)),
        passwords.read(secrets.app_passfile(layout)),
        secrets.s3_keys(layout).secret_access_key,
    ]


def all_processes(stack):
    processes = [supervisor.running(stack.layout), *supervisor.components(stack.layout).values()]
    return {member for process in processes for member in family(process)}


@pytest.mark.parametrize("role", ["mlflowctl_admin", "mlflow", "postgres"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_postgresql_refuses_wrong_and_missing_passwords(stack, role, password):
    with pytest.raises(psycopg2.OperationalError, match=r"authentication failed|no password supplied"):
        psycopg2.connect(
            host="127.0.0.1",
            port=stack.layout.load().ports.postgres,
            dbname="mlflow",
            user=role,
            password=password,
            passfile=os.devnull,
        )


def s3(stack, **arguments):
    return boto3.client(
        "s3", endpoint_url=stack.context.s3.endpoint_url, region_name="us-east-1", **arguments
    )


def test_the_object_store_refuses_anonymous_and_foreign_keys(stack):
    keys = secrets.s3_keys(stack.layout)
    anonymous = s3(stack, config=Config(signature_version=UNSIGNED))
    wrong_secret = s3(stack, aws_access_key_id=keys.access_key_id, aws_secret_access_key="wrong")
    wrong_key = s3(stack, aws_access_key_id="AKIAFOREIGN", aws_secret_access_key=keys.secret_access_key)
    for client in (anonymous, wrong_secret, wrong_key):
        for call in (
            lambda client: client.list_objects_v2(Bucket="mlflow-artifacts"),
            lambda client: client.put_object(Bucket="mlflow-artifacts", Key="intruder", Body=b""),
        ):
            with pytest.raises(ClientError) as refused:
                call(client)
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("host", ["evil.example", "mlflow.evil.example:5000", "127.0.0.1.evil.example"])
def test_a_foreign_host_header_is_refused(stack, host):
    assert requests.get(stack.uri + API, headers={"Host": host}, timeout=10).status_code == 403


def test_a_foreign_page_cannot_change_anything(stack):
    answer = requests.post(
        stack.uri + "/api/2.0/mlflow/experiments/create",
        json={"name": "from elsewhere"},
        headers={"Origin": "https://evil.example"},
        timeout=10,
    )
    assert answer.status_code == 403


def test_everything_listens_on_loopback_only(stack):
    addresses = {
        connection.laddr.ip
        for process in all_processes(stack)
        for connection in process.net_connections(kind="inet")
        if connection.status == "LISTEN"
    }
    assert addresses == {"127.0.0.1"}


def test_no_secret_stands_in_a_command_line_or_an_environment(stack):
    for process in all_processes(stack):
        said = " ".join(process.cmdline()) + " ".join(process.environ().values())
        for secret in all_secrets(stack):
            assert secret not in said, f"{process.name()} shows a secret"


def test_no_secret_stands_in_a_log_or_in_what_commands_print(stack):
    printed = "".join(
        done.stdout + done.stderr
        for done in (
            stack.cli("status"),
            stack.cli("status", "--json"),
            stack.cli("config", "show"),
            stack.cli("config", "show", "--json"),
            stack.cli("up", "--json"),
            stack.cli("bootstrap", "--json"),
            stack.cli("env"),
        )
    )
    logged = "".join(path.read_text(errors="replace") for path in stack.layout.logs.iterdir())
    for secret in all_secrets(stack):
        assert secret not in printed
        assert secret not in logged


def test_secret_files_are_for_their_owner_alone(stack):
    assert stat.S_IMODE(stack.layout.secrets.stat().st_mode) == 0o700
    for path in stack.layout.secrets.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_the_server_logs_in_as_an_ordinary_role(stack):
    from mlflowctl.database.connect import connect_as_app

    connection = connect_as_app(stack.context.database)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False)
    connection.close()


def store_shell(stack, folder) -> str:
    """What ``weed shell`` lists on the running store, with the keys that ``folder`` holds."""
    ports = stack.layout.load().ports.store
    command = [
        str(object_store.binary()),
        "shell",
        f"-master=127.0.0.1:{ports['master']}.{ports['master.grpc']}",
        f"-filer=127.0.0.1:{ports['filer']}.{ports['filer.grpc']}",
    ]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return process.communicate("fs.ls /buckets\n", timeout=8)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def test_the_stacks_own_store_shows_nothing_inside_without_its_certificate(stack, tmp_path):
    assert "mlflow-artifacts" in store_shell(stack, object_store.security_folder(stack.layout))
    assert "mlflow-artifacts" not in store_shell(stack, tmp_path)


def test_the_stacks_own_volume_port_takes_nothing_without_a_token(stack):
    volume = f"http://127.0.0.1:{stack.layout.load().ports.store['volume']}/1,01637037d6"
    assert requests.post(volume, files={"file": b"intruder"}, timeout=10).status_code == 401
