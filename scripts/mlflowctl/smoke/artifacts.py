"""Steps about artifacts: up and down through the client, compared by SHA-256; and the buckets' settings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mlflowctl.errors import AccessError, FindingsError
from mlflowctl.plan import Action
from mlflowctl.smoke.bench import Bench, Skip, SmokeStep
from mlflowctl.smoke.meaning import ProofError

MEGABYTE = 1 << 20
SMALL = 1000
LARGE = 64 * MEGABYTE


def small(bench: Bench) -> str:
    # Listing first: when the bucket or the keys are wrong, its answer says so; that of an upload does not.
    bench.client.list_artifacts(bench.run_id)
    bench.stored = True
    return _there_and_back(bench, "small.bin", SMALL)


def large(bench: Bench) -> str:
    return _there_and_back(bench, "large.bin", LARGE)


def _there_and_back(bench: Bench, name: str, size: int) -> str:
    import time

    source = bench.folder / name
    sent = _write_random(source, size)
    began = time.monotonic()
    bench.client.log_artifact(bench.run_id, str(source), "files")
    up = time.monotonic() - began
    source.unlink()
    target = bench.folder / "downloaded"
    target.mkdir(exist_ok=True)
    began = time.monotonic()
    path = Path(bench.client.download_artifacts(bench.run_id, f"files/{name}", str(target)))
    down = time.monotonic() - began
    received = _sha256(path)
    path.unlink()
    if received != sent:
        raise ProofError(
            f"Artifact {name} came back changed: SHA-256 {received} instead of {sent}.",
            state="Artifacts cannot be trusted: what is stored is not what was sent.",
            next="mlflowctl logs object-store",
        )
    rate = f", up {up:.1f} s, down {down:.1f} s" if size >= MEGABYTE else ""
    return f"SHA-256 {sent[:12]}… equal{rate}"


def _write_random(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for start in range(0, size, MEGABYTE):
            block = os.urandom(min(MEGABYTE, size - start))
            digest.update(block)
            stream.write(block)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def buckets(bench: Bench) -> str:
    """Both buckets exist and are set up as bootstrap sets them up."""
    from mlflowctl.storage import buckets as storage

    if bench.context.s3 is None:
        raise Skip("the context names no object store, so only the server can look at the buckets")
    try:
        steps = storage.plan(bench.context.s3)
    except AccessError:
        if bench.level is None or bench.level.label == "admin":
            raise
        raise Skip(f"the keys of a {bench.level.label} may not look at the settings") from None
    open_ = [step for step in steps if step.effective or step.action is Action.ATTENTION]
    if open_:
        missing = [step.target for step in open_ if step.action is Action.CREATE and ":" not in step.target]
        raise FindingsError(
            f"{' and '.join(missing)} does not exist."
            if missing
            else "; ".join(f"{step.target}: {step.detail}" for step in open_) + ".",
            state="Artifacts cannot be stored." if missing else "These settings protect the artifacts.",
            next="mlflowctl bootstrap" if bench.context.s3.owned else "mlflowctl cloud plan",
        )
    unsupported = sum(step.action is Action.UNSUPPORTED for step in steps)
    note = f", {unsupported} not supported by this store" if unsupported else ""
    return f"{len(steps) - unsupported} settings as they should be{note}"


BUCKETS = SmokeStep("buckets", "bucket settings", "look at the buckets", buckets)
SMALL_ARTIFACT = SmokeStep(
    "small-artifact", "small artifact up and down", "store a small artifact", small, ("run",)
)
LARGE_ARTIFACT = SmokeStep(
    "large-artifact", "64 MB artifact up and down", "store a 64 MB artifact", large, ("small-artifact",)
)
