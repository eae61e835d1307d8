"""Real requests for the demo: held-out rows, asked again and again, with what each answer was worth."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

CLIENTS = 2
JSON = {"Content-Type": "application/json"}


@dataclass
class Replay:
    """Clients that ask for predictions of labelled rows until the block ends.

    Attributes:
        port: of the gateway, on loopback.
        rows: the input and the right answer of each row.
        outcomes: file that gets one line an answer: request id, and 1 for right or 0 for wrong.
        answers: by version.
        right: right answers by version.
        failed: requests that were not answered with 200.
        slowest: seconds.
    """

    port: int
    rows: list[tuple[bytes, Any]]
    outcomes: Path
    answers: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    slowest: float = 0.0

    def __post_init__(self) -> None:
        self.ended, self.turn = threading.Event(), threading.Lock()
        self.source = cycle(self.rows)
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Replay:
        self.outcomes.write_text("")
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    @property
    def total(self) -> int:
        return sum(self.answers.values()) + self.failed

    def first(self, version: int, *, within: float) -> float:
        """Seconds until a version answers one more request than it has so far."""
        began, before = time.monotonic(), self.answers[str(version)]
        while self.answers[str(version)] == before and time.monotonic() - began < within:
            time.sleep(0.02)
        return time.monotonic() - began

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.ended.is_set():
            with self.turn:
                body, truth = next(self.source)
            began = time.monotonic()
            try:
                connection.request("POST", "/invocations", body, JSON)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                with self.turn:
                    self.failed += 1
                continue
            self._note(answer, content, truth, time.monotonic() - began)

    def _note(self, answer: http.client.HTTPResponse, content: bytes, truth: Any, seconds: float) -> None:
        with self.turn:
            self.slowest = max(self.slowest, seconds)
            if answer.status != 200:
                self.failed += 1
                return
            version = answer.headers["X-Model-Version"]
            right = int(json.loads(content)["predictions"][0] == truth)
            self.answers[version] += 1
            self.right[version] += right
            line = {"request_id": answer.headers["X-Request-Id"], "value": right}
            with self.outcomes.open("a") as file:
                file.write(json.dumps(line) + "\n")


def held_out(folder: Path) -> list[tuple[bytes, Any]]:
    """The rows of the demo's holdout as requests, with the right answers."""
    import pandas as pd

    table = pd.read_csv(folder / "holdout.csv")
    truths = table.pop("digit").tolist()
    records = [
        json.dumps({"dataframe_split": {"columns": list(table.columns), "data": [row]}}).encode()
        for row in table.to_numpy().tolist()
    ]
    return list(zip(records, truths, strict=True))
