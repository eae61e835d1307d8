"""What Terraform and AWS complain about, in the words an engineer needs at three in the morning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlflowctl.cloud import complaints
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.terraform import Answer
from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, UnavailableError, UsageError

PROD = Environment("prod", Path("/checkout/mlflow"), {"region": "eu-central-1"})


def streamed(summary: str, detail: str = "", **more: Any) -> MlflowctlError:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail} | more
    return complaints.failure(Answer(1, "", ({"type": "diagnostic", "diagnostic": diagnostic},), ""), PROD)


def printed(text: str) -> MlflowctlError:
    return complaints.failure(Answer(1, "", (), text), PROD)


# What Terraform 1.11 and the AWS provider 5.100 say, and what it is to become.
KNOWN: list[tuple[str, str, type[MlflowctlError], str, str]] = [
    (
        "No valid credential sources found",
        "Please see https://… for more information about providing credentials.",
        AccessError,
        "No usable AWS credentials were found.",
        "aws sso login",
    ),
    (
        "Retrieving AWS account details: validating provider credentials",
        "operation error STS: GetCallerIdentity, https response error StatusCode: 403, api error "
        "ExpiredToken: The security token included in the request is expired",
        AccessError,
        "AWS does not accept these credentials at aws_x.y: they are wrong or have expired.",
        "aws sso login",
    ),
    (
        "creating RDS DB Instance (mlflow-prod)",
        "api error AccessDenied: User: arn:aws:iam::1:user/ci is not authorized to perform: "
        "rds:CreateDBInstance on resource: arn:aws:rds:…",
        AccessError,
        "These credentials lack the right rds:CreateDBInstance at aws_x.y.",
        "modules/access",
    ),
    ("Backend initialization required", "Reason: Initial configuration", UsageError,
     "Terraform is not prepared here for environment prod.", "mlflowctl cloud init --context prod"),
    ("Saved plan is stale", "The given plan file can no longer be applied", ConflictError,
     "The plan is stale: something was applied to environment prod after it was made.",
     "mlflowctl cloud plan --context prod"),
    (
        "creating EC2 VPC",
        "api error VpcLimitExceeded: The maximum number of VPCs has been reached.",
        UnavailableError,
        "AWS has a limit in the way at aws_x.y: creating EC2 VPC api error VpcLimitExceeded",
        "Raise the quota",
    ),
    ("deleting RDS DB Instance", "InvalidParameterCombination: Cannot delete protected DB Instance, please "
     "disable deletion protection", UsageError, "It is protected against deletion at aws_x.y.",
     "Set deletion_protection = false"),
    ("deleting S3 Bucket (b)", "api error BucketNotEmpty: The bucket you tried to delete is not empty",
     ConflictError, "The bucket at aws_x.y still holds objects or versions.", "mlflowctl cloud destroy"),
    ("creating S3 Bucket (b)", "api error BucketAlreadyExists", ConflictError,
     "Something of that name exists already at aws_x.y", "Import it"),
    ("AWS account ID not allowed: 222222222222", "", UsageError,
     "These credentials belong to the account 222222222222, and environment prod belongs to another",
     "Log in to the environment's own account"),
    ("reading S3 Bucket", "dial tcp: lookup s3.eu-central-1.amazonaws.com: no such host", UnavailableError,
     "AWS cannot be reached at aws_x.y", "Check the network"),
]  # fmt: skip


@pytest.mark.parametrize(("summary", "detail", "kind", "what", "next_step"), KNOWN)
def test_a_known_complaint_says_what_where_and_what_next(
    summary: str, detail: str, kind: type[MlflowctlError], what: str, next_step: str
):
    error = streamed(summary, detail, address="aws_x.y")
    assert type(error) is kind
    assert error.what.startswith(what)
    assert next_step in error.next
    assert error.state == "Nothing was changed."


def test_a_lock_names_its_holder_and_the_way_out():
    error = streamed(
        "Error acquiring the state lock",
        "Error message: operation error S3: PutObject, https response error StatusCode: 412\nLock Info:\n"
        "  ID:        77-88\n  Path:      b/k\n  Operation: OperationTypePlan\n  Who:       bob@laptop\n"
        "  Version:   1.11.4\n  Created:   2026-11-24 22:00:01.25 +0000 UTC\n  Info:      \n",
    )
    assert type(error) is ConflictError
    assert error.what == (
        "The state of environment prod is locked by bob@laptop since 2026-11-24 22:00:01 UTC (plan)."
    )
    assert "force-unlock 77-88" in error.next
    assert "TF_DATA_DIR=/checkout/mlflow/infra/aws/.terraform/environments/prod" in error.next


def test_a_refused_variable_speaks_with_the_words_of_its_validation():
    error = streamed(
        "Invalid value for variable",
        "size is small, medium or large, not huge.\n\nThis was checked by the validation rule at v.tf:1,2-3.",
        snippet={"context": 'variable "size"', "code": 'variable "size" {'},
    )
    assert type(error) is UsageError
    assert error.what == "var.size: size is small, medium or large, not huge."
    assert error.next == "Mend it in /checkout/mlflow/infra/aws/envs/prod.tfvars"


@pytest.mark.parametrize(
    ("context", "code", "where"),
    [
        ('module "database"', "  engine_version = var.postgres_version", "var.postgres_version"),
        (None, 'size = "huge"', "var.size"),
    ],
)
def test_a_refused_variable_is_named_wherever_it_stands(context: str | None, code: str, where: str):
    snippet = {"context": context, "code": code}
    assert streamed("Invalid value for variable", "No.", snippet=snippet).what == f"{where}: No."


def test_an_unknown_complaint_keeps_its_own_words_and_its_address_but_no_request_ids():
    error = streamed("creating X (y)", "api error Odd: no, RequestID: 12-34, really", address="aws_x.y")
    assert error.what == "Terraform: creating X (y) api error Odd: no really at aws_x.y"
    assert error.next.endswith("mlflowctl cloud plan --context prod")


def test_text_that_was_printed_is_understood_like_the_stream():
    error = printed(
        "╷\n│ Error: Saved plan is stale\n│ \n│ The given plan file can no longer be applied.\n╵\n"
    )
    assert type(error) is ConflictError


def test_several_complaints_are_told_together_and_silence_is_told_too():
    found = tuple(
        {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": one, "detail": ""}}
        for one in ("first", "second", "first")
    )
    error = complaints.failure(Answer(1, "", found, ""), PROD)
    assert error.what == "Terraform: first\n       also: Terraform: second"
    assert complaints.failure(Answer(3, "", (), ""), PROD).what == "Terraform ended with 3 and said nothing."
