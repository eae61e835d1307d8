"""Steady load from several clients over kept connections, every answer counted by status and version."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

JSON = {"Content-Type": "application/json"}


@dataclass
class Load:
    """Clients that ask one after the other until the block ends.

    Attributes:
        port: of the gateway, on loopback.
        body: of each request.
        clients: at once.
        pause: seconds between a client's answer and its next request.
        answers: by (status, version).
        failures: (began, ended, what) of each request that was not answered with 200, by ``time.time``.
        slowest: seconds.
    """

    port: int
    body: bytes
    clients: int = 4
    pause: float = 0.0
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    failures: list[tuple[float, float, str]] = field(default_factory=list)
    slowest: float = 0.0
    first: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ended = threading.Event()
        self.turn = threading.Lock()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.clients)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    @property
    def total(self) -> int:
        return sum(self.answers.values()) + sum(
            1 for *_, what in self.failures if not what.startswith("HTTP")
        )

    def failed(self, kills: list[float]) -> list[tuple[float, float, str]]:
        """The failures other than of requests that were under way when a server was killed."""
        return [one for one in self.failures if not any(one[0] <= kill <= one[1] for kill in kills)]

    def versions(self) -> Counter[str]:
        """Answers with status 200 by version."""
        with self.turn:
            found: Counter[str] = Counter()
            for (status, version), count in self.answers.items():
                if status == 200:
                    found[version] += count
            return found

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.ended.wait(self.pause):
            began = time.time()
            try:
                connection.request("POST", "/invocations", self.body, JSON)
                answer = connection.getresponse()
                answer.read()
                status, version = answer.status, answer.headers.get("X-Model-Version", "?")
            except (OSError, http.client.HTTPException) as exc:
                connection.close()
                with self.turn:
                    self.failures.append((began, time.time(), f"{type(exc).__name__}: {exc}"))
                continue
            with self.turn:
                self.answers[status, version] += 1
                self.first.setdefault(version, time.time())
                self.slowest = max(self.slowest, time.time() - began)
                if status != 200:
                    self.failures.append((began, time.time(), f"HTTP {status} from v{version}"))
