"""Gathering of live evidence: what counts, and that order, chunks and a kill at any moment change nothing."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import asdict

import pytest
from tests.unit.live.recorded import (
    CHALLENGER,
    CHAMPION,
    MODEL,
    STEPS,
    Bucket,
    clients,
    counted,
    errors,
    expected_errors,
    filled,
    look,
    policy,
    sales,
    some_sales,
    traffic,
)

from mlflowctl.live.evidence import Evidence, beginning, gather
from mlflowctl.live.histogram import BUCKETS
from mlflowctl.live.sums import Counts
from mlflowctl.serving.records import Record, key, write_chunk


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
