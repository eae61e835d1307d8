"""Gathering of live evidence: what counts, and that order, chunks and a kill at any moment change nothing."""

from __future__ import annotations

import gzip
import json
import math
import random
import shutil
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.live.recorded import (
    CHALLENGER,
    CHAMPION,
    LATENCY,
    MODEL,
    SALES,
    STEPS,
    Bucket,
    Killed,
    filled,
    look,
    policy,
    split,
    traffic,
)

from mlflowctl.live import gathering, outcome_files
from mlflowctl.live.evidence import Evidence, beginning, gather, judge
from mlflowctl.live.histogram import BUCKETS
from mlflowctl.live.sums import Counts
from mlflowctl.registry.live_policy import ERROR_RATE, Live
from mlflowctl.registry.verdict import Verdict
from mlflowctl.serving.records import Record, key, write_chunk

VERSIONS = {"champion": CHAMPION, "challenger": CHALLENGER}


def sales(folder: Path, rows: list[tuple[str, float]]) -> None:
    text = "".join(f"{request},{value}\n" for request, value in rows)
    (folder / "sales.csv").write_text("request_id,value\n" + text)


def some_sales(requests: int, seed: int = 3) -> list[tuple[str, float]]:
    draw = random.Random(seed)
    return [(f"r{number}", draw.choice([0, 1, 1, 3])) for number in range(requests) if draw.random() < 0.4]


def counted(records: list[Record]) -> list[Record]:
    """The definition: records of the test's steps and versions."""
    return [one for one in records if one.step in STEPS and one.version == VERSIONS[one.variant]]


def clients(records: list[Record]) -> list[Record]:
    """The definition: of each client the earliest request; who has no name is somebody else each time."""
    first: dict[str, Record] = {}
    for one in counted(records):
        name = f"c {one.client}" if one.client else f"r {one.request}"
        if name not in first or one.at < first[name].at:
            first[name] = one
    return list(first.values())


def errors(evidence: Evidence) -> dict[tuple[int, str], Counts]:
    return {
        (step.number, name): getattr(step, name).errors
        for step in evidence.steps
        for name in VERSIONS
        if getattr(step, name).seen
    }


def expected_errors(records: list[Record]) -> dict[tuple[int, str], Counts]:
    seen = Counter((one.step, one.variant) for one in records)
    hits = Counter((one.step, one.variant) for one in records if not 200 <= one.status < 400)
    return {place: Counts(count, hits[place]) for place, count in seen.items()}


