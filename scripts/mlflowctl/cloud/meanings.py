"""What the errors of Terraform and of AWS mean, by their text: the table behind ``complaints``.

The first row that fits decides, so what is particular stands above what is general.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, UnavailableError, UsageError

LOG_IN = "Log in to AWS (aws sso login, or export AWS_PROFILE=…), then repeat the command."


@dataclass(frozen=True)
class Meaning:
    """What complaints of one kind mean.

    Attributes:
        pattern: recognises them; its groups are at hand as ``{0}``, ``{1}`` … in the texts.
        error: the kind of error.
        what: what happened.
        next: the next command.
    """

    pattern: str
    error: type[MlflowctlError]
    what: str
    next: str


MEANINGS = (
    Meaning(
        r"(?:no valid credential sources|No valid credential|failed to refresh cached credentials|"
        r"no EC2 IMDS role found|get credentials|could not find profile|failed to get shared config profile)",
        AccessError,
        "No usable AWS credentials were found.",
        LOG_IN,
    ),
    Meaning(
        r"(?:ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidAccessKeyId|"
        r"AuthFailure|token.{0,30}expired)",
        AccessError,
        "AWS does not accept these credentials{at}: they are wrong or have expired.",
        LOG_IN,
    ),
    Meaning(
        r"AWS account ID not allowed:? ?(\d*)",
        UsageError,
        "These credentials belong to the account {0}, and {env} belongs to another (account_id in its file).",
        "Log in to the environment's own account, then repeat the command.",
    ),
    Meaning(
        r"not authorized to perform:? (\S+?)[\s,.]",
        AccessError,
        "These credentials lack the right {0}{at}.",
        "Give the deployer {0} (modules/access makes the policy), then repeat the command.",
    ),
    Meaning(
        r"(?:AccessDenied|UnauthorizedOperation|Forbidden|StatusCode: 403)",
        AccessError,
        "AWS refuses this to these credentials{at}: {short}",
        "Give the deployer the right (modules/access makes the policy), then repeat the command.",
    ),
    Meaning(
        r"(?:Backend initialization required|Backend configuration changed|Module not installed|"
        r"Required plugins are not installed|Inconsistent dependency lock file|Initialization required)",
        UsageError,
        "Terraform is not prepared here for {env}.",
        "mlflowctl cloud init --context {name}",
    ),
    Meaning(
        r"(?:S3 bucket \"?[\w.-]*\"? does not exist|NoSuchBucket.*(?:state|backend)|"
        r"[Ee]rror (?:loading|refreshing) state: .*NoSuchBucket)",
        UsageError,
        "The bucket for the state of {env} does not exist.",
        "mlflowctl cloud backend --context {name}",
    ),
    Meaning(
        r"(?:Failed to query available provider packages|Failed to install provider|could not connect to "
        r"registry|Invalid provider registry host)",
        UnavailableError,
        "The AWS provider cannot be installed: neither the registry nor a mirror offers it.",
        "Check the way to registry.terraform.io (proxy, mirror in TF_CLI_CONFIG_FILE), then repeat.",
    ),
    Meaning(
        r"(?:Saved plan is stale)",
        ConflictError,
        "The plan is stale: something was applied to {env} after it was made.",
        "mlflowctl cloud plan --context {name}",
    ),
    Meaning(
        r"(?:already scheduled for deletion|scheduled for deletion)",
        ConflictError,
        "A secret of that name{at} still waits for its deletion.",
        "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id …   "
        "(or restore-secret, and import it)",
    ),
    Meaning(
        r"(?:LimitExceeded|QuotaExceeded|TooMany\w+|InsufficientInstanceCapacity|InsufficientDBInstanceCapacity)",
        UnavailableError,
        "AWS has a limit in the way{at}: {short}",
        "Raise the quota (Service Quotas), or choose another size, then repeat the command.",
    ),
    Meaning(
        r"(?:Cannot delete protected|deletion protection|DeletionProtection)",
        UsageError,
        "It is protected against deletion{at}.",
        "Set deletion_protection = false (in prod also its danger_… flag), apply, then destroy.",
    ),
    Meaning(
        r"(?:BucketNotEmpty)",
        ConflictError,
        "The bucket{at} still holds objects or versions.",
        "mlflowctl cloud destroy --context {name} --confirm {title}   (says what is in it)",
    ),
    Meaning(
        r"(?:DBSnapshotAlreadyExists)",
        ConflictError,
        "A snapshot of the final snapshot's name exists already{at}.",
        "Delete or keep that snapshot under another name, then repeat the command.",
    ),
    Meaning(
        r"(?:BucketAlreadyExists|already exists|AlreadyExists|EntityAlreadyExists)",
        ConflictError,
        "Something of that name exists already{at}, and Terraform does not own it: {short}",
        "Import it, delete it, or choose another name in the environment's file.",
    ),
    Meaning(
        r"(?:no such host|connection refused|i/o timeout|context deadline exceeded|RequestError|"
        r"exceeded maximum number of attempts)",
        UnavailableError,
        "AWS cannot be reached{at}: {short}",
        "Check the network and the region of the environment, then repeat the command.",
    ),
)
