"""The benchmarks: ``python tests/benchmarks/run.py [--quick] [--out docs/benchmarks.md]``.

Starts a stack of its own, and stock ``mlflow server`` beside it on the same PostgreSQL, the same
database and the same object store, and measures them in turn. Nothing leaves 127.0.0.1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)  # this file is started by its path; the modules beside it are imported by name

from mlflowctl import defaults  # noqa: E402
from mlflowctl.bring_up import context_of  # noqa: E402
from mlflowctl.database import guard  # noqa: E402
from mlflowctl.database.connect import admin  # noqa: E402
from mlflowctl.stack.layout import Layout  # noqa: E402
from tests.benchmarks import artifacts, fixtures, load, machine, report, servers, stack, startup  # noqa: E402
from tests.benchmarks.samples import DEFAULTS, ONE_WORKER, OURS, Samples  # noqa: E402

HERE = Path(__file__).resolve().parent
STOCK = {
    # What uvicorn chooses by itself after a plain `pip install mlflow`. Here uvloop and httptools are
    # installed, as requirements of mlflowctl; left to itself it would take those.
    DEFAULTS: ["--uvicorn-opts", "--loop asyncio --http h11"],
    # The best that stock options give, so this one may have them.
    ONE_WORKER: ["--workers", "1", "--uvicorn-opts", "--loop uvloop --http httptools"],
}
LOADS = [
    *(("log_metric", clients) for clients in (1, 8, 32)),
    *(("get_alias", clients) for clients in (1, 8, 32)),
    *(("log_batch", clients) for clients in (1, 8, 32)),
    ("search_runs", 1),
    ("mixed", 32),
]


@dataclass(frozen=True)
class Effort:
    """How often and how long."""

    cold: int
    starts: int
    rounds: int
    seconds: float
    artifacts: int
    help: int
    smoke: int


QUICK = Effort(cold=1, starts=1, rounds=1, seconds=1.0, artifacts=2, help=2, smoke=1)
FULL = Effort(cold=2, starts=2, rounds=3, seconds=1.8, artifacts=7, help=5, smoke=2)


def main() -> int:
    """Measure, print, and write the report if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything, about 3 minutes")
    parser.add_argument("--out", type=Path, help="the Markdown file to write the tables into")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended
    effort = QUICK if options.quick else FULL
    facts, began = machine.describe(), time.monotonic()
    samples = Samples()
    folder = Path(tempfile.mkdtemp(prefix="mlflowctl-bench-"))
    folder.chmod(0o755)  # PostgreSQL's own user, when this runs as root, has to pass through
    try:
        measure(samples, folder, effort)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    facts.append(("took", f"{time.monotonic() - began:.0f} s" + (" (--quick)" if options.quick else "")))
    text = report.render(samples, facts, effort.seconds)
    print(text)
    if options.out:
        report.write(options.out, text)
    return 0


def measure(samples: Samples, folder: Path, effort: Effort) -> None:
    """Everything, in an order that keeps what must be alone alone."""
    say("cold starts")
    startup.cold(samples, folder, effort.cold)
    startup.help_pages(samples, effort.help)
    with stack.cold_stack(folder / "stack") as (layout, _):
        say("smoke test")
        startup.smoke_test(samples, layout, effort.smoke)
        say("server starts and memory")
        for _ in range(effort.starts):
            starts_and_memory(samples, layout, folder, effort)
        with stock_servers(layout, folder) as beside:
            subjects = {OURS: stack.ours(layout), **beside}
            say("load")
            loads(samples, layout, subjects, effort)
            say("artifacts")
            transfers(samples, layout, subjects, folder, effort)
        say("guard")
        stage_changes(samples, layout, effort)


def say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def stock_server(name: str, layout: Layout, folder: Path) -> Iterator[servers.Server]:
    """One stock server on the stack's database and bucket."""
    ours = stack.server_environment(layout)
    environment = servers.stock_environment(ours, layout.scratch)
    backend, bucket = ours["_MLFLOW_SERVER_FILE_STORE"], f"s3://{defaults.ARTIFACT_BUCKET}"
    with servers.stock(name, STOCK[name], environment, backend, bucket, folder) as server:
        yield server


@contextlib.contextmanager
def stock_servers(layout: Layout, folder: Path) -> Iterator[dict[str, servers.Server]]:
    """All stock servers at once; what they cost while idle they cost to each of the others alike."""
    with contextlib.ExitStack() as open_servers:
        yield {name: open_servers.enter_context(stock_server(name, layout, folder)) for name in STOCK}


