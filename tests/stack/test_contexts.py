"""A context is chosen first, and every connection setting comes from it alone."""

from __future__ import annotations

import pytest

from tests.stack.conftest import clean_environment, run_cli

pytestmark = pytest.mark.stack


def settings(stack, *arguments, env=None):
    envelope = stack.json("config", "show", *arguments, env=env)
    return {row["name"]: row for row in envelope["result"]["settings"]}


def test_each_value_is_shown_with_its_source_and_secrets_are_not(stack):
    shown = settings(stack)
    assert shown["tracking_uri"]["value"] == stack.uri
    assert shown["tracking_uri"]["source"].endswith("stack.json")
    assert shown["s3_secret_access_key"]["value"] == "(set, not shown)"
    assert shown["s3_region"]["source"] == "default"


def test_a_variable_that_contradicts_a_named_stack_is_refused(stack):
    for variable, value in (
        ("MLFLOW_TRACKING_URI", "http://elsewhere:5000"),
        ("AWS_SECRET_ACCESS_KEY", "another secret"),
        ("MLFLOW_S3_ENDPOINT_URL", "http://elsewhere:9000"),
    ):
        refused = stack.cli("config", "show", env={variable: value})
        assert refused.returncode == 2
        assert f"{variable} is exported and contradicts" in refused.stderr
        assert f"unset {variable}" in refused.stderr
        assert "another secret" not in refused.stderr


def test_a_variable_that_agrees_is_welcome(stack):
    assert stack.cli("config", "show", env={"MLFLOW_TRACKING_URI": stack.uri + "/"}).returncode == 0


def test_exported_client_variables_are_a_context_of_their_own(stack):
    environment = clean_environment(
        MLFLOW_TRACKING_URI=stack.uri,
        MLFLOW_S3_ENDPOINT_URL=stack.context.s3.endpoint_url,
        AWS_ACCESS_KEY_ID=stack.context.s3.access_key_id,
        AWS_SECRET_ACCESS_KEY=stack.context.s3.secret_access_key,
    )
    shown = run_cli("config", "show", env=environment)
    assert shown.returncode == 0
    assert "exported client variables" in shown.stdout
    assert "MLFLOW_S3_ENDPOINT_URL" in shown.stdout
    assert stack.context.s3.secret_access_key not in shown.stdout


def test_two_running_stacks_and_none_named_is_refused_with_both_listed(stack, new_stack):
    own = new_stack()
    refused = run_cli("config", "show", env=clean_environment())
    assert refused.returncode == 2
    assert "stacks are running here and none was named" in refused.stderr
    assert str(own.layout.root) in refused.stderr
    assert str(stack.layout.root) in refused.stderr


@pytest.mark.parametrize("arguments", [("--context", "prod"), ()])
def test_an_unknown_context_is_refused(stack, arguments):
    env = {} if arguments else {"MLFLOWCTL_CONTEXT": "prod"}
    refused = stack.cli("config", "show", *arguments, env=env)
    assert refused.returncode == 2
    assert "There is no context 'prod'" in refused.stderr
    assert "local" in refused.stderr


def test_options_before_and_behind_the_command_mean_the_same(stack):
    environment = clean_environment()
    folder = str(stack.layout.root)
    before = run_cli("--data-dir", folder, "config", "show", "--json", env=environment)
    behind = run_cli("config", "show", "--data-dir", folder, "--json", env=environment)
    assert before.stdout == behind.stdout
    assert before.returncode == 0
