"""AWS runs what the laptop runs, but for what stands in docs/parity.md; figures that must fit together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlflowctl import defaults
from mlflowctl.login import store
from mlflowctl.stack import postgres
from mlflowctl.storage import desired
from mlflowctl.storage.settings import ROLES
from tests import parity_facts
from tests.compose import ecs_task
from tests.compose.ecs_task import Container
from tests.terraform import parity_facts_aws, plans
from tests.terraform.parity_facts_aws import Planned, compared
from tests.terraform.terraform_cli import terraform

pytestmark = pytest.mark.xdist_group(plans.GROUP)

ROOT = Path(__file__).resolve().parents[2]
STORES = 2  # tracking and registry, each with a pool of its own
# What else may be connected: bootstrap of a starting task, deep probes, an engineer, RDS's own.
OTHERS = 20


@pytest.fixture(scope="module")
def planned(example_plans: plans.Examples) -> Planned:
    return Planned(example_plans.documents["prod"])


@pytest.fixture(scope="module")
def server(needs_terraform: str) -> Container:
    return ecs_task.planned()["server"].containers["server"]


@pytest.fixture(scope="module")
def sizes(needs_terraform: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The presets, as Terraform reads them."""
    folder = tmp_path_factory.mktemp("sizes")
    for name in ("sizes.tf", "variables_sizes.tf"):
        shutil.copy(ROOT / "infra" / "aws" / name, folder)
    (folder / "size.tf").write_text('variable "size" {\n  default = "small"\n}\n')
    said = terraform(folder, "console", asked="jsonencode(local.sizes)\n").stdout
    found: dict[str, dict[str, Any]] = json.loads(json.loads(said))
    return found


def test_every_difference_is_documented_and_no_other_is(planned: Planned, server: Container, tmp_path: Path):
    here = parity_facts.embedded(*parity_facts.new_stack(tmp_path / "stack"))
    there = parity_facts_aws.facts(planned, server, tmp_path)
    told = {name: (row.embedded, row.aws) for name, row in parity_facts.documented().items()}
    assert parity_facts.contradictions(compared(here), compared(there), compared_rows(told)) == []


def compared_rows(told: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Rows without those of what AWS has not, whose cell is a dash."""
    dashes = {name: cells for name, cells in told.items() if name.startswith(parity_facts_aws.NOT_IN_AWS)}
    assert {cells[1] for cells in dashes.values()} == {"–"}
    return {name: cells for name, cells in told.items() if name not in dashes}


def test_the_row_of_the_sizes_names_them(sizes: dict[str, dict[str, Any]]):
    connections = [str(sizes[name]["max_connections"]) for name in ("small", "medium", "large")]
    assert parity_facts.documented()["database: max_connections"].aws == f"by size: {', '.join(connections)}"


def test_the_server_s_definition_is_given_what_the_environment_would_give(
    planned: Planned, server: Container
):
    """The definition comes from the module's own tests; what infra/aws hands it could differ."""
    given = parity_facts_aws.variables(server)
    assert planned.variables["database_ssl_mode"] == given["PGSSLMODE"]
    assert planned.variables["server_environment"] == {}
    assert given["MLFLOWCTL_DATABASE_NAME"] == defaults.DATABASE_NAME
    assert given["MLFLOWCTL_ADMIN_USERNAME"] == defaults.ADMIN_USERNAME


def test_names_and_ports_are_the_shared_ones(planned: Planned, server: Container):
    database, group = planned.one("aws_db_instance"), planned.one("aws_lb_target_group")
    assert database["engine_version"] == str(defaults.POSTGRES_MAJOR)
    assert database["username"] == defaults.ADMIN_ROLE
    assert database["port"] == defaults.DATABASE_PORT
    assert group["port"] == defaults.TRACKING_PORT
    assert [one["containerPort"] for one in server["portMappings"]] == [defaults.TRACKING_PORT]


@pytest.mark.parametrize("role", ROLES)
def test_the_bucket_policy_is_the_statement_that_bootstrap_looks_for(needs_terraform: str, role: str):
    bucket = f"mlflow-test-123456789012-{role}"
    statement = desired.tls_only_statement(bucket, "eu-central-1")
    assert parity_facts_aws.bucket_policies()[role]["Statement"] == [statement]


def test_the_server_keeps_a_connection_longer_than_the_load_balancer(planned: Planned, monkeypatch):
    """Or the load balancer sends a request into a connection that the server just closed: 502."""
    monkeypatch.setenv("MLFLOWCTL_BIND", "127.0.0.1:1")
    from mlflowctl.stack import gunicorn_settings

    assert planned.one("aws_lb")["idle_timeout"] < gunicorn_settings.keepalive


def kept(connections: int = defaults.SERVER_THREADS, login: int = store.CONNECTIONS) -> int:
    """Connections that one task keeps once it was busy."""
    return defaults.SERVER_WORKERS * (STORES * connections + login)


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_the_database_accepts_what_the_servers_open(sizes: dict[str, dict[str, Any]], size: str):
    most, accepted = sizes[size]["max_tasks"], sizes[size]["max_connections"]
    overflow = int(defaults.SERVER_ENVIRONMENT["MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"])
    busy = kept() + kept(overflow)
    assert most * busy + OTHERS <= accepted, "every thread of every task at once"
    assert 2 * most * kept() + OTHERS <= accepted, "old and new tasks of a deployment side by side"


def test_the_local_database_accepts_what_the_local_server_opens():
    assert 2 * kept() + OTHERS <= int(postgres.SERVER_PARAMETERS["max_connections"])


def test_the_module_refuses_more_tasks_than_the_database_accepts_by_the_same_count():
    text = (ROOT / "modules" / "tracking-server" / "variables_task.tf").read_text()
    assert f"2 * var.max_tasks * {kept()} + {OTHERS} <= var.database.max_connections" in text
