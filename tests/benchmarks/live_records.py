"""Records of many requests as files that stand for the bucket's objects, for the benchmark of verdicts."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlflowctl.registry.objects import Stored
from mlflowctl.serving.records import key
from mlflowctl.storage.settings import S3Settings

MODEL, CHAMPION, CHALLENGER = "bench", 1, 2
STEPS = {10: 0.01, 11: 0.05, 12: 0.25}
CHUNK = 20_000  # what the gateway ships at once under load
CONVERTED = 0.1
BEGAN = 1_700_000_000.0


@dataclass(frozen=True)
class Folder:
    """Files that stand for the objects of the registry bucket; only readers use it."""

    root: Path
    settings: S3Settings = S3Settings(endpoint_url="http://files")  # noqa: RUF009 (frozen)
    bucket: str = "files"

    def get(self, key: str) -> Stored | None:
        path = self.root / key
        return Stored(path.read_bytes(), "", 0.0) if path.exists() else None

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        found = (prefix + one.name for one in (self.root / prefix).iterdir())
        return sorted(one for one in found if one > after)[:limit]

    def folders(self, prefix: str) -> list[str]:
        return sorted(one.name for one in (self.root / prefix).iterdir())


def make(root: Path, requests: int) -> None:
    """Records of two gateways, and what a tenth of the requests led to."""
    draw = np.random.default_rng(1)
    (root / "outcomes").mkdir(parents=True)
    for number, start in enumerate(range(0, requests, CHUNK)):
        size = min(CHUNK, requests - start)
        lines, bought = _lines(draw, start, size, requests)
        place = root / key(MODEL, f"gateway-{number % 2}", number // 2 + 1)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=1))
        if bought:
            text = "request_id,value\n" + "".join(f"{one},1\n" for one in bought)
            (root / "outcomes" / f"{number:06d}.csv").write_text(text)


def _lines(draw: np.random.Generator, start: int, size: int, requests: int) -> tuple[list[str], list[str]]:
    step = list(STEPS)[min(len(STEPS) * start // requests, len(STEPS) - 1)]
    new, failed = draw.random(size) < STEPS[step], draw.random(size) < 0.02
    milliseconds, converted = draw.lognormal(3, 0.5, size).round(3), draw.random(size) < CONVERTED
    clients = draw.integers(0, max(1, requests // 3), size)
    names = [bytes(one).hex() for one in draw.integers(0, 256, (size, 16), dtype=np.uint8)]
    lines = [
        f'{{"at":{BEGAN + 0.001 * (start + at):.3f},"request":"{names[at]}",'
        f'"variant":"{"challenger" if new[at] else "champion"}","version":{1 + new[at]},"step":{step},'
        f'"status":{500 if failed[at] else 200},"ms":{milliseconds[at]},"client":"{clients[at]:016x}"}}\n'
        for at in range(size)
    ]
    return lines, [names[at] for at in np.flatnonzero(converted)]
