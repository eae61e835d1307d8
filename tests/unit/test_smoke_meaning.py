"""What the failures of MLflow's client mean, in texts as they were really answered."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException, RestException

from mlflowctl.errors import AccessError, MlflowctlError, UnavailableError
from mlflowctl.smoke.meaning import explain, is_missing, short

URI = "http://127.0.0.1:5000"


class Answer:
    def __init__(self, status: int, text: str) -> None:
        self.status_code, self.text = status, text


def http_error(status: int, text: str) -> Exception:
    import requests

    return requests.HTTPError(f"{status} Client Error", response=Answer(status, text))


NO_BUCKET = (
    '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Failed to list artifacts in s3://b: '
    'The specified bucket does not exist"}'
)
BAD_SECRET = (
    '{"error_code": "UNAUTHENTICATED", "message": "Failed to list artifacts in s3://mlflow-artifacts: The '
    "request signature we calculated does not match the signature you provided. Check your key and signing "
    'method."}'
)


@pytest.mark.parametrize(
    ("exc", "kind", "what", "next_"),
    [
        (http_error(404, NO_BUCKET), UnavailableError, "the artifact bucket does not exist", "bootstrap"),
        (http_error(401, BAD_SECRET), AccessError, "refuses the credentials of the MLflow server", "restart"),
        (
            MlflowException("… (Caused by ResponseError('too many 503 error responses'))"),
            UnavailableError,
            "answers HTTP 503",
            "doctor",
        ),
        (
            MlflowException(
                "API request to endpoint /api/2.0/x failed with error code 403 != 200. Response body: "
                "'Invalid Host header - possible DNS rebinding attack detected'"
            ),
            AccessError,
            "does not accept this host name",
            "allowed",
        ),
        (
            MlflowException("Max retries exceeded (Caused by NewConnectionError('Connection refused'))"),
            UnavailableError,
            "does not answer",
            "status",
        ),
        (ValueError("odd\nmore"), MlflowctlError, "ValueError: odd", "doctor"),
    ],
)
def test_the_meaning_and_the_next_command(exc, kind, what, next_):
    error = explain(exc, doing="store a small artifact", uri=URI)
    assert isinstance(error, kind)
    assert what in error.what
    assert next_ in error.next


def test_a_typed_error_stays_as_it_is():
    error = AccessError("no", next="mlflowctl config show")
    assert explain(error, doing="x", uri=URI) is error


def test_missing_things_are_told_from_refusals():
    missing = RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"})
    assert is_missing(missing)
    assert not is_missing(RestException({"error_code": "BAD_REQUEST", "message": "refused"}))


def test_long_texts_are_cut_to_their_first_line():
    assert short("\n  first line  \nsecond") == "first line"
    assert len(short("x" * 1000)) == 300
