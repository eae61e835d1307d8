"""Checks of the running parts: database, object store, server, host names, clocks."""

from __future__ import annotations

import urllib.error
import urllib.request

from mlflowctl.doctor.check import Check, Finding, Skip
from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.settings import Context, Login

FOREIGN_HOST = "mlflowctl-doctor.invalid"
# S3 refuses requests from 15 minutes on; clocks that are kept at all differ by less than this.
SKEW_SECONDS = 30.0


def supervisor(context: Context) -> str:
    """The stack's supervisor lives, so what dies is started again."""
    from mlflowctl.stack import supervisor as stack_supervisor

    if context.layout is None:
        raise Skip("no embedded stack")
    process = stack_supervisor.running(context.layout)
    if process is None:
        raise Finding("the stack's supervisor does not run", "mlflowctl up")
    return f"pid {process.pid}"


def database(context: Context) -> str:
    """PostgreSQL lets the admin role in."""
    from mlflowctl.stack import health

    if context.database is None:
        raise Skip("the context has no access to the database")
    where = f"{context.database.host}:{context.database.port}"
    try:
        health.database(context.database)
    except UnavailableError:
        raise Finding(f"PostgreSQL does not answer at {where}", "mlflowctl up") from None
    return f"answers at {where}"


def object_store(context: Context) -> str:
    """The object store answers a signed request."""
    from mlflowctl.stack import health

    if context.s3 is None:
        raise Skip("the context names no object store")
    try:
        health.object_store(context.s3)
    except UnavailableError as exc:
        raise Finding(exc.what, "mlflowctl up" if context.is_local else "mlflowctl config show") from None
    return f"{context.s3.where} answers a signed request"


def tracking_server(context: Context) -> str:
    """The API answers through the tracking URI, from the database."""
    from mlflowctl.stack import health

    try:
        health.tracking_server(context.tracking_uri, login=context.login, timeout=6)
    except UnavailableError as exc:
        local = "mlflowctl logs mlflow   (then mlflowctl restart)"
        raise Finding(exc.what, local if context.is_local else "Look at the server's own log.") from None
    return f"{context.tracking_uri} answers from its database"


def server_version(context: Context) -> str:
    """The server runs the MLflow that is installed here."""
    import importlib.metadata

    status, body = _get(context.tracking_uri + "/version", login=context.login)
    here = importlib.metadata.version("mlflow")
    if status != 200:
        raise Skip(f"the server does not tell its version (HTTP {status})")
    if body.strip() != here:
        raise Finding(
            f"the server runs MLflow {body.strip()[:40]}, installed here is {here}",
            "mlflowctl restart" if context.is_local else f"python -m pip install mlflow=={body.strip()[:40]}",
        )
    return f"MLflow {here} on both sides"


def allowed_hosts(context: Context) -> str:
    """A foreign Host is refused; the right one was let in by the check before."""
    from mlflowctl.stack import health

    status, _ = _get(context.tracking_uri + health.API_PROBE, host=FOREIGN_HOST)
    if status == 403:
        return "the tracking URI's host passes, a foreign one is refused (403)"
    if status in (400, 404, 421):
        return f"the tracking URI's host passes, a foreign one is refused before the server ({status})"
    raise Finding(
        f"a request under the foreign host name {FOREIGN_HOST} was answered (HTTP {status}): any web page "
        "that a user of this server opens can reach it by DNS rebinding",
        "mlflowctl restart"
        if context.is_local
        else "Start the server with --allowed-hosts NAMES and without --disable-security-middleware.",
    )


def authentication(context: Context) -> str:
    """Whoever does not log in gets no answer; the right login was let in by the check of the server."""
    from mlflowctl.stack import health

    if context.login is None:
        raise Skip("this context logs in nowhere")
    status, _ = _get(context.tracking_uri + health.API_PROBE)
    if status != 401:
        raise Finding(
            f"the server answers without a login (HTTP {status})",
            "mlflowctl restart"
            if context.is_local
            else "Start the server with its login: MLFLOWCTL_AUTH=true   (docs/login.md)",
        )
    return f"{context.login.username} is let in, nobody is refused (401)"


def _get(url: str, *, host: str | None = None, login: Login | None = None) -> tuple[int, str]:
    """Status and body of one request, whatever the status is."""
    from mlflowctl.stack import health

    headers = ({"Host": host} if host else {}) | health.basic(login)
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=6) as answer:
            return answer.status, answer.read(2000).decode(errors="replace")
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read(2000).decode(errors="replace")
    except OSError as exc:
        raise UnavailableError(f"{url} does not answer: {exc}", next="mlflowctl status") from None


def clocks(context: Context) -> str:
    """This machine's clock against the object store's; far apart, every signed request is refused."""
    from mlflowctl.storage import clock_skew

    if context.s3 is None:
        raise Skip("the context names no object store")
    try:
        skew = clock_skew(context.s3)
    except MlflowctlError as exc:
        raise Skip(f"the object store does not tell its time ({exc.what})") from None
    if abs(skew) > SKEW_SECONDS:
        direction = "behind" if skew > 0 else "ahead of"
        raise Finding(
            f"this machine's clock is {abs(skew):.0f} s {direction} that of {context.s3.where}",
            "sudo timedatectl set-ntp true   (on the machine whose clock is wrong)",
        )
    return f"within {SKEW_SECONDS:.0f} s of {context.s3.where} ({skew:+.1f} s)"


SUPERVISOR = Check("supervisor", "supervisor", supervisor)
DATABASE = Check("database", "database", database)
OBJECT_STORE = Check("object-store", "object store", object_store)
CLOCKS = Check("clocks", "clock skew", clocks)
SERVER = Check("server", "MLflow server", tracking_server)
SERVER_VERSION = Check("server-version", "server version", server_version, ("server",))
HOSTS = Check("allowed-hosts", "allowed hosts", allowed_hosts, ("server",))
AUTHENTICATION = Check("authentication", "server login", authentication, ("server",))
