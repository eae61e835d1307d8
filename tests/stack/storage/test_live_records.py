"""Records and outcomes of a live test on a real store: listing, joining, picking up what is new."""

from __future__ import annotations

import io
import threading
import urllib.request
from dataclasses import replace

import pytest
from tests.unit.live.recorded import CHALLENGER, CHAMPION, MODEL, SALES, STEPS, look, split

from mlflowctl.errors import MlflowctlError
from mlflowctl.live import intake, section
from mlflowctl.live.evidence import beginning, gather, judge
from mlflowctl.live.notebook import Notebook, keep, told_of
from mlflowctl.registry.live_policy import ERROR_RATE, Live
from mlflowctl.registry.objects import Objects
from mlflowctl.serving.records import Record, write_chunk

TOKEN = "a-token-of-more-than-twenty-letters"


@pytest.fixture
def objects(settings, s3) -> Objects:
    s3.create_bucket(Bucket=settings.registry_bucket)
    return Objects(settings)


def live(objects: Objects, place: str) -> Live:
    data = f"s3://{objects.bucket}/{place}"
    return Live(metrics=(ERROR_RATE, replace(SALES, data=data)))


def test_outcomes_below_a_prefix_are_joined_and_new_ones_picked_up(objects, s3, tmp_path):
    records = split(400)
    write_chunk(objects, MODEL, "one", 1, records[:200])
    write_chunk(objects, MODEL, "two", 1, records[200:])
    policy = live(objects, "sold/")
    found = look(objects, policy, tmp_path)
    assert (found.seen, found.outcomes["sales"].rows) == ((320, 80), 0)

    s3.put_object(Bucket=objects.bucket, Key="sold/a/1.csv", Body=b"request_id,value\nr0,1\nr1,1\nr1,1\n")
    s3.put_object(Bucket=objects.bucket, Key="sold/ignored.txt", Body=b"not outcomes")
    s3.put_object(Bucket=objects.bucket, Key="soldier.csv", Body=b"request_id,value\nr9,1\n")
    found = look(objects, policy, tmp_path, found)
    notes = found.outcomes["sales"]
    assert (notes.rows, notes.repeated, notes.missing, notes.problem) == (3, 1, 398, "")

    import pandas as pd

    table = io.BytesIO()
    pd.DataFrame({"request_id": ["r5", "r10"], "value": [1, 1]}).to_parquet(table)
    s3.put_object(Bucket=objects.bucket, Key="sold/b.parquet", Body=table.getvalue())
    write_chunk(objects, MODEL, "one", 2, [Record(1.0, "late", "champion", CHAMPION, 11, 500, 1.0)])
    found = look(objects, policy, tmp_path, found)
    assert found.outcomes["sales"].rows == 5
    assert found.seen == (321, 80)
    assert found.steps[0].challenger.outcomes["sales"].mean == pytest.approx(3 / 80)
    assert found.cursor == {"one": 2, "two": 1}
    assert found == look(objects, policy, tmp_path, work="anew")


def test_an_object_that_is_not_there_leaves_its_metric_undecided(objects, tmp_path):
    write_chunk(objects, MODEL, "one", 1, split(4000, status=500))
    policy = live(objects, "sold.csv")
    found = look(objects, policy, tmp_path)
    assert f"There is no s3://{objects.bucket}/sold.csv" in found.outcomes["sales"].problem
    assert judge(found, policy, 0.05).abort == ("error rate",)


def test_outcomes_by_http_reach_the_verdict_through_the_bucket(objects, tmp_path):
    write_chunk(objects, MODEL, "one", 1, split(10))
    door = intake.server(TOKEN, intake.to_bucket(objects, MODEL), 0)
    threading.Thread(target=door.serve_forever, args=(0.05,), daemon=True).start()
    try:
        body = b'{"request_id": "r0", "value": 1}\n{"request_id": "r5", "value": true}\n'
        request = urllib.request.Request(
            f"http://127.0.0.1:{door.server_port}/outcomes", body, {"Authorization": f"Bearer {TOKEN}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(request, timeout=30).read() == b'{"kept": 2}\n'
    finally:
        door.shutdown()
        door.server_close()
    found = look(objects, live(objects, intake.bucket_prefix(MODEL)), tmp_path)
    assert found.steps[0].challenger.outcomes["sales"].mean == 1.0
    assert found.outcomes["sales"].problem == ""


def test_a_test_begins_after_many_older_chunks(objects, tmp_path):
    for sequence in range(1, 131):
        old = [Record(1.0, f"o{sequence}", "champion", CHAMPION, 9, 200, 1.0)]
        write_chunk(objects, MODEL, "one", sequence, old)
    start = beginning(objects, MODEL, CHAMPION, CHALLENGER)
    assert start.cursor == {"one": 130}
    write_chunk(objects, MODEL, "one", 131, split(20))
    policy = Live()
    told = [
        gather(objects, MODEL, STEPS, CHAMPION, CHALLENGER, before, policy, str(tmp_path), 1e6)
        for before in (start, None)
    ]
    assert [one.seen for one in told] == [(16, 4), (16, 4)]
    assert told[1].ignored < 20


def test_what_a_decision_rested_on_becomes_a_report(objects, tmp_path):
    write_chunk(objects, MODEL, "one", 1, split(3000, status=500))
    found = look(objects, Live(), tmp_path)
    verdict = told_of(judge(found, Live(), 0.05))
    keep(objects, MODEL, CHALLENGER, "aborted", Notebook(3, found), {"verdict": verdict})
    test = section.read(objects, MODEL, CHALLENGER)
    assert "error rate" in section.html(test)
    assert "| 11 | 20 % | 2,400 | 600 | 0 | 600 |" in section.markdown(test)
    with pytest.raises(MlflowctlError):
        section.read(objects, MODEL, CHAMPION)
