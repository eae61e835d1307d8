"""Reading of the gateways' records: chunk by chunk, into counts that fit in memory whatever the traffic."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from mlflowctl.live import outcomes
from mlflowctl.live.batches import Place, Reading, Tally, read_batch
from mlflowctl.live.evidence import Evidence
from mlflowctl.live.index import DamagedError, Index, Rows
from mlflowctl.live.tally import Arm, StepTally
from mlflowctl.registry.live_policy import Live
from mlflowctl.registry.objects import Objects
from mlflowctl.serving.records import chunks

LONG, REST = 2.0, 4.0  # seconds after which sums are no trifle, and how many times as long they then stand
AT_ONCE = 200_000  # requests that wait in memory for the index


@dataclass(frozen=True)
class Test:
    """What a live test is about; arguments as of :func:`mlflowctl.live.evidence.gather`."""

    objects: Objects
    model: str
    steps: Mapping[int, float]
    champion: int
    challenger: int
    live: Live
    folder: str

    __test__ = False  # for pytest

    @property
    def shares(self) -> dict[int, float]:
        """The steps that compare something."""
        return {number: share for number, share in sorted(self.steps.items()) if 0 < share < 1}

    @property
    def indexed(self) -> bool:
        return self.live.sticky or bool(self.live.outcomes)

    @property
    def identity(self) -> str:
        """What an index must be about to be this test's; a new step does not change it."""
        named = [self.objects.settings.where, self.objects.bucket, self.model, self.champion, self.challenger]
        sources = [(one.name, one.data, one.id_column, one.value_column) for one in self.live.outcomes]
        return json.dumps([*named, min(self.steps, default=0), self.live.sticky, sources, self.folder])


def gathered(test: Test, before: Evidence, now: float, work: Path | None) -> Evidence:
    """As :func:`mlflowctl.live.evidence.gather`, but for the test of the shares."""
    if not test.indexed:
        return _read(test, before, None)
    folder = (work or _temporary()) / f"live-{hashlib.sha256(test.identity.encode()).hexdigest()[:16]}"
    try:
        return _indexed(test, before, now, folder)
    except DamagedError:
        shutil.rmtree(folder)
    return _indexed(test, before, now, folder)


def _indexed(test: Test, before: Evidence, now: float, folder: Path) -> Evidence:
    index = Index(folder, test.identity)
    found = _read(test, before, index)
    if _rests(test, before, index, now):
        return replace(found, steps=_kept(found, before)) if test.live.sticky else found
    sums = outcomes.summed(test.live, index, test.folder, test.objects.settings, now)
    if test.live.sticky:
        found = replace(found, steps=_steps(test, _kept(found, None), sums.tallies))
    with index.saved():
        index.note_sums(now, sums.seconds)
    return outcomes.added(found, sums)


def _rests(test: Test, before: Evidence, index: Index, now: float) -> bool:
    """Whether the sums of an earlier look stand: with many millions of requests they take a while, and the
    controller has other things to do."""
    at, seconds = index.summed
    known = before.steps and {one.name for one in test.live.outcomes} <= set(before.outcomes)
    return bool(known and at is not None and seconds > LONG and 0 <= now - at < REST * seconds)


def _kept(found: Evidence, before: Evidence | None) -> tuple[StepTally, ...]:
    """The steps, with the clients of an earlier look, or with none."""
    known = {one.number: one for one in before.steps} if before else {}
    return tuple(known.get(one.number, StepTally(one.number, one.share)) for one in found.steps)


@cache
def _temporary() -> Path:
    """One folder a process, gone with it."""
    folder = tempfile.mkdtemp(prefix="mlflowctl-live-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _read(test: Test, before: Evidence, index: Index | None) -> Evidence:
    """Everything beyond the evidence's cursor is counted, everything beyond the index's goes into it."""
    reading, cursor = Reading(), dict(before.cursor)
    known = None if index is None else {**before.began, **index.cursor}
    versions = test.champion, test.challenger
    waiting: list[Rows] = []
    moved: dict[str, int] = {}
    for gateway, sequence in chunks(test.objects, test.model, _start(cursor, known)):
        batch = read_batch(test.objects, test.model, gateway, sequence, list(test.shares), versions)
        if sequence > before.cursor.get(gateway, 0):
            reading.damaged += batch is None
            if batch:
                reading.add(batch)
            cursor[gateway] = sequence
        if index is not None and known is not None and sequence > known.get(gateway, 0):
            waiting += [batch.units(test.live.sticky)] if batch else []
            moved[gateway] = sequence
            if sum(map(len, waiting)) >= AT_ONCE:
                _save(index, waiting, moved)
                waiting, moved = [], {}
    if index is not None and moved:
        _save(index, waiting, moved)
    known_ends = (before.first, before.last, reading.first, reading.last)
    ends = [one for one in known_ends if one is not None and np.isfinite(one)]
    return replace(
        before,
        steps=_steps(test, before.steps, reading.tallies),
        cursor=cursor,
        first=min(ends, default=None),
        last=max(ends, default=None),
        ignored=before.ignored + reading.ignored,
        damaged=before.damaged + reading.damaged,
    )


def _save(index: Index, units: list[Rows], cursor: dict[str, int]) -> None:
    with index.saved():
        if units:
            index.add(np.concatenate(units))
        index.move(cursor)


def _start(cursor: Mapping[str, int], known: Mapping[str, int] | None) -> dict[str, int]:
    """Where reading starts: what neither the evidence nor the index lacks is behind it."""
    if known is None:
        return dict(cursor)
    return {gateway: min(last, known.get(gateway, 0)) for gateway, last in cursor.items()}


def _steps(
    test: Test, before: tuple[StepTally, ...], tallies: Mapping[Place, Tally]
) -> tuple[StepTally, ...]:
    """The steps of the last look, the new ones, and what was counted."""
    steps = {number: StepTally(number, share) for number, share in test.shares.items()}
    steps |= {one.number: one for one in before}
    for (number, variant), tally in tallies.items():
        old = steps[number]
        arms = [old.champion, old.challenger]
        arms[variant] = _plus(arms[variant], tally.arm())
        steps[number] = StepTally(number, old.share, *arms)
    return tuple(steps[number] for number in sorted(steps))


def _plus(one: Arm, other: Arm) -> Arm:
    return Arm(one.errors.plus(other.errors), one.latency.plus(other.latency), one.outcomes)
