"""Errors that SeaweedFS cannot be brought to give, built by hand from AWS's documented answers."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError, TokenRetrievalError

from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, UnavailableError, UsageError
from mlflowctl.storage import s3_errors, translate


def answered(code: str, status: int = 403, operation: str = "GetObject") -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "StringToSign: do-not-print"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (answered("BucketAlreadyExists", 409), AccessError, "belongs to someone else"),
        (answered("ExpiredToken", 400), AccessError, "expired"),
        (answered("PermanentRedirect", 301), UsageError, "another region"),
        (answered("OperationAborted", 409), ConflictError, "somebody else was changing"),
        (answered("PreconditionFailed", 412), ConflictError, "somebody else was changing"),
        (answered("SlowDown", 503), UnavailableError, "error of its own"),
        (answered("503", 503), UnavailableError, "not as S3 does"),
        (answered("NoSuchBucket", 404), UnavailableError, "does not exist"),
        (answered("404", 404, "HeadObject"), UnavailableError, "does not exist"),
        (answered("403", 403, "HeadBucket"), AccessError, "refuses"),
        (answered("EntityTooLarge", 400), MlflowctlError, "EntityTooLarge"),
        (TokenRetrievalError(provider="sso", error_msg="x"), AccessError, "login"),
        (ReadTimeoutError(endpoint_url="http://s"), UnavailableError, "cannot be reached"),
    ],
)
def test_each_answer_in_its_own_words(error, kind, says):
    told = translate(error, doing="read the lease", where="AWS S3 in eu-west-1")

    assert type(told) is kind
    assert told.what.startswith("Could not read the lease: ")
    assert says in told.what
    assert told.state == "Nothing was changed."
    assert told.next
    assert "do-not-print" not in repr(told.as_dict())


def test_the_permission_that_is_missing_is_named_with_the_state_the_caller_knows():
    with pytest.raises(AccessError, match="s3:PutObject") as caught:
        with s3_errors("append", where="S3", permission="s3:PutObject", state="The intent is in the ledger."):
            raise answered("AccessDenied")

    assert caught.value.state == "The intent is in the ledger."


def test_other_exceptions_pass_untouched():
    with pytest.raises(KeyError):
        with s3_errors("append", where="S3"):
            raise KeyError("x")
