"""The ``live`` section of a policy: every wrong value is named with its place, and nothing else is."""

from __future__ import annotations

import pytest
from tests.unit.test_policy_problems import file, found

ERRORS = "name: failed, source: errors, role: guardrail"
LATENCY = "name: p95, source: latency, role: guardrail, quantile: 0.95"
OUTCOMES = "name: sales, source: outcomes, role: primary, direction: higher, data: o.csv"


def metric(text: str) -> str:
    return f"live: {{metrics: [{{{text}}}]}}"


@pytest.mark.parametrize(
    "line",
    [
        "live: {}",
        "live: {share: 0.5, minimum: 1, sticky: true, promote: true, bake_minutes: 0, metrics: []}",
        "live: {steps: [{share: 0.01, minutes: 0.5}, {share: 0.5, minutes: 0}]}",
        metric(f"{ERRORS}, margin: 0.99"),
        metric(f"{ERRORS}, direction: lower, margin: 0"),
        metric(f"{LATENCY}, margin: 0.1"),
        metric(OUTCOMES),
        metric(f"{OUTCOMES}, bounds: [1, 5], missing: skip, margin: 3.9"),
        metric(f"{OUTCOMES}, bounds: [-1, 0], window_minutes: 0.5"),
        metric(OUTCOMES.replace("o.csv", "outcomes/")),
        metric(OUTCOMES.replace("o.csv", "'s3://bucket/prefix/'")),
        metric(OUTCOMES.replace("o.csv", "'s3://bucket/some.parquet'")),
    ],
)
def test_what_is_well_has_no_problem(line):
    assert found(file(line)) == []


