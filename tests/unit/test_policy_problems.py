"""Everything that is wrong in a policy file is named at once, with its place; whatever the file is."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from mlflowctl.registry import policy_problems
from mlflowctl.registry.policy_problems import problems

METRIC = "{name: roc_auc, role: primary}"
DATE = "{name: rmse, role: guardrail, margin: 2026-01-31}"


def file(*lines: str, metric: str = METRIC) -> str:
    """A policy of one model with one metric, and more lines in the model's section."""
    head = ["version: 1", "models:", "  churn:", "    holdout: {data: h.csv, target: y}", "    metrics:"]
    return "\n".join([*head, f"      - {metric}", *(f"    {line}" for line in lines)]) + "\n"


def found(text: str) -> list[tuple[str, int, str]]:
    return [(one.path, one.line, one.message) for one in problems(text)]


def test_the_smallest_good_file_has_no_problem():
    assert found(file()) == []


def test_the_published_schema_is_a_valid_draft_2020_12_schema():
    schema = policy_problems.schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_all_problems_are_named_at_once_in_the_order_of_the_lines():
    text = file("aproovals: 1", "alpha: 0.7", "live: {share: 0}", metric="{name: rmse, role: boss}")
    assert found(text) == [
        (
            "models.churn.metrics[0].role",
            6,
            "Must be primary or guardrail or threshold, not the text 'boss'.",
        ),
        ("models.churn.aproovals", 7, "Unknown key 'aproovals'; did you mean 'approvals'?"),
        ("models.churn.alpha", 8, "Must be less than 0.5, not 0.7."),
        ("models.churn.live.share", 9, "Must be more than 0, not 0."),
    ]


@pytest.mark.parametrize(
    ("metric", "path", "message"),
    [
        ("{role: primary}", "", "Missing: name."),
        ("{name: rmse}", "", "Missing: role."),
        (
            "{name: churned, role: primary, direction: higher}",
            "",
            "'churned' is no known metric, so it needs",
        ),
        ("{name: acuracy, role: primary, direction: higher}", "", "did you mean accuracy?"),
        ("{name: a, function: 'p.m:f', role: primary}", "", "Needs a direction: higher or lower."),
        (
            "{name: rmse, role: primary, direction: higher}",
            ".direction",
            "rmse is better when lower, not higher.",
        ),
        (
            "{name: a, function: mae, role: primary, direction: higher}",
            ".direction",
            "mae is better when lower",
        ),
        (
            "{name: a, function: 'p.m', role: primary, direction: lower}",
            ".function",
            "Must be a known metric or",
        ),
        (
            "{name: a, function: 'p/m:f', role: primary, direction: lower}",
            ".function",
            "package.module:function",
        ),
        ("{name: rmse, role: guardrail, rule: superior}", ".rule", "A guardrail is non-inferior"),
        ("{name: rmse, role: guardrail, rule: better}", ".rule", "Must be superior or non-inferior"),
        ("{name: rmse, role: threshold}", "", "The role threshold needs a threshold."),
        ("{name: rmse, role: threshold, threshold: 1, rule: superior}", ".rule", "has no meaning here"),
        ("{name: rmse, role: threshold, threshold: 1, margin: 1}", ".margin", "has no meaning here"),
        ("{name: rmse, role: guardrail, margin: -0.1}", ".margin", "Must be 0 or more, not -0.1."),
        ("{name: rmse, role: guardrail, margin: '1'}", ".margin", "Must be a number, not the text '1'."),
        ("{name: rmse, role: guardrail, margin: true}", ".margin", "Must be a number, not true."),
        ("{name: rmse, role: guardrail, margin: .nan}", ".margin", "Must be a finite number, not .nan."),
        ("{name: rmse, role: guardrail, threshold: -.inf}", ".threshold", "Must be a finite number"),
        ("{name: rmse, role: guardrail, margin: 1e400}", ".margin", "Must be a finite number"),
        (
            "{name: rmse, role: guardrail, margin: %s}" % ("9" * 5000),
            ".margin",
            "This number cannot be read.",
        ),
        (DATE, ".margin", "A date cannot stand here"),
        ('{name: "roc_auc\\n", role: primary}', ".name", "Must not contain line breaks"),
        ('{name: "roc_auc ", role: primary}', ".name", "Must not begin or end with a space."),
        ("{name: '', role: primary}", ".name", "Must not be empty."),
        ("roc_auc", "", "Must be a mapping, not the text 'roc_auc'."),
    ],
)
def test_a_metric_that_is_wrong(metric, path, message):
    (problem,) = found(file(metric=metric))
    assert problem[:2] == (f"models.churn.metrics[0]{path}", 6)
    assert message in problem[2]


