"""What the gateway says where no server answers."""

from __future__ import annotations

import json
import re

import pytest
from asgi_ask import ask

from mlflowctl.serving.fallback_server import application

APP = application("fraud & Söhne")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/vacant/invocations", 503, "in Production"),
        ("/loading/ping", 503, "being loaded"),
        ("/loading/invocations", 503, "being loaded"),
        ("/failed/s12-challenger-v7", 502, "gave no answer"),
        ("/", 503, "being loaded"),
    ],
)
def test_every_case_says_why_and_what_to_do(path, status, said):
    found = ask(APP, path)
    told = json.loads(found.body)["message"]
    assert (found.status, said in told) == (status, True)
    assert "mlflowctl model" in told
    assert "'fraud & Söhne'" in told  # can be pasted into a shell


@pytest.mark.parametrize("path", ["/vacant/invocations", "/failed/s12-challenger-v7", "/vacant/ping"])
def test_every_answer_has_an_id_and_says_that_no_version_made_it(path):
    found = ask(APP, path).headers
    assert re.fullmatch("[0-9a-f]{32}", found["x-request-id"])
    assert (found["x-model-version"], found["x-model-name"]) == ("none", "fraud & S%C3%B6hne")
    assert ask(APP, path, headers={"X-Request-Id": "order-17"}).headers["x-request-id"] == "order-17"


def test_who_gave_no_answer_is_told():
    assert ask(APP, "/failed/s12-challenger-v7").headers["x-model-asked"] == "s12-challenger-v7"
    assert "x-model-asked" not in ask(APP, "/vacant/invocations").headers


@pytest.mark.parametrize(
    ("path", "status"), [("/vacant/ping", 200), ("/vacant/health", 200), ("/loading/ping", 503)]
)
def test_a_load_balancer_takes_a_place_without_champion_for_well_and_a_loading_one_not(path, status):
    assert ask(APP, path).status == status


def test_an_answer_to_head_has_no_body():
    found = ask(APP, "/vacant/invocations", method="HEAD")
    assert (found.body, int(found.headers["content-length"]) > 0) == (b"", True)
