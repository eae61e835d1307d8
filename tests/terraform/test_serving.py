"""modules/serving: its own tests, its examples, checkov; and one environment that serves a model, for real.

The environment is one story on one emulator: apply, reach, move the weights with the tool, an empty plan, a
clean destroy. Network and database are there already, since RDS alone takes a minute and a half to make.
What the emulator cannot tell (real shares, draining, a cold start) stands in docs/verified.md.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlflowctl.cloud import published, status, weights
from mlflowctl.errors import UnavailableError
from tests.terraform import checkov_cli, plans
from tests.terraform.emulator import REGION, Emulator
from tests.terraform.iam_policies import Policy, problems
from tests.terraform.reachability import Network, Way
from tests.terraform.serving_story import MODEL, Serving, existing, told, variables
from tests.terraform.terraform_cli import printed, terraform

ROOT = Path(__file__).resolve().parents[2]
MODULE = "serving"
CIDR = "172.31.0.0/16"  # of the emulator's own VPC
# Access logs (91) go where the account says; the others are of the modules in the example.
MAY_BE_SKIPPED = {"CKV_AWS_91", "CKV_AWS_150", "CKV_AWS_18", "CKV_AWS_144", "CKV2_AWS_57", "CKV2_AWS_62"}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory, needs_terraform: str) -> Path:
    """A copy of all modules: Terraform leaves files behind."""
    copy = tmp_path_factory.mktemp("copy") / "modules"
    shutil.copytree(ROOT / "modules", copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    return copy


def test_formatted(needs_terraform: str) -> None:
    terraform(ROOT / "modules" / MODULE, "fmt", "-check", "-recursive", "-diff")


def test_valid_and_its_own_tests_pass(modules: Path) -> None:
    terraform(modules / MODULE, "init")
    terraform(modules / MODULE, "validate")
    done = terraform(modules / MODULE, "test")
    assert ", 0 failed" in done.stdout, printed(done)


def test_checkov_finds_nothing(needs_terraform: str) -> None:
    failed, skipped = checkov_cli.scan(ROOT / "modules" / MODULE)
    assert not failed
    assert {one.check for one in skipped} <= MAY_BE_SKIPPED
    assert not [one for one in skipped if len(one.reason) < 20]


# The story of one environment


@pytest.fixture(scope="module")
def serving(needs_terraform: str, aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Serving:
    """The environment, applied once for all tests; its last test destroys it."""
    made, there = plans.checkout(tmp_path_factory.mktemp("serving"), aws), existing(aws)
    made.environment_file("live", variables(there))
    root = made.folder / "infra" / "aws"
    env = aws.environment() | {"TF_DATA_DIR": str(plans.initialise(made, "live"))}
    terraform(root, "apply", "-auto-approve", "-parallelism=20", "-var-file=envs/live.tfvars", env=env)
    shared = {"listener": there["listener"], "group": there["shared"]}
    return Serving(root, env, aws, there["postgres"], shared)


@pytest.fixture
def here(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> published.Published:
    """What any machine with credentials finds out about the environment."""
    for name, value in serving.aws.environment().items():
        monkeypatch.setenv(name, value)
    return published.get("live", REGION)


def test_the_environment_publishes_what_the_tool_needs(serving: Serving, here: published.Published) -> None:
    assert set(here.serving) == {MODEL, "digits"}
    fraud, digits = here.serving[MODEL], here.serving["digits"]
    assert (fraud.url, digits.url) == ("https://fraud.example.com", "https://digits.example.com")
    assert (fraud.cluster, fraud.services) == (
        "mlflow-live",
        {"champion": "mlflow-live-fraud-champion", "challenger": "mlflow-live-fraud-challenger"},
    )
    assert {group.split("/")[-2][:6] for group in fraud.groups.values()} == {"fra-a-", "fra-b-"}
    ecs = serving.aws.client("ecs")
    names = [*fraud.services.values(), *digits.services.values()]
    assert len(ecs.describe_services(cluster=fraud.cluster, services=names)["services"]) == 4
    assert weights.read_weights(here, MODEL) == weights.read_weights(here, "digits") == 0.0


def test_nothing_but_the_load_balancer_reaches_the_model_servers(serving: Serving) -> None:
    network = Network(serving.state())
    models, own = network.groups_of("aws_ecs_service", "model"), network.groups_of("aws_lb", "model")
    assert (len(models), len(own)) == (2, 1), "one group for the servers of each model"
    balancers = own | {serving.shared["group"]}
    into = {group: network.ways_into({group}) for group in models}
    assert {way.source for ways in into.values() for way in ways} == balancers
    assert {(way.first, way.last) for ways in into.values() for way in ways} == {(8080, 8080)}
    assert [len(ways) for ways in into.values()] == [1, 1]
    assert network.ways_into(own) == {Way(CIDR, 80, 80), Way(CIDR, 443, 443)}
    assert all(one["internal"] for one in network.instances("aws_lb", "model"))
    for one in network.instances("aws_ecs_service", "model"):
        assert [inner["assign_public_ip"] for inner in one["network_configuration"]] == [False]


def test_nothing_new_reaches_the_database_and_models_reach_mlflow(serving: Serving) -> None:
    network = Network(serving.state())
    models = network.groups_of("aws_ecs_service", "model")
    server, entry = network.groups_of("aws_ecs_service", "server"), network.groups_of("aws_lb", "server")
    assert network.ways_into({serving.database_group}) == {Way(*server, 5432, 5432)}
    assert not models & (server | entry | {serving.database_group})
    assert network.ways_into(server) == {Way(*entry, 5000, 5000)}
    assert {Way(group, 443, 443) for group in models} <= network.ways_into(entry)
    for group in models:
        assert network.ways_out_of(group) == {Way("0.0.0.0/0", 443, 443), Way(*entry, 443, 443)}


def test_the_tool_moves_the_weights_and_the_next_plan_is_empty(
    serving: Serving, here: published.Published
) -> None:
    assert serving.plan()[0] == 0, "after the apply there is nothing to do"
    with pytest.raises(UnavailableError, match="its share of the requests would be answered 503"):
        weights.set_weights(here, MODEL, 0.05)
    elb = serving.aws.client("elbv2")
    for model in here.serving:
        elb.register_targets(
            TargetGroupArn=here.serving[model].groups["challenger"], Targets=[{"Id": "172.31.0.9"}]
        )
    weights.set_weights(here, MODEL, 0.05, sticky=True)
    weights.set_weights(here, "digits", 0.25)
    assert weights.read_weights(here, MODEL) == pytest.approx(0.05)
    assert weights.read_weights(here, "digits") == pytest.approx(0.25)
    parts = {one.name: one for one in status.look(here)}
    champion, challenger = parts[f"champion of {MODEL}"], parts[f"challenger of {MODEL}"]
    assert champion.ok
    assert (
        champion.detail
        == "2 of 2 tasks run, mlflow-live-fraud-champion:1, rollout completed, 95.0% of the requests"
    )
    assert challenger.detail.endswith(", 5.0% of the requests")
    code, said = serving.plan()
    assert code == 0, said
    assert weights.read_weights(here, MODEL) == pytest.approx(0.05)


def test_an_apply_in_the_middle_of_a_live_test_leaves_the_share(
    serving: Serving, here: published.Published
) -> None:
    weights.set_weights(here, "digits", 0.25)
    file = serving.root / "envs" / "live.tfvars"
    text = file.read_text()
    file.write_text(
        text.replace('domain_name      = "digits', 'drain_seconds = 90\n    domain_name      = "digits')
    )
    arguments = ("-auto-approve", "-parallelism=20", "-var-file=envs/live.tfvars")
    said = printed(terraform(serving.root, "apply", *arguments, env=serving.env))
    assert 'module.serving["digits"].aws_lb_target_group.model["champion"]: Modifications complete' in said
    assert weights.read_weights(here, "digits") == pytest.approx(0.25)


def test_the_rights_to_move_weights_are_for_these_rules_alone(
    serving: Serving, here: published.Published
) -> None:
    outputs = json.loads(terraform(serving.root, "output", "-json", env=serving.env).stdout)
    rules = {model: one.rule for model, one in here.serving.items()}
    promoter = Policy.of(outputs["policies"]["value"]["promoter"])
    controllers = {model: Policy.of(text) for model, text in outputs["traffic_policies"]["value"].items()}
    move = "elasticloadbalancing:ModifyRule"
    for model, rule in rules.items():
        assert promoter.allows(move, rule)
        assert controllers[model].allows(move, rule)
        assert controllers[model].allows("elasticloadbalancing:DescribeRules")
        assert controllers[model].allows("elasticloadbalancing:DescribeTargetHealth")
        assert not promoter.allows(move, rule[:-1] + "x")
        for action in (
            "DeleteRule",
            "ModifyListener",
            "SetRulePriorities",
            "RegisterTargets",
            "ModifyTargetGroup",
        ):
            assert not controllers[model].allows(f"elasticloadbalancing:{action}", rule)
    assert not controllers[MODEL].allows(move, rules["digits"])
    for role in ("reader", "trainer"):
        assert not Policy.of(outputs["policies"]["value"][role]).allows(move, rules[MODEL])


def test_aws_knows_every_right_of_the_roles(serving: Serving) -> None:
    texts = [one["policy"] for one in Network(serving.state()).instances("aws_iam_role_policy")]
    texts += json.loads(
        terraform(serving.root, "output", "-json", "traffic_policies", env=serving.env).stdout
    ).values()
    assert len(texts) >= 8
    statements = [one for text in texts for one in json.loads(text)["Statement"]]
    assert not [f"{one['Sid']}: {problem}" for one in statements for problem in problems(one)]


def test_destroy_leaves_nothing(serving: Serving) -> None:
    """The last chapter: rules with weights of the tool's go, too; what was there before stays."""
    arguments = ("-auto-approve", "-parallelism=20", "-var-file=envs/live.tfvars")
    terraform(serving.root, "destroy", *arguments, "-var=danger_force_destroy=true", env=serving.env)
    assert serving.state()["resources"] == []
    elb = serving.aws.client("elbv2")
    assert [one["LoadBalancerName"] for one in elb.describe_load_balancers()["LoadBalancers"]] == ["shared"]
    assert elb.describe_target_groups()["TargetGroups"] == []
    rules = elb.describe_rules(ListenerArn=serving.shared["listener"])["Rules"]
    assert [one["IsDefault"] for one in rules] == [True]


@pytest.mark.parametrize("example", ["internal", "existing-load-balancer"])
def test_example_plans(example: str, modules: Path, aws: Emulator) -> None:
    """The environment above makes the same resources; here the examples themselves are planned."""
    folder, there = modules / MODULE / "examples" / example, told(aws, example)
    (folder / "test.auto.tfvars.json").write_text(json.dumps(there))
    terraform(folder, "init")
    said = terraform(folder, "plan", env=aws.environment()).stdout
    assert "module.serving.aws_lb_listener_rule.traffic will be created" in said
