"""What is shown is what is carried out, and a failure says how far it came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.cloud import backend, destroy, gates, workbench
from mlflowctl.cloud.progress import Progress
from mlflowctl.cloud.project import ENVIRONMENTS, Environment
from mlflowctl.cloud.terraform import Answer
from mlflowctl.cloud.workbench import Plan, Workbench
from mlflowctl.errors import ConflictError, MlflowctlError, NotFoundError, UsageError
from mlflowctl.plan import Action


class FakeTerraform:
    """Terraform as the workbench meets it: plans are files of JSON, applying answers as the test wants."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.applied: list[Path] = []
        self.events: list[dict[str, Any]] = []
        self.code = 0
        self.var_files: list[Path] = []

    def plan(self, out: Path, on_event: Callable[..., None], *, destroy: bool = False) -> Answer:
        out.write_text(document("prod"))
        return Answer(2, "", (), "")

    def show(self, plan: Path) -> Answer:
        text = plan.read_text() if plan.is_file() else ""
        return Answer(0 if text.startswith("{") else 1, text, (), "")

    def apply(self, plan: Path, on_event: Callable[..., None]) -> Answer:
        self.applied.append(plan)
        for event in self.events:
            on_event(event)
        return Answer(self.code, "", tuple(self.events), "")


def document(environment: str, **outputs: Any) -> str:
    resource = {"address": "a.b", "type": "a", "mode": "managed", "change": {"actions": ["create"]}}
    variables = {"environment": {"value": environment}}
    return json.dumps(
        {"variables": variables, "resource_changes": [resource, resource], "output_changes": outputs}
    )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    (tmp_path / ENVIRONMENTS).mkdir(parents=True)
    (tmp_path / ENVIRONMENTS / "prod.tfvars").touch()
    monkeypatch.setattr(workbench, "Terraform", FakeTerraform)
    monkeypatch.setattr(backend, "right_account", lambda environment: "1")
    return Workbench(Environment("prod", tmp_path, {"region": "eu-central-1"}), lambda line: None)


def completed(address: str) -> dict[str, Any]:
    hook = {"resource": {"addr": address}, "action": "create", "elapsed_seconds": 3}
    return {"type": "apply_complete", "hook": hook}


