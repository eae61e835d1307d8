"""The example environments as planned, and wrong input, which is refused before anything is made."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.terraform import plans
from tests.terraform.checkout import Checkout
from tests.terraform.emulator import Emulator
from tests.unit import reference

pytestmark = pytest.mark.xdist_group(plans.GROUP)

PROD = f"""
environment = "prod"
region      = "eu-central-1"
size        = "medium"
image       = "registry.example.com/mlflowctl:1.0.0"
domain_name = "mlflow.example.com"
zone_id     = "{plans.ZONE}"
"""


@pytest.fixture(scope="module")
def planned(example_plans: plans.Examples) -> dict[str, Any]:
    return example_plans.documents


@pytest.fixture(scope="module")
def checkout(needs_terraform: str, aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with one environment, prod, in which ``cloud plan`` works."""
    made = plans.checkout(tmp_path_factory.mktemp("wrong"), aws)
    plans.initialise(made, "prod")
    return made


@pytest.mark.parametrize("example", plans.EXAMPLES)
def test_an_example_makes_what_the_inventory_says(planned: dict[str, Any], example: str):
    assert plans.inventory(planned[example]) == plans.committed(example), (
        "If it is meant: python -m tests.terraform.plans, and review the difference."
    )


def test_the_sizes_in_the_readme_are_those_of_the_table(planned: dict[str, Any]):
    readme = (plans.INVENTORY.parents[2] / "infra" / "aws" / "README.md").read_text()
    for example, column in (("dev", 0), ("prod", 1)):
        after = {one["type"]: one["change"]["after"] for one in planned[example]["resource_changes"]}
        database, target = after["aws_db_instance"], after["aws_appautoscaling_target"]
        cells = {row.split("|")[1].strip(): row.split("|")[2:][column].strip() for row in rows(readme)}
        assert cells["database"].startswith(database["instance_class"])
        sizes = f"{database['allocated_storage']} → {database['max_allocated_storage']} GiB"
        assert cells["storage, grows to"] == sizes
        assert cells["any second restorable for"] == f"{database['backup_retention_period']} days"
        least, most = target["min_capacity"], target["max_capacity"]
        assert cells["tasks (at rest to under load)"].startswith(f"{least}–{most} of ")


def rows(readme: str) -> list[str]:
    table = readme.split("## Sizes")[1].split("## What")[0]
    return [line for line in table.splitlines() if line.startswith("| ")]


def test_every_resource_carries_the_tags_by_which_the_deployer_is_bounded(planned: dict[str, Any]):
    untagged = [
        one["address"]
        for one in planned["prod"]["resource_changes"]
        if "tags_all" in (one["change"]["after"] or {})
        and {"Project": "mlflow", "Environment": "prod"}.items() - one["change"]["after"]["tags_all"].items()
    ]
    assert untagged == []


def refused(checkout: Checkout, text: str, **env: str) -> tuple[int, dict[str, str]]:
    """Exit code and error of ``cloud plan`` on prod with this file."""
    checkout.environment_file("prod", text)
    done = checkout.cli("cloud", "plan", "--context", "prod", "--json", **env)
    answer = reference.validated("cloud.plan", done.stdout)
    assert answer["ok"] is False, "it was not refused"
    return done.returncode, answer["error"]


