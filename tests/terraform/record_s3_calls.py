"""Records which S3 calls clients and server really make: ``python -m tests.terraform.record_s3_calls``.

Starts two embedded stacks (artifacts through the server, and past it), runs the smoke test, a training, a
whole promotion with everything around it, and the commands that only read, each as its own process, and
writes what they asked of the object store to ``s3_calls/recorded.json``. ``test_access_policies.py``
replays that against the policies of ``modules/access``. Takes about four minutes.

The buckets are made to look as in AWS, where Terraform owns them (``owned=False``).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HERE = Path(__file__).parent / "s3_calls"
RECORDED = HERE / "recorded.json"
COMMAND = "python -m tests.terraform.record_s3_calls"
MODEL = "demo-digits"
# Who asks → the part that is run in a process of its own.
PARTS = (
    ("bootstrap", "bootstrap"),
    ("smoke-test", "smoke"),
    ("training", "train"),
    ("promotion", "promote"),
)

# method, what of the query names the operation → operation
OPERATIONS = {
    ("GET", "account", ""): "ListBuckets",
    ("HEAD", "bucket", ""): "HeadBucket",
    ("GET", "bucket", "list-type"): "ListObjectsV2",
    ("GET", "bucket", "versions"): "ListObjectVersions",
    ("GET", "bucket", "location"): "GetBucketLocation",
    ("GET", "bucket", "versioning"): "GetBucketVersioning",
    ("GET", "bucket", "encryption"): "GetBucketEncryption",
    ("GET", "bucket", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("GET", "bucket", "ownershipControls"): "GetBucketOwnershipControls",
    ("GET", "bucket", "publicAccessBlock"): "GetPublicAccessBlock",
    ("GET", "bucket", "policy"): "GetBucketPolicy",
    ("POST", "bucket", "delete"): "DeleteObjects",
    ("HEAD", "object", ""): "HeadObject",
    ("GET", "object", ""): "GetObject",
    ("PUT", "object", ""): "PutObject",
    ("DELETE", "object", ""): "DeleteObject",
    ("DELETE", "object", "versionId"): "DeleteObjectVersion",
    ("POST", "object", "uploads"): "CreateMultipartUpload",
    ("PUT", "object", "uploadId"): "UploadPart",
    ("POST", "object", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "object", "uploadId"): "AbortMultipartUpload",
    ("GET", "object", "uploadId"): "ListParts",
}
NAMING = {query for _, _, query in OPERATIONS if query}
# What differs from run to run, so that the record does not.
SHAPES = (
    (r"mlflowctl-smoke-[0-9A-Za-z]+-[0-9a-f]+", "SMOKE"),
    (r"m-[0-9a-f]{32}", "MODEL"),
    (r"[0-9a-f]{64}", "SHA256"),
    (r"[0-9a-f]{32}", "RUN"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "UUID"),
    (r"\d{8}T\d{6}\w*", "TIME"),
    (r"(?<=/)\d{12}(?=\.json)", "NUMBER"),
    (r"(?<![0-9A-Za-z])\d+(?![0-9A-Za-z])", "N"),
    (r"(MODEL/artifacts/)[^/]+", r"\1FILE"),
)


def record() -> None:
    """Do it all and write the file."""
    calls: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for artifacts in ("proxied", "direct"):
        folder = Path(tempfile.mkdtemp(prefix="mlflowctl-record-"))
        folder.chmod(0o755)  # PostgreSQL's unprivileged account must get in
        try:
            calls[artifacts] = _one_stack(folder, artifacts)
        finally:
            _run(folder, "", "down", check=False)
            shutil.rmtree(folder, ignore_errors=True)
    RECORDED.write_text(json.dumps({"made by": COMMAND, "calls": calls}, indent=1) + "\n")


def _one_stack(folder: Path, artifacts: str) -> dict[str, list[dict[str, Any]]]:
    sink = folder / "calls"
    sink.touch()
    sink.chmod(0o666)
    _run(folder, "", "up", "--auto-ports", "--artifacts", artifacts)
    for who, part in PARTS:
        _python(folder, who, part)
    policy = ("--policy", str(folder / "promotion.yaml"))
    for line in (
        ("model", "freeze", MODEL, "--reason", "record"),
        ("model", "unfreeze", MODEL, "--reason", "record"),
        ("model", "reconcile", MODEL, "--yes"),
        ("model", "audit", MODEL),
    ):
        _run(folder, "promotion", *line)
    for line in (
        ("model", "status", MODEL),
        ("model", "history", MODEL),
        ("model", "champion", MODEL),
        ("model", "explain", MODEL, "1"),
        ("model", "plan", MODEL, *policy),
        ("model", "audit", MODEL),
    ):
        _run(folder, "reading", *line, check=False)  # plan may have something to say
    _python(folder, "reading", "doctor")
    _run(folder, "promotion", "model", "retire", MODEL, "--confirm", MODEL, "--reason", "record")
    if keep := os.environ.get("KEEP_CALLS"):
        shutil.copy(sink, f"{keep}.{artifacts}")
    return _told(sink)


def _environment(folder: Path, who: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "AWS_", "PG", "CI"))}
    ours = {
        "MLFLOWCTL_DATA_DIR": str(folder / "stack"),
        "PYTHONPATH": str(HERE),
        "MLFLOWCTL_TEST_S3_CALLS": str(folder / "calls"),
        "MLFLOWCTL_TEST_S3_LABEL": who,
    }
    return kept | ours


def _run(folder: Path, who: str, *arguments: str, check: bool = True) -> None:
    _process([sys.executable, "-m", "mlflowctl.cli.main", *arguments], _environment(folder, who), check)


def _python(folder: Path, who: str, part: str) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = _environment(folder, who)
    environment["PYTHONPATH"] += os.pathsep + root
    _process([sys.executable, "-m", "tests.terraform.record_s3_calls", part, str(folder)], environment, True)


def _process(command: list[str], environment: dict[str, str], check: bool) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(f"{done.returncode}  {' '.join(command[2:])}", file=sys.stderr)
    if check and done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")


def _part(name: str, folder: Path) -> None:
    """What runs in a process of its own, with its requests recorded."""
    from mlflowctl.bring_up import context_of
    from mlflowctl.stack.layout import Layout

    context = context_of(Layout.at(folder / "stack"))
    assert context.s3 is not None
    context = replace(context, s3=replace(context.s3, owned=False))
    trained = folder / "trained.pickle"
    if name == "bootstrap":
        from mlflowctl.storage import buckets

        assert buckets.plan(context.s3), "it looked at nothing"
    elif name == "doctor":
        from mlflowctl.doctor import checkup

        assert checkup.examine(context, print)
    elif name == "smoke":
        from mlflowctl.smoke import runner

        report = runner.run(context, print)
        assert not [one for one in report.outcomes if one.error], report.outcomes
    elif name == "train":
        from mlflowctl.demo import training

        trained.write_bytes(pickle.dumps(training.train(context, folder)))
    else:
        from mlflowctl.demo import story

        story.train = lambda *_: pickle.loads(trained.read_bytes())
        story.run(context, folder, print)


def _told(sink: Path) -> dict[str, list[dict[str, Any]]]:
    """Each different call once, by who made it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for line in sink.read_text().splitlines():
        asked = json.loads(line)
        call = _call(asked)
        found.setdefault(asked["who"], {})[json.dumps(call, sort_keys=True)] = call
    return {who: [calls[key] for key in sorted(calls)] for who, calls in sorted(found.items())}


def _call(asked: dict[str, Any]) -> dict[str, Any]:
    address = urlsplit(asked["url"])
    _, bucket, *rest = address.path.split("/", 2)
    key = unquote(rest[0]) if rest else ""
    query = dict(parse_qsl(address.query, keep_blank_values=True)) | asked["params"]
    names = sorted(NAMING & set(query)) or [""]
    kind = asked["method"], "object" if key else "bucket" if bucket else "account", names[-1]
    assert kind in OPERATIONS, f"an unknown request: {asked}"
    operation = OPERATIONS[kind]
    call = {"operation": operation, "bucket": bucket.removeprefix("mlflow-")}
    if key:
        call["key"] = _shape(key)
    if operation == "ListObjectsV2" or operation == "ListObjectVersions":
        call["prefix"] = _shape(query.get("prefix", ""))
    return call | ({"headers": sorted(asked["headers"])} if asked["headers"] else {})


def _shape(key: str) -> str:
    for pattern, name in SHAPES:
        key = re.sub(pattern, name, key)
    return key


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _part(sys.argv[1], Path(sys.argv[2]))
    else:
        record()