@pytest.mark.parametrize(
    ("line", "path", "message"),
    [
        ("live: {share: 0}", "share", "Must be more than 0, not 0."),
        ("live: {share: 0.51}", "share", "Must be 0.5 or less, not 0.51."),
        ("live: {share: 5%}", "share", "Must be a number, not the text '5%'."),
        ("live: {minimum: 0}", "minimum", "Must be 1 or more, not 0."),
        ("live: {minimum: 10.5}", "minimum", "Must be a whole number, not 10.5."),
        ("live: {sticky: 1}", "sticky", "Must be true or false, not 1."),
        ("live: {promote: 'yes'}", "promote", "Must be true or false, not the text 'yes'."),
        ("live: {bake_minutes: -1}", "bake_minutes", "Must be 0 or more, not -1."),
        ("live: {bake_minutes: 43201}", "bake_minutes", "Must be 43200 or less, not 43201."),
        ("live: {stepps: []}", "stepps", "Unknown key 'stepps'; did you mean 'steps'?"),
        ("live: {bake: 30}", "bake", "Unknown key 'bake'; known here: share, steps, minimum"),
        ("live: {steps: []}", "steps", "Must hold at least 1 entry."),
        ("live: {steps: {share: 0.1}}", "steps", "Must be a list, not a mapping."),
        ("live: {steps: [0.1]}", "steps[0]", "Must be a mapping, not 0.1."),
        ("live: {steps: [{share: 0.1}]}", "steps[0]", "Missing: minutes."),
        ("live: {steps: [{minutes: 1}]}", "steps[0]", "Missing: share."),
        ("live: {steps: [{share: 0, minutes: 1}]}", "steps[0].share", "Must be more than 0, not 0."),
        ("live: {steps: [{share: 0.6, minutes: 1}]}", "steps[0].share", "Must be 0.5 or less, not 0.6."),
        ("live: {steps: [{share: 0.1, minutes: -1}]}", "steps[0].minutes", "Must be 0 or more, not -1."),
        ("live: {steps: [{share: 0.1, minute: 1}]}", "steps[0].minute", "did you mean 'minutes'?"),
        (
            "live: {steps: [{share: 0.2, minutes: 1}, {share: 0.2, minutes: 1}]}",
            "steps[1].share",
            "Shares must rise from step to step; 0.2 follows 0.2.",
        ),
        (
            "live: {share: 0.1, steps: [{share: 0.1, minutes: 1}]}",
            "share",
            "With steps, each step has its own share; leave this one out.",
        ),
    ],
)
def test_a_ramp_that_is_wrong(line, path, message):
    (problem,) = found(file(line))
    assert problem[:2] == (f"models.churn.live.{path}", 7)
    assert message in problem[2]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("source: errors, role: guardrail", "", "Missing: name."),
        ("name: a, role: guardrail", "", "Missing: source."),
        ("name: a, source: errors", "", "Missing: role."),
        ("name: a, source: error, role: guardrail", ".source", "did you mean errors?"),
        ("name: a, source: errors, role: threshold", ".role", "Must be primary or guardrail"),
        (f"{ERRORS}, rule: superior", ".rule", "A guardrail is non-inferior"),
        (f"{ERRORS}, rule: better", ".rule", "Must be superior or non-inferior"),
        (f"{ERRORS}, direction: higher", ".direction", "Source errors is better when lower, not higher."),
        (f"{ERRORS}, direction: up", ".direction", "Must be higher or lower, not the text 'up'."),
        (f"{ERRORS}, margin: -0.1", ".margin", "Must be 0 or more, not -0.1."),
        (f"{ERRORS}, margin: 1", ".margin", "a margin of 1 allows everything; 0.01 is one in a hundred."),
        (f"{ERRORS}, margin: .inf", ".margin", "Must be a finite number, not .inf."),
        (f"{ERRORS}, threshold: 1", ".threshold", "Unknown key 'threshold'"),
        (f"{ERRORS}, quantile: 0.5", ".quantile", "Only source: latency has quantile."),
        (f"{ERRORS}, data: o.csv", ".data", "Only source: outcomes has data."),
        (f"{ERRORS}, bounds: [0, 1]", ".bounds", "Only source: outcomes has bounds."),
        (f"{LATENCY}, window_minutes: 1", ".window_minutes", "Only source: outcomes has window_minutes."),
        (f"{LATENCY}, missing: zero", ".missing", "Only source: outcomes has missing."),
        (f"{LATENCY}, id_column: a", ".id_column", "Only source: outcomes has id_column."),
        (f"{LATENCY}, value_column: a", ".value_column", "Only source: outcomes has value_column."),
        (f"{LATENCY}, direction: higher", ".direction", "Source latency is better when lower"),
        (f"{LATENCY}, margin: 0.05", ".margin", "Must be 0 or at least 0.1, not 0.05: latency is in millis"),
        (LATENCY.replace("0.95", "95"), ".quantile", "Must be less than 1, not 95."),
        (LATENCY.replace("0.95", "0"), ".quantile", "Must be more than 0, not 0."),
        (LATENCY.replace(", quantile: 0.95", ""), "", "Source latency needs quantile."),
        (f"{LATENCY}, quantil: 0.9".replace("quantile: 0.95, ", ""), ".quantil", "did you mean 'quantile'?"),
        (OUTCOMES.replace(", data: o.csv", ""), "", "Source outcomes needs data."),
        (OUTCOMES.replace(", direction: higher", ""), "", "Source outcomes needs direction."),
        (OUTCOMES.replace("o.csv", "o.txt"), ".data", "Must end in .csv, .parquet"),
        (OUTCOMES.replace("o.csv", "'s3://bucket/prefix'"), ".data", "or in / for all such files below it"),
        (OUTCOMES.replace("o.csv", "'s3://bucket'"), ".data", "Must be a path or s3://bucket/key"),
        (OUTCOMES.replace("o.csv", "'https://host/o.csv'"), ".data", "Must be a path or s3://bucket/key"),
        (OUTCOMES.replace("o.csv", "''"), ".data", "Must not be empty."),
        (f"{OUTCOMES}, bounds: [1, 0]", ".bounds", "The first bound must be less than the second, not 1 and"),
        (f"{OUTCOMES}, bounds: [0, 0]", ".bounds", "The first bound must be less than the second"),
        (f"{OUTCOMES}, bounds: [0]", ".bounds", "Must hold at least 2 entries."),
        (f"{OUTCOMES}, bounds: [0, 1, 2]", ".bounds", "Must hold at most 2 entries."),
        (f"{OUTCOMES}, bounds: [0, '1']", ".bounds[1]", "Must be a number, not the text '1'."),
        (f"{OUTCOMES}, bounds: [0, .inf]", ".bounds[1]", "Must be a finite number"),
        (f"{OUTCOMES}, bounds: [1, 5]", ".bounds", "Requests without an outcome count as 0, outside 1 to 5"),
        (f"{OUTCOMES}, bounds: [0, 1], margin: 1", ".margin", "cannot differ by more than a margin of 1."),
        (f"{OUTCOMES}, window_minutes: -1", ".window_minutes", "Must be 0 or more, not -1."),
        (f"{OUTCOMES}, window_minutes: 1h", ".window_minutes", "Must be a number, not the text '1h'."),
        (f"{OUTCOMES}, missing: nul", ".missing", "Must be zero or skip, not the text 'nul'"),
        (f"{OUTCOMES}, quantile: 0.5", ".quantile", "Only source: latency has quantile."),
        (f"{OUTCOMES}, id_column: ''", ".id_column", "Must not be empty."),
        (f"{OUTCOMES}, value_column: 3", ".value_column", "Must be text, not 3."),
        (
            "name: error rate, source: latency, quantile: 0.5, role: guardrail",
            ".name",
            "is the name of the gua",
        ),
    ],
)
def test_a_live_metric_that_is_wrong(text, path, message):
    problems = found(file(metric(text)))
    assert [(problem[0], problem[1]) for problem in problems] == [
        (f"models.churn.live.metrics[0]{path}", 7)
    ], problems
    assert message in problems[0][2]


def test_names_are_unique_among_live_metrics_and_may_be_those_of_other_metrics():
    double = f"live: {{metrics: [{{{ERRORS}}}, {{{LATENCY.replace('p95', 'failed')}}}]}}"
    assert found(file(double)) == [
        (
            "models.churn.live.metrics[1].name",
            7,
            "The name 'failed' is taken by models.churn.live.metrics[0].",
        )
    ]
    assert found(file(metric(ERRORS.replace("failed", "roc_auc")))) == []


@pytest.mark.parametrize(
    "value",
    [
        "1",
        "[]",
        "text",
        "{metrics: 1}",
        "{metrics: [1]}",
        "{steps: [[]]}",
        "{metrics: [{name: a, source: [], role: primary}]}",
    ],
)
def test_a_section_of_another_shape_is_one_problem_and_no_crash(value):
    assert len(found(file(f"live: {value}"))) == 1
