"""Who may do what: every operation by every role, through plain REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests
from login_world import ARTIFACTS, PREFIXES, ROLES, Api, User, World, unique

from mlflowctl.login.roles import Level

Act = Callable[[Api, World], requests.Response]


@dataclass(frozen=True)
class Case:
    """One operation.

    Attributes:
        name: of it.
        least: the lowest level that may do it.
        act: does it on an object of its own.
    """

    name: str
    least: Level
    act: Act


def case(name: str, least: Level, act: Act) -> Case:
    return Case(name, least, act)


def tag(key: str, value: str = "x", stage: str = "None") -> Act:
    return lambda api, world: api.post(
        "model-versions/set-tag", **world.version(stage).body, key=key, value=value
    )


def model_tag(key: str) -> Act:
    return lambda api, world: api.post("registered-models/set-tag", name=world.model(), key=key, value="1")


READER, TRAINER, PROMOTER, ADMIN = Level.READER, Level.TRAINER, Level.PROMOTER, Level.ADMIN
CASES = [
    # Reading
    case("search experiments", READER, lambda api, _: api.get("experiments/search", max_results=1)),
    case("search runs", READER, lambda api, w: api.post("runs/search", experiment_ids=[w.experiment()])),
    case("get run", READER, lambda api, w: api.get("runs/get", run_id=w.run())),
    case("get model", READER, lambda api, w: api.get("registered-models/get", name=w.model())),
    case("get version", READER, lambda api, w: api.get("model-versions/get", **w.version().body)),
    case("search versions", READER, lambda api, _: api.get("model-versions/search", max_results=1)),
    case("resolve alias", READER, lambda api, w: api.get(
        "registered-models/alias", name=w.version("Production").name, alias="champion")),
    case("list artifacts", READER, lambda api, w: api.get("artifacts/list", run_id=w.run())),
    case("graphql", READER, lambda api, _: api.send(
        "POST", "/graphql", json={"query": "{ __typename }", "operationName": None})),
    case("home page", READER, lambda api, _: api.send("GET", "/")),
    case("version", READER, lambda api, _: api.send("GET", "/version")),
    # Logging
    case("create experiment", TRAINER, lambda api, _: api.post("experiments/create", name=unique("e"))),
    case("create run", TRAINER, lambda api, w: api.post("runs/create", experiment_id=w.experiment())),
    case("log metric", TRAINER, lambda api, w: api.post(
        "runs/log-metric", run_id=w.run(), key="m", value=1.0, timestamp=1)),
    case("log batch", TRAINER, lambda api, w: api.post(
        "runs/log-batch", run_id=w.run(), params=[{"key": "p", "value": "1"}])),
    case("tag run", TRAINER, lambda api, w: api.post("runs/set-tag", run_id=w.run(), key="k", value="v")),
    case("upload artifact", TRAINER, lambda api, w: api.upload(
        f"{(e := w.experiment())}/{w.run(e)}/artifacts/a.txt")),
    case("start a multipart upload", TRAINER, lambda api, w: api.send(
        "POST", f"/api/2.0/mlflow-artifacts/mpu/create/{(e := w.experiment())}/{w.run(e)}/artifacts/big.bin",
        json={"path": "big.bin", "num_parts": 1})),
    case("upload by the UI's route", TRAINER, lambda api, w: api.send(
        "POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={w.run()}&path=a.txt", data=b"x")),
    case("create model", TRAINER, lambda api, _: api.post("registered-models/create", name=unique("m"))),
    case("create version", TRAINER, lambda api, w: api.post(
        "model-versions/create", name=w.model(), source=f"runs:/{(r := w.run())}/model", run_id=r,
        tags=[{"key": "validation_status", "value": "pending"}])),
    case("describe model", TRAINER, lambda api, w: api.patch(
        "registered-models/update", name=w.model(), description="d")),
    case("describe version", TRAINER, lambda api, w: api.patch(
        "model-versions/update", **w.version().body, description="d")),
    case("tag version", TRAINER, tag("team")),
    case("tag version as pending", TRAINER, tag("validation_status", "pending")),
    case("tag model", TRAINER, model_tag("team")),
    # Deciding
    case("to Staging", PROMOTER, lambda api, w: api.post(
        "model-versions/transition-stage", **w.version().body, stage="Staging",
        archive_existing_versions=False)),
    case("to Production", PROMOTER, lambda api, w: api.post(
        "model-versions/transition-stage", **w.version().body, stage="Production",
        archive_existing_versions=True)),
    case("set alias", PROMOTER, lambda api, w: api.post(
        "registered-models/alias", **w.version().body, alias="a")),
    case("delete alias", PROMOTER, lambda api, w: api.delete(
        "registered-models/alias", name=w.model(), alias="a")),
    case("tag version as passed", PROMOTER, tag("validation_status", "passed")),
    case("tag version with evidence", PROMOTER, tag("mlflowctl.evidence")),
    case("untag evidence", PROMOTER, lambda api, w: api.delete(
        "model-versions/delete-tag", **w.version().body, key="mlflowctl.evidence")),
    case("retire model", PROMOTER, model_tag("mlflowctl.retire")),
    case("create model retired", PROMOTER, lambda api, _: api.post(
        "registered-models/create", name=unique("m"), tags=[{"key": "mlflowctl.retire", "value": "1"}])),
    case("create version as passed", PROMOTER, lambda api, w: api.post(
        "model-versions/create", name=w.model(), source=f"runs:/{(r := w.run())}/model", run_id=r,
        tags=[{"key": "validation_status", "value": "passed"}])),
    case("tag the champion", PROMOTER, tag("team", stage="Production")),
    case("describe the challenger", PROMOTER, lambda api, w: api.patch(
        "model-versions/update", **w.version("Staging").body, description="d")),
    case("delete an archived version", PROMOTER, lambda api, w: api.delete(
        "model-versions/delete", **w.version("Archived").body)),
    case("rename model", PROMOTER, lambda api, w: api.post(
        "registered-models/rename", name=w.model(), new_name=unique("m"))),
    case("delete model", PROMOTER, lambda api, w: api.delete("registered-models/delete", name=w.model())),
    # What a version stands on, accounts, and what is none of a registry's business
    case("overwrite a version's artifact", ADMIN, lambda api, w: api.upload(w.version().key)),
    case("overwrite it by the other prefix", ADMIN, lambda api, w: api.send(
        "PUT", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{w.version().key}", data=b"x")),
    case("overwrite it by parts", ADMIN, lambda api, w: api.send(
        "POST", f"/api/2.0/mlflow-artifacts/mpu/create/{w.version().key}",
        json={"path": "p", "num_parts": 1})),
    case("overwrite it by the UI's route", ADMIN, lambda api, w: api.send(
        "POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={w.version().run}&path=model/MLmodel",
        data=b"x")),
    case("delete a version's artifacts", ADMIN, lambda api, w: api.send(
        "DELETE", ARTIFACTS + w.version().key.removesuffix("/artifacts/model/MLmodel"))),
    case("delete the run behind a version", ADMIN, lambda api, w: api.post(
        "runs/delete", run_id=w.version().run)),
    case("delete the experiment behind it", ADMIN, lambda api, w: api.post(
        "experiments/delete", experiment_id=w.version().experiment)),
    case("delete somebody else's run", ADMIN, lambda api, w: api.post("runs/delete", run_id=w.run())),
    case("choose an artifact location", ADMIN, lambda api, _: api.post(
        "experiments/create", name=unique("e"), artifactLocation="s3://mlflow-registry/ledger")),
    case("register foreign artifacts", ADMIN, lambda api, w: api.post(
        "model-versions/create", name=w.model(), source="s3://mlflow-registry/ledger")),
    case("turn a model into a prompt", ADMIN, model_tag("mlflow.prompt.is_prompt")),
    case("list users", ADMIN, lambda api, _: api.get("users/list")),
    case("create user", ADMIN, lambda api, _: api.post(
        "users/create", username=unique("u"), password="twelve letters at least")),
    case("make oneself administrator", ADMIN, lambda api, w: api.patch(
        "users/update-admin", username=api.login.username, is_admin=True)),
    case("give oneself a role", ADMIN, lambda api, _: api.send(
        "POST", "/api/3.0/mlflow/roles/assign", json={"username": api.login.username, "role_id": 3})),
    case("grant oneself a model", ADMIN, lambda api, w: api.send(
        "POST", "/api/3.0/mlflow/users/permissions/grant",
        json={"username": api.login.username, "resource_type": "registered_model", "resource_id": w.model(),
              "permission": "MANAGE"})),
    case("change a role's grants", ADMIN, lambda api, _: api.send(
        "POST", "/api/3.0/mlflow/roles/permissions/add",
        json={"role_id": 1, "resource_type": "experiment", "resource_pattern": "*", "permission": "MANAGE"})),
    case("list webhooks", ADMIN, lambda api, _: api.get("webhooks")),
    case("create webhook", ADMIN, lambda api, _: api.post(
        "webhooks", name=unique("w"), url="https://example.com", events=[])),
    case("demo data", ADMIN, lambda api, _: api.send("POST", "/ajax-api/3.0/mlflow/demo/generate", json={})),
    case("gateway secret", ADMIN, lambda api, _: api.send(
        "POST", "/api/3.0/mlflow/gateway/secrets/create", json={"name": unique("s")})),
    case("jobs", ADMIN, lambda api, _: api.send("POST", "/ajax-api/3.0/jobs/search", json={})),
    case("assistant", ADMIN, lambda api, _: api.send("GET", "/ajax-api/3.0/mlflow/assistant/config")),
    case("signup page", ADMIN, lambda api, _: api.send("GET", "/signup")),
]  # fmt: skip
PEOPLE = ("nobody", *ROLES, "admin")
LEVELS = {"nobody": Level.NOBODY, "reader": READER, "trainer": TRAINER, "promoter": PROMOTER, "admin": ADMIN}
# An administrator is not made to do these: they would change the accounts that the other cases use.
SPARED = {"make oneself administrator", "give oneself a role", "change a role's grants", "demo data"}


PAIRS = [
    pytest.param(one, person, id=f"{one.name}-{person}")
    for one in CASES
    for person in PEOPLE
    if person != "admin" or one.name not in SPARED
]


@pytest.mark.parametrize(("one", "person"), PAIRS)
def test_each_role_may_do_what_it_may(
    one: Case, person: str, users: dict[str, User], world: World, shared: World
) -> None:
    allowed = LEVELS[person] >= one.least
    answer = one.act(users[person].api, world if allowed else shared)
    if allowed:
        assert answer.status_code not in (401, 403), answer.text
        return
    assert answer.status_code == 403, answer.text
    assert "mlflowctl login [" in answer.text or answer.text == "Permission denied"


@pytest.mark.parametrize("one", [one for one in CASES if "oneself" not in one.name], ids=lambda one: one.name)
def test_nobody_is_let_in_without_a_login(one: Case, anonymous: Api, shared: World) -> None:
    answer = one.act(anonymous, shared)
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("path", ["/health", "/health/deep", "/static-files/index.html", "/favicon.ico"])
def test_what_is_open(path: str, anonymous: Api) -> None:
    assert anonymous.send("GET", path).status_code in (200, 404)


TRICKS = [
    lambda prefix: f"{prefix}model-versions/transition-stage/",
    lambda prefix: f"/{prefix}model-versions/transition-stage",
    lambda prefix: f"{prefix}/model-versions/transition-stage",
    lambda prefix: f"{prefix}model-versions/./transition-stage",
    lambda prefix: f"/static/..{prefix}model-versions/transition-stage",
    lambda prefix: f"/health/..{prefix}model-versions/transition-stage",
    lambda prefix: f"{prefix}model-versions/Transition-Stage",
    lambda prefix: f"{prefix}model-versions/transition%2Dstage",
    lambda prefix: f"{prefix}model-versions/transition-stage?stage=Production",
    lambda prefix: f"{prefix}model-versions/transition-stage;x=/static",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_of_a_path_moves_a_stage_for_a_trainer(
    prefix: str, trick: Callable[[str], str], users: dict[str, User], world: World
) -> None:
    version = world.version()
    body = {**version.body, "stage": "Production", "archive_existing_versions": True}
    for headers in ({}, {"X-HTTP-Method-Override": "GET"}, {"X-Forwarded-Prefix": "/static"}):
        request = requests.Request("POST", users["trainer"].api.uri, json=body, headers=headers)
        request.auth = (users["trainer"].login.username, users["trainer"].login.password)
        prepared = request.prepare()
        prepared.url = users["trainer"].api.uri + trick(prefix)  # as written: requests would tidy it
        answer = requests.Session().send(prepared, timeout=30, allow_redirects=False)
        assert answer.status_code not in (200, 500), answer.text
    stage = world.admin.get("model-versions/get", **version.body).json()["model_version"]["current_stage"]
    assert stage == "None"


@pytest.mark.parametrize(
    "spelling", ["{}", "./{}", "%2e/{}", "x/../{}", "x/%2e%2e/{}", "x/%252e%252e/{}", "/{}"]
)
def test_no_spelling_of_a_key_overwrites_a_registered_artifact(
    spelling: str, users: dict[str, User], world: World, guarded
) -> None:
    version = world.version()
    assert world.admin.upload(version.key, b"registered").ok
    request = requests.Request("PUT", guarded.uri, data=b"overwritten")
    request.auth = (users["trainer"].login.username, users["trainer"].login.password)
    prepared = request.prepare()
    prepared.url = guarded.uri + ARTIFACTS + spelling.format(version.key)
    requests.Session().send(prepared, timeout=30, allow_redirects=False)
    assert world.admin.get(ARTIFACTS + version.key).content == b"registered"
