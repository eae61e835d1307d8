"""``mlflowctl policy check``, and the workflow that runs it in CI."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import pytest
import typer
import yaml
from tests.unit import reference
from typer.testing import CliRunner

from mlflowctl.cli import policy as commands

EXAMPLES = reference.ROOT / "docs" / "examples"
GOOD = """\
version: 1
models:
  churn:
    holdout: {data: h.csv, target: y}
    metrics:
      - {name: roc_auc, role: primary, threshold: 0.9}
    business:
      - {name: sales, source: run, direction: higher, role: threshold, threshold: 3}
"""
TABLE = """\
metric      from         better  role       rule          margin  threshold
roc_auc     holdout      higher  primary    superior      0       0.9
sales       run          higher  threshold  -             -       3
error rate  live errors  lower   guardrail  non-inferior  0.01    -
"""
# Commands of the workflow that belong to other parts of the tool: path and options.
MODEL_VALIDATE = ("model", "validate")
VALIDATE_OPTIONS = {"--policy", "--report", "--json"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    app = typer.Typer()
    commands.register(app)

    def invoke(*arguments: str, text: str | None = None):
        if text is not None:
            (tmp_path / "promotion.yaml").write_text(text)
        return CliRunner().invoke(app, ["policy", "check", *arguments])

    return invoke


def test_a_good_file_is_shown_as_a_table_per_model(run):
    done = run(text=GOOD)
    first, _, table = done.stdout.partition("\n")
    assert re.fullmatch(
        r"churn: alpha 0.05, holdout h.csv, approvals 0, live share 0.05, digest [0-9a-f]{12}", first
    )
    assert table.rstrip() == TABLE.rstrip()
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_ramp_is_shown_in_a_line_of_its_own(run):
    done = run(
        text=GOOD
        + "    live: {steps: [{share: 0.01, minutes: 10}, {share: 0.2, minutes: 60}], sticky: true}\n"
    )
    assert done.stdout.splitlines()[1] == (
        "live steps 0.01 for 10 min, 0.2 for 60 min, minimum 1,000, sticky, bakes 30 min"
    )


def test_the_example_is_good():
    app = typer.Typer()
    commands.register(app)
    done = CliRunner().invoke(app, ["policy", "check", str(EXAMPLES / "promotion.yaml"), "--json"])
    answer = reference.validated("policy.check", done.stdout)
    assert [one["model"] for one in answer["result"]["models"]] == ["demo-breast-cancer", "churn"]
    kinds = [(one["kind"], one["value"]) for one in answer["result"]["models"][0]["metrics"]]
    assert kinds == [
        ("holdout", "roc_auc"),
        ("holdout", "log_loss"),
        ("holdout", "mypackage.costs:expected_cost"),
        ("outcomes", "outcomes.csv"),
        ("run", "approval_rate"),
        ("live errors", "status"),
        ("live latency", "quantile 0.95"),
        ("live outcomes", "s3://analytics/conversions/"),
    ]
    live = answer["result"]["models"][0]["live"]
    assert [step["share"] for step in live["steps"]] == [0.01, 0.05, 0.25]
    assert (live["minimum"], live["promote"]) == (1000, False)


def test_every_problem_is_listed_with_file_and_line(run):
    done = run(text=GOOD.replace("0.9", ".nan").replace("target", "taget"))
    assert done.stdout == (
        "promotion.yaml:4: models.churn.holdout.taget: Unknown key 'taget'; did you mean 'target'?\n"
        "promotion.yaml:6: models.churn.metrics[0].threshold: Must be a finite number, not .nan.\n"
    )
    assert done.stderr == (
        "error: promotion.yaml is no valid policy: 2 problems.\n"
        "state: Nothing was changed.\n"
        "next:  Mend these lines (docs/policy.md describes every field), "
        "then: mlflowctl policy check promotion.yaml\n"
    )
    assert done.exit_code == 2


def test_problems_as_json(run):
    done = run("--json", text=GOOD.replace("role: primary", "role: boss"))
    answer = reference.validated("policy.check", done.stdout)
    assert (done.exit_code, answer["ok"], answer["error"]["code"]) == (2, False, "usage")
    (problem,) = answer["result"]["problems"]
    assert (problem["path"], problem["line"]) == ("models.churn.metrics[0].role", 6)


def test_a_missing_file(run):
    done = run("other.yaml", "--json")
    answer = reference.validated("policy.check", done.stdout)
    assert (done.exit_code, answer["result"]) == (2, None)
    assert answer["error"]["message"] == "There is no policy file other.yaml."


def workflow_commands() -> list[list[str]]:
    """The words of every mlflowctl command in the workflow's scripts."""
    workflow = yaml.safe_load((EXAMPLES / "validate.yml").read_text())
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    joined = "\n".join(scripts).replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip().startswith("mlflowctl ")]
    return [shlex.split(re.split(r"[|>&]", line)[0]) for line in lines]


def test_the_workflow_names_only_commands_and_options_that_we_offer():
    offered = {one.path: one for one in reference.generator().commands()}
    named = workflow_commands()
    assert [tuple(words[1:3]) for words in named] == [("policy", "check"), MODEL_VALIDATE]
    for words in named:
        path, used = tuple(words[1:3]), {word for word in words if word.startswith("--")}
        if path in offered:
            flags = {
                flag for spelled, _ in offered[path].options for flag in re.findall(r"--[\w-]+", spelled)
            }
            assert used <= flags, path
    assert {word for word in named[1] if word.startswith("--")} == VALIDATE_OPTIONS


def test_the_workflow_hands_inputs_over_as_variables_and_never_in_a_script():
    workflow = yaml.safe_load((EXAMPLES / "validate.yml").read_text())
    steps = workflow["jobs"]["validate"]["steps"]
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("code", "said"), [(0, "passed"), (3, "failed"), (4, "inconclusive"), (5, "code 5")])
def test_the_workflow_ends_with_the_exit_code_of_the_validation(code, said):
    workflow = yaml.safe_load((EXAMPLES / "validate.yml").read_text())
    last = workflow["jobs"]["validate"]["steps"][-1]["run"]
    done = subprocess.run(
        ["bash", "-e", "-c", last], env={"CODE": str(code)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert said in done.stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which the runners of GitHub have, is not here")
def test_the_workflow_s_summary_names_gates_and_checks(tmp_path):
    workflow = yaml.safe_load((EXAMPLES / "validate.yml").read_text())
    script = next(
        step["run"] for step in workflow["jobs"]["validate"]["steps"] if step.get("name") == "Summary"
    )
    gate = {"name": "roc_auc", "verdict": "inconclusive", "reason": "Too few rows."}
    check = {"name": "loads", "title": "Model loads", "verdict": "pass", "detail": "In 2 s."}
    answers = {
        "full": {"result": {"gates": [gate], "checks": [check]}, "error": {"message": "M.", "next": "N."}},
        "none": {"result": None, "error": {"message": "M.", "next": "N."}},
    }
    shown = {}
    for name, answer in answers.items():
        (tmp_path / "validation.json").write_text(json.dumps(answer))
        variables = {"MODEL": "churn", "VERSION": "3", "GITHUB_STEP_SUMMARY": name, "PATH": "/usr/bin:/bin"}
        subprocess.run(["bash", "-e", "-c", script], env=variables, cwd=tmp_path, check=True)
        shown[name] = (tmp_path / name).read_text()
    assert shown["none"].split() == ["##", "churn", "version", "3", "M.", "N."]
    assert "- **inconclusive** roc_auc: Too few rows.\n- **pass** Model loads: In 2 s.\n" in shown["full"]
