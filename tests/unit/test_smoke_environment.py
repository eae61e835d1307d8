"""Which variables MLflow's client sees during a smoke test: those of the context, and no others."""

from __future__ import annotations

import os

from mlflowctl.client_environment import variables
from mlflowctl.settings import Context, Login
from mlflowctl.storage.settings import S3Settings

EXPORTED = {
    "PATH": "/bin",
    "MLFLOW_TRACKING_URI": "http://elsewhere.example",
    "MLFLOW_TRACKING_USERNAME": "ann",
    "MLFLOW_TRACKING_PASSWORD": "hidden",
    "MLFLOW_EXPERIMENT_NAME": "mine",
    "MLFLOW_RUN_ID": "abc",
    "AWS_ACCESS_KEY_ID": "EXPORTED",
    "AWS_PROFILE": "production",
    "HTTP_PROXY": "http://proxy.example:3128",
    "NO_PROXY": "intranet.example",
}
KEYS = S3Settings("http://127.0.0.1:9000", access_key_id="OURS", secret_access_key="secret")


def made(name="local", s3=None):
    return variables(Context(name, "a test", "http://127.0.0.1:5000", s3=s3), EXPORTED)


def test_exported_variables_of_mlflow_and_aws_do_not_reach_the_client():
    found = made()
    assert found["MLFLOW_TRACKING_URI"] == found["MLFLOW_REGISTRY_URI"] == "http://127.0.0.1:5000"
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_PASSWORD", "AWS_PROFILE"):
        assert name not in found
    assert "AWS_ACCESS_KEY_ID" not in found
    assert found["PATH"] == "/bin"


def test_keys_of_the_context_shut_out_the_aws_chain():
    found = made(s3=KEYS)
    assert found["AWS_ACCESS_KEY_ID"] == "OURS"
    assert found["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:9000"
    assert found["AWS_SHARED_CREDENTIALS_FILE"] == found["AWS_CONFIG_FILE"] == os.devnull
    assert "AWS_PROFILE" not in found


def test_without_keys_the_aws_chain_is_the_context():
    assert made(s3=S3Settings(None, owned=False))["AWS_PROFILE"] == "production"


def test_the_login_is_the_contexts():
    context = Context("client", "a test", "http://127.0.0.1:5000", login=Login("bea", "also hidden"))
    found = variables(context, EXPORTED)
    assert (found["MLFLOW_TRACKING_USERNAME"], found["MLFLOW_TRACKING_PASSWORD"]) == ("bea", "also hidden")
    assert "MLFLOW_RUN_ID" not in found
    assert "MLFLOW_TRACKING_USERNAME" not in made("client")


def test_loopback_never_goes_through_a_proxy():
    assert made()["NO_PROXY"] == "intranet.example,127.0.0.1,localhost,::1"


def test_a_dead_server_is_not_waited_for():
    found = made()
    assert int(found["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) <= 1
    assert int(found["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 30
