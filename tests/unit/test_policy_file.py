"""A policy file becomes policies; the documented example is the test of the schema and of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.unit import reference

from mlflowctl.errors import UsageError
from mlflowctl.registry import policy_file, policy_problems
from mlflowctl.registry.live_policy import ERROR_RATE, Live, LiveMetric, RampStep
from mlflowctl.registry.policy import Business, Checks, Holdout, Metric, Policy
from mlflowctl.registry.policy_rules import DIRECTIONS

DOCS = reference.ROOT / "docs"
EXAMPLE = DOCS / "examples" / "promotion.yaml"
FULL = Policy(
    model="demo-breast-cancer",
    digest="",
    holdout=Holdout("holdout.csv", "target"),
    metrics=(
        Metric("roc_auc", "higher", "primary", "superior", 0.0, 0.95, "roc_auc"),
        Metric("log_loss", "lower", "guardrail", "non-inferior", 0.02, None, "log_loss"),
        Metric("my cost", "lower", "guardrail", "non-inferior", 1.5, None, "mypackage.costs:expected_cost"),
    ),
    business=(
        Business(
            name="conversion",
            direction="higher",
            role="guardrail",
            margin=0.01,
            source="outcomes",
            data="outcomes.csv",
            assignments="served.csv",
            value_column="converted",
        ),
        Business("approval rate", "higher", "threshold", threshold=0.4, metric="approval_rate"),
    ),
    checks=Checks("local", 120.0, 8192, 1.5, 1.5, ("mypackage.checks:no_leakage",)),
    alpha=0.05,
    seed=7,
    auto_stage=False,
    live=Live(
        steps=(RampStep(0.01, 10), RampStep(0.05, 60), RampStep(0.25, 120)),
        metrics=(
            ERROR_RATE,
            LiveMetric("latency p95", "lower", "guardrail", margin=50.0, source="latency", quantile=0.95),
            LiveMetric(
                name="live conversion",
                direction="higher",
                role="primary",
                rule="superior",
                source="outcomes",
                data="s3://analytics/conversions/",
                bounds=(0.0, 1.0),
                value_column="converted",
            ),
        ),
    ),
    approvals=1,
    keep_archived=5,
    folder=str(EXAMPLE.parent),
)
SMALL = Policy(
    model="churn",
    digest="",
    holdout=Holdout("s3://datasets/churn/holdout.parquet", "churned"),
    metrics=(
        Metric("average_precision", "higher", "primary", "non-inferior", 0.005, None, "average_precision"),
    ),
    folder=str(EXAMPLE.parent),
)
PLAIN = """\
version: 1
models:
  churn:
    holdout: {data: h.csv, target: y}
    metrics:
      - {name: roc_auc, role: primary}
      - {name: rmse, role: guardrail, margin: 0.5}
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str, folder: str = ".") -> Path:
        path = tmp_path / folder / "promotion.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def properties(schema: dict[str, Any]) -> Iterator[str]:
    for shape in (schema, *schema["$defs"].values()):
        yield from shape.get("properties", ())


