"""A load generator: N keep-alive clients, one operation, a few seconds (``python load.py SPEC``).

Runs as its own process, one thread per client, on plain ``http.client``: it costs about 0.2 ms of
processor time per request, so that on a small machine the server stays the bottleneck.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

API = "/api/2.0/mlflow"
BATCH = 1000  # metrics per log_batch call, the most that MLflow takes
Request = tuple[str, str, dict[str, object] | None]  # method, path, body


@dataclass
class Spec:
    """What one run of the generator does.

    Attributes:
        port: the server's port on this machine.
        operation: a key of :data:`OPERATIONS`.
        clients: how many at once.
        seconds: for how long.
        run_ids: runs to write to, shared out among the clients.
        model: the registered model to read or to move.
        versions: how many versions it has.
        warm_up: seconds of the same load before the measurement, so that connections are open.
        authorization: header of every request, for a server with login.
    """

    port: int
    operation: str
    clients: int
    seconds: float
    run_ids: list[str]
    experiment_id: str = ""
    model: str = ""
    versions: int = 1
    warm_up: float = 0.5
    authorization: str = ""


@dataclass
class Tally:
    """What one client saw."""

    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


def _log_metric(spec: Spec, client: int) -> Callable[[int], Request]:
    run = spec.run_ids[client % len(spec.run_ids)]
    key = f"loss_{client}"
    return lambda i: (
        "POST",
        f"{API}/runs/log-metric",
        {"run_id": run, "key": key, "value": i * 0.5, "timestamp": int(time.time() * 1000), "step": i},
    )


def _log_batch(spec: Spec, client: int) -> Callable[[int], Request]:
    run = spec.run_ids[client % len(spec.run_ids)]

    def make(i: int) -> Request:
        now = int(time.time() * 1000)
        metrics = [
            {"key": f"batch_{client}_{n % 10}", "value": n * 0.5, "timestamp": now, "step": i * BATCH + n}
            for n in range(BATCH)
        ]
        return "POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": metrics}

    return make


def _get_alias(spec: Spec, _client: int) -> Callable[[int], Request]:
    path = f"{API}/registered-models/alias?name={spec.model}&alias=champion"
    return lambda _i: ("GET", path, None)


def _search_runs(spec: Spec, _client: int) -> Callable[[int], Request]:
    body = {"experiment_ids": [spec.experiment_id], "max_results": 100, "order_by": ["metrics.final DESC"]}
    return lambda _i: ("POST", f"{API}/runs/search", body)


def _search_versions(spec: Spec, _client: int) -> Callable[[int], Request]:
    path = f"{API}/model-versions/search?filter=name%3D%27{spec.model}%27&max_results=100"
    return lambda _i: ("GET", path, None)


def _transition(spec: Spec, client: int) -> Callable[[int], Request]:
    chosen = random.Random(client)  # every run moves the same versions
    return lambda _i: (
        "POST",
        f"{API}/model-versions/transition-stage",
        {
            "name": spec.model,
            "version": str(chosen.randint(1, spec.versions)),
            "stage": "Production",
            "archive_existing_versions": True,
        },
    )


def _mixed(spec: Spec, client: int) -> Callable[[int], Request]:
    """Mostly metrics and alias reads, some searches, and one client in eight that promotes."""
    if client % 8 == 0:
        return _transition(spec, client)
    makers = [_log_metric(spec, client), _get_alias(spec, client), _search_versions(spec, client)]
    turn = itertools.cycle([makers[0], makers[1], makers[0], makers[1], makers[2]])
    return lambda i: next(turn)(i)


OPERATIONS = {
    "log_metric": _log_metric,
    "log_batch": _log_batch,
    "get_alias": _get_alias,
    "search_runs": _search_runs,
    "search_versions": _search_versions,
    "transition": _transition,
    "mixed": _mixed,
}


def run(spec: Spec) -> dict[str, object]:
    """Run the load; returns counts, requests per second and latencies in milliseconds."""
    tallies = [Tally() for _ in range(spec.clients)]
    ready = threading.Barrier(spec.clients + 1)
    stop = threading.Event()
    threads = [
        threading.Thread(target=_client, args=(spec, n, tally, ready, stop))
        for n, tally in enumerate(tallies)
    ]
    for thread in threads:
        thread.start()
    ready.wait(60)
    began = time.perf_counter()
    stop.wait(spec.seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return _summary(tallies, time.perf_counter() - began)


def _client(spec: Spec, number: int, tally: Tally, ready: threading.Barrier, stop: threading.Event) -> None:
    make = OPERATIONS[spec.operation](spec, number)
    connection = http.client.HTTPConnection("127.0.0.1", spec.port, timeout=60)
    numbers = itertools.count()
    warm = time.perf_counter() + spec.warm_up
    while time.perf_counter() < warm:
        _one(connection, make(next(numbers)), Tally(), spec.authorization)
    ready.wait(60)
    for i in numbers:
        if stop.is_set():
            break
        _one(connection, make(i), tally, spec.authorization)
    connection.close()


def _one(connection: http.client.HTTPConnection, request: Request, tally: Tally, authorization: str) -> None:
    method, path, body = request
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": authorization} if authorization else {}
    )
    payload = None if body is None else json.dumps(body).encode()
    began = time.perf_counter()
    try:
        connection.request(method, path, body=payload, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        problem = (
            "" if answer.status == 200 else f"HTTP {answer.status} {text[:160].decode(errors='replace')}"
        )
    except (OSError, http.client.HTTPException) as exc:
        connection.close()  # the next request opens a new one
        problem = type(exc).__name__
    if problem:
        tally.errors[problem] += 1
    else:
        tally.latencies.append(time.perf_counter() - began)


def _summary(tallies: list[Tally], seconds: float) -> dict[str, object]:
    latencies = sorted(latency for tally in tallies for latency in tally.latencies)
    errors = sum((tally.errors for tally in tallies), Counter())
    return {
        "requests": len(latencies),
        "errors": errors.total(),
        "examples": dict(errors.most_common(3)),
        "seconds": seconds,
        "per_second": len(latencies) / seconds,
        "p50_ms": percentile(latencies, 0.50) * 1000,
        "p99_ms": percentile(latencies, 0.99) * 1000,
    }


def percentile(ordered: list[float], share: float) -> float:
    """The nearest-rank percentile of sorted values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    json.dump(run(Spec(**json.loads(sys.argv[1]))), sys.stdout)
