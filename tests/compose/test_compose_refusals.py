"""What must stop a start, with a sentence that says why; and a server that never starts half set up."""

from __future__ import annotations

import json
import socket

from tests.compose.projects import ComposeProject


def refused_up(project: ComposeProject) -> str:
    done = project.compose("up", "--detach", "--wait", check=False, timeout=600)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_without_compose_init_nothing_starts_and_the_command_is_named(make_project):
    project: ComposeProject = make_project("uninitialised")
    (project.folder / ".env").unlink()
    assert "mlflowctl compose init" in refused_up(project)
    assert project.leftovers()["containers"] == []


def test_a_missing_secret_stops_the_start_and_is_named(make_project):
    project: ComposeProject = make_project("nosecret")
    (project.folder / "secrets" / "postgres-mlflow.password").unlink()
    assert "postgres-mlflow.password" in refused_up(project)
    doctor = project.cli("doctor", "--json")
    checks = {one["name"]: one for one in json.loads(doctor.stdout)["result"]["checks"]}
    assert doctor.returncode == 6
    assert "postgres-mlflow.password" in checks["project-files"]["what"]
    assert checks["project-files"]["next"] == "mlflowctl compose init"
    project.down("--volumes")


def test_a_taken_port_is_named_by_the_engine_and_by_doctor_before_the_start(make_project):
    project: ComposeProject = make_project("taken")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        project.set_variable("MLFLOW_PORT", str(port))
        doctor = project.cli("doctor", "--json")
        checks = {one["name"]: one for one in json.loads(doctor.stdout)["result"]["checks"]}
        assert checks["published-ports"]["verdict"] == "failed"
        assert f"port {port} of mlflow is taken" in checks["published-ports"]["what"]
        assert "MLFLOW_PORT" in checks["published-ports"]["next"]
        assert str(port) in refused_up(project)
    project.down("--volumes")


def test_a_failing_bootstrap_keeps_the_server_from_starting_and_says_why(make_project):
    """The volume was made with another password: what a restored folder with new secrets looks like."""
    project: ComposeProject = make_project("badbootstrap")
    project.compose("up", "--detach", "--wait", "postgres", timeout=300)
    secret = project.folder / "secrets" / "postgres-admin.password"
    secret.chmod(0o644)
    secret.write_text("another-password-than-the-volume-was-made-with\n")
    said = refused_up(project)
    assert "bootstrap" in said
    containers = {
        row["Service"]: row["State"]
        for row in map(json.loads, project.compose("ps", "--all", "--format", "json").stdout.splitlines())
    }
    assert containers["bootstrap"] == "exited"
    assert containers["mlflow"] == "created", "the server must not have started"
    logs = project.compose("logs", "--no-color", "bootstrap").stdout
    assert "password" in logs
    assert "next:" in logs
    doctor = project.cli("doctor", "--json")
    checks = {one["name"]: one for one in json.loads(doctor.stdout)["result"]["checks"]}
    assert "bootstrap ended with" in checks["services"]["what"]
    project.down("--volumes")
    assert project.leftovers() == {"containers": [], "volumes": [], "networks": []}
