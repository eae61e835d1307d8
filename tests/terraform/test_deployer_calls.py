"""The deployer's policies against what Terraform asked of the emulator, from the first apply to the destroy.

What the emulator cannot show: rights that only AWS asks for (grants on keys for RDS, service-linked roles);
they are listed below, and stand in the table of ``test_access_deployer.py``.
"""

from __future__ import annotations

import pytest

from tests.terraform import access_policies
from tests.terraform.deployer_requests import TAGS, calls, requests
from tests.terraform.iam_policies import Policy, as_list

pytestmark = pytest.mark.xdist_group("access-policies")


@pytest.fixture(scope="module")
def deployer(needs_terraform: str) -> Policy:
    return access_policies.deployer()


def test_everything_that_terraform_asked_is_allowed(deployer: Policy) -> None:
    refused = [
        f"{action} on {resource} with {context}"
        for call in calls()
        for action, resource, context in requests(call)
        if not deployer.allows(action, resource, **context)
    ]
    assert not refused


def test_what_is_made_may_be_tagged(deployer: Policy) -> None:
    """Whoever makes something with tags needs the right to tag it, too."""
    names = {
        "acm": "AddTagsToCertificate",
        "ec2": "CreateTags",
        "elasticloadbalancing": "AddTags",
        "iam": "TagRole",
        "rds": "AddTagsToResource",
        "s3": "PutBucketTagging",
        "ssm": "AddTagsToResource",
    }
    refused = []
    for call in calls():
        if not call.get("tags") or call["operation"] == "CreateTags":
            continue
        for action, resource, context in requests(call):
            service = action.split(":")[0]
            if service == "ec2" and any(key.startswith("aws:ResourceTag") for key in context):
                continue  # what the new one is made in
            tagging = f"{service}:{names.get(service, 'TagResource')}"
            more = {f"{service}:CreateAction": call["operation"]}
            if not deployer.allows(tagging, resource, **context, **more):
                refused.append(f"{tagging} on {resource}")
    assert not refused


def test_all_new_things_carry_the_tags_that_the_policies_ask_for() -> None:
    """A resource that Terraform makes without its default tags could not be made in AWS."""
    creating = [
        one for one in calls() if one["service"] in ("ec2", "elasticloadbalancing", "acm") and one["tags"]
    ]
    assert len({one["operation"] for one in creating}) >= 14
    assert all(TAGS.items() <= one["tags"].items() for one in creating)


def test_the_record_holds_a_whole_life() -> None:
    made = {(one["service"], one["operation"]) for one in calls()}
    for service, operation in (
        ("ec2", "CreateNatGateway"),
        ("rds", "ModifyDBInstance"),
        ("rds", "DeleteDBInstance"),
        ("ecs", "UpdateService"),
        ("backup", "CreateBackupSelection"),
        ("route53", "ChangeResourceRecordSets"),
        ("kms", "ScheduleKeyDeletion"),
        ("secretsmanager", "PutSecretValue"),
        ("elasticloadbalancing", "CreateRule"),
        ("elasticloadbalancing", "DeleteRule"),
    ):
        assert (service, operation) in made


# Rights that the record does not show, and why they are there.
UNSEEN = {
    "AWS asks for them besides the request itself": {
        "acm:AddTagsToCertificate application-autoscaling:TagResource backup-storage:MountCapsule",
        "backup:TagResource cloudwatch:TagResource ecr:TagResource ecs:TagResource",
        "elasticloadbalancing:AddTags events:TagResource iam:CreateServiceLinkedRole iam:PassRole",
        "iam:TagRole",
        "kms:CreateGrant kms:Decrypt kms:Encrypt kms:GenerateDataKey kms:TagResource",
        "logs:AssociateKmsKey",
        "logs:CreateLogDelivery logs:DeleteLogDelivery logs:TagResource rds:AddTagsToResource",
        "rds:CreateDBSnapshot s3:PutBucketObjectLockConfiguration secretsmanager:TagResource sns:TagResource",
        "ssm:AddTagsToResource",
    },
    "another change than those that were recorded": {
        "acm:RemoveTagsFromCertificate application-autoscaling:UntagResource backup:UntagResource",
        "backup:UpdateBackupPlan cloudwatch:UntagResource ec2:DeleteTags ec2:ModifySecurityGroupRules",
        "ec2:ModifySubnetAttribute ec2:ModifyVpcEndpoint ec2:ReplaceRoute",
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        "ecr:PutImageScanningConfiguration ecr:PutImageTagMutability ecr:UntagResource ecs:UntagResource",
        "ecs:UpdateCluster ecs:UpdateClusterSettings elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:RemoveTags elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
        "events:UntagResource iam:PutRolePermissionsBoundary iam:UntagRole iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole kms:PutKeyPolicy kms:UntagResource kms:UpdateAlias kms:UpdateKeyDescription",
        "logs:DisassociateKmsKey logs:UntagResource rds:ModifyDBSubnetGroup rds:RebootDBInstance",
        "rds:RemoveTagsFromResource rds:ResetDBParameterGroup rds:RestoreDBInstanceToPointInTime",
        "s3:PutBucketLogging secretsmanager:UntagResource secretsmanager:UpdateSecret",
        "sns:SetSubscriptionAttributes sns:UntagResource ssm:RemoveTagsFromResource",
    },
    "another priority or name of a rule": {"elasticloadbalancing:ModifyRule"},
    "the state, which the record keeps in a file": {"s3:DeleteObject s3:GetObject s3:PutObject"},
    "mlflowctl cloud, around Terraform": {
        "ecs:DescribeTasks ecs:ListTasks ecs:RunTask ecs:StopTask elasticloadbalancing:DescribeTargetHealth",
        "logs:DescribeLogStreams logs:FilterLogEvents logs:GetLogEvents rds:DescribeDBSnapshots",
        "rds:DescribeDBInstanceAutomatedBackups s3:GetBucketLocation s3:ListBucketVersions",
    },
    "the provider waiting for a deployment": {
        "ecs:DescribeServiceDeployments ecs:DescribeServiceRevisions ecs:ListServiceDeployments",
        "ecs:ListTagsForResource",
    },
}


def test_no_right_is_there_for_nothing(deployer: Policy) -> None:
    """What was never asked for is known, one by one: a right that nobody needs must not come in unseen."""
    asked = {action.lower() for call in calls() for action, *_ in requests(call)}
    explained = {name for group in UNSEEN.values() for line in group for name in line.split()}
    unused = {
        action
        for statement in deployer.statements
        for action in as_list(statement["Action"])
        if "*" not in action and action.lower() not in asked
    }
    assert unused == explained
