"""What ECS would run of a served model is run: the planned task's containers, on the Compose engine.

The load balancer in front, its weights and the task's role are not seen. In place of the role are the keys
that model servers have in Compose.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator

import pytest
import requests

from mlflowctl import defaults
from tests.compose import content, ecs_task
from tests.compose.content import BODY, MODEL, until
from tests.compose.ecs_task import Definition, EcsTask
from tests.compose.lives import IMAGE
from tests.compose.projects import ComposeProject
from tests.stack.serving.load import JSON

# Instead of what is AWS itself; everything else is as planned.
INSTEAD_OF_AWS = {
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "MLFLOW_S3_ENDPOINT_URL": "http://object-store:9000",
    "MLFLOWCTL_ARTIFACT_BUCKET": "mlflow-artifacts",
    "MLFLOWCTL_REGISTRY_BUCKET": "mlflow-registry",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def definition() -> Definition:
    return ecs_task.planned("serving")["champion"]


@pytest.fixture(scope="module")
def task(definition: Definition, life: ComposeProject) -> Iterator[EcsTask]:
    """The champion's task, as ECS starts it; the model is another one, in the image's own environment."""
    if content.champion(life) is None:
        content.become_champion(life, content.log_a_model(life), 1)
    keys = configparser.RawConfigParser()
    keys.read_string(life.secret("s3-serving.ini"))
    stand_ins = INSTEAD_OF_AWS | {name.upper(): value for name, value in keys["default"].items()}
    secrets = {
        "MLFLOW_TRACKING_USERNAME": defaults.SERVING_USERNAME,
        "MLFLOW_TRACKING_PASSWORD": life.secret("mlflow-serving.password"),
    }
    port = int(life.variables()["SERVING_PORT"])
    with EcsTask(life, definition, "model", IMAGE, stand_ins, secrets, port).made() as made:
        made.reach("prepare", "SUCCESS")
        serve, _, *options = definition.containers["model"]["command"]
        made.start("model", serve, MODEL, *options, "--env-manager", "local")
        yield made


def test_the_planned_task_serves_the_champion_and_ends_in_time(task: EcsTask):
    def answers() -> bool:
        assert task.running("model"), task.logs("model").stderr
        return requests.get(f"http://127.0.0.1:{task.port}/ping", timeout=5).status_code == 200

    until(answers)
    answer = requests.post(f"http://127.0.0.1:{task.port}/invocations", BODY, headers=JSON, timeout=30)
    assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, "1")
    ended = task.stop("model")
    assert ended.code == 0, ended
    assert ended.seconds < task.definition.containers["model"]["stopTimeout"]
