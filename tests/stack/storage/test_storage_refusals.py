"""Every way to be refused by a real SeaweedFS has its own words, and no words give the secret away."""

from __future__ import annotations

import datetime
import http.server
import threading
from dataclasses import replace

import botocore.auth
import pytest
from seaweed import READER, STRANGER, acting_as, free_ports

from mlflowctl.errors import AccessError, UnavailableError, UsageError
from mlflowctl.plan import pending
from mlflowctl.storage import apply, clock_skew, plan

WRONG = "a-secret-that-must-never-be-printed"


def refusal(settings, kind):
    with pytest.raises(kind) as caught:
        plan(settings)
    error = caught.value
    assert error.what
    assert error.state == "Nothing was changed."
    assert error.next
    everything = repr(error.as_dict()) + repr(settings)
    assert WRONG not in everything
    assert not settings.secret_access_key or settings.secret_access_key not in everything
    return error.what


def test_an_unknown_access_key(settings):
    assert "does not know this access key" in refusal(acting_as(settings, ("nobody", WRONG)), AccessError)


def test_a_wrong_secret(settings):
    assert "secret does not belong" in refusal(replace(settings, secret_access_key=WRONG), AccessError)


def test_a_permission_that_is_missing_is_named(settings):
    for step in plan(settings):
        apply(step, settings)

    said = refusal(acting_as(settings, READER), AccessError)

    assert "s3:GetBucketOwnershipControls" in said


def test_a_key_that_may_not_create(settings):
    reader = acting_as(settings, READER)
    first = pending(plan(reader))[0]

    with pytest.raises(AccessError, match="lacks s3:CreateBucket") as caught:
        apply(first, reader)

    assert "This step changed nothing" in caught.value.state


def test_a_bucket_of_someone_else(settings):
    for step in plan(settings):
        apply(step, settings)

    assert "belongs to someone else" in refusal(acting_as(settings, STRANGER), AccessError)


def test_nobody_listens(settings):
    (port,) = free_ports(1)
    assert "cannot be reached" in refusal(
        replace(settings, endpoint_url=f"http://127.0.0.1:{port}"), UnavailableError
    )


@pytest.mark.parametrize("part", ["filer", "master", "volume", "admin"])
def test_another_port_of_the_same_store_is_not_s3(settings, weed, part):
    endpoint = f"http://127.0.0.1:{weed.ports[part]}"
    assert "not as S3 does" in refusal(replace(settings, endpoint_url=endpoint), UnavailableError)


@pytest.mark.parametrize(
    "page", [b"<!doctype html><p>Hello<br>", b"<html><body>Hello</body></html>", b"{}", b""]
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_web_server_is_not_s3(settings, page, status):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *args):
            """Quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        said = refusal(replace(settings, endpoint_url=endpoint), UnavailableError)
        server.shutdown()
    assert "not as S3 does" in said


def test_https_on_a_plain_port(settings):
    endpoint = settings.endpoint_url.replace("http:", "https:")
    assert "TLS" in refusal(replace(settings, endpoint_url=endpoint), UnavailableError)


def test_an_endpoint_that_is_no_url(settings):
    assert "no S3 endpoint" in refusal(replace(settings, endpoint_url="127.0.0.1:9000"), UsageError)


def test_no_credentials_at_all(settings, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    said = refusal(replace(settings, access_key_id=None, secret_access_key=None), AccessError)

    assert "no complete credentials" in said


def test_clocks_that_are_an_hour_apart(settings, monkeypatch):
    def an_hour_ago(remove_tzinfo=True):
        now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr(botocore.auth, "get_current_datetime", an_hour_ago)

    assert "clock" in refusal(settings, UnavailableError)


def test_the_clock_of_the_store_is_read_without_credentials(settings):
    assert abs(clock_skew(replace(settings, access_key_id=None, secret_access_key=None))) < 2


def test_the_clock_of_an_absent_store(settings):
    (port,) = free_ports(1)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        clock_skew(replace(settings, endpoint_url=f"http://127.0.0.1:{port}"))
