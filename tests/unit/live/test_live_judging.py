"""What evidence amounts to, and that gathering it may be interrupted anywhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.live.recorded import (
    CHALLENGER,
    CHAMPION,
    LATENCY,
    MODEL,
    STEPS,
    Killed,
    filled,
    look,
    policy,
    sales,
    some_sales,
    split,
    traffic,
)

from mlflowctl.live import gathering
from mlflowctl.live.evidence import Evidence, gather, judge
from mlflowctl.registry.live_policy import ERROR_RATE, Live
from mlflowctl.registry.verdict import Verdict
from mlflowctl.serving.records import Record, write_chunk


class TestJudging:
    def test_nothing_at_all_is_inconclusive(self):
        verdict = judge(Evidence(CHAMPION, CHALLENGER), policy(), 0.05)
        assert verdict.verdict is Verdict.INCONCLUSIVE
        assert [one.verdict for one in verdict.results] == [Verdict.INCONCLUSIVE] * 3

    def test_the_minimum_of_the_policy_holds_back_a_pass(self, tmp_path):
        live = Live(metrics=(replace(ERROR_RATE, margin=0.1), LATENCY))
        found = look(filled(split(4000), 1, 4000), live, tmp_path)  # 800 of the challenger
        assert judge(found, live, 0.05).verdict is Verdict.INCONCLUSIVE
        assert judge(found, replace(live, minimum=800), 0.05).verdict is Verdict.PASS

    def test_a_mismatch_once_found_stays_found(self, tmp_path):
        only_old = [Record(float(n), f"r{n}", "champion", CHAMPION, 11, 200, 1.0) for n in range(2000)]
        live = policy(outcomes=False)
        bucket = filled(only_old, 1, 2000)
        found = look(bucket, live, tmp_path)
        assert found.mismatch_found
        write_chunk(
            bucket, MODEL, "g1", 1,
            [Record(float(n), f"n{n}", "challenger", CHALLENGER, 11, 200, 1.0) for n in range(500)],
        )  # fmt: skip
        later = look(bucket, live, tmp_path, Evidence.load(found.as_dict()))
        assert later.mismatch_found
        verdict = judge(later, replace(live, minimum=1), 0.05)
        assert verdict.mismatch.p_value > 0.1
        assert (verdict.verdict, verdict.mismatch.found) == (Verdict.INCONCLUSIVE, True)
        assert not look(bucket, live, tmp_path).mismatch_found

    def test_a_slow_challenger_fails_by_latency(self, tmp_path):
        records = split(6000, ms=200.0)
        live = policy(outcomes=False)
        verdict = judge(look(filled(records, 1, 6000), live, tmp_path), live, 0.05)
        assert verdict.abort == (LATENCY.name,)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[set[int]], list[int]]:
    """Which chunks become visible at which look, and after how many reads each look is killed first."""
    looks = draw(st.integers(1, 5))
    return (
        [draw(st.sets(st.integers(0, 19), max_size=20)) for _ in range(looks)],
        [draw(st.integers(0, 25)) for _ in range(looks)],
    )


class TestResuming:
    @pytest.mark.parametrize("sticky", [False, True])
    @pytest.mark.parametrize("outcomes", [False, True])
    @given(plan=plans(), seed=st.integers(0, 5), lost=st.booleans(), gateways=st.integers(1, 3))
    @settings(max_examples=15, deadline=None)
    def test_in_any_order_and_killed_anywhere_it_equals_gathering_at_once(
        self, sticky, outcomes, plan, seed, lost, gateways
    ):
        """Chunks of a gateway are written in order; gateways are not in step with each other."""
        live = policy(sticky=sticky, outcomes=outcomes)
        bucket = filled(list(traffic(seed, 100)), gateways, 5)
        keys = sorted(bucket.held)
        with TemporaryDirectory() as name:
            folder = Path(name)
            sales(folder, some_sales(100))
            at_once = look(bucket, live, folder, work="at once")
            previous = None
            bucket.visible = set()
            for number, (more, reads) in enumerate(zip(*plan, strict=True)):
                for at in more:
                    bucket.visible |= {
                        one for one in keys if one <= keys[at] and one.split("/")[2] == keys[at].split("/")[2]
                    }
                bucket.reads, bucket.killed_after = 0, reads
                try:
                    previous = look(bucket, live, folder, previous, now=1000.0 + number)
                except Killed:
                    bucket.killed_after = None
                    previous = look(bucket, live, folder, previous, now=1000.0 + number)
                bucket.killed_after = None
                previous = Evidence.load(json.loads(json.dumps(previous.as_dict())))
            bucket.visible = None
            last = look(bucket, live, folder, previous, work="lost" if lost else "work")
        assert replace(last, mismatch_found=False) == replace(at_once, mismatch_found=False)

    @pytest.mark.parametrize("damage", ["manifest", "other boot", "short", "gone"])
    @pytest.mark.parametrize("sticky", [False, True])
    def test_an_index_that_is_damaged_is_made_anew(self, tmp_path, damage, sticky):
        sales(tmp_path, some_sales(100))
        bucket = filled(list(traffic(1, 100)), 2, 10)
        live = policy(sticky=sticky)
        found = look(bucket, live, tmp_path)
        (folder,) = (tmp_path / "work").iterdir()
        manifest = folder / "manifest.json"
        for part in folder.glob("units-*"):
            if damage == "short":
                part.write_bytes(part.read_bytes()[:-1])
            elif damage == "other boot":
                part.write_bytes(bytes(part.stat().st_size))
        if damage == "manifest":
            manifest.write_text("no JSON")
        elif damage == "other boot":
            manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "boot": "another"}))
        elif damage == "gone":
            shutil.rmtree(folder)
        assert look(bucket, live, tmp_path, found) == found

    def test_a_file_that_grows_and_is_read_again_and_again_does_not_fill_the_disk(self, tmp_path):
        bucket, rows = filled(split(500), 1, 500), [(f"r{n}", 1) for n in range(400)]
        found = None
        for more in range(20):
            sales(tmp_path, rows[: 300 + more])
            found = look(bucket, policy(), tmp_path, found)
            assert found.outcomes["sales"].rows == 300 + more
            assert found.outcomes["sales"].repeated == 0
            assert found.outcomes["sales"].missing == 200 - more
        (folder,) = (tmp_path / "work").iterdir()
        assert sum(one.stat().st_size for one in folder.glob("outcomes-*")) < 3 * 16 * 320

    @pytest.mark.parametrize("sticky", [False, True])
    def test_sums_that_take_long_stand_for_a_while(self, tmp_path, monkeypatch, sticky):
        monkeypatch.setattr(gathering, "LONG", -1.0)
        monkeypatch.setattr(gathering, "REST", 1e9)
        sales(tmp_path, some_sales(100))
        live, bucket = policy(sticky=sticky), filled(list(traffic(1, 100)), 2, 10)
        found = look(bucket, live, tmp_path)
        write_chunk(bucket, MODEL, "g0", 6, [replace(one, client=one.request) for one in split(50)])
        soon = look(bucket, live, tmp_path, found, now=1e6 + 1)
        outcomes = [one.champion.outcomes for one in found.steps]
        assert [one.champion.outcomes for one in soon.steps] == outcomes
        assert sum(soon.seen) - sum(found.seen) == (0 if sticky else 50)
        assert soon.cursor["g0"] == 6
        later = look(bucket, live, tmp_path, soon, now=1e6 - 1)  # a clock that was put back
        assert later.outcomes["sales"].missing > soon.outcomes["sales"].missing
        assert sum(later.seen) - sum(found.seen) == 50
        assert look(bucket, live, tmp_path, now=1e6 - 1) == later

    def test_without_a_folder_it_works_in_a_temporary_one(self, tmp_path):
        sales(tmp_path, some_sales(100))
        bucket = filled(list(traffic(1, 100)), 2, 10)
        found = gather(bucket, MODEL, STEPS, CHAMPION, CHALLENGER, None, policy(), str(tmp_path), 1e6)
        assert found == look(bucket, policy(), tmp_path)
