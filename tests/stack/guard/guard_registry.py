"""A registry under test: MLflow's own store on top, plain SQL below."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from guard_postgres import ADMIN, APP, Cluster

MODEL = "churn"


class Registry:
    """One database, with the means to look at it and to change it like a client."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self._connections: list[Any] = []

    def connect(self, role: str = ADMIN) -> Any:
        connection = self.cluster.connect(self.name, role)
        self._connections.append(connection)
        return connection

    @cached_property
    def admin(self) -> Any:
        return self.connect(ADMIN)

    @cached_property
    def app(self) -> Any:
        return self.connect(APP)

    @cached_property
    def store(self) -> Any:
        """MLflow's registry store, as the server uses it."""
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        return SqlAlchemyStore(self.cluster.url(self.name))

    def sql(self, statement: str, values: Any = None, *, role: str = APP) -> list[Any]:
        """One statement of a client, in a transaction of its own."""
        connection = self.app if role == APP else self.admin
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def model(self, *stages: str, name: str = MODEL) -> None:
        """Register a model with one version per stage given, as a client would."""
        self.store.create_registered_model(name)
        for number, stage in enumerate(stages, start=1):
            self.store.create_model_version(name, f"s3://artifacts/{name}/{number}")
            if stage != "None":
                self.to(number, stage, name=name)

    def to(self, version: int, stage: str, *, archive: bool = False, name: str = MODEL) -> Any:
        """A client's transition."""
        return self.store.transition_model_version_stage(name, version, stage, archive)

    def alias(self, alias: str, version: int | None, name: str = MODEL) -> None:
        """A client sets an alias, or deletes it."""
        if version is None:
            self.store.delete_registered_model_alias(name, alias)
        else:
            self.store.set_registered_model_alias(name, alias, str(version))

    def retire(self, name: str = MODEL, value: str = "true") -> None:
        """Set the tag that allows zero champions."""
        from mlflow.entities.model_registry import RegisteredModelTag

        self.store.set_registered_model_tag(name, RegisteredModelTag("mlflowctl.retire", value))

    def stages(self, name: str = MODEL, workspace: str = "default") -> dict[int, str]:
        query = (
            "SELECT version, current_stage FROM model_versions WHERE workspace = %s AND name = %s ORDER BY 1"
        )
        return dict(self.sql(query, (workspace, name)))

    def aliases(self, name: str = MODEL, workspace: str = "default") -> dict[str, int]:
        query = "SELECT alias, version FROM registered_model_aliases WHERE workspace = %s AND name = %s"
        return dict(self.sql(query, (workspace, name)))

    def history(self, name: str = MODEL) -> list[tuple[Any, ...]]:
        """(event, version, from, to) in the order in which it happened."""
        query = (
            "SELECT event, version, from_stage, to_stage FROM mlflowctl.history WHERE model = %s ORDER BY id"
        )
        return list(self.sql(query, (name,)))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        if "store" in self.__dict__:
            self.store._dispose_engine()
