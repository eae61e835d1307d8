"""The report: one page that stands alone, whatever is written in the evidence."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from tests.unit import evidence_samples as samples

from mlflowctl.registry.evidence.model import sha256, to_json
from mlflowctl.registry.evidence.plot import LEFT, RIGHT, plot
from mlflowctl.registry.evidence.report import MOST_ROWS, policy_rows, render
from mlflowctl.registry.verdict import Interval

EVERY = pytest.mark.parametrize("make", samples.ALL.values(), ids=samples.ALL)
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "header", "h1", "h2", "h3"),
    *("p", "ul", "li", "br", "strong", "bdi", "span", "div", "code", "dl", "dt", "dd"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "rect", "line", "circle", "path", "text"),
}
VOID = {"meta", "br", "path", "rect", "line", "circle"}
LOADING = {"src", "href", "srcset", "style", "data", "action", "background", "xlink:href"}


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        self.text += data


@EVERY
def test_nothing_on_the_page_can_run_or_load_and_every_element_is_closed(make):
    page = Page(render(make()))

    assert {tag for tag, _ in page.tags} <= TAGS
    for tag, attributes in page.tags:
        assert not LOADING & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not page.open
    assert not page.unbalanced


@EVERY
def test_the_page_forbids_everything_but_its_own_style_and_can_be_written(make):
    html = render(make())
    html.encode()
    (policy,) = [
        attributes["content"]
        for tag, attributes in Page(html).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_strangers_are_quoted_and_their_templates_are_not_run():
    html = render(samples.hostile())

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "{{ 7 * 7 }}" in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_a_long_detail_is_cut_and_says_how_much_is_missing():
    html = render(samples.hostile())

    assert "w" * 2001 not in html
    assert "more characters in evidence.json" in html


@pytest.mark.parametrize(
    ("make", "title"),
    [
        (samples.passed, "Version 8 may replace version 7"),
        (samples.failed, "Version 8 must not replace version 7"),
        (samples.undecided, "Whether version 8 may replace version 7 cannot be decided yet"),
        (samples.first, "Version 1 may become the first champion"),
    ],
)
def test_the_verdict_stands_first_and_in_words(make, title):
    html = render(make())

    assert f"<h1>{title}</h1>" in html
    assert html.index("<h1>") < html.index("<h2>")
    assert Page(html).text.count(title) == 2  # the page's title, and the heading


def test_the_page_tells_who_why_by_which_policy_on_which_data_and_how_to_verify_it():
    evidence = samples.failed()
    text = Page(render(evidence)).text

    for told in (
        "anna",
        "ci-runner-3",
        "faster features",
        evidence.policy["digest"],
        evidence.holdout["digest"],
        evidence.id,
        "evidence/churn/8/20261124T220531Z-0f3b9c52d1e84c7f9a6e2b7d4c1a8e55/",
        sha256(to_json(evidence)),
        evidence.facts["champion"]["artifact_digest"],
        evidence.facts["challenger"]["signature"],
        "log the model with the champion's input schema",
        "MLflow 3.17.2",
    ):
        assert told in text, told


def test_the_digest_that_was_stored_is_the_one_shown():
    assert "c0ffee" in render(samples.passed(), "c0ffee")


def test_every_plot_says_in_words_what_it_shows():
    page = Page(render(samples.failed()))
    pictures = [attributes for tag, attributes in page.tags if tag == "svg" and "role" in attributes]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}

    assert len(pictures) == 2  # the third gate has no interval
    for picture in pictures:
        assert picture["role"] == "img"
        assert set(picture["aria-labelledby"].split()) <= ids
    assert "11.5 worse: at most 14.4 worse, at least 8.6 worse, each with 95 % confidence" in page.text
    assert "Required: not worse than version 7 by 5 or more; at most 200. Result: failed." in page.text


def test_without_a_champion_no_column_and_no_plot_stands_for_it():
    page = Page(render(samples.first()))

    assert "None" not in page.text
    assert "How to read the plots" not in page.text
    assert not [attributes for tag, attributes in page.tags if tag == "svg" and "role" in attributes]


def test_the_plot_is_turned_so_that_right_is_better():
    worse_and_lower_is_better = samples.failed().gates[1]
    drawn = plot(worse_and_lower_is_better)

    assert drawn.low.at < drawn.estimate.at < drawn.high.at < drawn.limit.at < drawn.zero.at
    assert (drawn.low.label, drawn.estimate.label, drawn.high.label) == ("−14.4", "−11.5", "−8.6")
    assert (drawn.limit.label, drawn.zero.at) == ("−5", RIGHT)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1e308, 1e308), (0, 0), (1e-300, 2e-300), (float("-inf"), float("inf")), (5, 5.0000001)],
    ids=["huge", "nothing", "tiny", "endless", "narrow"],
)
def test_every_interval_fits_into_its_plot(low, high):
    middle = 0.0 if low in (float("-inf"), -1e308) else low
    found = samples.gate(interval=Interval(middle, low, high, 0.05, "m", 9))
    drawn = plot(found)

    for mark in (drawn.zero, drawn.limit, drawn.estimate):
        assert LEFT <= mark.at <= RIGHT
    for mark in (drawn.low, drawn.high):
        assert LEFT <= mark.at <= RIGHT or not mark.label
    render(samples.passed(gates=(found,)))


def test_a_run_with_thousands_of_parameters_does_not_flood_the_page():
    many = samples.facts() | {"params": {f"p{index:04d}": "1" for index in range(5000)}}
    html = render(samples.passed(facts={"challenger": many, "champion": many}))

    assert html.count("<bdi>p0") == MOST_ROWS
    assert "and 4900 more in evidence.json" in html


def test_the_policy_is_shown_row_by_row_and_empty_settings_are_left_out():
    assert policy_rows(
        {
            "metrics": [{"name": "auc", "margin": 0.01, "threshold": None}],
            "checks": {"memory_mb": 8, "custom": ["a:b"]},
            "auto_stage": False,
            "folder": "",
        }
    ) == [
        ("metrics: auc", "margin 0.01"),
        ("checks: memory mb", "8"),
        ("checks: custom 1", "a:b"),
        ("auto stage", "no"),
    ]
