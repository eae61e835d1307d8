"""The life of an environment, its second half: it is changed, restored, and ended, and no secret was seen.

It begins with what ``test_life.py`` made; run alone it makes that first.
"""

from __future__ import annotations

import json

import pytest

from tests.terraform.life import GROUP, STATE_BUCKET, STATE_KEY, Life, files, later, left, unpacked
from tests.unit import reference

pytestmark = [
    pytest.mark.xdist_group(GROUP),
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("made_life"),
]


def test_an_upgrade_takes_a_snapshot_first_and_a_scale_up_happens_in_place(life: Life):
    before = life.identities()
    life.write(image='"registry.example.com/mlflowctl:1.1.0"', max_tasks="4", memory="8192")
    life.write(max_connections="400")
    done = life.checkout.cli("cloud", "apply", "--context", "life", "--yes")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "snapshot mlflow-life-before-" in done.stdout
    assert "registry.example.com/mlflowctl:1.0.0 → registry.example.com/mlflowctl:1.1.0" in done.stdout
    rds = life.aws.client("rds")
    taken = rds.describe_db_snapshots(DBInstanceIdentifier="mlflow-life", SnapshotType="manual")[
        "DBSnapshots"
    ]
    assert [one["DBSnapshotIdentifier"].startswith("mlflow-life-before-") for one in taken] == [True]
    assert "!!!" not in done.stderr
    assert life.identities() == before


def test_one_number_changes_every_password_and_rolls_the_service(life: Life):
    before, stateful = life.current_secrets(), life.identities()
    life.write(password_version="2")
    file = life.checkout.folder / "passwords.tfplan"
    _, planned = life.to_do("--out", str(file))
    steps = {one["target"]: one["action"] for one in planned["steps"]}
    assert steps['module.database.aws_db_instance.database["main"]'] == "change"
    assert steps["module.tracking_server.aws_ecs_service.server"] == "change"
    life.plans.append(file.read_bytes())
    life.checkout.done("cloud", "apply", "--context", "life", "--plan", str(file), "--yes")
    after = life.current_secrets()
    assert set(after) == set(before)
    assert all(after[arn] != before[arn] for arn in before)
    assert life.identities() == stateful
    ecs = life.aws.client("ecs")
    service = ecs.describe_services(cluster="mlflow-life", services=["mlflow-life"])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert "database-2-login-2" in json.dumps(definition["containerDefinitions"])
    assert life.to_do()[0] == 0


def test_a_restore_makes_a_database_beside_the_old_one_and_touches_neither(life: Life):
    database = life.aws.client("rds").describe_db_instances()["DBInstances"][0]
    moment = f"{database['InstanceCreateTime']:%Y-%m-%dT%H:%M:%SZ}"
    refused = life.checkout.cli("cloud", "restore", "--context", "life", "--to-time", "2020-01-01T00:00:00Z")
    assert refused.returncode == 2
    assert "mlflow-life can be restored to any time from" in refused.stderr
    done = life.checkout.cli(
        "cloud", "restore", "--context", "life", "--to-time", later(moment), "--dry-run", "--json"
    )
    planned = reference.validated("cloud.restore", done.stdout)["result"]
    assert planned["losses"] == []
    made = [step for step in planned["steps"] if ".aws_db_instance." in step["target"]]
    assert [step["action"] for step in made] == ["create"]
    assert '["at20' in made[0]["target"]
    assert not list((life.checkout.folder / "infra" / "aws" / "envs").glob("*.json")), (
        "a dry run writes nothing"
    )


def test_somebody_elses_lock_is_named_with_the_way_out(life: Life):
    lock = {
        "ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Info": "",
        "Who": "alice@build-7", "Version": "1.11.4", "Created": "2026-11-24T03:00:00.5Z", "Path": "x",
    }  # fmt: skip
    s3 = life.aws.client("s3")
    s3.put_object(Bucket=STATE_BUCKET, Key=f"{STATE_KEY}.tflock", Body=json.dumps(lock).encode())
    refused = life.checkout.cli("cloud", "plan", "--context", "life")
    s3.delete_object(Bucket=STATE_BUCKET, Key=f"{STATE_KEY}.tflock")
    assert refused.returncode == 5
    said = "The state of environment life is locked by alice@build-7 since 2026-11-24 03:00:00 UTC (apply)."
    assert said in refused.stderr
    assert "force-unlock 11111111-2222-3333-4444-555555555555" in refused.stderr


def test_destroy_looks_first_and_says_everything_that_is_in_the_way(life: Life):
    bucket = life.checkout.done("cloud", "output", "artifact_bucket", "--context", "life").strip()
    s3 = life.aws.client("s3")
    s3.put_object(Bucket=bucket, Key="1/models/m/model.skops", Body=b"x")
    rds = life.aws.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="mlflow-life", DeletionProtection=True)
    refused = life.checkout.cli("cloud", "destroy", "--context", "life", "--confirm", "mlflow-life")
    assert refused.returncode == 5
    assert "database mlflow-life is protected against deletion" in refused.stderr
    assert f"bucket {bucket} holds 1 objects and 0 older versions or deletions" in refused.stderr
    assert "state: Nothing was destroyed." in refused.stderr
    rds.modify_db_instance(DBInstanceIdentifier="mlflow-life", DeletionProtection=False)
    for one in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])


def test_destroying_wants_the_name_and_then_leaves_nothing_but_the_snapshots(life: Life):
    refused = life.checkout.cli("cloud", "destroy", "--context", "life", "--yes")
    assert refused.returncode == 2
    assert "Destroying mlflow-life wants its name typed." in refused.stderr
    done = life.checkout.cli(
        "cloud", "destroy", "--context", "life", "--confirm", "mlflow-life", "--json", timeout=800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = reference.validated("cloud.destroy", done.stdout)["result"]
    assert answer["destroyed"] > 100
    assert any(one.startswith("snapshot mlflow-life-final-") for one in answer["remains"])
    assert life.state()["resources"] == []
    assert left(life.aws) == {"buckets": [STATE_BUCKET], "databases": [], "clusters": [], "balancers": []}


def test_no_secret_ever_stood_in_a_state_a_plan_or_a_log(life: Life):
    assert len(life.secrets) == 8, "four secrets, changed once"
    s3 = life.aws.client("s3")
    versions = s3.list_object_versions(Bucket=STATE_BUCKET, Prefix=STATE_KEY)["Versions"]
    texts = {
        f"state {one['VersionId']}": s3.get_object(
            Bucket=STATE_BUCKET, Key=one["Key"], VersionId=one["VersionId"]
        )["Body"].read()
        for one in versions
    }
    assert len(texts) >= 4
    texts |= {
        f"plan {number} {name}": content
        for number, plan in enumerate(life.plans)
        for name, content in unpacked(plan).items()
    }
    texts |= {f"printed {number}": text.encode() for number, text in enumerate(life.checkout.printed)}
    texts["emulator"] = life.aws.log.read_bytes()
    texts |= {str(file): file.read_bytes() for file in files(life.checkout.folder)}
    for kind in ("state ", "plan ", "printed "):
        readable = [text for where, text in texts.items() if where.startswith(kind)]
        assert any(b"registry.example.com/mlflowctl:1.0.0" in text for text in readable), f"no {kind}was read"
    assert [where for where, text in texts.items() if any(one.encode() in text for one in life.secrets)] == []
