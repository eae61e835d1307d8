"""The one port behind which MLflow's stages stand, and its one implementation.

``docs/decisions/0006-stages-behind-one-port.md`` says how an implementation on aliases alone would look.
Nothing here lists a model's versions on the way of a promotion: a version is read by number or by alias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mlflowctl.errors import NotFoundError, UsageError
from mlflowctl.registry.rest import TIMEOUT, Rest

Stage = Literal["None", "Staging", "Production", "Archived"]
STAGES: tuple[Stage, ...] = ("None", "Staging", "Production", "Archived")
PAGE = 1000

# Tags on versions and models; everything that the tool writes begins like this, except the status.
VALIDATION_STATUS = "validation_status"
DIGEST_TAG = "mlflowctl.digest"  # SHA-256 of the manifest of all artifacts, fixed at registration
REGISTERED_TAG = "mlflowctl.registered"  # number of the ledger entry that holds the manifest
EVIDENCE_TAG = "mlflowctl.evidence"  # "<key> <sha256>" of the last validation's evidence.json
HEAD_TAG = "mlflowctl.ledger"  # on the model: "<number> <hash>" of the ledger's head
BREAK_GLASS_TAG = "mlflowctl.break_glass"  # on the version: JSON of a rollback without the object store
RETIRE_TAG = "mlflowctl.retire"  # on the model: opens the guard for no champion


@dataclass(frozen=True)
class Version:
    """One model version as the registry shows it.

    Attributes:
        model: name of the registered model.
        version: its number.
        stage: one of ``STAGES``.
        tags: as they are.
        aliases: that name it; only filled where it was read by number or by alias.
        run_id: of the source run, "" if there is none.
        source: where the artifacts are.
        created_ms: milliseconds since 1970.
        user: who registered it, as MLflow knows.
    """

    model: str
    version: int
    stage: Stage
    tags: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    run_id: str = ""
    source: str = ""
    created_ms: int = 0
    user: str = ""

    @property
    def status(self) -> str:
        """``validation_status``; a version that was never touched is pending."""
        return self.tags.get(VALIDATION_STATUS, "pending")


class Registry(Protocol):
    """What the lifecycle needs of a registry. All methods raise the typed errors of ``rest``."""

    def version(self, model: str, version: int) -> Version: ...
    def champion(self, model: str) -> Version | None: ...
    def challenger(self, model: str) -> Version | None: ...
    def previous(self, model: str) -> Version | None: ...
    def model_tags(self, model: str) -> dict[str, str]: ...
    def versions(self, model: str) -> Iterator[Version]: ...
    def create(self, model: str, source: str, run_id: str, tags: Mapping[str, str]) -> Version: ...
    def move(self, model: str, version: int, stage: Stage, *, replace: bool, timeout: float) -> Version: ...
    def tag(self, model: str, version: int, key: str, value: str) -> None: ...
    def tag_model(self, model: str, key: str, value: str) -> None: ...
    def artifact_uri(self, model: str, version: int) -> str: ...


class StageRegistry:
    """MLflow's registry, with the stages that its guard in the database keeps consistent."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    def version(self, model: str, version: int) -> Version:
        """One version by number; reads one row."""
        answer = self.rest.get("model-versions/get", name=model, version=version)
        found = _version(answer["model_version"])
        if found is None:
            raise NotFoundError(
                f"Version {version} of model {model!r} was deleted.",
                state="Nothing was changed.",
                next="mlflowctl model status",
            )
        return found

    def champion(self, model: str) -> Version | None:
        """The version that alias champion names; by the guard that is the Production version."""
        return self._by_alias(model, "champion")

    def challenger(self, model: str) -> Version | None:
        """The version in Staging."""
        return self._by_alias(model, "challenger")

    def previous(self, model: str) -> Version | None:
        """The champion before the present one, as the guard remembers it."""
        return self._by_alias(model, "previous")

    def _by_alias(self, model: str, alias: str) -> Version | None:
        try:
            answer = self.rest.get("registered-models/alias", name=model, alias=alias)
        except NotFoundError as exc:
            if "alias" in exc.what.lower():
                return None
            raise
        except UsageError as exc:
            if f"alias {alias} not found" in exc.what.lower():
                return None
            raise
        return _version(answer["model_version"])

    def model_tags(self, model: str) -> dict[str, str]:
        """The tags of the registered model, without loading its versions.

        Raises:
            NotFoundError: there is no such model.
        """
        token = ""
        while True:
            page = {"page_token": token} if token else {}
            answer = self.rest.get("registered-models/search", filter=_named(model), max_results=PAGE, **page)
            for found in answer.get("registered_models", []):
                if found["name"] == model:
                    return _tags(found)
            token = answer.get("next_page_token", "")
            if not token:
                break
        raise NotFoundError(
            f"There is no registered model {model!r}.",
            state="Nothing was changed.",
            next="mlflowctl model status",
        )

    def versions(self, model: str) -> Iterator[Version]:
        """All versions, newest first, a page at a time; never on the way of a promotion."""
        token = ""
        while True:
            answer = self.rest.get(
                "model-versions/search",
                filter=_named(model),
                max_results=PAGE,
                order_by="version_number DESC",
                **({"page_token": token} if token else {}),
            )
            for raw in answer.get("model_versions", []):
                if raw["name"] == model and (found := _version(raw)):
                    yield found
            token = answer.get("next_page_token", "")
            if not token:
                return

    def models(self) -> Iterator[str]:
        """The names of all registered models."""
        token = ""
        while True:
            page = {"page_token": token} if token else {}
            answer = self.rest.get("registered-models/search", max_results=PAGE, **page)
            yield from (found["name"] for found in answer.get("registered_models", []))
            token = answer.get("next_page_token", "")
            if not token:
                return

    def create(self, model: str, source: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Register a version (stage None), and the model if it is the first."""
        from mlflowctl.registry.rest import GuardRefusal

        try:
            self.rest.post("registered-models/create", {"name": model})
        except GuardRefusal:
            raise
        except UsageError as exc:
            if "already exists" not in exc.what:
                raise
        body: dict[str, object] = {
            "name": model,
            "source": source,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        if run_id:
            body["run_id"] = run_id
        if source.startswith("models:/m-"):
            body["model_id"] = source.removeprefix("models:/")
        made = _version(self.rest.post("model-versions/create", body)["model_version"])
        assert made is not None
        return made

    def move(
        self, model: str, version: int, stage: Stage, *, replace: bool = False, timeout: float = TIMEOUT
    ) -> Version:
        """The one transition call. Into Production the guard archives the predecessor by itself.

        Args:
            model: name of the registered model.
            version: to move.
            stage: where to.
            replace: into Staging: archive the present challenger in the same transaction.
            timeout: seconds; without an answer by then UnknownOutcome is raised.
        """
        body: dict[str, object] = {
            "name": model,
            "version": str(version),
            "stage": stage,
            "archive_existing_versions": replace or stage == "Production",
        }
        answer = self.rest.post("model-versions/transition-stage", body, timeout=timeout)
        moved = _version(answer["model_version"])
        assert moved is not None
        return moved

    def tag(self, model: str, version: int, key: str, value: str) -> None:
        """Set a tag of a version."""
        body = {"name": model, "version": str(version), "key": key, "value": value}
        self.rest.post("model-versions/set-tag", dict(body))

    def untag(self, model: str, version: int, key: str) -> None:
        """Delete a tag of a version; one that is not there is as good."""
        body = {"name": model, "version": str(version), "key": key}
        try:
            self.rest.post("model-versions/delete-tag", dict(body), method="DELETE")
        except UsageError as exc:
            if "not found" not in exc.what and "No" not in exc.what:
                raise

    def tag_model(self, model: str, key: str, value: str) -> None:
        """Set a tag of the registered model."""
        self.rest.post("registered-models/set-tag", {"name": model, "key": key, "value": value})

    def untag_model(self, model: str, key: str) -> None:
        """Delete a tag of the registered model; one that is not there is as good."""
        try:
            self.rest.post("registered-models/delete-tag", {"name": model, "key": key}, method="DELETE")
        except UsageError as exc:
            if "tag" not in exc.what.lower():
                raise

    def staged_at(self, model: str, version: int) -> int:
        """When the version last changed, in milliseconds since 1970: for a challenger, when it was staged."""
        answer = self.rest.get("model-versions/get", name=model, version=version)
        return int(answer["model_version"].get("last_updated_timestamp") or 0)

    def artifact_uri(self, model: str, version: int) -> str:
        """Where the artifacts of a version are: mlflow-artifacts:/… or s3://…"""
        answer = self.rest.get("model-versions/get-download-uri", name=model, version=version)
        return str(answer["artifact_uri"])


def _named(model: str) -> str:
    """MLflow's search filter for a name, and perhaps a few others: it has no escape for a quote in one."""
    if "'" not in model:
        return f"name = '{model}'"
    anything = model.replace("'", "_")
    return f"name LIKE '{anything}'"


def _tags(raw: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in raw.get("tags", [])}


def _version(raw: Mapping[str, Any]) -> Version | None:
    """From MLflow's JSON; None for a version that was deleted."""
    stage = raw.get("current_stage") or "None"
    if stage not in STAGES:
        return None
    return Version(
        model=raw["name"],
        version=int(raw["version"]),
        stage=stage,
        tags=_tags(raw),
        aliases=tuple(raw.get("aliases", ())),
        run_id=raw.get("run_id") or "",
        source=raw.get("source") or "",
        created_ms=int(raw.get("creation_timestamp") or 0),
        user=raw.get("user_id") or "",
    )
