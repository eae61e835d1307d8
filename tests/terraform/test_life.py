"""One life of an environment through ``mlflowctl cloud``: the real AWS provider against an emulator of AWS.

The tests are the chapters of one story, in this order; each goes on where the one before ended, because an
apply takes minutes. What the emulator cannot tell (does a task start, does RDS accept this) stands in
docs/verified.md.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.cloud import published
from mlflowctl.cloud.planned import STATEFUL
from mlflowctl.plan import Action
from mlflowctl.storage import buckets
from mlflowctl.storage.settings import S3Settings
from tests.terraform.checkout import Checkout
from tests.terraform.emulator import ACCOUNT, REGION, Emulator, emulator
from tests.terraform.reachability import Network, Way
from tests.unit import reference

pytestmark = [pytest.mark.xdist_group("terraform-life"), pytest.mark.timeout(900)]

STATE_BUCKET = f"mlflowctl-state-{ACCOUNT}-{REGION}"
STATE_KEY = "environments/life/terraform.tfstate"
LIFE = f"""
environment         = "life"
region              = "{REGION}"
account_id          = "{ACCOUNT}"
size                = "small"
min_tasks           = 2
max_tasks           = 2
image               = "registry.example.com/mlflowctl:1.0.0"
domain_name         = "mlflow.example.com"
zone_id             = "ZONE"
alarm_email         = "oncall@example.com"
backup              = true
deletion_protection = false
"""


class Life:
    """The environment, and what its secrets were at any time."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.text = ""
        self.secrets: set[str] = set()
        self.plans: list[bytes] = []

    @property
    def aws(self) -> Emulator:
        return self.checkout.aws

    def write(self, **changed: str) -> None:
        """Change values of the environment's file, as an engineer would."""
        for name, value in changed.items():
            lines = [line for line in self.text.splitlines() if line.split("=")[0].strip() != name]
            self.text = "\n".join([*lines, f"{name} = {value}"]) + "\n"
        self.checkout.environment_file("life", self.text)

    def state(self) -> dict[str, Any]:
        body = self.aws.client("s3").get_object(Bucket=STATE_BUCKET, Key=STATE_KEY)["Body"].read()
        state: dict[str, Any] = json.loads(body)
        return state

    def current_secrets(self) -> dict[str, str]:
        """ARN → value of every secret that AWS holds now; they are remembered for the scan."""
        client = self.aws.client("secretsmanager")
        arns = [one["ARN"] for one in client.list_secrets()["SecretList"]]
        values = {arn: client.get_secret_value(SecretId=arn)["SecretString"] for arn in arns}
        self.secrets |= set(values.values())
        return values

    def identities(self) -> dict[str, str]:
        """Address → identity of every stateful resource in the state."""
        return {
            f"{one.get('module', '')}.{one['type']}.{one['name']}[{instance.get('index_key', '')}]": str(
                instance["attributes"].get("resource_id") or instance["attributes"]["id"]
            )
            for one in self.state()["resources"]
            if one["mode"] == "managed" and one["type"] in STATEFUL
            for instance in one["instances"]
        }


@pytest.fixture(scope="module")
def life(needs_terraform: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with emulator() as aws:
        story = Life(Checkout.at(tmp_path_factory.mktemp("life"), aws))
        zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="life")
        story.text = LIFE.replace("ZONE", zone["HostedZone"]["Id"].split("/")[-1])
        story.write()
        yield story


def to_do(life: Life, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result of ``cloud plan --exit-code``."""
    done = life.checkout.cli("cloud", "plan", "--context", "life", "--exit-code", "--json", *arguments)
    answer = reference.validated("cloud.plan", done.stdout)
    assert answer["result"] is not None, done.stderr
    return done.returncode, answer["result"]


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
    code, planned = to_do(life, "--out", str(file))
    assert (code, planned["losses"]) == (6, [])
    assert {step["action"] for step in planned["steps"]} == {"create"}
    life.plans.append(file.read_bytes())
    done = life.checkout.cli("cloud", "apply", "--context", "life", "--plan", str(file))
    assert (done.returncode, "Add --yes." in done.stderr) == (2, True), "nobody was there to ask"
    applied = life.checkout.cli(
        "cloud", "apply", "--context", "life", "--plan", str(file), "--yes", "--json", timeout=800
    )
    assert applied.returncode == 0, applied.stderr[-3000:]
    answer = reference.validated("cloud.apply", applied.stdout)
    assert answer["result"]["url"] == "https://mlflow.example.com"
    assert f"({len(planned['steps'])}/{len(planned['steps'])}" in applied.stderr, "progress counts to the end"
    life.current_secrets()


def test_the_second_plan_is_empty(life: Life):
    assert to_do(life) == (0, {"environment": "life", "steps": [], "to_do": 0, "losses": [], "file": None})


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
    assert to_do(life)[0] == 0, "and Terraform still finds nothing to do"


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
    life.checkout.done("cloud", "apply", "--context", "life", "--yes")
    after = life.current_secrets()
    assert set(after) == set(before)
    assert all(after[arn] != before[arn] for arn in before)
    assert life.identities() == stateful
    ecs = life.aws.client("ecs")
    service = ecs.describe_services(cluster="mlflow-life", services=["mlflow-life"])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert "database-2-login-2" in json.dumps(definition["containerDefinitions"])
    assert to_do(life)[0] == 0


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


def later(moment: str) -> str:
    """A second later: RDS rounds, the database exists since a fraction of that second."""
    return f"{moment[:-3]}{int(moment[-3:-1]) % 59 + 1:02d}Z"


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


def left(aws: Emulator) -> dict[str, list[str]]:
    """What still exists of what costs."""
    ecs, databases = aws.client("ecs"), aws.client("rds").describe_db_instances()["DBInstances"]
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    balancers = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return {
        "buckets": [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]],
        "databases": [one["DBInstanceIdentifier"] for one in databases],
        "clusters": [one["clusterName"] for one in clusters if one["status"] == "ACTIVE"],
        "balancers": [one["LoadBalancerName"] for one in balancers],
    }


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
    texts |= {f"plan {name}": content for plan in life.plans for name, content in unpacked(plan).items()}
    texts |= {f"printed {number}": text.encode() for number, text in enumerate(life.checkout.printed)}
    texts["emulator"] = life.aws.log.read_bytes()
    texts |= {str(file): file.read_bytes() for file in files(life.checkout.folder)}
    for kind in ("state ", "plan ", "printed "):
        readable = [text for where, text in texts.items() if where.startswith(kind)]
        assert any(b"registry.example.com/mlflowctl:1.0.0" in text for text in readable), f"no {kind}was read"
    assert [where for where, text in texts.items() if any(one.encode() in text for one in life.secrets)] == []


def unpacked(plan: bytes) -> dict[str, bytes]:
    """The parts of a plan file, which is a zip archive."""
    with zipfile.ZipFile(io.BytesIO(plan)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(folder: Path) -> list[Path]:
    """Every small file that the commands left in the checkout."""
    return [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size < 10_000_000]
