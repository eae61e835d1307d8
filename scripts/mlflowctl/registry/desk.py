"""Everything that a registry command works with, made of one context."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlflowctl.errors import NotFoundError, UsageError
from mlflowctl.registry.actor import Actor, whoami
from mlflowctl.registry.artifacts import ArtifactStore
from mlflowctl.registry.leases import Head, look, witnessed
from mlflowctl.registry.ledger import Chained, Ledger
from mlflowctl.registry.objects import Objects
from mlflowctl.registry.port import HEAD_TAG, StageRegistry
from mlflowctl.registry.rest import Rest

if TYPE_CHECKING:
    from mlflowctl.settings import Context


@dataclass
class Desk:
    """Registry, registry bucket, artifacts and the acting person of one context."""

    context: Context

    @cached_property
    def registry(self) -> StageRegistry:
        return StageRegistry(Rest(self.context.tracking_uri, self.context.login))

    @cached_property
    def objects(self) -> Objects:
        if self.context.s3 is None:
            raise UsageError(
                f"Promotions are recorded in the registry bucket, and {self.context.describe()} names no "
                "object store.",
                state="Nothing was changed.",
                next="Export MLFLOW_S3_ENDPOINT_URL and its keys, or name a context: mlflowctl config show",
            )
        return Objects(self.context.s3)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.registry.rest, self.context.s3)

    @cached_property
    def actor(self) -> Actor:
        return whoami(self.context)

    def ledger(self, model: str) -> Ledger:
        return Ledger(self.objects, model)

    def head(self, model: str, hint: Head | None = None) -> Chained:
        """The head of a model's ledger.

        Args:
            model: name of the registered model.
            hint: where it was; default: where the last lease left it.

        Raises:
            BrokenLedgerError: its end was cut off, or all of it is gone while the registry remembers it.
        """
        ledger = self.ledger(model)
        found = ledger.head(hint or witnessed(look(self.objects, model)[0]))
        if found.number == 0 and (tag := self._remembered(model)):
            raise ledger.broken(
                f"the registry remembers {tag.split(' ')[0]} entries and there is none. Was the model "
                "renamed? Its ledger stays under the old name"
            )
        return found

    def _remembered(self, model: str) -> str:
        try:
            return self.registry.model_tags(model).get(HEAD_TAG, "")
        except NotFoundError:
            return ""