class TestCounting:
    def test_records_of_the_test_are_counted_and_others_are_told(self, tmp_path):
        records = list(traffic(1, 400))
        found = look(filled(records, 3, 50), policy(outcomes=False), tmp_path)
        mine = counted(records)
        assert errors(found) == expected_errors(mine)
        assert found.ignored == len(records) - len(mine) > 0
        assert (found.first, found.last) == (min(one.at for one in mine), max(one.at for one in mine))
        assert [(one.number, one.share) for one in found.steps] == list(STEPS.items())
        assert found.seen == tuple(
            sum(one.variant == name for one in mine) for name in ("champion", "challenger")
        )

    def test_latency_counts_failed_requests_too_and_keeps_what_is_out_of_range(self, tmp_path):
        records = [
            Record(1.0, f"r{at}", "champion", CHAMPION, 11, status, ms)
            for at, (status, ms) in enumerate(
                [(200, 0.0), (500, 20.0), (200, -3.0), (200, math.inf), (200, math.nan)]
            )
        ]
        found = look(filled(records, 1, 9), policy(outcomes=False), tmp_path)
        latency = dict(found.steps[0].champion.latency.buckets)
        assert sum(latency.values()) == 5
        assert (latency[0], latency[BUCKETS]) == (2, 2)

    @pytest.mark.parametrize(
        ("status", "error"), [(200, 0), (204, 0), (302, 0), (400, 1), (429, 1), (500, 1), (504, 1), (0, 1)]
    )
    def test_an_answer_without_success_is_an_error_also_when_the_server_blames_the_client(
        self, tmp_path, status, error
    ):
        bucket = filled([Record(1.0, "a", "challenger", CHALLENGER, 11, status, 1.0)], 1, 1)
        found = look(bucket, policy(outcomes=False), tmp_path)
        assert found.steps[0].challenger.errors == Counts(1, error)

    def test_the_other_version_under_the_same_name_is_ignored(self, tmp_path):
        records = [Record(1.0, "a", "challenger", CHAMPION, 11, 200, 1.0)]
        assert look(filled(records, 1, 1), policy(outcomes=False), tmp_path).ignored == 1

    def test_a_chunk_that_cannot_be_read_is_told_and_stops_nothing(self, tmp_path):
        bucket = filled(list(traffic(1, 100)), 1, 50)
        bucket.held[key(MODEL, "g0", 1)] = b"no gzip"
        found = look(bucket, policy(outcomes=False), tmp_path)
        assert found.damaged == 1
        assert 0 < sum(found.seen) < 50
        assert look(bucket, policy(outcomes=False), tmp_path, found) == found

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"more": {"of": "a later release"}}, (1, 0)),
            ({"ms": 7}, (1, 0)),
            ({"status": None}, (0, 1)),
            ({"at": "noon"}, (0, 1)),
        ],
    )
    def test_records_of_other_shapes(self, tmp_path, change, told):
        record = {**asdict(Record(1.5, "a", "champion", CHAMPION, 11, 200, 1.0)), **change}
        bucket = Bucket({key(MODEL, "g0", 1): gzip.compress(json.dumps(record).encode())})
        found = look(bucket, policy(outcomes=False), tmp_path)
        assert (sum(found.seen), found.damaged) == told

    def test_a_chunk_of_nothing_is_no_damage(self, tmp_path):
        bucket = filled([], 1, 1)
        write_chunk(bucket, MODEL, "g0", 1, [])
        assert look(bucket, policy(), tmp_path).damaged == 0

    def test_shares_of_nothing_and_everything_are_no_steps(self, tmp_path):
        bucket = filled(list(traffic(1, 50)), 1, 50)
        steps = {9: 0.0, **STEPS, 20: 1.0}
        found = gather(
            bucket, MODEL, steps, CHAMPION, CHALLENGER, None, policy(outcomes=False), str(tmp_path), 1.0
        )
        assert [one.number for one in found.steps] == list(STEPS)

    def test_evidence_of_other_versions_is_not_continued(self, tmp_path):
        with pytest.raises(ValueError, match="of 5 and 7"):
            look(Bucket(), policy(outcomes=False), tmp_path, Evidence(5, CHALLENGER))

    def test_a_test_that_begins_now_reads_nothing_of_before(self, tmp_path):
        bucket = filled(list(traffic(1, 200)), 2, 20)
        start = beginning(bucket, MODEL, CHAMPION, CHALLENGER)
        bucket.reads = 0
        for live in (policy(outcomes=False), policy(sticky=True, outcomes=False)):
            found = look(bucket, live, tmp_path, start)
            assert (found.seen, found.ignored, bucket.reads) == ((0, 0), 0, 0)
        write_chunk(bucket, MODEL, "g9", 1, counted(list(traffic(2, 40))))
        assert sum(look(bucket, policy(outcomes=False), tmp_path, start).seen) > 0

    @pytest.mark.parametrize("old", [0, 1, 63, 64, 65, 200, 700])
    def test_months_of_records_before_the_test_are_not_read(self, tmp_path, old):
        before = [Record(1.0, f"o{n}", "champion", CHAMPION, 9, 200, 1.0) for n in range(2 * old)]
        mine = counted(list(traffic(1, 400)))
        mine.sort(key=lambda one: one.step)
        bucket = filled([*before, *mine], 1, 2)
        found = look(bucket, policy(outcomes=False), tmp_path)
        assert errors(found) == expected_errors(mine)
        assert bucket.reads <= len(mine) / 2 + 64 + 2 * (2 + math.log2(old + 1))
        assert look(bucket, policy(outcomes=False), tmp_path, found) == found

    def test_it_survives_json(self, tmp_path):
        sales(tmp_path, some_sales(200))
        found = look(filled(list(traffic(1, 200)), 2, 20), policy(), tmp_path)
        assert Evidence.load(json.loads(json.dumps(found.as_dict(), allow_nan=False))) == found
        with pytest.raises(ValueError, match=r"no mlflowctl\.live-evidence/1"):
            Evidence.load({**found.as_dict(), "schema": "mlflowctl.live-evidence/2"})