def keys(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from data
    for inner in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from keys(inner)


def test_the_example_loads_to_what_it_says():
    policies = policy_file.load(EXAMPLE)
    assert [replace(policy, digest="") for policy in policies.values()] == [FULL, SMALL]
    assert list(policies) == ["demo-breast-cancer", "churn"]


def test_the_example_is_what_the_published_schema_allows_to_any_other_validator():
    found = yaml.safe_load(EXAMPLE.read_text())
    assert not list(Draft202012Validator(policy_problems.schema()).iter_errors(found))


def test_the_example_shows_every_field_of_the_schema():
    assert set(properties(policy_problems.schema())) <= set(keys(yaml.safe_load(EXAMPLE.read_text())))


def test_the_page_describes_every_field_of_the_schema_in_a_table():
    tables = [part for part in (DOCS / "policy.md").read_text().split("\n\n") if part.startswith("| field |")]
    described = re.findall(r"^\| `(\w+)` \|", "\n".join(tables), re.MULTILINE)
    assert set(described) == set(properties(policy_problems.schema()))


def test_the_page_and_the_schema_tell_the_defaults_that_the_objects_have():
    page, shapes = (DOCS / "policy.md").read_text(), policy_problems.schema()["$defs"]
    have = {
        "policy": Policy("m", "", None, ()),
        "checks": Checks(),
        "business": Business("b", "higher", "primary"),
        "live": Live(),
        "live_metric": LiveMetric("l", "lower", "guardrail"),
    }
    compared = 0
    for shape, default in have.items():
        for name, field in shapes[shape]["properties"].items():
            if "default" in field and field["default"] != []:
                assert field["default"] == getattr(default, name), name
                shown = str(field["default"]).lower()
                assert re.search(rf"^\| `{name}` \| `?{shown}`? \|", page, re.MULTILINE), name
                compared += 1
    assert compared == 20
    assert shapes["margin"]["default"] == Metric.margin


def test_the_page_names_every_known_metric_under_its_direction():
    page = (DOCS / "policy.md").read_text()
    higher, lower = re.search(r"Higher is better:(.*?)Lower is better:(.*?)\n\n", page, re.DOTALL).groups()
    for direction, text in (("higher", higher), ("lower", lower)):
        assert set(re.findall(r"`(\w+)`", text)) == {m for m, d in DIRECTIONS.items() if d == direction}


def test_the_page_links_to_files_that_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", (DOCS / "policy.md").read_text())
    assert targets
    assert [target for target in targets if not (DOCS / target).exists()] == []


@pytest.mark.parametrize(
    ("role", "rule"),
    [
        ("role: primary", "superior"),
        ("role: primary, rule: non-inferior", "non-inferior"),
        ("role: guardrail", "non-inferior"),
    ],
)
def test_the_rule_follows_from_the_role_unless_it_is_named(written, role, rule):
    text = PLAIN.replace("name: roc_auc, role: primary", f"name: roc_auc, {role}")
    assert policy_file.load(written(text))["churn"].metrics[0].rule == rule


def test_the_direction_follows_from_the_known_function_also_under_another_name(written):
    text = PLAIN.replace("name: rmse,", "name: average miss, function: rmse,")
    metric = policy_file.load(written(text))["churn"].metrics[1]
    assert (metric.name, metric.function, metric.direction) == ("average miss", "rmse", "lower")


def test_a_run_metric_is_called_like_the_business_metric_unless_it_is_named(written):
    text = (
        PLAIN
        + "    business: [{name: sales, source: run, direction: higher, role: threshold, threshold: 1}]\n"
    )
    assert policy_file.load(written(text))["churn"].business[0].metric == "sales"


SAME = {
    "comments and quotes": ("version: 1", "# why\nversion: 1 # this"),
    "the order of keys": ("{data: h.csv, target: y}", "{target: y, data: h.csv}"),
    "defaults written out": (
        "    metrics:",
        "    alpha: 0.05\n    live: {}\n    checks: {custom: []}\n    metrics:",
    ),
    "defaults of live traffic written out": (
        "    metrics:",
        "    live: {share: 5e-2, minimum: 1000, sticky: false, promote: false, bake_minutes: 30.0,"
        " metrics: [{name: error rate, source: errors, role: guardrail, margin: 0.01}]}\n    metrics:",
    ),
    "a ramp of the default share alone": (
        "    metrics:",
        "    live: {steps: [{share: 0.05, minutes: 0}]}\n    metrics:",
    ),
    "1 for 1.0": ("margin: 0.5", "margin: 5.0e-1"),
    "a rule written out": ("role: primary", "role: primary, rule: superior, direction: higher"),
    "another model": (
        "models:",
        "models:\n  a: {holdout: {data: a, target: b}, metrics: [{name: f1, role: primary}]}",
    ),
}
OTHER = {
    "the name of the model": ("churn", "churn2"),
    "where the holdout is": ("h.csv", "i.csv"),
    "the target": ("target: y", "target: z"),
    "a margin": ("0.5", "0.51"),
    "a threshold": ("role: primary", "role: primary, threshold: 0.5"),
    "a rule": ("role: primary", "role: primary, rule: non-inferior"),
    "alpha": ("    metrics:", "    alpha: 0.04\n    metrics:"),
    "seed": ("    metrics:", "    seed: 1\n    metrics:"),
    "a check": ("    metrics:", "    checks: {latency_ratio: 2}\n    metrics:"),
    "approvals": ("    metrics:", "    approvals: 1\n    metrics:"),
    "live share": ("    metrics:", "    live: {share: 0.1}\n    metrics:"),
    "how long the share lasts": (
        "    metrics:",
        "    live: {steps: [{share: 0.05, minutes: 1}]}\n    metrics:",
    ),
    "live minimum": ("    metrics:", "    live: {minimum: 999}\n    metrics:"),
    "sticky": ("    metrics:", "    live: {sticky: true}\n    metrics:"),
    "promote": ("    metrics:", "    live: {promote: true}\n    metrics:"),
    "baking": ("    metrics:", "    live: {bake_minutes: 31}\n    metrics:"),
    "a live margin": (
        "    metrics:",
        "    live: {metrics: [{name: error rate, source: errors, role: guardrail}]}\n    metrics:",
    ),
}


def digest(path: Path) -> str:
    return next(reversed(policy_file.load(path).values())).digest


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_digest_stays_where_the_meaning_does(written, change):
    assert change[0] in PLAIN
    before = digest(written(PLAIN))
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert digest(written(PLAIN.replace(*change))) == before


def test_the_digest_does_not_depend_on_the_order_of_lists_though_reports_keep_it(written):
    checks = PLAIN + "    checks: {custom: ['a:b', 'c:d']}\n"
    before = digest(written(checks))
    first, second = PLAIN.splitlines()[-2:]
    turned = checks.replace(f"{first}\n{second}", f"{second}\n{first}").replace(
        "'a:b', 'c:d'", "'c:d', 'a:b'"
    )
    path = written(turned)
    assert digest(path) == before
    policy = policy_file.load(path)["churn"]
    assert [one.name for one in policy.metrics] == ["rmse", "roc_auc"]
    assert policy.checks.custom == ("c:d", "a:b")


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_the_digest_changes_with_the_meaning(written, change):
    assert change[0] in PLAIN
    assert digest(written(PLAIN)) != digest(written(PLAIN.replace(*change)))


def test_the_digest_does_not_depend_on_the_folder_and_paths_start_there(written):
    here, there = written(PLAIN), written(PLAIN, "elsewhere")
    assert digest(here) == digest(there)
    assert policy_file.load(there)["churn"].folder == str(there.parent)


def test_a_relative_path_gives_an_absolute_folder(written, monkeypatch):
    monkeypatch.chdir(written(PLAIN).parent)
    assert policy_file.load(Path("promotion.yaml"))["churn"].folder == str(Path.cwd())


def test_policies_from_before_the_ramp_keep_their_digests_and_so_their_evidence(written):
    assert digest(written(PLAIN)) == "c8be4036fecc1786da2eb87de1eab63c8260e9018135ea8cfc300eba36b26ac9"
    shared = PLAIN + "    live: {share: 0.1}\n    approvals: 2\n"
    assert digest(written(shared)) == "44571eb01d88e5442569d90f050ccc449d76a808c4a46bb7d81171387ceeb321"


def test_the_order_of_live_metrics_does_not_matter(written):
    first = "{name: p50, source: latency, quantile: 0.5, role: guardrail, margin: 5}"
    second = "{name: failed, source: errors, role: guardrail, margin: 0.02}"
    one, other = (
        written(PLAIN + f"    live: {{metrics: [{', '.join(order)}]}}\n")
        for order in ((first, second), (second, first))
    )
    assert digest(one) == digest(other)


def test_a_policy_that_forgets_errors_gets_the_guardrail(written):
    text = PLAIN + "    live: {metrics: [{name: p50, source: latency, quantile: 0.5, role: guardrail}]}\n"
    live = policy_file.load(written(text))["churn"].live
    assert [one.name for one in live.metrics] == ["error rate", "p50"]
    assert live.metrics[0] == ERROR_RATE


def test_live_traffic_starts_with_the_first_step(written):
    text = PLAIN + "    live: {steps: [{share: 0.01, minutes: 5}, {share: 0.2, minutes: 5}]}\n"
    policy = policy_file.load(written(text))["churn"]
    assert policy.live_share == 0.01
    assert policy.live.steps == (RampStep(0.01, 5.0), RampStep(0.2, 5.0))


def test_one_model_is_found_by_its_name(written):
    assert policy_file.for_model(written(PLAIN), "churn").model == "churn"


def test_a_model_that_the_file_does_not_name(written):
    path = written(PLAIN)
    with pytest.raises(UsageError) as caught:
        policy_file.for_model(path, "chrun")
    assert caught.value.what == f"{path} has no policy for model 'chrun'; did you mean 'churn'?"
    assert caught.value.state == "It has policies for: churn."
    assert caught.value.next.startswith(f"Add models.chrun to {path}")


def test_a_file_that_is_missing_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError) as caught:
        policy_file.load(tmp_path / "promotion.yaml")
    assert caught.value.what == f"There is no policy file {tmp_path / 'promotion.yaml'}."
    for named in re.findall(r"docs/\S+(?:md|yaml)", caught.value.next):
        assert (reference.ROOT / named).exists()
    assert "docs/examples/promotion.yaml" in caught.value.next


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is no UTF-8 text"),
        (b"#" * 1_000_001, "has more than 1 MB"),
        (None, "cannot be read"),
    ],
    ids=["binary", "large", "folder"],
)
def test_a_file_that_cannot_be_read(tmp_path, content, said):
    path = tmp_path / "promotion.yaml"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(UsageError, match=said):
        policy_file.load(path)


def test_a_file_with_problems_carries_them_all(written):
    path = written(PLAIN.replace("0.5", "-1").replace("target:", "taget:"))
    with pytest.raises(UsageError) as caught:
        policy_file.for_model(path, "churn")
    assert caught.value.what == (
        f"{path} is no valid policy: 2 problems, the first in line 4: "
        "models.churn.holdout.taget: Unknown key 'taget'; did you mean 'target'?"
    )
    assert caught.value.next.startswith(f"mlflowctl policy check {path} ")
    assert [one["line"] for one in caught.value.result["problems"]] == [4, 7]
