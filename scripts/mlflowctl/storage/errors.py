"""What botocore says, in the words an on-call engineer needs: one translation, used wherever S3 is asked.

The text is built from error codes and our own knowledge of the request, never from the store's free
text: some stores echo parts of the signed request there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, UnavailableError, UsageError

UNCHANGED = "Nothing was changed."
CONFIG = "mlflowctl config show"
DOCTOR = "mlflowctl doctor"

WRONG_KEY = {"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"}
WRONG_SECRET = {"SignatureDoesNotMatch"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken"}
DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem"}
SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture"}
WRONG_REGION = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
}
BUSY = {
    "SlowDown",
    "ServiceUnavailable",
    "RequestTimeout",
    "InternalError",
    "Throttling",
    "RequestLimitExceeded",
}
RACE = {"OperationAborted", "ConditionalRequestConflict"}
CONFLICT = {*RACE, "PreconditionFailed"}
NOT_IMPLEMENTED = {
    "NotImplemented",
    "XNotImplemented",
    "UnsupportedOperation",
    "MethodNotAllowed",
    "501",
    "405",
}


def code_of(exc: BaseException | None) -> str:
    """The S3 error code of a botocore ClientError; "" for every other exception."""
    response = getattr(exc, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def is_not_implemented(exc: BaseException) -> bool:
    """True if the store says that it does not know this operation at all."""
    return code_of(exc) in NOT_IMPLEMENTED


def not_s3(doing: str, where: str, state: str = UNCHANGED) -> UnavailableError:
    """Something answers at the endpoint, but it does not speak S3."""
    return UnavailableError(
        f"Could not {doing}: {where} answers, but not as S3 does. Is it another server's port, "
        "or a proxy whose store is down?",
        state=state,
        next=CONFIG,
    )


@contextmanager
def s3_errors(doing: str, *, where: str, permission: str = "", state: str = UNCHANGED) -> Iterator[None]:
    """Raise what botocore raises inside the block as one of mlflowctl's own errors.

    Args:
        doing: what was being done, after "could not": "read the versioning of bucket x".
        where: the store, as ``S3Settings.where`` names it.
        permission: the IAM action that the request needs, named when the request is refused.
        state: what state things are in if the block fails.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError  # the one that is no BotoCoreError

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as exc:
        raise translate(exc, doing=doing, where=where, permission=permission, state=state) from exc


def translate(
    exc: Exception, *, doing: str, where: str = "S3", permission: str = "", state: str = UNCHANGED
) -> MlflowctlError:
    """The typed error for an exception from botocore; see ``s3_errors`` for the arguments."""
    from botocore.exceptions import ClientError

    if isinstance(exc, ClientError):
        return _answered(exc, doing, where, permission, state)
    return _unanswered(exc, doing, where, state)


def _answered(exc: Exception, doing: str, where: str, permission: str, state: str) -> MlflowctlError:
    """The store answered with an error."""
    code = code_of(exc)
    if code in WRONG_KEY:
        return AccessError(
            f"Could not {doing}: {where} does not know this access key ({code}).", state=state, next=CONFIG
        )
    if code in WRONG_SECRET:
        return AccessError(
            f"Could not {doing}: the secret does not belong to this access key at {where} ({code}).",
            state=state,
            next=CONFIG,
        )
    if code in EXPIRED:
        return AccessError(
            f"Could not {doing}: the credentials have expired ({code}).",
            state=state,
            next="Log in to AWS again, then repeat the command.",
        )
    if code in SKEWED:
        return UnavailableError(
            f"Could not {doing}: this machine's clock and that of {where} are more than "
            f"15 minutes apart ({code}).",
            state=state,
            next="Set this machine's clock, then: mlflowctl doctor",
        )
    return _refused(exc, doing, where, permission, state)


def _refused(exc: Exception, doing: str, where: str, permission: str, state: str) -> MlflowctlError:
    """The store knows who asks, and still did not do it."""
    code = code_of(exc)
    if code in DENIED:
        missing = f"it lacks {permission}" if permission else "it lacks the permission"
        return AccessError(
            f"Could not {doing}: {where} refuses it to this access key; {missing} ({code}).",
            state=state,
            next=f"Grant {permission or 'the permission'}, or use another key, then repeat the command.",
        )
    if code == "BucketAlreadyExists":
        return AccessError(
            f"Could not {doing}: a bucket of that name belongs to someone else at {where} ({code}).",
            state=state,
            next="Choose other bucket names for this context, then: mlflowctl config show",
        )
    if code == "NoSuchBucket":
        return UnavailableError(
            f"Could not {doing}: the bucket does not exist at {where} ({code}).",
            state=state,
            next="mlflowctl bootstrap",
        )
    if code in WRONG_REGION:
        return UsageError(
            f"Could not {doing}: the bucket is in another region than the settings say ({code}).",
            state=state,
            next=CONFIG,
        )
    if code in CONFLICT:
        return ConflictError(
            f"Could not {doing}: somebody else was changing the same thing ({code}).",
            state=state,
            next="Repeat the command.",
        )
    return _odd_answer(exc, code, doing, where, state)


def _odd_answer(exc: Exception, code: str, doing: str, where: str, state: str) -> MlflowctlError:
    response = getattr(exc, "response", {})
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if getattr(exc, "operation_name", "").startswith("Head"):
        return _bare(status, doing, where, state)
    if code.isdigit() or not code:  # what botocore makes of an answer without an S3 error document
        return not_s3(doing, where, state)
    if code in BUSY or status >= 500:
        return UnavailableError(
            f"Could not {doing}: {where} answers with an error of its own ({code}).", state=state, next=DOCTOR
        )
    return MlflowctlError(f"Could not {doing}: {where} answered {code}.", state=state, next=DOCTOR)


def _bare(status: int, doing: str, where: str, state: str) -> MlflowctlError:
    """The answer to a HEAD has no body, so the status is all there is."""
    if status in (401, 403):
        return AccessError(f"Could not {doing}: {where} refuses it ({status}).", state=state, next=CONFIG)
    if status == 404:
        return UnavailableError(f"Could not {doing}: it does not exist at {where}.", state=state, next=DOCTOR)
    return UnavailableError(f"Could not {doing}: {where} answered {status}.", state=state, next=DOCTOR)


def _unanswered(exc: Exception, doing: str, where: str, state: str) -> MlflowctlError:
    """No answer, no credentials, or an answer that is not S3."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    name = type(exc).__name__
    if isinstance(
        exc, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError
    ):
        return AccessError(
            f"Could not {doing}: no complete credentials were found ({name}).", state=state, next=CONFIG
        )
    if isinstance(exc, boto.ProfileNotFound | boto.SSOError | boto.TokenRetrievalError) or "Login" in name:
        return AccessError(
            f"Could not {doing}: the AWS login is missing or has expired ({name}).",
            state=state,
            next="Log in to AWS again, then repeat the command.",
        )
    if isinstance(exc, ResponseParserError):
        return not_s3(doing, where, state)
    if isinstance(exc, boto.SSLError):
        return UnavailableError(
            f"Could not {doing}: no trusted TLS connection to {where} ({name}).", state=state, next=CONFIG
        )
    if isinstance(exc, boto.HTTPClientError | boto.ConnectionError):
        return UnavailableError(
            f"Could not {doing}: {where} cannot be reached ({name}).", state=state, next=DOCTOR
        )
    return MlflowctlError(f"Could not {doing}: {name}.", state=state, next=DOCTOR)
