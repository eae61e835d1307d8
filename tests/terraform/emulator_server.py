"""moto's server with the gaps filled that the real AWS provider runs into. Test code: nothing here is AWS.

moto 5.2.5 accepts every resource of ours, but forgets parts of what it was told. Terraform then sees a
difference that is none, or fails. Each function below fills one gap, says what breaks without it, and
changes nothing else; when a newer moto no longer needs it, it can go. Started by ``emulator.py`` as
``python -m tests.terraform.emulator_server --port PORT``.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

SETTINGS = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # policies such as AmazonECSTaskExecutionRolePolicy exist
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # faster start; no machine images are used
}


def remember_autoscaling_tags() -> None:
    """Application Auto Scaling has no tag calls at all: the provider's default tags make apply fail."""
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response

    tags: dict[str, dict[str, str]] = {}
    register = Response.register_scalable_target

    def register_scalable_target(self: Any) -> str:
        answer: str = register(self)
        if given := self._get_param("Tags"):
            tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(given)
        return answer

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    def tag_resource(self: Any) -> str:
        tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags") or {})
        return "{}"

    def untag_resource(self: Any) -> str:
        for key in self._get_param("TagKeys") or []:
            tags.get(self._get_param("ResourceARN"), {}).pop(key, None)
        return "{}"

    for method in (register_scalable_target, list_tags_for_resource, tag_resource, untag_resource):
        setattr(Response, method.__name__, method)


def tell_who_set_database_parameters() -> None:
    """The provider asks for parameters of Source=user only; without it each plan sets all of them again."""
    from moto.rds.models import DBParameterGroup

    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: Iterable[dict[str, Any]]) -> None:
        update(self, [{"Source": "user"} | one for one in new_parameters])

    DBParameterGroup.update_parameters = update_parameters  # type: ignore[method-assign]


DATABASE_FIELDS = (
    "engine_lifecycle_support",
    "performance_insights_kms_key_id",
    "performance_insights_retention_period",
)