def failed(text: str) -> dict[str, Any]:
    return {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": text, "detail": ""}}


def test_exactly_the_plan_that_was_made_is_applied_and_then_it_is_gone(bench: Workbench):
    plan = bench.plan()
    assert plan.file.stat().st_mode & 0o077 == 0, "a plan is nobody else's to read"
    bench.apply(plan)
    assert bench.terraform.applied == [plan.file]  # type: ignore[attr-defined]
    assert not plan.file.exists()


def test_a_saved_plan_of_another_environment_or_no_plan_at_all_is_refused(bench: Workbench, tmp_path: Path):
    file = tmp_path / "x.tfplan"
    with pytest.raises(NotFoundError, match="is no plan of Terraform"):
        bench.read(file)
    file.write_text(document("dev"))
    with pytest.raises(UsageError, match="is a plan for environment dev, not for prod"):
        bench.read(file)


def test_a_failure_in_the_middle_says_how_far_it_came_and_keeps_the_plan(bench: Workbench):
    plan = bench.plan()
    fake: Any = bench.terraform
    fake.code, fake.events = 1, [completed("a.b"), failed("Quota")]
    with pytest.raises(MlflowctlError) as broken:
        bench.apply(plan)
    assert broken.value.state == (
        "1 of 2 changes are done and recorded in the state; mlflowctl cloud apply --context prod goes on "
        "from here."
    )
    fake.events = [failed("Saved plan is stale")]
    with pytest.raises(ConflictError) as stale:
        bench.apply(plan)
    assert stale.value.state == "Nothing was changed."
    assert plan.file.exists()


def test_a_replacement_counts_as_the_two_parts_that_terraform_tells(bench: Workbench):
    plan, said = bench.plan(), []
    bench.say = said.append
    plan = replace(plan, steps=(replace(plan.steps[0], replaced=True), *plan.steps[1:]))
    fake: Any = bench.terraform
    destroyed = completed("a.b")
    destroyed["hook"] |= {"action": "delete"}
    fake.events = [destroyed, completed("a.b"), completed("a.c")]
    bench.apply(plan)
    assert [line.split("(")[1].split()[0] for line in said if "(" in line] == ["1/3", "2/3", "3/3"]


def test_progress_says_what_is_done_and_never_a_value():
    said: list[str] = []
    progress = Progress(said.append, 2)
    hook = {"resource": {"addr": "a.b"}, "action": "create", "id_value": "secret"}
    progress({"type": "apply_start", "hook": hook})
    for seconds in (10, 20, 30, 40, 60):
        progress({"type": "apply_progress", "hook": hook | {"elapsed_seconds": seconds}})
    progress(completed("a.b"))
    progress({"type": "outputs", "outputs": {"password": {"value": "secret"}}})
    progress({"type": "apply_complete", "hook": hook | {"action": "read"}})
    assert said == [
        "  creating    a.b",
        "  still creating a.b  (30 s)",
        "  still creating a.b  (60 s)",
        "  created     a.b  (1/2  3 s)",
    ]


def test_only_another_image_wants_a_snapshot_and_a_foreign_database_its_owner(bench: Workbench, monkeypatch):
    same = bench.plan()
    assert gates.plan(same) == []
    newer = Plan(same.environment, same.file, same.steps, image=("m:1", "m:2"))
    monkeypatch.setattr(gates.published, "find", lambda name, region: None)
    (step,) = gates.plan(newer)
    assert (step.action, step.target) == (Action.ATTENTION, "snapshot")
    assert "m:1 → m:2" in step.detail


def resource(kind: str, **before: Any) -> dict[str, Any]:
    return {"type": kind, "change": {"actions": ["delete"], "before": before}}


def test_destroying_names_everything_in_the_way_at_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(destroy.rds, "database", lambda region, name: {"DeletionProtection": True})
    monkeypatch.setattr(destroy.rds, "snapshot_exists", lambda region, name: True)
    monkeypatch.setattr(destroy, "count", lambda region, bucket: (3, 10_000))
    found = destroy.look(
        bench.plan(),
        [
            resource("aws_db_instance", identifier="db", final_snapshot_identifier="db-final"),
            resource("aws_s3_bucket", bucket="b", force_destroy=False),
            resource("aws_lb", name="lb", enable_deletion_protection=True),
            resource("aws_vpc"),
        ],
    )
    with pytest.raises(ConflictError) as blocked:
        destroy.refuse_blocked(found, "prod", "mlflow-prod")
    assert blocked.value.what == (
        "database db is protected against deletion; snapshot db-final exists already; the last one is to be "
        "called so; bucket b holds 3 objects and more than 10000 older versions or deletions; load balancer "
        "lb is protected against deletion."
    )
    assert blocked.value.next.count("\n    ") == 5


def test_what_does_not_block_says_what_is_lost_and_what_remains(bench: Workbench, monkeypatch):
    monkeypatch.setattr(destroy.rds, "database", lambda region, name: {"DeletionProtection": False})
    monkeypatch.setattr(destroy.rds, "snapshot_exists", lambda region, name: False)
    monkeypatch.setattr(destroy, "count", lambda region, bucket: (1, 2))
    found = destroy.look(
        bench.plan(),
        [
            resource("aws_db_instance", identifier="db", final_snapshot_identifier="db-final"),
            resource("aws_db_instance", identifier="old", skip_final_snapshot=True),
            resource("aws_s3_bucket", bucket="b", force_destroy=True),
        ],
    )
    destroy.refuse_blocked(found, "prod", "mlflow-prod")
    assert [one.detail for one in found] == [
        "all its data; what remains is the snapshot db-final",
        "all its data, WITHOUT a final snapshot",
        "1 objects and 2 older versions or deletions, every one",
    ]
    assert [one.startswith("snapshot db-final;") for one in destroy.remains(found)] == [True]
    for given in (None, "prod", "yes"):
        with pytest.raises(UsageError, match="wants its name typed"):
            destroy.refuse_unconfirmed(given, "mlflow-prod", "prod")
    destroy.refuse_unconfirmed("mlflow-prod", "mlflow-prod", "prod")
