"""The report in a real browser: it shows, complains about nothing, and fits a telephone and the dark.

Each page is measured inside a frame by a script of the test's own; the report's policy stays in force, so
nothing in the report itself can run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit import evidence_samples as samples

from mlflowctl.registry.evidence.report import render
from mlflowctl.registry.verdict import Interval

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--log-level=0"),
)
DARK = "--blink-settings=preferredColorScheme=0"
TELEPHONE, PAPER = 375, 794  # CSS pixels; A4 is 210 mm
MEASURE = """
const frame = document.querySelector('iframe');
function measure() {
  const page = frame.contentDocument, root = page.documentElement;
  const all = (selector, from = page) => [...from.querySelectorAll(selector)];
  const style = e => frame.contentWindow.getComputedStyle(e);
  const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const written = all('body *').filter(e => e.textContent.trim());
  return {
    width: Math.max(root.scrollWidth, page.body.scrollWidth),
    title: page.querySelector('h1').textContent,
    size: parseFloat(style(page.querySelector('h1')).fontSize),
    paper: style(page.body).backgroundColor,
    foreign: all('script, img, iframe, link, object, embed').length,
    smallest: Math.min(...written.map(e => parseFloat(style(e).fontSize))),
    labels: all('svg.plot').map(plot => all('text', plot).map(t => [t.textContent, box(t)])),
    cells: all('th, td, h3, p, dd, li').map(box),
  };
}
frame.addEventListener('load', () => {
  const bytes = new TextEncoder().encode(JSON.stringify(measure()));
  document.body.textContent = 'MEASURED' + btoa(String.fromCharCode(...bytes)) + 'END';
});
frame.srcdoc = PAGE;
"""


@dataclass
class Browser:
    """One headless Chromium a call, with a profile of its own."""

    folder: Path

    def run(self, page: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Load the page; its console is on stderr."""
        file = self.folder / "page.html"
        file.write_text(page, encoding="utf-8")
        profile = self.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        return subprocess.run(
            [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *flags, file.as_uri()],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )

    def measure(self, page: str, width: int, *flags: str) -> dict[str, Any]:
        """What the page looks like in a window of this width; fails if the console says anything."""
        script = MEASURE.replace("PAGE", json.dumps(page).replace("<", "\\u003c"))
        frame = f'<iframe style="border:0;width:{width}px;height:2000px"></iframe>'
        done = self.run(f"<!doctype html><body>{frame}<script>{script}</script>", "--dump-dom", *flags)
        assert complaints(done) == []
        found = re.search("MEASURED(.*?)END", done.stdout)
        assert found, done.stderr[-2000:]
        measured: dict[str, Any] = json.loads(b64decode(found[1]))
        return measured


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What the page's console said."""
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


def extremes():
    """Intervals that bring labels close to one another or to the edge."""
    shapes = [
        (Interval(0.0, -0.001, 0.001, 0.05, "m", 9), 0.0),
        (Interval(0.5, 0.4999, 0.5001, 0.05, "m", 9), 0.5),
        (Interval(-123456.7, -223456.7, -23456.7, 0.05, "m", 9), 25000.0),
        (Interval(3e-9, 1e-9, 5e-9, 0.05, "m", 9), 1e-9),
        (Interval(0.0, float("-inf"), float("inf"), 0.05, "m", 9), 0.1),
        (Interval(0.0, float("-inf"), 0.2, 0.05, "m", 9), 0.0),
    ]
    return samples.passed(
        champion=12345,
        gates=tuple(
            one(f"metric {index}", interval=interval, margin=margin)
            for index, (interval, margin) in enumerate(shapes)
            for one in (samples.gate, samples.guardrail)
        ),
    )


PAGES = {**samples.ALL, "extremes": extremes}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_on_a_telephone_nothing_is_cut_off_overlaps_or_is_too_small(make, browser):
    seen = browser.measure(render(make()), TELEPHONE)

    assert seen["width"] == TELEPHONE
    assert seen["foreign"] == 0
    assert seen["smallest"] >= 12
    for left, _, right, _ in seen["cells"]:
        assert left >= -1
        assert right <= TELEPHONE + 1
    for labels in seen["labels"]:
        for index, (text, box) in enumerate(labels):
            assert box[0] >= 0, text
            assert box[2] <= TELEPHONE, text
            for other, theirs in labels[:index]:
                assert not overlap(box, theirs), (text, other)


def overlap(one: list[float], two: list[float]) -> bool:
    """True if two boxes (left, top, right, bottom) share more than the rim of their lines."""
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    return wide > 1 and high > 4


@pytest.mark.parametrize("make", [samples.failed, samples.hostile], ids=["fail", "hostile"])
def test_on_paper_and_on_a_desk_it_is_no_wider_than_the_page(make, browser):
    for width in (PAPER, 1400):
        assert browser.measure(render(make()), width)["width"] == width


def test_the_verdict_is_the_largest_thing_on_the_page(browser):
    seen = browser.measure(render(samples.passed()), 900)

    assert seen["title"] == "Version 8 may replace version 7"
    assert seen["size"] >= 32, "the style sheet was not applied"


def test_it_follows_the_reader_into_the_dark(browser):
    page = render(samples.passed())

    assert browser.measure(page, 900)["paper"] == "rgb(255, 255, 255)"
    assert browser.measure(page, 900, DARK)["paper"] == "rgb(20, 23, 26)"


def test_a_picture_of_it_is_not_empty(browser, tmp_path):
    def picture(page: str) -> int:
        target = tmp_path / "page.png"
        done = browser.run(page, f"--screenshot={target}", "--window-size=900,1500")
        assert complaints(done) == []
        return target.stat().st_size

    assert picture(render(samples.failed())) > 5 * picture("<!doctype html><title>empty</title>")


@pytest.mark.parametrize(
    "smuggled",
    [
        "<script>document.title = 'run'</script>",
        "<img src='http://127.0.0.1:9/x.png'>",
        "<style>h1 { display: none }</style>",
        "<p style='color: red'>",
    ],
    ids=["script", "picture", "style sheet", "style"],
)
def test_what_somebody_puts_into_the_file_later_is_blocked_and_said_on_the_console(smuggled, browser):
    page = render(samples.passed()).replace("</main>", smuggled + "</main>")

    done = browser.run(page, "--dump-dom")

    assert "Content Security Policy" in "".join(complaints(done))
    assert "<title>run</title>" not in done.stdout
