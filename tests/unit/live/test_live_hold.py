"""One controller per model: taken, kept, lost, and taken over from the dead. The bucket is a stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest

from mlflowctl.live import hold
from mlflowctl.live.hold import ControllerRunsError
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.objects import Stored

ADA = Actor("ada", "os", "here")


@dataclass
class Bucket:
    """Conditional writes as S3 has them, without S3 (tests/stack/live takes leases on the real one)."""

    settings: Bucket | None = None
    kept: dict[str, tuple[bytes, str, float]] = field(default_factory=dict)
    count: int = 0
    slept: float = 0.0

    def get(self, key):
        if key not in self.kept:
            return None
        body, etag, at = self.kept[key]
        return Stored(body, etag, time.monotonic() + self.slept - at)

    def create(self, key, body):
        return None if key in self.kept else self._put(key, body)

    def replace(self, key, body, etag):
        return self._put(key, body) if key in self.kept and self.kept[key][1] == etag else None

    def _put(self, key, body):
        self.count += 1
        self.kept[key] = (body, f"e{self.count}", time.monotonic() + self.slept)
        return f"e{self.count}"


@pytest.fixture
def bucket(monkeypatch) -> Bucket:
    made = Bucket()
    monkeypatch.setattr(hold, "Objects", lambda _: made)  # the thread's own connection
    monkeypatch.setattr(hold, "BEAT", 0.05)
    return made


def rewrite(bucket: Bucket, **more) -> None:
    stored = bucket.get(hold.key("m"))
    bucket.replace(hold.key("m"), json.dumps({**json.loads(stored.body), **more}).encode(), stored.etag)


def test_one_holds_and_a_second_one_is_told_who(bucket):
    with hold.held(bucket, "m", ADA) as first:
        assert first.is_sure
        with pytest.raises(ControllerRunsError) as caught, hold.held(bucket, "m", ADA):
            pass
        assert "ada on here" in caught.value.what
        assert caught.value.exit_code == 5
        with hold.held(bucket, "other", ADA):
            pass
        keeper = hold.look(bucket, "m")
        assert (keeper.runs, keeper.ended) == (True, False)
    keeper = hold.look(bucket, "m")
    assert (keeper.runs, keeper.ended) == (False, True)
    with hold.held(bucket, "m", ADA):
        pass


def test_it_is_kept_alive_and_tells_the_last_look(bucket):
    with hold.held(bucket, "m", ADA) as mine:
        hold.note_look(mine)
        bucket.slept = hold.TTL - 1
        time.sleep(0.3)
        assert hold.look(bucket, "m").seconds < 1
        assert hold.look(bucket, "m").looked


def test_it_is_not_the_lease_of_promotions(bucket):
    from mlflowctl.registry import leases

    assert hold.key("m") != leases.key("m")
    assert all(hold.key("x") != leases.key(name) for name in ("live", "live/x", "live/x/lease", "x"))


def test_a_dead_holder_on_this_machine_is_taken_over_from_at_once(bucket):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    with hold.held(bucket, "m", ADA) as first:
        rewrite(bucket, pid=int(gone.stdout))
        assert hold.look(bucket, "m").runs is False
        with hold.held(bucket, "m", ADA):
            time.sleep(0.2)  # the first one learns of it when it renews
            assert first.lost
            assert not first.is_sure
        assert hold.look(bucket, "m").ended, "the first one does not write over it"


def test_a_holder_elsewhere_is_believed_until_its_time_is_over(bucket, monkeypatch):
    monkeypatch.setattr(hold, "BEAT", 60)
    with hold.held(bucket, "m", ADA):
        rewrite(bucket, machine="another one", pid=1)
        with pytest.raises(ControllerRunsError), hold.held(bucket, "m", ADA):
            pass
        bucket.slept = hold.TTL + 5
        with hold.held(bucket, "m", ADA):
            assert hold.look(bucket, "m").runs


def test_a_damaged_lease_ends_by_its_age(bucket):
    bucket.create(hold.key("m"), b"no json")
    with pytest.raises(ControllerRunsError), hold.held(bucket, "m", ADA):
        pass
    bucket.slept = hold.TTL + 5
    with hold.held(bucket, "m", ADA):
        pass


def test_a_machine_that_slept_is_not_sure_of_its_lease(bucket, monkeypatch):
    monkeypatch.setattr(hold, "BEAT", 60)
    with hold.held(bucket, "m", ADA) as mine:
        now = hold.clock()
        monkeypatch.setattr(hold, "clock", lambda: now + hold.TTL + 1)
        assert not mine.is_sure
