"""Registering a version, and adopting one that somebody registered without this tool.

What a version consists of is fixed here: the SHA-256 of every artifact goes into the ledger, and every later
step compares with it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, NotFoundError, UsageError
from mlflowctl.registry import ledger_state
from mlflowctl.registry.artifacts import Manifest, manifest
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained, Check, Entry, quoted
from mlflowctl.registry.port import DIGEST_TAG, HEAD_TAG, REGISTERED_TAG, VALIDATION_STATUS, Version


def source_of(desk: Desk, named: str) -> tuple[str, str]:
    """Where a model is and which run made it, from what people type.

    Args:
        desk: where to ask.
        named: ``runs:/<run id>/<name>``, ``models:/m-<id>``, or an address of artifacts.

    Returns:
        The source as MLflow keeps it, and the run's id ("" if unknown).

    Raises:
        NotFoundError: there is no such run or model.
        UsageError: it names nothing that can be registered.
    """
    rest = desk.registry.rest
    if named.startswith("models:/m-"):
        raw = rest.get(f"logged-models/{named.removeprefix('models:/')}")
        return named, str(raw["model"]["info"].get("source_run_id") or "")
    if not named.startswith("runs:/"):
        if ":/" not in named:
            raise UsageError(
                f"{named!r} names no model.",
                state="Nothing was changed.",
                next="Name it as runs:/<run id>/<name>, or as models:/m-<id>",
            )
        return named, ""
    run_id, _, name = named.removeprefix("runs:/").partition("/")
    run = rest.get("runs/get", run_id=run_id)["run"]
    for made in run.get("outputs", {}).get("model_outputs", []):
        model = rest.get(f"logged-models/{made['model_id']}")["model"]["info"]
        if model.get("name") == name:
            return f"models:/{made['model_id']}", run_id
    address = f"{run['info']['artifact_uri'].rstrip('/')}/{name}"
    return address, run_id


def register(desk: Desk, model: str, named: str, reason: str) -> Version:
    """Register a version: stage None, validation pending, its artifacts fixed.

    If the command dies after the version was made, or may not write the ledger (a trainer's), the next
    command that touches it adopts it; until then the version has no tag ``REGISTERED_TAG``.
    """
    source, run_id = source_of(desk, named)
    found = manifest(desk.artifacts, source)
    made = desk.registry.create(model, source, run_id, {VALIDATION_STATUS: "pending"})
    if desk.context.s3 is None and desk.context.login is not None:
        return made  # a login without keys for the buckets
    try:
        return _record(desk, made, found, reason, adopted=False)
    except AccessError:
        return made


def adopt(desk: Desk, version: Version, reason: str) -> Version:
    """Take a version into the ledger if it is not there yet; one that is there is left alone."""
    if REGISTERED_TAG in version.tags:
        return version
    found = manifest(desk.artifacts, desk.registry.artifact_uri(version.model, version.version))
    return _record(desk, version, found, reason, adopted=True)


def _record(desk: Desk, version: Version, found: Manifest, reason: str, *, adopted: bool) -> Version:
    body = {
        "version": version.version,
        "run_id": version.run_id,
        "source": version.source,
        "digest": found.digest,
        "files": found.files,
        "sizes": found.sizes,
        "adopted": adopted,
    }
    entry = append(desk, version.model, ledger_state.REGISTERED, reason, body)
    tags = {DIGEST_TAG: found.digest, REGISTERED_TAG: str(entry.number)}
    if VALIDATION_STATUS not in version.tags:
        tags[VALIDATION_STATUS] = "pending"
    for key, value in tags.items():
        desk.registry.tag(version.model, version.version, key, value)
    return replace(version, tags={**version.tags, **tags})


def append(
    desk: Desk, model: str, kind: str, reason: str, body: dict[str, object], check: Check | None = None
) -> Chained:
    """Append an entry that needs no lease; ``check`` may refuse the state that it would stand on."""
    written = desk.ledger(model).append(kind, desk.actor, reason, body, after=desk.head(model), check=check)
    with suppress(MlflowctlError):  # a witness more; the next command under a lease leaves one as well
        desk.registry.tag_model(model, HEAD_TAG, f"{written.number} {written.hash}")
    return written


def registered_entry(desk: Desk, version: Version) -> Entry | None:
    """The ledger's entry about a version's registration; None if the version was never adopted.

    The version's tag only says where to look: the entry itself must be about this version.

    Raises:
        ConflictError: the tag was changed to point elsewhere.
    """
    number = version.tags.get(REGISTERED_TAG)
    if number is None:
        return None
    entry = desk.ledger(version.model).read(int(number)).entry if number.isdigit() else None
    if entry is None or entry.kind != ledger_state.REGISTERED or entry.body["version"] != version.version:
        raise ConflictError(
            f"Tag {REGISTERED_TAG} of version {version.version} of model {version.model!r} was changed: "
            f"entry {number} of the ledger is not its registration.",
            state="Nothing was changed.",
            next=f"mlflowctl model audit {quoted(version.model)}",
        )
    return entry


def registered_manifest(desk: Desk, version: Version) -> Manifest | None:
    """The artifacts as they were at registration; None for a version that was never adopted."""
    entry = registered_entry(desk, version)
    return Manifest(entry.body["files"], entry.body["sizes"]) if entry else None


def differences(before: Manifest, now: Manifest) -> list[str]:
    """Files that were changed, removed or added, in words."""
    names = sorted(set(before.files) | set(now.files))
    found = []
    for name in names:
        if name not in now.files:
            found.append(f"{name} is gone")
        elif name not in before.files:
            found.append(f"{name} was added")
        elif before.files[name] != now.files[name]:
            found.append(f"{name} was changed")
    return found


def tampered(desk: Desk, version: Version, digest: str | None = None) -> list[str]:
    """What is different from the registration, by hashing everything again; empty if nothing is.

    Args:
        desk: where to look.
        version: as it stands.
        digest: what the ledger's state says of it, if it does: a version that lost its tags is told as well.
    """
    before = registered_manifest(desk, version)
    if before is None and digest is None:
        return []
    try:
        now = manifest(desk.artifacts, desk.registry.artifact_uri(version.model, version.version))
    except NotFoundError as exc:
        return [exc.what]
    found = differences(before, now) if before else []
    if digest and now.digest != digest and not found:
        return ["its files are not those that the ledger knows"]
    return found
