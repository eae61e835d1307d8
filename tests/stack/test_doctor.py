"""The doctor on a real stack: all is well, and each thing that can be wrong is found with what mends it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from mlflowctl.database import guard
from mlflowctl.database.connect import admin
from mlflowctl.doctor import components
from mlflowctl.doctor.check import Finding
from mlflowctl.settings import Context
from mlflowctl.stack import up as stack_up
from mlflowctl.stack.layout import Layout
from mlflowctl.storage import client as s3_client
from mlflowctl.storage.settings import S3Settings
from tests.stack import breaking, conftest
from tests.stack.test_smoke_test import client_variables

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("smoke")]


@pytest.fixture(scope="module")
def own(folders):
    """A stack for this file's tests alone: they break it."""
    made = conftest.Stack(Layout.at(folders() / "doctor"))
    try:
        made.up()
        yield made
    finally:
        if made.layout.exists():
            stack_up.down(made.layout)


def doctor(stack, env=None):
    """Exit code, envelope, and the checks by name."""
    done = stack.cli("doctor", "--json", env=env)
    answer = json.loads(done.stdout)
    return done.returncode, answer, {check["name"]: check for check in answer["result"]["checks"]}


def failed(checks):
    return [name for name, check in checks.items() if check["verdict"] == "failed"]


def api(stack, path, **body):
    answer = requests.post(f"{stack.uri}/api/2.0/mlflow/{path}", json=body, timeout=30)
    assert answer.ok, answer.text