@pytest.mark.parametrize(
    ("business", "path", "message"),
    [
        ("source: run, role: primary", ".role", "the role must be threshold"),
        ("source: run, role: guardrail", ".role", "the role must be threshold"),
        (
            "source: run, role: threshold, threshold: 1, data: o.csv",
            ".data",
            "Only source: outcomes has data.",
        ),
        ("source: outcomes, role: guardrail", "", "Source outcomes needs data."),
        (
            "source: outcomes, role: guardrail, data: o.csv, metric: a",
            ".metric",
            "Only source: run has metric.",
        ),
        ("source: outcomes, role: guardrail, data: 'https://h/o.csv'", ".data", "a path or s3://bucket/key"),
        ("source: outcomes, role: guardrail, data: 's3://bucket'", ".data", "a path or s3://bucket/key"),
        ("source: nowhere, role: guardrail", ".source", "Must be run or outcomes"),
        ("role: guardrail", "", "Missing: source."),
    ],
)
def test_a_business_metric_that_is_wrong(business, path, message):
    (problem,) = found(file("business:", f"  - {{name: sales, direction: higher, {business}}}"))
    assert problem[:2] == (f"models.churn.business[0]{path}", 8)
    assert message in problem[2]


def test_the_direction_of_a_business_metric_is_always_asked_for():
    (problem,) = found(file("business: [{name: rmse, source: run, role: threshold, threshold: 1}]"))
    assert problem == ("models.churn.business[0]", 7, "Missing: direction.")


def test_names_are_unique_across_metrics_and_business_metrics():
    double = "business: [{name: roc_auc, source: run, direction: higher, role: threshold, threshold: 1}]"
    assert found(file(double)) == [
        ("models.churn.business[0].name", 7, "The name 'roc_auc' is taken by models.churn.metrics[0].")
    ]


@pytest.mark.parametrize(
    ("line", "path", "message"),
    [
        ("alpha: 0", "alpha", "Must be more than 0, not 0."),
        ("alpha: 0.5", "alpha", "Must be less than 0.5, not 0.5."),
        ("alpha: .nan", "alpha", "Must be a finite number"),
        ("seed: 1.5", "seed", "Must be a whole number, not 1.5."),
        ("seed: -1", "seed", "Must be 0 or more, not -1."),
        ("auto_stage: 1", "auto_stage", "Must be true or false, not 1."),
        ("approvals: -1", "approvals", "Must be 0 or more"),
        ("keep_archived: -1", "keep_archived", "Must be 0 or more"),
        ("live: {share: 0.51}", "live.share", "Must be 0.5 or less, not 0.51."),
        ("live: {}\n    lives: {}", "lives", "Unknown key 'lives'; known here: alpha, seed,"),
        ("checks: {environment: conda}", "checks.environment", "Must be local or uv"),
        ("checks: {timeout_seconds: 0}", "checks.timeout_seconds", "Must be more than 0"),
        (
            "checks: {custom: [nowhere]}",
            "checks.custom[0]",
            "Must be package.module:function, not 'nowhere'.",
        ),
        ("checks: {custom: ['a:b', 'a:b']}", "checks.custom", "Names something twice."),
        ("checks:", "checks", "Must be a mapping, not empty."),
        ("<<: {seed: 1}", '["<<"]', "Unknown key '<<'"),
        ("seed: !!python/name:os.system", "seed", "The tag !!python/name:os.system cannot stand here."),
    ],
)
def test_a_model_with_something_wrong(line, path, message):
    (problem,) = found(file(line))
    joint = "" if path.startswith("[") else "."
    assert problem[0] == f"models.churn{joint}{path}"
    assert message in problem[2]


