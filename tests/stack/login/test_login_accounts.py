"""Adding, changing and removing users: what counts at once, what is told, and what never shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError
from dotenv import dotenv_values
from login_world import ROLES, Api, User, unique
from tests.stack.commands import Done
from tests.stack.conftest import Stack

from mlflowctl.settings import Login
from mlflowctl.storage.client import client
from mlflowctl.storage.settings import S3Settings

Cli = Callable[..., Done]
ENOUGH = 20  # requests that surely reach both workers


def add(stack: Stack, cli: Cli, folder: Path, role: str) -> User:
    name = unique("user")
    done = cli("user", "add", name, "--role", role, "--to", str(folder / name))
    assert done.code == 0, done.err
    variables = {key: value or "" for key, value in dotenv_values(folder / name).items()}
    return User(stack, Login(name, variables["MLFLOW_TRACKING_PASSWORD"]), variables)


def statuses(api: Api, times: int = ENOUGH) -> set[int]:
    """What requests on new connections are answered, through Flask and through FastAPI."""
    found = {api.get("experiments/search", max_results=1).status_code for _ in range(times)}
    return found | {api.get("/api/2.0/mlflow-artifacts/artifacts/0/none").status_code for _ in range(4)} - {
        404,
        500,
    }


@pytest.mark.parametrize("login", [Login("admin", "not the password"), Login("who-is-that", "x" * 20)])
def test_a_wrong_name_or_password_is_refused_everywhere(guarded: Stack, cli: Cli, login: Login) -> None:
    api = Api(guarded.uri, login)
    assert statuses(api, 2) == {401}
    assert api.upload("0/x").status_code == 401
    said = {
        "MLFLOW_TRACKING_URI": guarded.uri,
        "MLFLOW_TRACKING_USERNAME": login.username,
        "MLFLOW_TRACKING_PASSWORD": login.password,
    }
    done = cli("model", "status", env={**said, "MLFLOWCTL_DATA_DIR": ""})
    assert done.code == 1
    assert "lets nobody in under this name and password (HTTP 401)" in done.err
    assert login.password not in done.err


def test_a_new_password_counts_at_once_in_every_worker(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user = add(guarded, cli, tmp_path, "reader")
    assert statuses(user.api) == {200}
    done = cli("user", "password", user.login.username, "--to", str(tmp_path / user.login.username))
    assert done.code == 0, done.err
    assert statuses(user.api) == {401}
    after = dotenv_values(tmp_path / user.login.username)
    new = Login(user.login.username, str(after["MLFLOW_TRACKING_PASSWORD"]))
    assert statuses(Api(guarded.uri, new)) == {200}
    assert after["AWS_ACCESS_KEY_ID"] == user.variables["AWS_ACCESS_KEY_ID"], "the keys were not kept"


def test_a_user_may_change_the_own_password_only(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user, other = (add(guarded, cli, tmp_path, "reader") for _ in range(2))
    body = {"password": "another password", "current_password": user.login.password}
    assert user.api.patch("users/update-password", username=other.login.username, **body).status_code == 403
    assert user.api.patch("users/update-password", username=user.login.username, **body).ok
    assert statuses(user.api) == {401}


def test_a_removed_user_is_out_at_once_everywhere(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user = add(guarded, cli, tmp_path, "promoter")
    assert statuses(user.api) == {200}
    user.bucket.list_objects_v2(Bucket="mlflow-artifacts", MaxKeys=1)
    done = cli("user", "remove", user.login.username, "--yes")
    assert done.code == 0, done.err
    assert statuses(user.api) == {401}
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        user.bucket.list_objects_v2(Bucket="mlflow-artifacts", MaxKeys=1)
    again = cli("user", "remove", user.login.username, "--yes")
    assert again.code == 2
    assert "There is no user" in again.err


def test_a_name_that_is_used_again_inherits_nothing(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user = add(guarded, cli, tmp_path, "promoter")
    made = user.api.post("experiments/create", name=unique("own")).json()["experiment_id"]
    name = user.login.username
    assert cli("user", "remove", name, "--yes").code == 0
    file = tmp_path / "again"
    assert cli("user", "add", name, "--role", "reader", "--to", str(file)).code == 0
    variables = {key: value or "" for key, value in dotenv_values(file).items()}
    again = User(guarded, Login(name, variables["MLFLOW_TRACKING_PASSWORD"]), variables)
    assert again.api.post("experiments/delete", experiment_id=made).status_code == 403
    with pytest.raises(ClientError, match="AccessDenied"):
        again.bucket.put_object(Bucket="mlflow-registry", Key="ledger/x/1.json", Body=b"x")


def test_another_role_counts_at_once_on_both_sides(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user = add(guarded, cli, tmp_path, "promoter")

    def may_decide() -> tuple[set[int], bool]:
        alias = {"name": "no-such-model", "alias": "a"}
        answers = {user.api.delete("registered-models/alias", **alias).status_code for _ in range(ENOUGH)}
        try:
            user.bucket.put_object(Bucket="mlflow-registry", Key=f"leases/{user.login.username}", Body=b"x")
        except ClientError:
            return answers, False
        return answers, True

    assert may_decide() == ({404}, True)
    for role, expected in (
        ("trainer", ({403}, False)),
        ("promoter", ({404}, True)),
        ("reader", ({403}, False)),
    ):
        done = cli("user", "role", user.login.username, "--role", role)
        assert done.code == 0, done.err
        assert may_decide() == expected
    assert "Nothing to do" in cli("user", "role", user.login.username, "--role", "reader").out


def test_new_keys_end_the_old_ones(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    user = add(guarded, cli, tmp_path, "trainer")
    file = tmp_path / user.login.username
    assert cli("user", "keys", user.login.username, "--to", str(file)).code == 0
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        user.bucket.list_objects_v2(Bucket="mlflow-artifacts", MaxKeys=1)
    fresh = {key: value or "" for key, value in dotenv_values(file).items()}
    assert fresh["MLFLOW_TRACKING_PASSWORD"] == user.login.password
    User(guarded, user.login, fresh).bucket.put_object(Bucket="mlflow-artifacts", Key="0/k", Body=b"x")


WRONG = [
    (["add", "a-reader", "--role", "reader", "--print"], "There is a user 'a-reader' already"),
    (["add", "new", "--role", "king", "--print"], "There is no role 'king'"),
    (["add", "with space", "--role", "reader", "--print"], "cannot be the name of a user"),
    (["add", "-x", "--role", "reader", "--print"], "-x"),
    (["add", "new", "--role", "reader"], "say where they go"),
    (["add", "new", "--role", "reader", "--to", "/dev/null"], "is there already"),
    (["add", "new", "--role", "reader", "--print", "--password-file", "/dev/null"], "shorter than 12"),
    (["role", "nobody-at-all", "--role", "reader"], "There is no user 'nobody-at-all'"),
    (["role", "admin", "--role", "reader"], "is an administrator"),
    (["password", "admin", "--print"], "is the login that this context itself uses"),
    (["remove", "admin", "--yes"], "is the login that this context itself uses"),
    (["remove", "a-reader"], "Add --yes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda one: " ".join(one) if isinstance(one, list) else ""
)
def test_what_is_refused_and_why(users: dict[str, User], cli: Cli, arguments: list[str], said: str) -> None:
    before = cli("user", "list").out
    done = cli("user", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err
    assert cli("user", "list").out == before


def test_a_dry_run_makes_nobody(guarded: Stack, cli: Cli) -> None:
    done = cli("user", "add", "planned", "--role", "reader", "--dry-run", "--exit-code")
    assert (done.code, "user planned" in done.out) == (6, True)
    assert "planned" not in cli("user", "list").out


def test_printed_once_and_never_again(guarded: Stack, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("chosen by a person\n")
    name = unique("printed")
    answer = cli(
        "user",
        "add",
        name,
        "--role",
        "trainer",
        "--print",
        "--json",
        "--password-file",
        str(tmp_path / "password"),
    )
    shown = {one["name"]: one["value"] for one in answer.expect().json["result"]["variables"]}
    assert shown["MLFLOW_TRACKING_PASSWORD"] == "chosen by a person"
    for words in (["user", "list", "--json"], ["status", "--json"], ["config", "show"], ["doctor", "--json"]):
        text = cli(*words).out
        assert shown["MLFLOW_TRACKING_PASSWORD"] not in text
        assert shown["AWS_SECRET_ACCESS_KEY"] not in text
    row = next(one for one in cli("user", "list", "--json").json["result"]["users"] if one["name"] == name)
    assert row == {"name": name, "role": "trainer", "roles": ["trainer"], "bucket_keys": True}


def test_no_secret_in_argv_environment_or_logs(guarded: Stack, cli: Cli, users: dict[str, User]) -> None:
    files = ("mlflow-admin.password", "mlflow-session.key")
    kept = [(guarded.layout.secrets / name).read_text().strip() for name in files]
    kept += [user.login.password for user in users.values()]
    kept += [users[role].variables["AWS_SECRET_ACCESS_KEY"] for role in ROLES]
    for name in files:
        assert (guarded.layout.secrets / name).stat().st_mode & 0o777 == 0o600
    for log in guarded.layout.logs.iterdir():
        text = log.read_text(errors="replace")
        assert not [one for one in kept if one in text], log
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        assert not [one for one in kept if one in line]
        if str(guarded.layout.root) in line or str(guarded.layout.root) in str(process.info["cwd"]):
            try:
                environment = Path(f"/proc/{process.pid}/environ").read_text(errors="replace")
            except OSError:
                continue
            assert not [one for one in kept if one in environment], line
    ini = (guarded.layout.scratch / "mlflow-login.ini").read_text()
    assert "password" not in ini.replace("admin_password", "password") or not [
        one for one in kept if one in ini
    ]


ARTIFACTS, REGISTRY = "mlflow-artifacts", "mlflow-registry"
KEYED = {
    "read artifacts": ("reader", lambda s3: s3.list_objects_v2(Bucket=ARTIFACTS, MaxKeys=1)),
    "read registry": ("reader", lambda s3: s3.list_objects_v2(Bucket=REGISTRY, MaxKeys=1)),
    "write artifacts": ("trainer", lambda s3: s3.put_object(Bucket=ARTIFACTS, Key="0/keyed", Body=b"x")),
    "write the ledger": ("promoter", lambda s3: s3.put_object(Bucket=REGISTRY, Key="ledger/k/1", Body=b"x")),
    "write a lease": ("promoter", lambda s3: s3.put_object(Bucket=REGISTRY, Key="leases/k.json", Body=b"x")),
    "write evidence": ("promoter", lambda s3: s3.put_object(
        Bucket=REGISTRY, Key="evidence/k/1/e", Body=b"x")),
    "write elsewhere": ("admin", lambda s3: s3.put_object(Bucket=REGISTRY, Key="ledgers/k", Body=b"x")),
    "delete from the ledger": ("admin", lambda s3: s3.delete_object(Bucket=REGISTRY, Key="ledger/k/1")),
    "delete evidence": ("admin", lambda s3: s3.delete_object(Bucket=REGISTRY, Key="evidence/k/1/e")),
    "delete an artifact": ("admin", lambda s3: s3.delete_object(Bucket=ARTIFACTS, Key="0/keyed")),
    "end versioning": ("admin", lambda s3: s3.put_bucket_versioning(
        Bucket=REGISTRY, VersioningConfiguration={"Status": "Suspended"})),
    "end the lifecycle": ("admin", lambda s3: s3.delete_bucket_lifecycle(Bucket=REGISTRY)),
    "set a policy": ("admin", lambda s3: s3.put_bucket_policy(Bucket=REGISTRY, Policy="{}")),
    "tag an object": ("admin", lambda s3: s3.put_object_tagging(
        Bucket=ARTIFACTS, Key="0/keyed", Tagging={"TagSet": []})),
    "make a bucket": ("admin", lambda s3: s3.create_bucket(Bucket="another-bucket")),
    "drop a bucket": ("admin", lambda s3: s3.delete_bucket(Bucket=REGISTRY)),
}  # fmt: skip
RANK = ["reader", "trainer", "promoter", "admin"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("what", KEYED)
def test_what_each_roles_keys_open(what: str, role: str, users: dict[str, User]) -> None:
    least, act = KEYED[what]
    if RANK.index(role) >= RANK.index(least):
        act(users[role].bucket)
        return
    with pytest.raises(ClientError, match="AccessDenied"):
        act(users[role].bucket)


def test_the_servers_own_keys_do_not_reach_the_ledger(guarded: Stack, cli: Cli) -> None:
    from mlflowctl.stack import secrets

    keys = secrets.s3_keys(guarded.layout, secrets.s3_server_credentials(guarded.layout))
    endpoint = guarded.context.s3.endpoint_url
    s3 = client(
        S3Settings(endpoint, access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key)
    )
    s3.put_object(Bucket=ARTIFACTS, Key="0/server", Body=b"x")
    for act in (
        lambda: s3.put_object(Bucket=REGISTRY, Key="ledger/k/1", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket=REGISTRY),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            act()


def test_env_hands_out_the_administrators_login(guarded: Stack, cli: Cli) -> None:
    shown = json.loads(cli("env", "--format", "json").out)
    login = Login(shown["MLFLOW_TRACKING_USERNAME"], shown["MLFLOW_TRACKING_PASSWORD"])
    assert login == guarded.context.login
    assert Api(shown["MLFLOW_TRACKING_URI"], login).send("GET", "/version").ok


def test_policy_is_printed_for_other_stores(guarded: Stack, cli: Cli) -> None:
    document = json.loads(cli("user", "policy", "promoter").out)
    assert {one["Sid"] for one in document["Statement"]} >= {"WriteArtifacts", "WriteRegistry"}
