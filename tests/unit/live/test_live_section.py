"""The live test in the decision's report: what it shows, and that nothing in it can run or load."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from tests.unit import evidence_samples as samples
from tests.unit.live.recorded import MODEL, Bucket, filled, look, policy, split
from tests.unit.test_report import LOADING, Page

from mlflowctl.errors import NotFoundError
from mlflowctl.live import section
from mlflowctl.live.evidence import Evidence, judge
from mlflowctl.live.notebook import Notebook, keep, told_of
from mlflowctl.live.plot import MOST, over_time, svg
from mlflowctl.registry.evidence.report import render

ATTACK = samples.ATTACK + "|\n## x [a](b) `c` *d* _e_"


def told(estimate: float, low: float | None, high: float | None, **more: object) -> dict:
    interval = {"estimate": estimate, "low": low, "high": high, "alpha": 0.05, "method": "m", "rows": 9}
    return {
        "name": "errors", "kind": "outcomes", "role": "guardrail", "rule": "non-inferior",
        "direction": "lower", "verdict": "inconclusive", "reason": "r", "more": "", "challenger": 0.1,
        "champion": 0.1, "threshold": None, "margin": 0.01, "interval": interval, **more,
    }  # fmt: skip


@pytest.fixture
def kept(tmp_path):
    """What a controller keeps of a test with three decisions."""
    bucket = Bucket()
    (tmp_path / "sales.csv").write_text(
        "request_id,value\n" + "".join(f"r{n},1\n" for n in range(0, 9000, 7))
    )
    for event, requests in (("started", 0), ("advanced", 3000), ("aborted", 9000)):
        found = look(filled(split(requests, status=500), 1, 9000), policy(), tmp_path, work=event)
        verdict = told_of(judge(found, policy(), 0.05)) if requests else None
        notebook = Notebook(12, found if requests else None)
        keep(bucket, MODEL, 7, event, notebook, {"verdict": verdict, "baking": [], "policy": "d"})
        for key in bucket.held:
            body = json.loads(bucket.held[key])
            body["at"] = f"2026-11-25T0{('started', 'advanced', 'aborted').index(body['event'])}:00:00+00:00"
            bucket.held[key] = json.dumps(body).encode()
    return bucket


class TestPlot:
    def test_up_is_better_and_the_last_look_is_told(self):
        worse, better = (over_time([(0.0, told(at, at - 0.001, at + 0.001))]) for at in (0.05, -0.05))
        assert worse.points[0].estimate > worse.limit > worse.zero  # lower on the page
        assert better.points[0].estimate < better.zero
        assert (worse.label, better.label) == ("−0.0500", "+0.0500")
        assert worse.limit_label == "limit −0.01"
        assert (
            worse.text
            == "errors: better by −0.0500 (at least −0.0510, at most −0.0490) at the last of 1 look."
        )

    def test_looks_are_in_the_order_of_time_and_the_ends_stay(self):
        looks = [(float(at), told(at / 1e4, -1.0, 1.0)) for at in range(1000)]
        plot = over_time(reversed(looks))
        assert len(plot.points) == MOST
        assert (plot.points[0].x, plot.points[-1].x) == (0.0, 100.0)
        assert [one.x for one in plot.points] == sorted(one.x for one in plot.points)
        assert plot.label == "−0.1"
        assert (plot.begin, plot.end) == ("1970-01-01 00:00 UTC", "1970-01-01 00:16 UTC")

    def test_without_an_interval_there_is_no_plot(self):
        assert over_time([]) is None
        assert over_time([(0.0, told(0, 0, 0, interval=None))]) is None

    def test_null_is_no_bound_and_goes_to_the_edge(self):
        point = over_time([(0.0, told(0.0, None, None))]).points[0]
        assert (point.low, point.high) == (100.0, 0.0)
        assert "no lower bound, no upper bound" in over_time([(0.0, told(0.0, None, None))]).text

    def test_wide_early_looks_do_not_squash_the_last_one(self):
        looks = [(0.0, told(0.0, -1000.0, 1000.0)), (1.0, told(0.0, -0.01, 0.01))]
        last = over_time(looks).points[-1]
        assert last.low - last.high > 10

    bound = st.floats(allow_nan=False, allow_infinity=False) | st.none()

    @given(st.lists(st.tuples(bound, bound, bound), min_size=1, max_size=5))
    def test_whatever_the_looks_the_drawing_is_whole_and_within_its_frame(self, looks):
        plot = over_time(
            (float(at), told(estimate or 0.0, low, high)) for at, (estimate, low, high) in enumerate(looks)
        )
        for one in plot.points:
            assert all(0 <= value <= 100 for value in (one.x, one.low, one.estimate, one.high))
        assert all(math.isfinite(one) for one in (plot.zero, plot.limit))
        ElementTree.fromstring(svg(plot, ATTACK))

    def test_nothing_in_it_can_run_or_load(self):
        page = Page(svg(over_time([(0.0, told(0.0, -1.0, 1.0, name=ATTACK))]), ATTACK))
        assert {tag for tag, _ in page.tags} <= {
            "svg", "title", "desc", "polygon", "polyline", "line", "circle", "text"
        }  # fmt: skip
        for _, attributes in page.tags:
            assert not LOADING & set(attributes)
            assert not [name for name in attributes if name.startswith("on")]


class TestSection:
    def test_one_page_has_the_gates_and_the_live_test(self, kept):
        test = section.read(kept, MODEL, 7)
        page = Page(render(samples.passed(), live=Markup(section.html(test))))
        assert not page.unbalanced
        for text in ("roc_auc", "Live test", "error rate", "p50", "sales", "Requests that were counted"):
            assert text in page.text
        assert sum(tag == "polygon" for tag, _ in page.tags) == 3
        assert page.text.index("Checks") < page.text.index("Live test") < page.text.index("Who and why")
        for tag, attributes in page.tags:
            assert not LOADING & set(attributes), tag

    def test_a_page_without_a_live_test_is_as_before(self):
        assert "Live test" not in render(samples.passed())

    def test_the_section_is_of_the_last_judged_decision_and_every_look_is_drawn(self, kept):
        test = section.read(kept, MODEL, 7)
        assert [one["event"] for one in test.kept] == ["started", "advanced", "aborted"]
        assert test.verdict["abort"] == ["error rate"]
        assert len(test.looks("error rate")) == 2
        assert ">1,800</td>" in section.html(test)  # of the challenger, at the end

    def test_looks_between_decisions_are_drawn_if_they_were_kept(self, kept):
        test = section.read(kept, MODEL, 7)
        between = [("2026-11-25T01:30:00+00:00", test.verdict)]
        more = replace(test, kept=(*test.kept[:-1], {**test.last, "looks": between}))
        assert len(more.looks("error rate")) == 3

    def test_only_the_last_test_of_a_version_counts(self, kept):
        again = json.loads(next(body for body in kept.held.values() if b'"started"' in body))
        kept.held[f"evidence/{MODEL.replace('/', '%2F')}/7/live/z.json"] = json.dumps(
            {**again, "at": "2026-11-26T00:00:00+00:00"}
        ).encode()
        assert [one["event"] for one in section.read(kept, MODEL, 7).kept] == ["started"]

    def test_a_version_without_a_live_test_says_so(self, kept):
        with pytest.raises(NotFoundError, match="Version 8 of model 'churn/eu' was in no live test"):
            section.read(kept, MODEL, 8)

    def test_a_test_that_has_judged_nothing_yet_can_be_shown(self, kept):
        kept.held = {key: body for key, body in kept.held.items() if b'"started"' in body}
        test = section.read(kept, MODEL, 7)
        assert "Nothing was judged." in section.html(test)
        assert section.markdown(test).startswith("## Live test: ")

    def test_strangers_are_quoted_in_html_and_markdown(self, kept):
        for key, body in kept.held.items():
            kept.held[key] = body.replace(b'"name": "sales"', b'"name": ' + json.dumps(ATTACK).encode())
        test = section.read(kept, MODEL, 7)
        page = Page(render(samples.passed(), live=Markup(section.html(test))))
        assert not page.unbalanced
        assert not [tag for tag, _ in page.tags if tag in ("script", "img")]
        text = section.markdown(test)
        assert "<script" not in text
        assert "\n## x" not in text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        counts = {line.replace("\\|", "").count("|") for line in rows if "guardrail" not in line}
        assert counts <= {3, 7}

    def test_markdown_tells_steps_metrics_and_outcomes(self, kept):
        text = section.markdown(section.read(kept, MODEL, 7))
        assert "| 11 | 20 % | 7,200 | 1,800 | 0 | 1,800 |" in text
        assert "| error rate | " in text
        assert "rows" in text

    def test_evidence_that_was_kept_can_be_loaded_again(self, kept):
        assert Evidence.load(section.read(kept, MODEL, 7).last["evidence"]).seen == (7200, 1800)