def test_metrics_need_a_holdout_and_a_policy_needs_a_metric():
    text = f"version: 1\nmodels:\n  a:\n    metrics: [{METRIC}]\n  b: {{holdout: {{data: h, target: y}}}}\n"
    assert found(text) == [
        ("models.a.metrics", 4, "Metrics need a holdout to be computed on."),
        ("models.b", 5, "Needs at least one metric, in metrics or in business."),
    ]


def test_a_misspelled_key_is_not_reported_as_missing_too():
    text = file(metric="{name: rmse, role: threshold, threshhold: 1}").replace("target:", "taget:")
    assert [message for _, _, message in found(text)] == [
        "Unknown key 'taget'; did you mean 'target'?",
        "Unknown key 'threshhold'; did you mean 'threshold'?",
    ]


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    assert found(file("alpha: 0.01", "alpha: 0.2")) == [
        ("models.churn.alpha", 8, "This key stands here a second time; it was in line 7 before.")
    ]
    second = file() + "  churn: {}\n"
    assert [(path, line) for path, line, _ in found(second)] == [("models.churn", 7)]


def test_a_model_s_name_is_text_whatever_it_looks_like():
    named = file("alpha: 1").replace("churn:", "2026.1:")
    assert [path for path, _, _ in found(named)] == ['models["2026.1"].alpha']


def test_numbers_with_an_exponent_are_numbers_also_without_a_dot():
    assert found(file(metric="{name: rmse, role: guardrail, margin: 1e-3}")) == []
    assert len(found(file(metric="{name: rmse, role: guardrail, margin: '1e-3'}"))) == 1


def test_an_alias_may_be_used():
    assert found(file("checks: &usual {memory_mb: 100}") + "  b: &b {checks: *usual, business: *x}\n") != []
    shared = file("checks: &usual {memory_mb: 100}")
    other = shared.replace("churn", "other").replace("&usual {memory_mb: 100}", "*usual")
    assert found(shared + other.split("models:\n")[1]) == []


def bomb() -> str:
    text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        text += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    return text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "The file is empty."),
        ("# only a comment\n", 1, "The file is empty."),
        ("text", 1, "The file must be a mapping"),
        ("- version: 1\n", 1, "The file must be a mapping"),
        ("version: 1\nmodels: [\n", 3, "This is no YAML"),
        ("version: 1\n---\nversion: 1\n", 2, "This is no YAML"),
        ("version: \0\n", 1, "This is no YAML"),
        (
            "!!python/object/apply:os.system [ls]",
            1,
            "The tag !!python/object/apply:os.system cannot stand here",
        ),
        ("? [a, b]\n: 1\n", 1, "Missing: version, models."),
        ("version: 1\nmodels: &m\n  churn: *m\n", 1, "once its aliases are followed"),
        (bomb(), 1, "once its aliases are followed"),
        ("[" * 50_000, 1, "nested too deeply"),
        ("#" * 1_000_001, 1, "more than 1 MB"),
        ("models: {}\n", 1, "Missing: version."),
        ("version: 2\nmodels: {churn: {}}\n", 1, "Must be 1, not 2."),
        ("version: '1'\nmodels: {churn: {}}\n", 1, "Must be 1, not the text '1'."),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_is_no_policy_at_all(text, line, message):
    assert any(line == at and message in what for _, at, what in found(text)), found(text)
