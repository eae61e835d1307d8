"""An environment of an earlier release, planned by this one: nothing that holds data is replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.cloud import planned
from tests.terraform import kept_state, plans
from tests.terraform.emulator import Emulator
from tests.terraform.terraform_cli import terraform

RELEASES = sorted(kept_state.FOLDER.glob("state-release-*.json"))


def upgrade(aws: Emulator, folder: Path, kept: Path) -> dict[str, Any]:
    """The plan of this release, with a newer image, on a state that is believed as it is.

    The emulator does not hold what the state describes, so nothing is refreshed. What a release changes by
    itself shows all the same.
    """
    state = kept_state.with_secrets(aws, kept.read_text())
    made = plans.checkout(folder, aws)
    root = made.folder / "infra" / "aws"
    env = aws.environment() | {"TF_DATA_DIR": str(plans.initialise(made, kept_state.ENVIRONMENT))}
    (root / "terraform.tfstate").write_text(state)
    zone = kept_state.resources(json.loads(state), "aws_route53_record")[0]["zone_id"]
    file = kept_state.write_variables(made.folder, zone, "r.example.com/m:9.0.0")
    terraform(root, "plan", "-refresh=false", "-out=p", f"-var-file={file}", env=env)
    document: dict[str, Any] = json.loads(terraform(root, "show", "-json", "p", env=env).stdout)
    return document


@pytest.mark.parametrize("kept", RELEASES, ids=lambda one: one.stem)
def test_an_upgrade_replaces_nothing_that_holds_data(
    needs_terraform: str, aws: Emulator, tmp_path: Path, kept: Path
):
    document = upgrade(aws, tmp_path, kept)
    steps = planned.changes(document)
    assert planned.losses(steps) == []
    assert any(step.kind == "aws_ecs_task_definition" for step in steps), "the new image arrives"
    touched = {one["type"] for one in document["resource_changes"]}
    assert {"aws_db_instance", "aws_s3_bucket", "aws_kms_key"} < touched, "they are in the state"
