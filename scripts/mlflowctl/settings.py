"""The context: which platform a command is aimed at, chosen first; every connection setting follows.

Order (design rule 5): a context named by ``--context`` or ``MLFLOWCTL_CONTEXT``; a stack named by
``--data-dir``; exported client variables; the one stack running here. Nothing is ever mixed from two
of these.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.database.connect import Database
from mlflowctl.errors import UsageError
from mlflowctl.stack import discovery, secrets, tracking_server
from mlflowctl.stack.layout import DEFAULT_DATA_DIR, Layout, quoted
from mlflowctl.storage.settings import S3Settings

LOCAL = "local"
CLIENT = "client"  # made of exported variables; has no name that could be asked for

# Client variables, and the setting that each of them would decide.
CLIENT_VARIABLES = {
    "MLFLOW_TRACKING_URI": "tracking_uri",
    "MLFLOW_S3_ENDPOINT_URL": "s3_endpoint",
    "AWS_ACCESS_KEY_ID": "s3_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_access_key",
    "AWS_DEFAULT_REGION": "s3_region",
    "MLFLOWCTL_ARTIFACT_BUCKET": "artifact_bucket",
    "MLFLOWCTL_REGISTRY_BUCKET": "registry_bucket",
}
SECRET_SETTINGS = {"s3_secret_access_key"}


@dataclass(frozen=True)
class Context:
    """One platform, and everything that a command needs to reach it.

    Attributes:
        name: ``local``, or ``client`` when exported variables decide.
        chosen_by: what made this the context, in words.
        tracking_uri: the address of the MLflow server, as clients use it.
        s3: the object store; None if the context does not say.
        database: the registry's database; None where only the server may reach it.
        layout: the folder of the embedded stack, if it is one.
        origins: where each setting came from.
    """

    name: str
    chosen_by: str
    tracking_uri: str
    s3: S3Settings | None = None
    database: Database | None = None
    layout: Layout | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    def describe(self) -> str:
        """The target as mutating commands print it before they start."""
        where = f" in {self.layout.root}" if self.layout else ""
        return f"context {self.name}{where} at {self.tracking_uri}"

    def settings(self) -> list[dict[str, str]]:
        """Every setting with its value and where it came from; secrets are redacted."""
        return [
            {
                "name": name,
                "value": "(set, not shown)" if name in SECRET_SETTINGS and value else value,
                "source": self.origins.get(name, "default"),
            }
            for name, value in self._values().items()
        ]

    def _values(self) -> dict[str, str]:
        values = {"context": self.name, "tracking_uri": self.tracking_uri}
        if self.layout:
            values["data_dir"] = str(self.layout.root)
        if self.s3:
            values |= {
                "s3_endpoint": self.s3.endpoint_url or "AWS",
                "s3_region": self.s3.region,
                "s3_access_key_id": self.s3.access_key_id or "",
                "s3_secret_access_key": self.s3.secret_access_key or "",
                "artifact_bucket": self.s3.artifact_bucket,
                "registry_bucket": self.s3.registry_bucket,
            }
        if self.database:
            values |= {
                "database": f"{self.database.host}:{self.database.port}/{self.database.name}",
                "database_login": self.database.app_role,
                "database_admin": self.database.admin_role,
                "database_passfile": str(self.database.app_passfile),
                "database_admin_passfile": str(self.database.admin_passfile),
            }
        return values


def resolve(
    *, context: str | None = None, data_dir: Path | None = None, environ: Mapping[str, str] | None = None
) -> Context:
    """Choose the context. See the module's text for the order.

    Args:
        context: value of ``--context``.
        data_dir: value of ``--data-dir``.
        environ: the environment; default: the process's own.

    Raises:
        UsageError: no candidate, two candidates, an unknown name, or a variable that contradicts.
    """
    env = os.environ if environ is None else environ
    name = context or env.get("MLFLOWCTL_CONTEXT") or None
    named_by = "--context" if context else "MLFLOWCTL_CONTEXT"
    if name is not None and name != LOCAL:
        raise UsageError(
            f"There is no context {name!r} (named by {named_by}).",
            state="Nothing was changed.",
            next=f"Known here: {LOCAL} (an embedded stack: mlflowctl up).",
        )
    if name == LOCAL or data_dir is not None:
        layout = Layout.at(data_dir) if data_dir else _the_running_stack()
        reason = f"{named_by} {name}" if name else f"--data-dir {data_dir}"
        return _refuse_contradictions(_local(layout, reason), env)
    if env.get("MLFLOW_TRACKING_URI"):
        return _from_variables(env)
    return _local(_the_running_stack(), "the one stack that is running here")


def _the_running_stack() -> Layout:
    candidates = discovery.running_stacks()
    if not candidates and Layout.at(DEFAULT_DATA_DIR).exists():
        return Layout.at(DEFAULT_DATA_DIR)  # stopped, but the only one that can be meant
    if not candidates:
        raise UsageError(
            "There is no target: no stack is running here, and MLFLOW_TRACKING_URI is not set.",
            state="Nothing was changed.",
            next="mlflowctl up   (or --data-dir DIR, or export MLFLOW_TRACKING_URI)",
        )
    if len(candidates) > 1:
        listed = "".join(f"\n    --data-dir {quoted(one.root)}" for one in candidates)
        raise UsageError(
            f"{len(candidates)} stacks are running here and none was named.",
            state="Nothing was changed.",
            next=f"Name one of them:{listed}",
        )
    return candidates[0]


def _local(layout: Layout, reason: str) -> Context:
    config = layout.load()
    keys = secrets.s3_keys(layout)
    stack_file = str(layout.config_file)
    key_file = str(secrets.s3_credentials(layout))
    origins = dict.fromkeys(("tracking_uri", "s3_endpoint", "database"), stack_file)
    origins |= dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"), key_file)
    origins |= {"context": reason, "data_dir": reason}
    origins |= dict.fromkeys(("database_passfile", "database_admin_passfile"), str(layout.secrets))
    return Context(
        name=LOCAL,
        chosen_by=reason,
        tracking_uri=tracking_server.tracking_uri(config),
        s3=S3Settings(
            endpoint_url=f"http://127.0.0.1:{config.ports.s3}",
            region=defaults.REGION,
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
            artifact_bucket=defaults.ARTIFACT_BUCKET,
            registry_bucket=defaults.REGISTRY_BUCKET,
        ),
        database=Database(
            host="127.0.0.1",
            port=config.ports.postgres,
            app_passfile=secrets.app_passfile(layout),
            admin_passfile=secrets.admin_passfile(layout),
        ),
        layout=layout,
        origins=origins,
    )


def _from_variables(env: Mapping[str, str]) -> Context:
    """A foreign server, described by the variables that every MLflow client knows."""
    endpoint = env.get("MLFLOW_S3_ENDPOINT_URL")
    has_keys = bool(env.get("AWS_ACCESS_KEY_ID"))
    s3 = None
    if endpoint or has_keys:
        s3 = S3Settings(
            endpoint_url=endpoint or None,
            region=env.get("AWS_DEFAULT_REGION", defaults.REGION),
            access_key_id=env.get("AWS_ACCESS_KEY_ID"),
            secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
            session_token=env.get("AWS_SESSION_TOKEN"),
            artifact_bucket=env.get("MLFLOWCTL_ARTIFACT_BUCKET", defaults.ARTIFACT_BUCKET),
            registry_bucket=env.get("MLFLOWCTL_REGISTRY_BUCKET", defaults.REGISTRY_BUCKET),
            owned=endpoint is not None,  # buckets in AWS belong to Terraform
        )
    origins = {setting: variable for variable, setting in CLIENT_VARIABLES.items() if env.get(variable)}
    return Context(
        name=CLIENT,
        chosen_by="MLFLOW_TRACKING_URI",
        tracking_uri=env["MLFLOW_TRACKING_URI"].rstrip("/"),
        s3=s3,
        origins=origins | {"context": "exported client variables"},
    )


def _refuse_contradictions(chosen: Context, env: Mapping[str, str]) -> Context:
    values = chosen._values()
    for variable, setting in CLIENT_VARIABLES.items():
        exported = env.get(variable, "").rstrip("/")
        if exported and exported != values.get(setting, exported):
            shown = "" if setting in SECRET_SETTINGS else f" ({exported} instead of {values[setting]})"
            raise UsageError(
                f"{variable} is exported and contradicts the context that {chosen.chosen_by} names{shown}.",
                state="Nothing was changed.",
                next=f"unset {variable}   (or leave out {chosen.chosen_by.split()[0]} to use the variables)",
            )
    return chosen