def test_all_is_well(own):
    done = own.cli("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == "All is well: 17 ok, 0 failed, 0 skipped."
    assert [line.split()[0] for line in lines[:-1]] == ["ok"] * 17


def test_client_variables_alone_check_what_a_client_can(own):
    env = client_variables(
        own, MLFLOW_S3_ENDPOINT_URL=None, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None
    )
    code, _, checks = doctor(own, env=env)
    assert (code, failed(checks)) == (0, [])
    assert [name for name, check in checks.items() if check["verdict"] == "ok"] == [
        "versions",
        "server",
        "server-version",
        "allowed-hosts",
    ]
    assert checks["duplicates"]["what"] == "the context has no access to the database"


def test_a_stopped_stack(new_stack):
    stack = new_stack()
    stack_up.down(stack.layout)
    code, answer, checks = doctor(stack)
    assert code == 6
    assert failed(checks) == ["ports", "supervisor", "database", "object-store", "server"]
    assert answer["error"]["next"] == "mlflowctl up"
    assert checks["guard"] == {
        "name": "guard",
        "title": "registry guard",
        "verdict": "skipped",
        "what": "database failed",
        "next": "",
    }
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", stack.layout.load().ports.mlflow))
        squatter.listen()
        ports = doctor(stack)[2]["ports"]
    assert "of mlflow is taken by" in ports["what"]
    assert ports["next"] == "mlflowctl up --auto-ports"


def test_the_database_is_down(own):
    with breaking.without_database(own):
        code, _, checks = doctor(own)
    assert code == 6
    assert failed(checks) == ["ports", "database", "server"]
    assert checks["database"]["next"] == "mlflowctl up"
    assert checks["schema"]["what"] == "database failed"


def test_the_guard_is_gone(own):
    with admin(own.context.database) as connection:
        guard.uninstall(connection)
    with breaking.restored(own):
        code, _, checks = doctor(own)
    assert (code, failed(checks)) == (6, ["guard"])
    assert (checks["guard"]["what"], checks["guard"]["next"]) == (
        "the guard is absent",
        "mlflowctl bootstrap",
    )


def test_the_guard_is_altered(own):
    with breaking.sql(own, "ALTER TABLE model_versions DISABLE TRIGGER mlflowctl_2_protect"):
        code, _, checks = doctor(own)
    assert (code, failed(checks)) == (6, ["guard"])
    assert "trigger mlflowctl_2_protect on model_versions is disabled" in checks["guard"]["what"]
    assert checks["guard"]["next"] == "mlflowctl bootstrap"


def test_duplicates_and_alias_drift(own):
    with admin(own.context.database) as connection:
        guard.uninstall(connection)
    api(own, "registered-models/create", name="twice")
    with breaking.restored(own):
        for version in ("1", "2", "3"):
            api(own, "model-versions/create", name="twice", source="s3://elsewhere/m")
            if version != "3":
                stage = {"stage": "Production", "archive_existing_versions": False}
                api(own, "model-versions/transition-stage", name="twice", version=version, **stage)
        api(own, "registered-models/create", name="astray")
        api(own, "model-versions/create", name="astray", source="s3://elsewhere/m")
        api(own, "registered-models/alias", name="astray", alias="champion", version="1")
        code, _, checks = doctor(own)
    assert (code, failed(checks)) == (6, ["guard", "duplicates", "aliases"])
    assert "model twice: versions 1, 2 are all in Production" in checks["duplicates"]["what"]
    assert "model astray: alias champion names version 1" in checks["aliases"]["what"]
    assert checks["duplicates"]["next"].startswith("mlflowctl bootstrap --mend")
    assert doctor(own)[0] == 0


def test_the_schema_is_too_old_or_too_new(own):
    ((revision,),) = breaking.query(own, "SELECT version_num FROM alembic_version")
    try:
        breaking.execute(own, "UPDATE alembic_version SET version_num = '451aebb31d03'")
        _, _, old = doctor(own)
        breaking.execute(own, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
        _, _, new = doctor(own)
    finally:
        breaking.execute(own, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert f"revision 451aebb31d03 → {revision}" in old["schema"]["what"]
    assert old["schema"]["next"] == "mlflowctl bootstrap"
    assert "does not know" in new["schema"]["what"]
    assert new["guard"]["what"] == "schema revision failed"


def test_the_logins_password_is_not_the_one_on_file(own):
    breaking.execute(own, "ALTER ROLE mlflow PASSWORD 'another'")
    with breaking.restored(own):
        _, _, checks = doctor(own)
    assert "login" in failed(checks)
    assert checks["login"]["what"] == "database login mlflow: its password is not the one on file"
    assert checks["login"]["next"] == "mlflowctl bootstrap"


def test_the_buckets_drift_and_vanish(own):
    s3, bucket = s3_client(own.context.s3), own.context.s3.artifact_bucket
    with breaking.restored(own):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        code, _, checks = doctor(own)
    assert (code, failed(checks)) == (6, ["buckets"])
    assert checks["buckets"]["what"] == f"bucket {bucket}: versioning: Suspended → Enabled"
    with breaking.without_artifact_bucket(own):
        _, _, checks = doctor(own)
    assert f"bucket {bucket} does not exist" in checks["buckets"]["what"]
    assert checks["buckets"]["next"] == "mlflowctl bootstrap"


def test_wrong_keys_of_the_object_store(own):
    code, _, checks = doctor(own, env=client_variables(own, AWS_SECRET_ACCESS_KEY="wrong"))
    assert (code, failed(checks)) == (6, ["object-store"])
    assert checks["object-store"]["next"] == "mlflowctl config show"
    assert checks["buckets"]["what"] == "object store failed"


def test_the_host_is_not_allowed(own):
    uri = own.uri.replace("127.0.0.1", "127.1")
    code, _, checks = doctor(own, env=client_variables(own, MLFLOW_TRACKING_URI=uri))
    assert (code, failed(checks)) == (6, ["server"])
    assert "does not accept this host name" in checks["server"]["what"]


def test_a_server_without_its_security_middleware(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/m.db", "--disable-security-middleware"]
    environment = conftest.clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/health")
            done = conftest.run_cli(
                "doctor",
                "--json",
                env=conftest.clean_environment(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}"),
            )
        finally:
            conftest.os.killpg(server.pid, 15)
            server.wait(20)
    checks = {check["name"]: check for check in json.loads(done.stdout)["result"]["checks"]}
    assert (done.returncode, failed(checks)) == (6, ["allowed-hosts"])
    assert "DNS rebinding" in checks["allowed-hosts"]["what"]
    assert "--allowed-hosts" in checks["allowed-hosts"]["next"]


def _wait(url):
    deadline = time.monotonic() + 90
    while True:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.3)


class _LateClock(BaseHTTPRequestHandler):
    """A stand-in for a store with a wrong clock: the real one's cannot be set."""

    def do_HEAD(self):
        self.send_response_only(200)
        self.send_header("Date", formatdate(time.time() - 600, usegmt=True))
        self.end_headers()

    def log_message(self, *_):
        pass


def test_clocks_that_differ():
    with HTTPServer(("127.0.0.1", 0), _LateClock) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        s3 = S3Settings(f"http://127.0.0.1:{server.server_port}", access_key_id="k", secret_access_key="s")
        context = Context("client", "a test", "http://127.0.0.1:1", s3=s3)
        with pytest.raises(Finding, match=r"clock is (599|60\d) s ahead of") as found:
            components.clocks(context)
        server.shutdown()
    assert "timedatectl" in found.value.next
    assert replace(context, s3=None).s3 is None