class TestClients:
    def test_each_client_counts_once_as_its_first_request(self, tmp_path):
        records = list(traffic(5, 400))
        found = look(filled(records, 3, 30), policy(sticky=True, outcomes=False), tmp_path)
        first = clients(records)
        assert 0 < len(first) < len(counted(records))
        assert sum(found.seen) == len(first)

    def test_the_first_request_decides_in_whatever_order_chunks_are_read(self, tmp_path):
        late = Record(20.0, "late", "challenger", CHALLENGER, 14, 500, 900.0, "anna")
        early = Record(10.0, "early", "champion", CHAMPION, 11, 200, 5.0, "anna")
        for name, order in {"a": [late, early], "b": [early, late]}.items():
            found = look(filled(order, 1, 1), policy(sticky=True, outcomes=False), tmp_path, work=name)
            assert errors(found) == {(11, "champion"): Counts(1, 0)}

    def test_a_bot_that_comes_a_thousand_times_is_one_client(self, tmp_path):
        bot = [Record(float(n), f"b{n}", "challenger", CHALLENGER, 11, 500, 1.0, "bot") for n in range(1000)]
        found = look(filled(bot, 2, 100), policy(sticky=True, outcomes=False), tmp_path)
        assert found.seen == (0, 1)
        assert look(filled(bot, 2, 100), policy(outcomes=False), tmp_path).seen == (0, 1000)


