"""Environments in a checkout, and the command lines that Terraform gets."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mlflowctl.cloud import project, terraform
from mlflowctl.cloud.terraform import Terraform
from mlflowctl.errors import NotFoundError, UsageError

TFVARS = """
# a comment = "no"
environment = "prod"
region      = "eu-central-1" # where
size        = "large"        // how large
account_id  = "123456789012"
min_tasks   = 3
backup      = true
kms_key_arn = null
tags = {
  region = "not this one"
}
"""
# Prints its arguments and the variables that matter, one JSON object a line, then what the test wants.
FAKE = """#!/bin/sh
if [ "$1" = version ]; then echo '{"terraform_version": "VERSION"}'; exit 0; fi
printf '{"type": "line", "arguments": "%s", "data": "%s", "log": "%s"}\\n' "$*" "$TF_DATA_DIR" "$TF_LOG"
exit 2
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / project.ENVIRONMENTS
    folder.mkdir(parents=True)
    (folder / "prod.tfvars").write_text(TFVARS)
    (folder / "bare.tfvars").write_text('environment = "bare"\n')
    return tmp_path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A ``terraform`` that says what it was asked."""

    def install(version: str = "1.11.4") -> None:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        program.write_text(FAKE.replace("VERSION", version))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        terraform.binary.cache_clear()

    yield install
    terraform.binary.cache_clear()


def test_an_environment_is_a_file_and_is_found_from_any_folder_of_the_checkout(checkout: Path):
    found = project.find("prod", checkout / "infra" / "aws")
    assert found.title == "mlflow-prod"
    assert found.describe() == "environment prod (mlflow-prod in eu-central-1)"
    assert dict(found.values) == {
        "environment": "prod", "region": "eu-central-1", "size": "large", "account_id": "123456789012",
        "min_tasks": "3", "backup": "true",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["qa", "local", "compose", "../prod"])
def test_another_name_is_refused_with_those_that_exist(checkout: Path, name: str):
    with pytest.raises(NotFoundError) as refused:
        project.find(name, checkout)
    assert "Known here: bare, prod;" in refused.value.next


def test_no_environment_is_ever_guessed(checkout: Path):
    with pytest.raises(UsageError, match="never guesses one"):
        project.find(None, checkout)


def test_an_environment_without_a_region_says_what_to_write(checkout: Path):
    with pytest.raises(UsageError) as refused:
        _ = project.find("bare", checkout).region
    assert 'region = "eu-central-1"' in refused.value.next


def test_exported_variables_of_terraform_are_refused():
    project.refuse_exported_variables({"TF_CLI_CONFIG_FILE": "x", "AWS_REGION": "y"})
    with pytest.raises(UsageError) as refused:
        project.refuse_exported_variables({"TF_VAR_size": "large", "TF_VAR_a": "1"})
    assert refused.value.next.startswith("unset TF_VAR_a TF_VAR_size")


def lines(tmp_path: Path, run: str, **options: object) -> dict[str, str]:
    """What the fake Terraform was asked by one method."""
    bench = Terraform(tmp_path, tmp_path / "data", var_files=[tmp_path / "a.tfvars", tmp_path / "b.json"])
    events: list[dict[str, str]] = []
    if run == "init":
        answer = bench.init({"bucket": "b", "key": "k"})
        return dict(json.loads(answer.out))
    if run in ("show", "outputs"):
        answer = bench.show(tmp_path / "p") if run == "show" else bench.outputs()
        return dict(json.loads(answer.out))
    answer = (
        bench.apply(tmp_path / "p", events.append)
        if run == "apply"
        else bench.plan(tmp_path / "p", events.append, **options)  # type: ignore[arg-type]
    )
    assert answer.code == 2
    assert tuple(events) == answer.events, "each line is handed on as it comes"
    return events[0]


def test_each_command_is_what_a_careful_person_would_type(fake, tmp_path: Path):
    fake()
    t = tmp_path
    assert lines(t, "init")["arguments"].split() == [
        "init", "-no-color", "-input=false", "-lockfile=readonly", "-backend-config=bucket=b",
        "-backend-config=key=k", "-reconfigure", "-backend=true",
    ]  # fmt: skip
    planned = lines(t, "plan")["arguments"].split()
    assert planned[0] == "plan"
    assert {f"-var-file={t}/a.tfvars", f"-var-file={t}/b.json", f"-out={t}/p"} < set(planned)
    assert {"-json", "-input=false", "-detailed-exitcode"} < set(planned)
    assert "-destroy" not in planned
    assert "-destroy" in lines(t, "plan", destroy=True)["arguments"].split()
    applied = lines(t, "apply")["arguments"].split()
    assert applied[-1] == f"{t}/p", "nothing but the saved plan is ever applied"
    assert not [one for one in applied if one.startswith("-var")]
    assert lines(t, "show")["arguments"] == f"show -json -no-color {t}/p"
    assert lines(t, "outputs")["arguments"] == "output -json -no-color"


def test_what_would_change_a_command_unseen_or_log_secrets_is_dropped(fake, tmp_path, monkeypatch):
    fake()
    for name in ("TF_LOG", "TF_CLI_ARGS_plan", "TF_WORKSPACE", "TF_DATA_DIR"):
        monkeypatch.setenv(name, "trace")
    said = lines(tmp_path, "plan")
    assert (said["data"], said["log"]) == (str(tmp_path / "data"), "")
    kept = terraform.environment(tmp_path)
    assert {"TF_CLI_ARGS_plan", "TF_WORKSPACE", "TF_LOG"} & set(kept) == set()


def test_a_misspelt_method_is_an_error_and_no_command_of_terraform(fake, tmp_path: Path):
    fake()
    bench = Terraform(tmp_path, tmp_path / "data", var_files=[])
    with pytest.raises(AttributeError):
        _ = bench._runner.aplly  # the library would run `terraform aplly`


def test_a_terraform_that_would_write_passwords_into_its_state_is_refused(fake):
    fake("1.10.5")
    with pytest.raises(UsageError, match=r"Terraform 1\.10 is too old"):
        terraform.binary()


def test_without_terraform_the_place_to_get_it_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    terraform.binary.cache_clear()
    with pytest.raises(UsageError, match="not installed"):
        terraform.binary()
