"""Users of a stack with login, and objects for them to act on."""

from __future__ import annotations

import functools
import itertools
import uuid
from dataclasses import dataclass, replace
from typing import Any

import requests
from tests.stack.conftest import Stack

from mlflowctl.settings import Context, Login
from mlflowctl.storage import S3Settings
from mlflowctl.storage.client import client

ROLES = ("reader", "trainer", "promoter")
PREFIXES = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_numbers = itertools.count(1)


def unique(what: str) -> str:
    return f"{what}-{next(_numbers)}-{uuid.uuid4().hex[:6]}"


@dataclass
class Api:
    """MLflow's REST API as one user sees it."""

    uri: str
    login: Login | None
    prefix: str = PREFIXES[0]

    def send(self, method: str, path: str, **how: Any) -> requests.Response:
        """One request; a path without a slash at its start is below the API's prefix."""
        auth = (self.login.username, self.login.password) if self.login else None
        url = self.uri + (path if path.startswith("/") else self.prefix + path)
        return requests.request(method, url, auth=auth, timeout=30, allow_redirects=False, **how)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.send("GET", path, params=query)

    def post(self, path: str, **body: Any) -> requests.Response:
        return self.send("POST", path, json=body)

    def patch(self, path: str, **body: Any) -> requests.Response:
        return self.send("PATCH", path, json=body)

    def delete(self, path: str, **body: Any) -> requests.Response:
        return self.send("DELETE", path, json=body)

    def upload(self, key: str, content: bytes = b"x") -> requests.Response:
        return self.send("PUT", ARTIFACTS + key, data=content)


@dataclass
class User:
    """Somebody, with what ``mlflowctl user add`` handed over."""

    stack: Stack
    login: Login
    variables: dict[str, str]
    runner: Any = None

    @property
    def api(self) -> Api:
        return Api(self.stack.uri, self.login)

    @property
    def context(self) -> Context:
        """The context of the user's variables."""
        return replace(
            self.stack.context, name="client", login=self.login, s3=self.s3, database=None, layout=None
        )

    @property
    def s3(self) -> S3Settings:
        return S3Settings(
            self.variables["MLFLOW_S3_ENDPOINT_URL"],
            access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def bucket(self) -> Any:
        return client(self.s3, attempts=1)

    def cli(self, *arguments: str) -> Any:
        """``mlflowctl`` as the user runs it: with the variables of the file, which are the context."""
        env = {**self.variables, "MLFLOWCTL_DATA_DIR": "", "MLFLOWCTL_CONTEXT": "client"}
        return self.runner.start(self.stack.layout.root, *arguments, env=env).wait()


class World:
    """Makes what a case is about, as administrator, so that only the case's own request is the user's."""

    def __init__(self, admin: Api) -> None:
        self.admin = admin

    def _made(self, answer: requests.Response) -> Any:
        assert answer.ok, answer.text
        return answer.json()

    def experiment(self) -> str:
        made = self._made(self.admin.post("experiments/create", name=unique("experiment")))
        return str(made["experiment_id"])

    def run(self, experiment: str | None = None) -> str:
        made = self._made(self.admin.post("runs/create", experiment_id=experiment or self.experiment()))
        return str(made["run"]["info"]["run_id"])

    def model(self) -> str:
        return str(
            self._made(self.admin.post("registered-models/create", name=unique("model")))["registered_model"][
                "name"
            ]
        )

    def version(self, stage: str = "None", model: str | None = None) -> Version:
        """A version of a run's own, in a stage."""
        experiment = self.experiment()
        run, name = self.run(experiment), model or self.model()
        source = f"runs:/{run}/model"
        made = self._made(self.admin.post("model-versions/create", name=name, source=source, run_id=run))
        number = str(made["model_version"]["version"])
        if stage != "None":
            move = {"stage": stage, "archive_existing_versions": False}
            self._made(self.admin.post("model-versions/transition-stage", name=name, version=number, **move))
        return Version(name, number, run, experiment)


class Shared(World):
    """The same objects again and again: enough for requests that are refused."""

    def __init__(self, admin: Api) -> None:
        super().__init__(admin)
        for kind in ("experiment", "run", "model", "version"):
            setattr(self, kind, functools.cache(getattr(World(admin), kind)))


@dataclass(frozen=True)
class Version:
    """A model version and what it stands on."""

    name: str
    version: str
    run: str
    experiment: str

    @property
    def body(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version}

    @property
    def key(self) -> str:
        """Below the artifact root: a file of the model."""
        return f"{self.experiment}/{self.run}/artifacts/model/MLmodel"
