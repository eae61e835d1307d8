"""Outcomes are joined with the requests they belong to, late ones included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.unit.live.recorded import (
    SALES,
    filled,
    look,
    policy,
    sales,
    split,
)

from mlflowctl.live import outcome_files
from mlflowctl.live.evidence import Evidence, judge
from mlflowctl.registry.live_policy import ERROR_RATE, Live
from mlflowctl.registry.verdict import Verdict
from mlflowctl.serving.records import Record


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
