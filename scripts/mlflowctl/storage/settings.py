"""Where the buckets are, who asks, and who owns them: one frozen object, built by the context resolution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["artifacts", "registry"]
ROLES: tuple[Role, ...] = ("artifacts", "registry")


@dataclass(frozen=True)
class S3Settings:
    """One S3 store as one context sees it.

    Attributes:
        endpoint_url: the S3 endpoint; None means AWS itself.
        region: the region that requests are signed for.
        access_key_id: None means the AWS credential chain.
        secret_access_key: never shown in a repr.
        artifact_bucket: the bucket of model artifacts.
        registry_bucket: the bucket of ledger, leases and evidence.
        owned: True if bootstrap creates and mends the buckets; False if somebody else (Terraform) owns
            them and bootstrap only checks.
        session_token: for temporary credentials; never shown in a repr.
    """

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    artifact_bucket: str = "mlflow-artifacts"
    registry_bucket: str = "mlflow-registry"
    owned: bool = True
    session_token: str | None = field(default=None, repr=False)

    @property
    def https(self) -> bool:
        """True if every request travels encrypted; AWS is always addressed by https."""
        return self.endpoint_url is None or self.endpoint_url.lower().startswith("https://")

    @property
    def where(self) -> str:
        """The store as a person names it."""
        return self.endpoint_url or f"AWS S3 in {self.region}"

    def bucket(self, role: Role) -> str:
        """The name of the bucket that plays this role."""
        return self.artifact_bucket if role == "artifacts" else self.registry_bucket
