"""Tables and outcomes that the gates read; S3 here is moto's, the real store's tests are in tests/stack."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlflowctl.errors import AccessError, NotFoundError, UnavailableError, UsageError
from mlflowctl.registry.gates.data import Table, columns, read_table
from mlflowctl.registry.gates.judge import outcome_arms
from mlflowctl.registry.policy import Business
from mlflowctl.storage.settings import S3Settings

FRAME = pd.DataFrame({"x": [1.5, 2.5], "name": ["ä b", "007"], "y": [0, 1]})


def written(path: Path) -> Path:
    if path.suffix == ".csv":
        FRAME.to_csv(path, index=False)
    elif path.suffix in (".parquet", ".pq"):
        FRAME.to_parquet(path)
    else:
        FRAME.to_json(path, orient="records", lines=True)
    return path


class TestFiles:
    @pytest.mark.parametrize("name", ["a.csv", "b.parquet", "c.pq", "d.jsonl", "e.ndjson", "sub dir ü.csv"])
    def test_each_kind_is_read_with_the_digest_of_its_bytes(self, tmp_path, name):
        path = written(tmp_path / name)
        table = read_table(name, str(tmp_path), None)
        assert table.frame.to_dict("list") == FRAME.to_dict("list")
        assert table.digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert table.location == name

    def test_an_absolute_path_does_not_start_at_the_folder(self, tmp_path):
        path = written(tmp_path / "a.csv")
        assert len(read_table(str(path), "/elsewhere", None).frame) == 2

    def test_a_missing_file_says_where_it_looked(self, tmp_path):
        with pytest.raises(NotFoundError, match=r"no file data/a.csv \(looked at .*data/a.csv\)"):
            read_table("data/a.csv", str(tmp_path), None)

    def test_a_folder_is_no_table(self, tmp_path):
        (tmp_path / "a.csv").mkdir()
        with pytest.raises(AccessError, match="cannot be read"):
            read_table("a.csv", str(tmp_path), None)

    @pytest.mark.parametrize("name", ["a.xlsx", "a", "a.json", "a.csv.gz"])
    def test_another_extension_is_refused_with_those_that_are_known(self, name):
        with pytest.raises(UsageError, match="neither CSV, Parquet nor JSON lines") as told:
            read_table(name, ".", None)
        assert ".parquet" in told.value.next

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.csv", b""),
            ("a.csv", b"a,b\n1,2\n3,4,5\n"),
            ("a.csv", b"a\n\xff\xfe\n"),
            ("a.parquet", b"not parquet"),
            ("a.jsonl", b'{"a": 1}\n{"a": \n'),
        ],
    )
    def test_a_file_that_is_not_what_it_says_cannot_be_read(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="cannot be read as"):
            read_table(name, str(tmp_path), None)

    def test_a_missing_column_is_named_with_those_there_are(self):
        with pytest.raises(UsageError, match="no column 'label'; it has: x, name, y"):
            columns(Table(FRAME, "", "a.csv"), "x", "label")


class TestS3:
    @pytest.fixture
    def store(self, monkeypatch):
        from moto import mock_aws

        settings = S3Settings(access_key_id="test", secret_access_key="test")
        with mock_aws():
            import boto3

            s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
            s3.create_bucket(Bucket="data")
            buffer = io.BytesIO()
            FRAME.to_csv(buffer, index=False)
            for key in ("a.csv", "höl dout/50% off #1?.csv"):
                s3.put_object(Bucket="data", Key=key, Body=buffer.getvalue())
            yield settings

    @pytest.mark.parametrize("key", ["a.csv", "höl dout/50% off #1?.csv"])
    def test_a_key_is_taken_literally(self, store, key):
        assert read_table(f"s3://data/{key}", "/ignored", store).frame.to_dict("list") == FRAME.to_dict(
            "list"
        )

    @pytest.mark.parametrize("location", ["s3://data/none.csv", "s3://no-such-bucket/a.csv"])
    def test_a_missing_object_or_bucket_is_not_found(self, store, location):
        with pytest.raises(NotFoundError, match=f"There is no {location}"):
            read_table(location, ".", store)

    def test_a_store_that_does_not_answer_is_unavailable(self):
        dead = S3Settings(endpoint_url="http://127.0.0.1:9", access_key_id="k", secret_access_key="s")
        with pytest.raises(UnavailableError, match="cannot be reached"):
            read_table("s3://data/a.csv", ".", dead)

    def test_without_a_store_it_says_so(self):
        with pytest.raises(UsageError, match="no object store is set up"):
            read_table("s3://data/a.csv", ".", None)

    def test_a_bucket_alone_is_no_table(self, store):
        with pytest.raises(UsageError, match="not s3://bucket/key"):
            read_table("s3://data.csv", ".", store)


METRIC = Business("ok", "higher", "primary", "superior", source="outcomes")


def table(**data) -> Table:
    return Table(pd.DataFrame(data), "", "outcomes.csv")


def arms(outcomes: Table, assignments: Table | None = None, champion: int | None = 1, metric=METRIC):
    old, new = outcome_arms(metric, outcomes, assignments, champion, 2)
    return (None if old is None else old.tolist()), new.tolist()


class TestOutcomes:
    def test_outcomes_go_to_the_version_that_answered(self):
        found = arms(table(request_id=[1, 2, 3, 4], version=[1, 2, 1, 7], value=[0.5, 1, 2, 3]))
        assert found == ([0.5, 2.0], [1.0])

    @pytest.mark.parametrize("spelling", [[1, 2], [1.0, 2.0], ["1", "2"], ["v1", " V2 "]])
    def test_a_version_may_be_spelt_in_several_ways(self, spelling):
        assert arms(table(request_id=[1, 2], version=spelling, value=[5, 6])) == ([5.0], [6.0])

    def test_the_first_row_of_an_id_counts(self):
        found = arms(table(request_id=["a", "b", "a"], version=[1, 2, 2], value=[1, 0, 9]))
        assert found == ([1.0], [0.0])

    def test_a_second_file_may_tell_who_answered(self):
        outcomes = table(request_id=[3, 1, 2, 9], value=[30, 10, 20, 90])
        who = table(request_id=["1", "2", "3", "3"], version=[1, 2, 2, 1])
        assert arms(outcomes, who) == ([10.0], [30.0, 20.0])

    def test_without_a_champion_there_is_one_arm(self):
        assert arms(table(request_id=[1], version=[2], value=[1]), champion=None) == (None, [1.0])

    def test_other_column_names_come_from_the_policy(self):
        named = replace(METRIC, id_column="id", version_column="model", value_column="revenue")
        found = arms(table(id=[1, 2], model=[1, 2], revenue=[True, False]), metric=named)
        assert found == ([1.0], [0.0])

    @pytest.mark.parametrize("value", ["much", None, float("inf"), ""])
    def test_an_outcome_that_is_no_number_is_named_with_its_row(self, value):
        bad = table(request_id=[1, 2], version=[1, 2], value=pd.Series([1, value], dtype=object))
        with pytest.raises(UsageError, match="'value' in row 2 is"):
            arms(bad)

    def test_an_empty_id_is_refused(self):
        with pytest.raises(UsageError, match="row 2 has no 'request_id'"):
            arms(table(request_id=["a", None], version=[1, 2], value=[1, 2]))

    @pytest.mark.parametrize("lost", ["request_id", "version", "value"])
    def test_a_missing_column_is_named(self, lost):
        data = {"request_id": [1], "version": [1], "value": [1]}
        del data[lost]
        with pytest.raises(UsageError, match=f"no column '{lost}'"):
            arms(table(**data))

    def test_no_outcome_at_all_is_an_empty_arm(self):
        nothing = table(request_id=[1], version=[1], value=[1])
        old, new = outcome_arms(METRIC, nothing, None, 1, 2)
        assert (old.size, new.size, new.dtype) == (1, 0, np.float64)
