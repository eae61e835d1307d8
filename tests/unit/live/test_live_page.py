"""The page of a live test: on loopback only, read in a real browser, safe with what strangers wrote."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.live import statuses

from mlflowctl.errors import UnavailableError
from mlflowctl.live import lines, page, report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--log-level=0"),
)


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[[dict], str]]:
    """Serve a status; the registry behind it is a stand-in, the server and the page are real."""
    made = []

    def start(found):
        def status(*_):
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(report, "status", status)
        made.append(page.server(None, "churn", 0))
        threading.Thread(target=made[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{made[-1].server_port}/"

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


def browse(url: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    return subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *flags, url],
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=120, check=False,
    )  # fmt: skip


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def text_of(dom: str, identity: str) -> str:
    found = re.search(rf'id="{identity}"[^>]*>(.*?)</', dom, re.DOTALL)
    assert found, identity
    return re.sub(r"<[^>]+>", "", found[1]).strip()


@needs_browser
def test_a_browser_reads_champion_challenger_share_and_interval(serve, tmp_path):
    done = browse(serve(statuses.changed()), tmp_path, "--dump-dom")

    assert complaints(done) == []
    assert text_of(done.stdout, "champion") == "v6"
    assert text_of(done.stdout, "challenger") == "v7"
    assert text_of(done.stdout, "share") == "5 %"
    assert "25 % of the requests, not before 2026-11-27 13:00:00 UTC" in text_of(done.stdout, "next")
    plots = re.findall(r'<svg class="plot.*?</svg>', done.stdout, re.DOTALL)
    assert len(plots) == 3
    # Errors: lower is better, so the interval is turned.
    assert [re.search(f'class="{side}">([^<]*)<', plots[0])[1] for side in ("low", "high")] == [
        "−0.0032",
        "+0.0021",
    ]
    assert "no lower bound" in plots[2]


@needs_browser
@pytest.mark.parametrize("name", statuses.ALL)
def test_the_browser_has_nothing_to_complain_about(name, serve, tmp_path):
    done = browse(serve(statuses.ALL[name]()), tmp_path, "--dump-dom", "--window-size=375,2000")

    assert complaints(done) == []
    assert "<main>" in done.stdout
    assert "<title>run</title>" not in done.stdout
    assert "\u202e" not in done.stdout


@needs_browser
def test_a_picture_of_it_is_not_empty(serve, tmp_path):
    def picture(found) -> int:
        target = tmp_path / "page.png"
        browse(serve(found), tmp_path, f"--screenshot={target}", "--window-size=900,1500")
        return target.stat().st_size

    assert picture(statuses.changed()) > 2 * picture(statuses.none_yet())


@needs_browser
def test_a_style_or_script_that_somebody_smuggles_in_is_blocked(serve, tmp_path, monkeypatch):
    url = serve(statuses.changed())
    real = page.render
    smuggled = "<script>document.title='run'</script><style>h1{display:none}</style></main>"
    monkeypatch.setattr(page, "render", lambda found: real(found).replace("</main>", smuggled))
    done = browse(url, tmp_path, "--dump-dom")
    assert "Content Security Policy" in "".join(complaints(done))
    assert "<title>run</title>" not in done.stdout


def get(url: str, host: str = "", method: str = "GET"):
    request = urllib.request.Request(url, headers={"Host": host} if host else {}, method=method)
    return urllib.request.urlopen(request, timeout=10)


def test_it_answers_with_a_strict_policy_refreshes_and_is_not_kept(serve):
    answer = get(serve(statuses.changed()))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["Refresh"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "http" not in answer.read().decode().replace("http-equiv", "")


def test_the_same_as_json(serve):
    assert json.loads(get(serve(statuses.changed()) + "status.json").read())["share"] == 0.05


@pytest.mark.parametrize(
    ("path", "host", "method", "code"),
    [("", "evil.example", "GET", 421), ("", "evil.example:8090", "GET", 421), ("etc/passwd", "", "GET", 404),
     ("", "", "POST", 501), ("", "", "DELETE", 501)],
)  # fmt: skip
def test_it_answers_nothing_else(path, host, method, code, serve):
    url = serve(statuses.changed())
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(url + path, host, method)
    assert caught.value.code == code


def test_a_store_that_does_not_answer_is_said_and_tried_again(serve):
    url = serve(UnavailableError("The store does not answer.", state="s", next="mlflowctl status"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(url)
    assert caught.value.code == 503
    assert caught.value.headers["Refresh"] == "5"
    assert "The store does not answer." in caught.value.read().decode()


@pytest.mark.parametrize("name", statuses.ALL)
def test_the_terminal_says_the_same(name):
    found = statuses.ALL[name]()
    told = "\n".join(lines.summary(found))
    assert f"gets {100 * found['share']:.4g} %" in told
    assert "\x1b" not in told + str(lines.metrics(found))
    assert len(lines.metrics(found)) == len(found["baking"] or found["metrics"])


def test_lines_of_a_test_that_is_under_way():
    assert lines.summary(statuses.changed()) == [
        "churn: champion v6, challenger v7 gets 5 %",
        "test 31: advanced at 2026-11-27T12:00:00Z (under way): 1 % did no harm; next 5 %",
        "step 2 of 3, for 30 min; next: 25 % of the requests, not before 2026-11-27T13:00:00Z, in 30 min",
        "now: 5 % lasts 60 min at least, 30 min to go",
        "verdict: inconclusive after 181,234 and 9,471 requests, as of 2026-11-27T12:30:00Z",
        "controller: runs (ada on web-1, process 4711), last look at 2026-11-27T12:30:00",
    ]
    row = lines.metrics(statuses.changed())[2]
    assert row[3] == "+0.01 [none yet, none yet]"
