"""Runs ``mlflowctl`` commands in forks of one warm process: the real command, without a second of imports.

Requests come on stdin, a JSON object a line. A fork may be told to kill or suspend itself at one of its
requests to a server, and to hold leases for a shorter time than the real command would.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any


def warm() -> None:
    """Import everything a command needs, and read botocore's large files once."""
    import boto3
    import botocore.loaders
    import psycopg2  # noqa: F401

    import mlflowctl.cli.main
    import mlflowctl.registry.audit
    import mlflowctl.registry.evidence.store
    import mlflowctl.registry.policy_file
    import mlflowctl.registry.reconcile
    import mlflowctl.registry.registering
    import mlflowctl.registry.report
    import mlflowctl.registry.rollback
    import mlflowctl.registry.validation
    import mlflowctl.settings  # noqa: F401

    load = botocore.loaders.JSONFileLoader.load_file
    cached = functools.cache(lambda path: load(botocore.loaders.JSONFileLoader(), path))
    botocore.loaders.JSONFileLoader.load_file = lambda self, path: cached(path)
    boto3.session.Session().client(
        "s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="a",
        aws_secret_access_key="b",
    )  # fmt: skip


def watch_network(trace: int, at: dict[str, Any] | None) -> None:
    """Note every request in ``trace``, and send this process a signal before or after one of them.

    Args:
        trace: file descriptor; a line ``METHOD path`` for each request.
        at: ``signal``, ``when`` (before, after), ``request`` (pattern of such a line) and ``number`` (the
            how-manieth that matches); None for nothing.
    """
    from urllib3.connectionpool import HTTPConnectionPool

    send, matched = HTTPConnectionPool.urlopen, [0]

    def urlopen(self: Any, method: str, url: str, *arguments: Any, **more: Any) -> Any:
        line = f"{method} {url.split('?')[0]}"
        os.write(trace, f"{line}\n".encode())
        hit = bool(at and re.search(at["request"], line))
        matched[0] += hit
        now = at if at and hit and matched[0] == at["number"] else None
        if now and now["when"] == "before":
            os.kill(os.getpid(), now["signal"])
        answer = send(self, method, url, *arguments, **more)
        if now and now["when"] == "after":
            os.kill(os.getpid(), now["signal"])
        return answer

    HTTPConnectionPool.urlopen = urlopen


def child(request: dict[str, Any]) -> None:
    """Become the command; never returns."""
    folder = Path(request["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for fd, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
    for name in [name for name in os.environ if name.startswith(("MLFLOW", "AWS_", "PG", "CI"))]:
        del os.environ[name]
    os.environ.update(request["env"])
    trace = os.open(folder / "trace", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    watch_network(trace, request["at"])
    from mlflowctl.registry import leases

    leases.TTL = request["ttl"] or leases.TTL
    sys.argv = ["mlflowctl", *request["args"]]
    from mlflowctl.cli.main import main

    code: Any = 0
    try:
        main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99  # no command may end like this
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Start and wait for commands until stdin ends."""
    warm()
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                child(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
