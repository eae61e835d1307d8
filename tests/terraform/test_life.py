"""The life of an environment through ``mlflowctl cloud``, its first half: it is made, and looked at.

The real AWS provider against an emulator of AWS. The tests are the chapters of one story, in this order; each
goes on where the one before ended, because an apply takes minutes, and ``test_life_changed.py`` goes on from
here. What the emulator cannot tell (does a task start, does RDS accept this) stands in docs/verified.md.
"""

from __future__ import annotations

import json

import pytest

from mlflowctl.cloud import published
from mlflowctl.plan import Action
from mlflowctl.storage import buckets
from mlflowctl.storage.settings import S3Settings
from tests.terraform.emulator import REGION
from tests.terraform.life import GROUP, STATE_BUCKET, Life
from tests.terraform.reachability import Network, Way
from tests.unit import reference

pytestmark = [pytest.mark.xdist_group(GROUP), pytest.mark.timeout(900)]


def test_without_a_place_for_the_state_init_names_the_command_that_makes_it(life: Life):
    refused = life.checkout.cli("cloud", "init", "--context", "life")
    assert refused.returncode == 2
    assert f"The bucket {STATE_BUCKET} for the state of environment life" in refused.stderr
    assert "next:  mlflowctl cloud backend --context life" in refused.stderr


def test_the_state_bucket_is_planned_from_nothing(life: Life):
    answer = reference.validated(
        "cloud.backend",
        life.checkout.cli("cloud", "backend", "--context", "life", "--dry-run", "--json").stdout,
    )
    assert {step["action"] for step in answer["result"]["steps"]} == {"create"}
    assert {step["target"].split(".")[0] for step in answer["result"]["steps"]} == {
        "aws_s3_bucket", "aws_s3_bucket_versioning", "aws_s3_bucket_policy",
        "aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_ownership_controls", "aws_s3_bucket_lifecycle_configuration",
    }  # fmt: skip


def test_a_state_bucket_that_a_killed_run_left_half_made_is_finished(life: Life):
    s3 = life.aws.client("s3")
    s3.create_bucket(Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"ID": "expire-old-states", "Status": "Enabled", "Filter": {"Prefix": ""}}
    rule |= {"NoncurrentVersionExpiration": {"NoncurrentDays": 365}}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket=STATE_BUCKET, LifecycleConfiguration={"Rules": [rule]})
    said = life.checkout.done("cloud", "backend", "--context", "life")
    assert f"The bucket {STATE_BUCKET} is ready" in said
    assert s3.get_bucket_versioning(Bucket=STATE_BUCKET)["Status"] == "Enabled"
    policy = json.loads(s3.get_bucket_policy(Bucket=STATE_BUCKET)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert s3.get_public_access_block(Bucket=STATE_BUCKET)["PublicAccessBlockConfiguration"][
        "BlockPublicAcls"
    ]


def test_and_a_second_run_finds_nothing_to_do(life: Life):
    again = life.checkout.done("cloud", "backend", "--context", "life")
    assert f"The bucket {STATE_BUCKET} is as it should be; nothing to do." in again


def test_init_then_apply_makes_everything_and_says_what_it_makes(life: Life):
    life.checkout.done("cloud", "init", "--context", "life")
    file = life.checkout.folder / "first.tfplan"
    code, planned = life.to_do("--out", str(file))
    assert (code, planned["losses"]) == (6, [])
    assert {step["action"] for step in planned["steps"]} == {"create"}
    life.plans.append(file.read_bytes())
    done = life.checkout.cli("cloud", "apply", "--context", "life", "--plan", str(file))
    assert (done.returncode, "Add --yes." in done.stderr) == (2, True), "nobody was there to ask"
    applied = life.checkout.cli(
        "cloud", "apply", "--context", "life", "--plan", str(file), "--yes", "--json", timeout=800
    )
    assert applied.returncode == 0, applied.stderr[-3000:]
    life.made = True
    answer = reference.validated("cloud.apply", applied.stdout)
    assert answer["result"]["url"] == "https://mlflow.example.com"
    assert f"({len(planned['steps'])}/{len(planned['steps'])}" in applied.stderr, "progress counts to the end"
    life.current_secrets()


def test_the_second_plan_is_empty(life: Life):
    assert life.to_do() == (0, {"environment": "life", "steps": [], "to_do": 0, "losses": [], "file": None})


def test_bootstrap_finds_buckets_as_it_wants_them_and_changes_nothing(life: Life, monkeypatch):
    for name, value in life.aws.environment().items():
        monkeypatch.setenv(name, value)
    found = published.get("life", REGION)
    settings = S3Settings(
        region=REGION,
        artifact_bucket=found.artifact_bucket,
        registry_bucket=found.registry_bucket,
        owned=False,
    )
    steps = buckets.plan(settings)
    assert steps
    assert [step for step in steps if step.action is not Action.UNCHANGED] == []
    assert life.to_do()[0] == 0, "and Terraform still finds nothing to do"


def test_only_the_load_balancer_reaches_the_server_and_only_the_server_the_database(life: Life):
    state = life.state()
    network = Network(state)
    balancer, server, database = (
        network.groups_of(kind) for kind in ("aws_lb", "aws_ecs_service", "aws_db_instance")
    )
    assert [len(one) for one in (balancer, server, database)] == [1, 1, 1]
    assert len(balancer | server | database) == 3, "none of them shares a group"
    assert network.ways_into(balancer) == {Way("10.20.0.0/16", 80, 80), Way("10.20.0.0/16", 443, 443)}
    assert network.ways_into(server) == {Way(*balancer, 5000, 5000)}
    assert network.ways_into(database) == {Way(*server, 5432, 5432)}
    assert [one["publicly_accessible"] for one in network.instances("aws_db_instance")] == [False]
    assert [one["internal"] for one in network.instances("aws_lb")] == [True]
    service = next(network.instances("aws_ecs_service"))
    assert [one["assign_public_ip"] for one in service["network_configuration"]] == [False]


def test_what_it_published_is_enough_for_any_machine_with_credentials(life: Life, monkeypatch, tmp_path):
    done = life.checkout.cli("cloud", "status", "--context", "life", "--json")
    parts = {one["name"]: one for one in reference.validated("cloud.status", done.stdout)["result"]["parts"]}
    assert parts["tracking server"]["detail"].startswith("2 of 2 tasks run, mlflow-life:1, rollout completed")
    assert parts["database"]["ok"]
    assert parts["bucket of artifacts"]["ok"]
    assert parts["load balancer"]["detail"] == "0 of 0 targets healthy", "the emulator runs no containers"
    assert done.returncode == 6


def test_outputs_are_addresses_and_no_secret(life: Life):
    answer = reference.validated(
        "cloud.output", life.checkout.cli("cloud", "output", "--context", "life", "--json").stdout
    )
    values = {one["name"]: one["value"] for one in answer["result"]["outputs"]}
    assert values["url"] == "https://mlflow.example.com"
    assert values["parameter"] == "/mlflowctl/life"
    assert life.checkout.done("cloud", "output", "database", "--context", "life") == "mlflow-life\n"