# Lines that are wrong → what is said. Terraform looks at an environment's own rules first, then at those of
# the modules, and tells all of one kind at once. A plan takes seconds, so each kind is tried in one.
WRONG_HERE = {
    'size = "huge"': "var.size: size is small, medium or large, not huge.",
    'availability_zones = ["eu-central-1a"]': "availability_zones names one zone only",
    "zone_id = null": "domain_name mlflow.example.com needs a certificate",
    'serving = { a = { login_secret_arn = "x", model = "b" }, b = { login_secret_arn = "x" } }': (
        "serving names a registered model twice"
    ),
    "deletion_protection = false": "deletion_protection=false lets a destroy or a replacement delete the "
    "database of prod. If that is meant, set danger_allow_unprotected=true as well.",
}
WRONG_IN_MODULES = {
    'cidr = "10.20.0.1/16"': "var.cidr: cidr has bits set behind its prefix",
    'postgres_version = "17"': "var.postgres_version: engine_version is 18 or newer",
    'serving = { Fraud = { login_secret_arn = "x" } }': "short_name has lower-case letters",
    'image = "mlflow:latest"': "var.image: image names a registry path with a tag or digest, and not :latest",
}
OPEN = {'internal = false\nallowed_cidr_blocks = ["0.0.0.0/0"]': "everybody could try passwords"}


@pytest.mark.parametrize("wrong", [WRONG_HERE, WRONG_IN_MODULES, OPEN], ids=["here", "modules", "open"])
def test_wrong_input_is_refused_with_the_reason_and_the_file_to_mend(
    checkout: Checkout, wrong: dict[str, str]
):
    lines = "\n".join(wrong).splitlines()
    names = [one.split("=")[0].strip() for one in lines]
    kept = [one for one in PROD.splitlines() if one.split("=")[0].strip() not in names]
    code, error = refused(checkout, "\n".join([*kept, *lines]) + "\n")
    assert code == 2, error
    assert [reason for reason in wrong.values() if reason not in error["message"]] == []
    assert error["state"] == "Nothing was changed."
    assert error["next"].startswith("Mend it in ")
    assert error["next"].endswith("infra/aws/envs/prod.tfvars")


def test_without_credentials_the_way_to_log_in_is_named(checkout: Checkout):
    code, error = refused(
        checkout, PROD, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_CONFIG_FILE="/dev/null"
    )
    assert (code, error["code"]) == (1, "access")
    assert "credentials" in error["message"]
    assert error["next"].startswith("Log in to AWS")


def test_credentials_of_another_account_are_refused(checkout: Checkout):
    code, error = refused(checkout, PROD + 'account_id = "111111111111"\n')
    assert code == 2
    assert error["message"] == (
        "These credentials belong to the account 123456789012; prod belongs to 111111111111."
    )


def test_an_exported_terraform_variable_is_refused(checkout: Checkout):
    code, error = refused(checkout, PROD, TF_VAR_size="large")
    assert code == 2
    assert error["next"].startswith("unset TF_VAR_size")


def test_an_environment_that_does_not_exist_is_named_with_those_that_do(checkout: Checkout):
    done = checkout.cli("cloud", "plan", "--context", "qa")
    assert done.returncode == 2
    assert "error: There is no environment 'qa' in AWS." in done.stderr
    assert "Known here: dev, prod" in done.stderr


def test_a_plan_of_one_environment_is_no_plan_of_another(checkout: Checkout, example_plans: plans.Examples):
    file = example_plans.folder / "dev.tfplan"
    checkout.environment_file("prod", PROD)
    done = checkout.cli("cloud", "apply", "--context", "prod", "--plan", str(file), "--yes")
    assert done.returncode == 2
    assert f"error: {file} is a plan for environment dev, not for prod." in done.stderr
    done = checkout.cli("cloud", "apply", "--context", "prod", "--plan", __file__, "--yes")
    assert (done.returncode, "is no plan of Terraform." in done.stderr) == (2, True)


def test_a_missing_right_is_named(checkout: Checkout):
    """The emulator asks for permissions from here on, so this test comes last."""
    iam = checkout.aws.client("iam")
    iam.create_user(UserName="nobody")
    iam.put_user_policy(
        UserName="nobody",
        PolicyName="little",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
        ),
    )
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    checkout.aws.ask_for_permissions()
    code, error = refused(
        checkout, PROD, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"]
    )
    assert (code, error["code"]) == (1, "access")
    assert re.search(r"These credentials lack the right \w+:\w+ at ", error["message"]), error
    assert "modules/access makes the policy" in error["next"]