class TestOutcomes:
    def records(self) -> list[Record]:
        return [
            Record(100.0 * n, f"r{n}", "challenger" if n % 2 else "champion", 7 if n % 2 else 6, 11, 200, 1.0)
            for n in range(10)
        ]

    def means(self, found: Evidence) -> list[tuple[int, float]]:
        arms = found.steps[0].champion, found.steps[0].challenger
        return [(arm.outcomes["sales"].seen, round(arm.outcomes["sales"].mean, 6)) for arm in arms]

    def test_a_request_counts_when_its_window_is_over_absent_ones_as_zero(self, tmp_path):
        sales(tmp_path, [("r0", 1), ("r1", 1), ("r8", 1), ("r9", 1)])
        bucket = filled(self.records(), 1, 10)
        found = look(bucket, policy(), tmp_path, now=500.0)  # r0 to r4 came before 440
        assert self.means(found) == [(3, pytest.approx(1 / 3, abs=1e-6)), (2, 0.5)]
        notes = found.outcomes["sales"]
        assert (notes.rows, notes.waiting, notes.missing, notes.unknown, notes.silent) == (4, 5, 3, 0, 3)
        later = look(bucket, policy(), tmp_path, found, now=10_000.0)
        assert self.means(later) == [(5, 0.4), (5, 0.4)]

    def test_absent_outcomes_may_be_skipped(self, tmp_path):
        sales(tmp_path, [("r0", 1), ("r1", 0)])
        live = Live(metrics=(ERROR_RATE, replace(SALES, missing="skip")))
        assert self.means(look(filled(self.records(), 1, 10), live, tmp_path)) == [(1, 1.0), (1, 0.0)]

    def test_a_late_outcome_corrects_the_zero(self, tmp_path):
        sales(tmp_path, [("r0", 1)])
        bucket = filled(self.records(), 1, 10)
        found = look(bucket, policy(), tmp_path)
        assert self.means(found) == [(5, 0.2), (5, 0.0)]
        sales(tmp_path, [("r0", 1), ("r3", 1)])
        assert self.means(look(bucket, policy(), tmp_path, found)) == [(5, 0.2), (5, 0.2)]

    def test_repeated_rows_count_once_unknown_and_unusable_ones_are_told(self, tmp_path):
        (tmp_path / "sales.csv").write_text(
            "when,value,request_id\nx,1,r0\nx,0,r0\nx,1,stranger\nx,oops,r2\nx,,r4\nx,inf,r6\nx,1,\n"
        )
        found = look(filled(self.records(), 1, 10), policy(), tmp_path)
        notes = found.outcomes["sales"]
        assert (notes.rows, notes.repeated, notes.unusable, notes.unknown) == (7, 1, 4, 1)
        assert self.means(found) == [(5, 0.2), (5, 0.0)]

    def test_outcomes_outside_the_bounds_are_capped_and_told(self, tmp_path):
        sales(tmp_path, [("r0", 30), ("r1", -2)])
        found = look(filled(self.records(), 1, 10), policy(), tmp_path)
        assert self.means(found) == [(5, 0.2), (5, 0.0)]
        assert found.outcomes["sales"].capped == 2

    @pytest.mark.parametrize("sticky", [False, True])
    def test_new_files_in_a_folder_are_picked_up_and_old_ones_not_read_again(
        self, tmp_path, monkeypatch, sticky
    ):
        live = Live(sticky=sticky, metrics=(ERROR_RATE, replace(SALES, data="sold/")))
        bucket = filled(self.records(), 1, 10)
        found = look(bucket, live, tmp_path)  # the folder is not there yet
        assert found.outcomes["sales"].rows == 0
        (tmp_path / "sold").mkdir()
        (tmp_path / "sold" / "a.jsonl").write_text('{"request_id": "r0", "value": 1}\n')
        (tmp_path / "sold" / "notes.txt").write_text("no outcomes")
        found = look(bucket, live, tmp_path, found)
        assert found.outcomes["sales"].rows == 1
        table = pd.DataFrame({"request_id": ["r1", "r3"], "value": [1, 1]})
        table.to_parquet(tmp_path / "sold" / "b.parquet")
        read, pieces = [], outcome_files.pieces
        monkeypatch.setattr(
            outcome_files, "pieces", lambda file, *names: read.append(file.name) or pieces(file, *names)
        )
        found = look(bucket, live, tmp_path, found)
        assert [Path(one).name for one in read] == ["b.parquet"]
        assert found.outcomes["sales"].rows == 3
        assert self.means(found) == [(5, 0.2), (5, 0.4)]

    def test_ids_are_text_whatever_the_file_makes_of_them(self, tmp_path):
        bucket = filled([Record(1.0, "007", "champion", 6, 11, 200, 1.0)], 1, 1)
        sales(tmp_path, [("007", 1)])
        assert look(bucket, policy(), tmp_path).outcomes["sales"].unknown == 0

    def test_a_line_that_is_being_written_waits(self, tmp_path):
        live = Live(metrics=(ERROR_RATE, replace(SALES, data="sales.jsonl")))
        path = tmp_path / "sales.jsonl"
        path.write_text('{"request_id": "r0", "value": 1}\n{"request_id": "r1", "va')
        bucket = filled(self.records(), 1, 10)
        found = look(bucket, live, tmp_path)
        assert (found.outcomes["sales"].rows, found.outcomes["sales"].problem) == (1, "")
        path.write_text('{"request_id": "r0", "value": 1}\n{"request_id": "r1", "value": 1}\n')
        assert look(bucket, live, tmp_path, found).outcomes["sales"].rows == 2

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "There is no file sales.csv"),
            ("id,value\nr0,1\n", "cannot be read as CSV"),
            ("", ""),
            ("request_id,value\n", ""),
        ],
    )
    def test_outcomes_that_cannot_be_read_leave_the_other_guardrails_at_work(self, tmp_path, content, said):
        if content is not None:
            (tmp_path / "sales.csv").write_text(content)
        found = look(filled(split(5000, status=500), 1, 5000), policy(), tmp_path)
        assert said in found.outcomes["sales"].problem
        verdict = judge(found, policy(), 0.05)
        assert verdict.abort == ("error rate",)
        told = {one.name: one for one in verdict.results}["sales"]
        assert told.verdict is Verdict.INCONCLUSIVE
        assert (said or "None of 5,000 requests has an outcome") in told.reason

    def test_a_bad_file_does_not_keep_good_ones_from_being_read(self, tmp_path):
        live = Live(metrics=(ERROR_RATE, replace(SALES, data="sold/")))
        (tmp_path / "sold").mkdir()
        for name, text in {"a": "r0,1\n", "b": '"r1,1\n', "c": "r2,1\n"}.items():
            (tmp_path / "sold" / f"{name}.csv").write_text("request_id,value\n" + text)
        bucket = filled(self.records(), 1, 10)
        found = look(bucket, live, tmp_path)
        assert "b.csv cannot be read as CSV" in found.outcomes["sales"].problem
        assert found.outcomes["sales"].rows == 2
        (tmp_path / "sold" / "b.csv").write_text("request_id,value\nr1,1\n")
        found = look(bucket, live, tmp_path, found)
        assert (found.outcomes["sales"].problem, found.outcomes["sales"].rows) == ("", 3)
        assert found.outcomes["sales"].repeated == 0

    def test_outcomes_that_have_stopped_decide_nothing(self, tmp_path):
        records = split(4000)
        live = Live(metrics=(ERROR_RATE, replace(SALES, role="guardrail", rule="non-inferior", margin=0.5)))
        sales(tmp_path, [(f"r{n}", 1) for n in range(0, 4000, 2)])
        found = look(filled(records, 1, 4000), live, tmp_path)
        assert judge(found, replace(live, minimum=1), 0.05).results[1].verdict is Verdict.PASS
        sales(tmp_path, [(f"r{n}", 1) for n in range(0, 3000, 2)])
        found = look(filled(records, 1, 4000), live, tmp_path, work="other")
        told = judge(found, replace(live, minimum=1), 0.05).results[1]
        assert told.verdict is Verdict.INCONCLUSIVE
        assert "the source of outcomes seems to have stopped" in told.reason


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
