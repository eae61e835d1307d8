"""What the login costs: our server with it and without it, and stock MLflow with its own.

Run as ``python -m tests.benchmarks.login [--rounds N] [--out FILE]``, about two minutes: starts a stack of
its own, the other servers beside it on the same database and bucket, and writes its table between the login
markers of the file.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.bring_up import context_of
from mlflowctl.login import accounts, server
from mlflowctl.login.people import People
from mlflowctl.login.roles import Role
from mlflowctl.settings import Login
from mlflowctl.stack import tracking_server
from mlflowctl.stack.layout import Layout
from tests.benchmarks import fixtures, run, servers, stack
from tests.benchmarks.machine import describe
from tests.benchmarks.samples import Samples

BEGIN, END = "<!-- login: begin -->", "<!-- login: end -->"
OFF, ON, ADMIN = "login off", "login on", "login on, admin"
STOCK, CACHED = "stock basic-auth", "stock, cache 60 s"
LOADS = [(operation, clients) for operation in ("log_metric", "get_alias") for clients in (1, 8)] + [
    ("log_batch", 8)
]
SECONDS = 1.5


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    facts, samples = describe(), Samples()
    with tempfile.TemporaryDirectory(prefix="mlflowctl-bench-") as folder:
        Path(folder).chmod(0o755)
        with stack.cold_stack(Path(folder) / "stack") as (layout, _):
            measure(samples, layout, Path(folder), options.rounds)
    text = render(facts, samples)
    print(text)
    if options.out:
        page = options.out.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.out.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def measure(samples: Samples, layout: Layout, folder: Path, rounds: int) -> None:
    """Every load on every server in turn, a trainer logging in where there is a login."""
    admin, trainer = (Login(name, secrets.token_urlsafe(18)) for name in (defaults.ADMIN_USERNAME, "bench"))
    make_accounts(layout, admin)
    with ExitStack() as open_servers:
        ours = open_servers.enter_context(with_login(layout, folder, admin))
        make_trainer(layout, ours, admin, trainer)
        subjects = {OFF: (stack.ours(layout), None), ON: (ours, trainer), ADMIN: (ours, admin)}
        for name, seconds in ((STOCK, 0), (CACHED, 60)):
            stock = open_servers.enter_context(stock_login(name, layout, folder, admin, seconds))
            subjects[name] = (stock, trainer)
        data = {name: prepared(ours, name, admin, login) for name, (_, login) in subjects.items()}
        for number in range(rounds):
            for operation, clients in LOADS:
                for name in list(subjects)[:: -1 if number % 2 else 1]:
                    run.release_connections(layout)
                    answer = run.generate(subjects[name][0], data[name], operation, clients, SECONDS)
                    run.record(samples, f"{operation} {clients}", name, answer)


def prepared(ours: servers.Server, name: str, admin: Login, login: Login | None) -> fixtures.Data:
    """What a load works on; made through our server for all of them, since stock takes a second a request."""
    made = fixtures.make(ours.url, "".join(one for one in name if one.isalnum()), header(admin))
    return replace(made, authorization=header(login))


def header(login: Login | None) -> str:
    """The header of HTTP's basic authentication; "" without a login."""
    if login is None:
        return ""
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def make_accounts(layout: Layout, admin: Login) -> None:
    """The login's tables, the administrator and the roles, as bootstrap makes them."""
    database = context_of(layout).database
    assert database is not None
    for step in accounts.plan(database, admin):
        accounts.apply(step, database)


def make_trainer(layout: Layout, one: servers.Server, admin: Login, trainer: Login) -> None:
    people = People(replace(context_of(layout), tracking_uri=one.url, login=admin))
    people.create(trainer.username, trainer.password)
    people.give(trainer.username, Role.TRAINER)


@contextmanager
def with_login(layout: Layout, folder: Path, admin: Login) -> Iterator[servers.Server]:
    """Our server with login, on the stack's database and bucket."""
    key = folder / "session.key"
    key.write_text(secrets.token_urlsafe(24))
    port, scratch = servers.free_port(), folder / "with-login"
    scratch.mkdir()
    environment = stack.server_environment(layout) | {
        server.KEY_FILE_VARIABLE: str(key),
        "MLFLOWCTL_BIND": f"127.0.0.1:{port}",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(tracking_server.allowed_hosts(port)),
        "TMPDIR": str(scratch),
    }
    with (folder / "with-login.log").open("ab") as log:
        process = subprocess.Popen(
            tracking_server.command(login=True),
            cwd=scratch,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        servers.wait_for_api(port, process, header(admin))
        yield servers.Server(ON, port, process.pid)
    finally:
        servers.end(process)


@contextmanager
def stock_login(
    name: str, layout: Layout, folder: Path, admin: Login, cache: int
) -> Iterator[servers.Server]:
    """Stock ``--app-name basic-auth``, two workers and the fast event loop, on the same tables."""
    ours = stack.server_environment(layout)
    backend = ours["_MLFLOW_SERVER_FILE_STORE"]
    config = folder / f"stock-{cache}.ini"
    configured = server.configuration(backend).replace(
        "auth_cache_ttl_seconds = 0", f"auth_cache_ttl_seconds = {cache}"
    )
    config.write_text(f"{configured}admin_username = {admin.username}\n")
    environment = servers.stock_environment(ours, layout.scratch) | {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(24),
    }
    options = ["--app-name", "basic-auth", "--workers", "2"]
    options += ["--uvicorn-opts", "--loop uvloop --http httptools"]
    bucket = f"s3://{defaults.ARTIFACT_BUCKET}"
    with servers.stock(name, options, environment, backend, bucket, folder, header(admin)) as one:
        yield one


def render(facts: list[tuple[str, str]], samples: Samples) -> str:
    """The table: requests per second, and ratios within a round."""
    head = ("operation", "clients", OFF, ON, "p99", ADMIN, STOCK, CACHED, "on to off", "on to stock",
            "on to stock, cached", "errors")  # fmt: skip
    lines = ["|  |  |", "| --- | --- |", *[f"| {name} | {value} |" for name, value in facts], ""]
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for operation, clients in LOADS:
        measure = f"{operation} {clients}"
        rates = [f"{samples.value(measure, one):.0f}" for one in (OFF, ON)]
        rates.append(f"{samples.value(f'{measure} p99_ms', ON):.0f}")
        rates += [f"{samples.value(measure, one):.0f}" for one in (ADMIN, STOCK, CACHED)]
        ratios = [f"{samples.ratio(measure, ON, other):.2f}" for other in (OFF, STOCK, CACHED)]
        errors = sum(samples.total(f"{measure} errors", one) for one in (OFF, ON, ADMIN))
        lines.append("| " + " | ".join([operation, str(clients), *rates, *ratios, f"{errors:.0f}"]) + " |")
    lines += ["", *(f"- {note}" for note in samples.notes)] if samples.notes else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