def echo_database_settings() -> None:
    """A database forgets its extended support and performance insights: each plan would set them again. All
    have the same resource ID, by which Terraform finds them: of two it finds none."""
    from moto.rds.models import RDSBackend

    create, modify = RDSBackend.create_db_instance, RDSBackend.modify_db_instance

    def keep(database: Any, told: dict[str, Any]) -> Any:
        enabled = told.get("enable_performance_insights")
        if enabled is not None:
            database.performance_insights_enabled = enabled
        for name in DATABASE_FIELDS:
            if told.get(name) is not None:
                setattr(database, name, told[name])
        return database

    def create_db_instance(self: Any, db_kwargs: dict[str, Any]) -> Any:
        database = keep(create(self, db_kwargs), db_kwargs)
        database.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
        return database

    def modify_db_instance(self: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
        told = dict(db_kwargs)
        return keep(modify(self, db_instance_identifier, db_kwargs), told)

    RDSBackend.create_db_instance = create_db_instance  # type: ignore[method-assign]
    RDSBackend.modify_db_instance = modify_db_instance  # type: ignore[method-assign]


ECS_SERVICE_FIELDS = (
    "enableECSManagedTags",
    "healthCheckGracePeriodSeconds",
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
    "enableExecuteCommand",
)


def settle_ecs_services() -> None:
    """A service forgets five of its settings, so each plan would change them again; and its tasks never
    run, so Terraform would wait for them for ever."""
    from moto.ecs.responses import EC2ContainerServiceResponse as Response

    create, update = Response.create_service, Response.update_service

    def keep(self: Any, name: str) -> None:
        cluster = (self._get_param("cluster") or "default").split("/")[-1]
        service = self.ecs_backend.services[f"{cluster}:{name.split('/')[-1]}"]
        for field in ECS_SERVICE_FIELDS:
            value = self._get_param(field)
            if value is not None:
                setattr(service, field, value)
        if getattr(service, "availabilityZoneRebalancing", None) is None:
            service.availabilityZoneRebalancing = "DISABLED"
        service.running_count, service.pending_count = service.desired_count, 0
        for deployment in service.deployments:
            counts = {"desiredCount": service.desired_count, "runningCount": service.desired_count}
            deployment.update(counts | {"pendingCount": 0, "rolloutState": "COMPLETED"})
            deployment["taskDefinition"] = service.task_definition

    def create_service(self: Any) -> Any:
        answer = create(self)
        keep(self, self._get_param("serviceName"))
        return answer

    def update_service(self: Any) -> Any:
        answer = update(self)
        keep(self, self._get_param("service"))
        return answer

    Response.create_service = create_service  # type: ignore[method-assign]
    Response.update_service = update_service  # type: ignore[method-assign]


def describe_rules_between_security_groups() -> None:
    """A rule whose other end is a security group loses its description."""
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(self: Any) -> Any:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    SecurityGroupRule.description = property(description)  # type: ignore[assignment]


def keep_backup_selections() -> None:
    """AWS Backup answers the wrong tags (the ARN arrives quoted) and knows no selections."""
    from moto.backup.responses import BackupResponse as Response

    selections: dict[str, dict[str, Any]] = {}

    def last(self: Any) -> str:
        return str(self.path.rstrip("/").split("/")[-1])

    def list_tags(self: Any) -> str:
        arn = unquote(self.path.split("/tags/", 1)[1].strip("/"))
        return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=arn)})

    def create_backup_selection(self: Any) -> str:
        plan, made = self.path.split("/plans/")[1].split("/")[0], str(uuid.uuid4())
        answer = {"BackupPlanId": plan, "SelectionId": made, "CreationDate": time.time()}
        selections[made] = answer | {"BackupSelection": json.loads(self.body)["BackupSelection"]}
        return json.dumps(answer)

    def get_backup_selection(self: Any) -> Any:
        if last(self) not in selections:
            # The provider recognises a missing selection by exactly this text.
            missing = {"message": "Cannot find Backup plan selection", "Code": "ERROR_2905"}
            return 404, {"x-amzn-errortype": "ResourceNotFoundException"}, json.dumps(missing)
        return json.dumps(selections[last(self)])

    def delete_backup_selection(self: Any) -> str:
        selections.pop(last(self), None)
        return "{}"

    for method in (list_tags, create_backup_selection, get_backup_selection, delete_backup_selection):
        setattr(Response, method.__name__, method)


def name_zones_as_route53_does() -> None:
    """Every zone of Route 53 has an ID that begins with Z, which a validation of ours wants."""
    from moto.route53 import models

    make = models.create_route53_zone_id
    models.create_route53_zone_id = lambda *args, **named: f"Z{make(*args, **named)[1:]}"


def judge_requests_as_if_they_came_by_tls() -> None:
    """A bucket policy that wants TLS refuses everything: moto reads no conditions, and speaks plain http."""
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    judge = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: Any, *args: Any, **named: Any) -> PermissionResult:
        wants_tls = self._statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        if wants_tls and self._statement["Effect"] == "Deny":
            return PermissionResult.NEUTRAL
        return judge(self, *args, **named)

    IAMPolicyStatement.is_action_permitted = is_action_permitted  # type: ignore[method-assign]


GAPS = (
    remember_autoscaling_tags,
    tell_who_set_database_parameters,
    echo_database_settings,
    settle_ecs_services,
    describe_rules_between_security_groups,
    keep_backup_selections,
    name_zones_as_route53_does,
    judge_requests_as_if_they_came_by_tls,
)


def main() -> None:
    """Fill the gaps and serve; the arguments are those of ``moto_server``."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for fill in GAPS:
        fill()
    from moto.server import main as serve

    serve(sys.argv[1:])


if __name__ == "__main__":
    main()
