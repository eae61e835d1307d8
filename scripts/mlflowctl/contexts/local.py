"""The embedded stack of one folder."""

from __future__ import annotations

from mlflowctl import defaults
from mlflowctl.database.connect import Database
from mlflowctl.errors import UsageError
from mlflowctl.settings import LOCAL, Context, Login
from mlflowctl.stack import discovery, secrets, tracking_server
from mlflowctl.stack.layout import DEFAULT_DATA_DIR, Layout, StackConfig
from mlflowctl.storage.settings import S3Settings


def running_stacks() -> list[Layout]:
    """Embedded stacks that run here; else the default one, stopped, if it exists."""
    running = discovery.running_stacks()
    default = Layout.at(DEFAULT_DATA_DIR)
    return running or ([default] if default.exists() else [])


def build(layout: Layout, reason: str) -> Context:
    """The context of one embedded stack.

    Args:
        layout: the stack's folder.
        reason: what made this the context, in words.

    Raises:
        UsageError: there is no stack in the folder, or a secret of it cannot be read.
    """
    config = layout.load()
    return Context(
        name=LOCAL,
        chosen_by=reason,
        tracking_uri=tracking_server.tracking_uri(config),
        login=_login(layout) if config.auth else None,
        s3=_s3(layout, config),
        database=Database(
            host="127.0.0.1",
            port=config.ports.postgres,
            app_passfile=secrets.app_passfile(layout),
            admin_passfile=secrets.admin_passfile(layout),
        ),
        layout=layout,
        origins=_origins(layout, reason),
    )


def _s3(layout: Layout, config: StackConfig) -> S3Settings:
    keys = secrets.s3_keys(layout)
    return S3Settings(
        endpoint_url=f"http://127.0.0.1:{config.ports.s3}",
        region=defaults.REGION,
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        artifact_bucket=defaults.ARTIFACT_BUCKET,
        registry_bucket=defaults.REGISTRY_BUCKET,
    )


def _login(layout: Layout) -> Login:
    path = secrets.admin_password(layout)
    try:
        return Login(defaults.ADMIN_USERNAME, path.read_text().strip())
    except OSError as exc:
        raise UsageError(
            f"The secret {path} cannot be used: {exc.strerror}.",
            state="The stack's data is untouched.",
            next="Restore the file from a backup.",
        ) from None


def _origins(layout: Layout, reason: str) -> dict[str, str]:
    stack_file = str(layout.config_file)
    key_file = str(secrets.s3_credentials(layout))
    password_file = str(secrets.admin_password(layout))
    return {
        **dict.fromkeys(("tracking_uri", "s3_endpoint", "database"), stack_file),
        **dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"), key_file),
        **dict.fromkeys(("context", "data_dir"), reason),
        **dict.fromkeys(("database_passfile", "database_admin_passfile"), str(layout.secrets)),
        **dict.fromkeys(("tracking_username", "tracking_password"), password_file),
    }
