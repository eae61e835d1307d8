"""What the gateway and its records cost: through it, past it, and `mlflow models serve`.

Run as ``python -m tests.benchmarks.gateway [--rounds N] [--out FILE]``, about three minutes: starts a stack
of its own, serves one model in three ways on the same machine, and writes its table between the gateway
markers of the file.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mlflowctl.bring_up import context_of
from mlflowctl.serving import gateway as ours
from mlflowctl.serving.place import Place
from mlflowctl.serving.shipping import parsed
from mlflowctl.stack import processes
from mlflowctl.stack.layout import Layout
from tests.benchmarks import stack
from tests.benchmarks.machine import describe
from tests.benchmarks.samples import Samples
from tests.stack.serving.conftest import BODY, LOG_MODELS, POLICY

BEGIN, END = "<!-- gateway: begin -->", "<!-- gateway: end -->"
GATEWAY, UNRECORDED = "gateway", "gateway without access log"
DIRECT, STOCK = "the same servers, past the gateway", "`mlflow models serve`"
SUBJECTS = (GATEWAY, UNRECORDED, DIRECT, STOCK)
CLIENTS = (1, 8)
MEASURES = ("throughput", "p50", "p99")
SECONDS = 4.0
MODEL = "bench"
LINES = 20_000
JSON = {"Content-Type": "application/json"}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    facts, samples = describe(), Samples()
    with tempfile.TemporaryDirectory(prefix="mlflowctl-bench-") as folder, ExitStack() as open_things:
        Path(folder).chmod(0o755)
        layout, _ = open_things.enter_context(stack.cold_stack(Path(folder) / "stack"))
        source = register(layout, Path(folder))
        port = _free()
        stack.mlflowctl(
            "serve", MODEL, "--detach", "--env-manager", "local", "--port", str(port),
            "--data-dir", str(layout.root),
        )  # fmt: skip
        place = Place.of(context_of(layout), MODEL)
        ports = {GATEWAY: port, DIRECT: json.loads(place.status.read_text())["servers"][0]["port"]}
        ports[UNRECORDED] = open_things.enter_context(without_records(place))
        ports[STOCK] = open_things.enter_context(stock(layout, source))
        for _ in range(options.rounds):
            measure(samples, ports)
        cost_of_shipping(samples, place)
    text = render(facts, samples)
    print(text)
    if options.out:
        page = options.out.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.out.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def register(layout: Layout, folder: Path) -> str:
    """One small model as champion. Returns its address."""
    uri = context_of(layout).tracking_uri
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", LOG_MODELS, "one"], env=environment, capture_output=True, text=True, check=True
    )
    source = next(line for line in done.stdout.splitlines() if line.startswith("models:/"))
    policy = folder / "promotion.yaml"
    policy.write_text(POLICY.format(name=MODEL))
    here = ("--policy", str(policy), "--data-dir", str(layout.root), "--yes")
    stack.mlflowctl("model", "register", MODEL, source, *here)
    stack.mlflowctl("model", "stage", MODEL, "1", *here[2:])
    stack.mlflowctl("model", "promote", MODEL, "--override-gate", "--reason", "a benchmark", *here)
    return source


@contextmanager
def without_records(place: Place) -> Iterator[int]:
    """A second gateway before the same servers, which keeps no access log."""
    port = _free()
    static = ours.static(place, "127.0.0.1", port)
    del static["accessLog"]
    file = place.gateway / "unrecorded.json.yml"
    file.write_text(json.dumps(static))
    with _running([ours.binary(), f"--configFile={file}"], dict(os.environ)):
        _wait(port)
        yield port


@contextmanager
def stock(layout: Layout, source: str) -> Iterator[int]:
    """MLflow's own command, with as many processes as the champion has."""
    port = _free()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "--model-uri",
        source,
        "--env-manager",
        "local",
    ]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": context_of(layout).tracking_uri,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with _running([*command, "--port", str(port), "--workers", "2"], environment):
        _wait(port)
        yield port


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        import psutil

        processes.end([psutil.Process(process.pid)], signal=signal.SIGTERM, patience=20)


def _wait(port: int) -> None:
    def well() -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False

    assert processes.wait_until(well, timeout=120), f"nothing answers on port {port}"


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def measure(samples: Samples, ports: dict[str, int]) -> None:
    """One round: every subject in turn, with one client and with eight."""
    for clients in CLIENTS:
        for subject in SUBJECTS:
            times = asked(ports[subject], clients)
            samples.add(f"{clients} throughput", subject, len(times) / SECONDS)
            samples.add(f"{clients} p50", subject, 1000 * times[len(times) // 2])
            samples.add(f"{clients} p99", subject, 1000 * times[int(0.99 * len(times))])


def asked(port: int, clients: int) -> list[float]:
    """Seconds of each answer, sorted.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    times: list[float] = []
    failures: list[Any] = []
    until = time.monotonic() + SECONDS

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < until:
            began = time.perf_counter()
            connection.request("POST", "/invocations", BODY, JSON)
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - began)
            if answer.status != 200:
                failures.append(answer.status)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} requests failed: {failures[0]}")
    return sorted(times)


def cost_of_shipping(samples: Samples, place: Place) -> None:
    """Processor time of the supervisor for one line of the access log, and a record's size in the bucket."""
    import gzip
    from dataclasses import asdict

    lines = [line for line in place.access_log.read_bytes().splitlines() if b"predict@file" in line][:LINES]
    began = time.process_time()
    found = [record for line in lines if (record := parsed(line, "salt"))]
    body = gzip.compress("".join(json.dumps(asdict(one)) + "\n" for one in found).encode(), compresslevel=3)
    samples.add("shipping", "microseconds", 1e6 * (time.process_time() - began) / len(found))
    samples.add("shipping", "bytes", len(body) / len(found))


def render(facts: list[tuple[str, str]], samples: Samples) -> str:
    """The table as Markdown."""
    lines = ["| | " + " | ".join(name for name, _ in facts) + " |", "|---" * (len(facts) + 1) + "|"]
    lines.append("| machine | " + " | ".join(value for _, value in facts) + " |")
    lines += [
        "",
        "| | clients | requests/s | p50 ms | p99 ms | throughput to the gateway's |",
        "|---|---|---|---|---|---|",
    ]
    for clients in CLIENTS:
        for subject in SUBJECTS:
            rate, p50, p99 = (samples.value(f"{clients} {what}", subject) for what in MEASURES)
            ratio = samples.ratio(f"{clients} throughput", subject, GATEWAY)
            lines.append(f"| {subject} | {clients} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {ratio:.2f}× |")
    cost, size = samples.value("shipping", "microseconds"), samples.value("shipping", "bytes")
    told = f"A record costs {cost:.0f} µs of the supervisor's processor time, {size:.0f} bytes in the bucket."
    return "\n".join([*lines, "", told]) + "\n"


if __name__ == "__main__":
    main()
