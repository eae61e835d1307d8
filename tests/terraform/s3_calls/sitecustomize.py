"""Writes down every S3 request that a Python process signs. Test code: see ``record_s3_calls.py``.

Python imports a module of this name at its start if it finds one; the recorder puts this folder on the path.
botocore's signer is the one place through which boto3's clients and mlflowctl's own requests go alike.
"""

import json
import os
from pathlib import Path

SINK, LABEL = "MLFLOWCTL_TEST_S3_CALLS", "MLFLOWCTL_TEST_S3_LABEL"
HEADERS = ("if-none-match", "if-match", "x-amz-tagging", "x-amz-copy-source", "x-amz-object-lock-mode")


def _record_requests(sink: str, label: str) -> None:
    from botocore.auth import S3SigV4Auth

    add_auth = S3SigV4Auth.add_auth

    def recording(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        line = {
            "who": label,
            "method": request.method,
            "url": request.url,
            "params": dict(request.params or {}),
            "headers": {name: str(headers[name]) for name in HEADERS if name in headers},
        }
        with Path(sink).open("a") as out:
            out.write(json.dumps(line) + "\n")
        return add_auth(self, request)

    S3SigV4Auth.add_auth = recording


def _follow_the_server(sink: str) -> None:
    """The supervised server gets a clean environment, so what it needs is handed on at that very moment."""
    import subprocess

    ours = {"PYTHONPATH": str(Path(__file__).parent), SINK: sink}
    execve, start = os.execve, subprocess.Popen.__init__

    def handing_on(path, argv, env):
        return execve(path, argv, {**env, **ours, LABEL: "server"})

    def starting(self, *arguments, env=None, **more):
        start(self, *arguments, env=None if env is None else {**env, **ours}, **more)

    os.execve, subprocess.Popen.__init__ = handing_on, starting


if os.environ.get(SINK):
    _follow_the_server(os.environ[SINK])
    if os.environ.get(LABEL):
        _record_requests(os.environ[SINK], os.environ[LABEL])
