"""Real PostgreSQL, real MLflow schema: one migrated template, copied for every test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from guard_postgres import APP, Cluster, Server
from guard_registry import Registry

from mlflowctl.database import guard

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    server = Server()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A database at MLflow's newest schema, owned by the application role."""
    import sqlalchemy
    from mlflow.store.db import utils

    cluster.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{cluster.password}'")
    cluster.execute(f"CREATE DATABASE template_mlflow OWNER {APP}")
    engine = sqlalchemy.create_engine(cluster.url("template_mlflow"), poolclass=sqlalchemy.pool.NullPool)
    utils._initialize_tables(engine)
    return "template_mlflow"


@pytest.fixture
def make_registry(cluster: Cluster, template: str) -> Iterator[Callable[[], Registry]]:
    """Make registries without a guard; they are dropped after the test."""
    made: list[Registry] = []

    def make() -> Registry:
        name = f"registry_{next(_numbers)}"
        cluster.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {APP}")
        made.append(Registry(cluster, name))
        return made[-1]

    yield make
    for registry in made:
        registry.close()
        cluster.execute(f"DROP DATABASE {registry.name} WITH (FORCE)")


@pytest.fixture
def bare(make_registry: Callable[[], Registry]) -> Registry:
    """A registry as MLflow makes it, without the guard."""
    return make_registry()


@pytest.fixture
def registry(bare: Registry) -> Registry:
    """A registry under the guard, at its default settings."""
    guard.install(bare.admin)
    return bare