def starts_and_memory(samples: Samples, layout: Layout, folder: Path, effort: Effort) -> None:
    """Start each server in turn, load it a little, let it rest, and weigh it.

    Ours runs on while the stock servers are weighed; what they share with it (the pages of libraries)
    makes them look lighter, not ours.
    """
    samples.add("start", OURS, stack.restart_ours(layout))
    weigh(samples, stack.ours(layout), effort)
    for name in STOCK:
        began = time.perf_counter()
        with stock_server(name, layout, folder) as server:
            samples.add("start", name, time.perf_counter() - began)
            weigh(samples, server, effort)


def weigh(samples: Samples, server: servers.Server, effort: Effort) -> None:
    data = fixtures.make(server.url, f"weigh-{server.port}-{time.time_ns()}")
    for operation in ("log_metric", "get_alias"):
        generate(server, data, operation, 8, effort.seconds)
    time.sleep(2)
    megabytes, processes = server.memory_mb()
    samples.add("memory", server.name, megabytes)
    samples.add("processes", server.name, processes)


def generate(
    server: servers.Server, data: fixtures.Data, operation: str, clients: int, seconds: float
) -> dict[str, float]:
    """One run of the load generator in a process of its own."""
    spec = load.Spec(port=server.port, operation=operation, clients=clients, seconds=seconds, **asdict(data))
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py"), json.dumps(asdict(spec))],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def release_connections(layout: Layout) -> None:
    """End the servers' idle database connections: those of one must not keep another from connecting.

    Each pings a connection before it uses it, and opens a new one; the load's warm-up does that.
    """
    database = context_of(layout).database
    assert database is not None
    with admin(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE usename = %s AND state = 'idle' AND pid <> pg_backend_pid()",
            (database.app_role,),
        )


def loads(samples: Samples, layout: Layout, subjects: dict[str, servers.Server], effort: Effort) -> None:
    """Every load on every server in turn; the order is reversed in every second round."""
    data = {name: fixtures.make(server.url, f"load-{server.port}") for name, server in subjects.items()}
    for number in range(effort.rounds):
        for operation, clients in LOADS:
            for name in list(subjects)[:: -1 if number % 2 else 1]:
                release_connections(layout)
                answer = generate(subjects[name], data[name], operation, clients, effort.seconds)
                record(samples, f"{operation} {clients}", name, answer)


def record(samples: Samples, measure: str, subject: str, answer: dict[str, float]) -> None:
    samples.add(measure, subject, answer["per_second"])
    for part in ("p50_ms", "p99_ms", "errors"):
        samples.add(f"{measure} {part}", subject, answer[part])
    if answer["errors"]:
        samples.notes.append(f"{subject}, {measure}: {answer['errors']} errors, {answer['examples']}")


def transfers(
    samples: Samples, layout: Layout, subjects: dict[str, servers.Server], folder: Path, effort: Effort
) -> None:
    client = stack.client_environment(layout)
    spec = {
        "servers": {name: server.url for name, server in subjects.items()},
        "bucket": defaults.ARTIFACT_BUCKET,
        "endpoint": client["MLFLOW_S3_ENDPOINT_URL"],
        "rounds": effort.artifacts,
        "folder": str(folder),
    }
    quiet = {
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    environment = {**os.environ, **client, **quiet}
    done = subprocess.run(
        [sys.executable, str(HERE / "artifacts.py"), json.dumps(spec)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"artifacts.py failed: {done.stderr[-1500:]}")
    for key, seconds in json.loads(done.stdout).items():
        way, subject = key.split("|")
        for value in seconds:
            samples.add(way, subject, artifacts.SIZE / 1e6 / value)


def stage_changes(samples: Samples, layout: Layout, effort: Effort) -> None:
    """Promotions per second through our server, with the guard and without it, in turn."""
    database = context_of(layout).database
    assert database is not None
    server = stack.ours(layout)
    data = fixtures.make(server.url, "guarded")
    for _ in range(effort.rounds):
        for clients in (1, 8):
            answer = generate(server, data, "transition", clients, effort.seconds)
            record(samples, f"transition {clients}", "guard", answer)
        with admin(database) as connection:
            guard.uninstall(connection)
        for clients in (1, 8):
            answer = generate(server, data, "transition", clients, effort.seconds)
            record(samples, f"transition {clients}", "no guard", answer)
        _one_champion_again(server, data)
        with admin(database) as connection:
            guard.install(connection)


def _one_champion_again(server: servers.Server, data: fixtures.Data) -> None:
    """Unguarded, eight clients leave several Production versions; the guard does not install over that."""
    body: dict[str, object] = {"name": data.model, "archive_existing_versions": False}
    for version in range(1, data.versions + 1):
        stage = "Production" if version == data.versions else "Archived"
        move = {**body, "version": str(version), "stage": stage}
        fixtures.call(server.url, "model-versions/transition-stage", move)
    alias = {"name": data.model, "alias": "champion", "version": str(data.versions)}
    fixtures.call(server.url, "registered-models/alias", alias)


if __name__ == "__main__":
    sys.exit(main())
