"""The real gates on real data, end to end: a better challenger, a worse one, and one that is too close."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from logged_model import log_a_model
from promotion_world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

# scikit-learn's breast cancer data: one model sees two noisy columns, one all, one all but badly scaled.
TRAIN = """
import json, sys, numpy, mlflow
from importlib.metadata import version
needs = [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops")]
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
data = load_breast_cancer(as_frame=True)
x, held, y, truth = train_test_split(data.data, data.target, test_size=0.5, random_state=1)
held.assign(target=truth).to_csv(FOLDER + "/holdout.csv", index=False)
mlflow.set_experiment("cancer")
made = {}
for name, c, rows in (("poor", 1e-7, 20), ("good", 1.0, 284), ("as good", 0.03, 284)):
    columns = ["mean smoothness", "mean symmetry"] if name == "poor" else list(x.columns)
    from sklearn.compose import make_column_transformer
    pick = make_column_transformer((StandardScaler(), columns))
    model = make_pipeline(pick, LogisticRegression(C=c, max_iter=500)).fit(x[:rows], y[:rows])
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(model, name="model", signature=infer_signature(x, model.predict(x)),
                                          input_example=x[:2], pip_requirements=needs)
    made[name] = "models:/" + logged.model_id
print(json.dumps(made))
"""
POLICY = """version: 1
models:
  {name}:
    holdout: {{data: holdout.csv, target: target}}
    metrics:
      - {{name: accuracy, direction: higher, role: primary, rule: superior, threshold: 0.5}}
"""


def test_a_better_challenger_is_promoted_a_worse_one_refused_and_a_close_one_left_open(
    stack, make_model: Callable[..., World], tmp_path: Path
) -> None:
    world = make_model()
    sources = json.loads(log_a_model(stack, f"FOLDER = {str(world.folder)!r}\n{TRAIN}"))
    world.policy_file.write_text(POLICY.format(name=world.name))
    for source in ("poor", "good", "poor", "as good"):
        world.model("register", sources[source]).expect(0)

    world.stage(1)
    first = world.model("validate", "--json").expect(0).json["result"]
    assert (first["verdict"], first["champion"]) == ("pass", None)
    world.model("promote").expect(0)

    world.stage(2)
    report = world.folder / "report.html"
    better = world.model("validate", "--report", report, "--json").expect(0).json["result"]
    assert (better["verdict"], better["champion"]) == ("pass", 1)
    assert "accuracy" in report.read_text()
    world.model("promote").expect(0)
    world.assert_one_champion(2)

    world.stage(3)
    worse = world.model("validate", "--json").expect(3).json
    assert worse["result"]["verdict"] == "fail"
    assert worse["error"]["code"] == "gate_failed"
    assert world.tag(3) == "failed"
    assert "failed its validation" in world.model("promote").expect(3).err
    assert "accuracy" in world.model("explain").expect(0).out

    world.model("stage", 4, "--replace", 3).expect(0)
    close = world.model("validate", "--json").expect(4).json
    assert close["result"]["verdict"] == "inconclusive"
    assert world.tag(4) == "inconclusive"
    assert "is inconclusive" in world.model("promote").expect(4).err
    assert close["result"]["look"] == worse["result"]["look"] + 1

    world.assert_one_champion(2)
    world.assert_in_order()
