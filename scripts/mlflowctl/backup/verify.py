"""Proving a set: every byte read, restored into a throw-away stack, and used there as it would be used."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlflowctl.backup import check, restore, serving
from mlflowctl.backup.check import BackupSet
from mlflowctl.backup.make import ORDER
from mlflowctl.backup.manifest import DamagedSetError, Item
from mlflowctl.backup.progress import Progress, Tell, human
from mlflowctl.backup.putting import Bucket
from mlflowctl.backup.throwaway import throw_away_stack
from mlflowctl.backup.transfers import digest_of, ordered
from mlflowctl.errors import InterruptedByUser, MlflowctlError, UsageError
from mlflowctl.registry.desk import Desk
from mlflowctl.settings import Context
from mlflowctl.storage.desired import LEASES_PREFIX


@dataclass(frozen=True)
class Checked:
    """One thing that was checked.

    Attributes:
        name: of the check.
        verdict: ``ok``, ``failed`` or ``note``.
        what: was found, in words.
    """

    name: str
    verdict: str
    what: str


@dataclass
class Verified:
    """What the verification of a set found."""

    place: str
    name: str
    checks: list[Checked] = field(default_factory=list)

    def add(self, name: str, problems: list[str], good: str) -> bool:
        """Note the outcome of one check; true if it found nothing."""
        self.checks += [Checked(name, "failed", problem) for problem in problems]
        if not problems:
            self.checks.append(Checked(name, "ok", good))
        return not problems

    @property
    def failed(self) -> list[Checked]:
        return [one for one in self.checks if one.verdict == "failed"]

    def as_dict(self) -> dict[str, Any]:
        return {"place": self.place, "set": self.name, "checks": [asdict(one) for one in self.checks]}


def verify(found: BackupSet, tell: Tell, *, load: bool = True) -> Verified:
    """Verify a set; whatever it finds about the set is an answer and no exception.

    Args:
        found: the set.
        tell: progress.
        load: load the champion of every model, with the libraries of this installation.

    Raises:
        UsageError: no room or no object store for a throw-away stack.
        MlflowctlError: the throw-away stack does not come up.
    """
    done = Verified(found.place.name, found.name)
    end = found.manifest.end
    tell("Reading the set")
    whole = f"{sum(end.objects.values()):,} objects, {human(sum(end.bytes.values()))}, and the dump"
    if not done.add("digests", check.problems(found, tell), whole):
        return done
    _refuse_without_room(found)
    tell("Starting a throw-away stack")
    with throw_away_stack(tell) as context:
        if _restored(done, found, context, tell):
            _objects(done, found, context, tell)
            _ledgers(done, Desk(context), tell)
            if load:
                _champions(done, Desk(context), tell)
    return done


def _refuse_without_room(found: BackupSet) -> None:
    end, folder = found.manifest.end, Path(tempfile.gettempdir())
    needed = int(1.2 * sum(end.bytes.values())) + 10 * int(found.header.database["size"]) + 500_000_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UsageError(
            f"The throw-away stack needs about {human(needed)} in {folder}, and there are {human(free)}.",
            state="The digests of the set are right; it was not restored.",
            next="Name a larger folder: TMPDIR=… mlflowctl backup verify …",
        )


def _restored(done: Verified, found: BackupSet, context: Context, tell: Tell) -> bool:
    rows = found.header.database["rows"]
    try:
        plan = restore.plan(context, found, tell, checked=True)
        restore.execute(plan, context, serving.server_of(context, tell), tell)
    except DamagedSetError as exc:
        return done.add("rows", [exc.what], "")
    return done.add("rows", [], f"{sum(rows.values()):,} in {len(rows)} tables, as they were counted")


def _objects(done: Verified, found: BackupSet, context: Context, tell: Tell) -> None:
    """Every object is read back from the restored buckets."""
    assert context.s3 is not None
    tell("Reading the restored objects")
    buckets = {role: Bucket(context.s3, role, found) for role in ORDER}
    stop = threading.Event()
    progress = Progress("restored objects", tell, sum(found.manifest.end.objects.values()))

    def kept() -> Iterator[Item]:
        for _, item in found.manifest.items():
            if not (item.role == "registry" and item.key.startswith(LEASES_PREFIX)):
                yield item

    def one(item: Item) -> str:
        if stop.is_set():
            raise InterruptedByUser("Interrupted.")
        reader = buckets[item.role].reader
        answer = reader.open(item.key)
        if answer is None:
            return f"{item.role}/{item.key} is not there after the restore"
        sha256, _ = digest_of(reader.pieces(answer, item.key), progress.moved)
        progress.done(copied=True)
        return "" if sha256 == item.sha256 else f"{item.role}/{item.key} is another after the restore"

    wrong = [problem for problem in ordered(one, kept(), stop) if problem]
    progress.finish()
    done.add("objects", wrong, f"{progress.objects:,} read back, each with its digest")


def _ledgers(done: Verified, desk: Desk, tell: Tell) -> None:
    from mlflowctl.registry.audit import APART, audit
    from mlflowctl.registry.ledger import models, quoted

    for model in models(desk.objects):
        tell(f"Auditing the ledger of {model}")
        found = audit(desk, model)
        wrong = [one.what for one in found.findings if one.kind not in APART]
        done.add(f"ledger {model}", wrong, f"{found.entries} entries hold")
        apart = [one.what for one in found.findings if one.kind in APART]
        if apart:
            what = f"registry and ledger differ, as they did then: mlflowctl model reconcile {quoted(model)}"
            done.checks.append(Checked(f"ledger {model}", "note", what))


def _champions(done: Verified, desk: Desk, tell: Tell) -> None:
    for model in desk.registry.models():
        champion = desk.registry.champion(model)
        if champion is None:
            continue
        tell(f"Loading the champion of {model}")
        name, verdict, what = f"champion {model}", "failed", ""
        try:
            verdict, what = _loaded(desk, model, champion.version)
        except MlflowctlError as exc:
            what = f"v{champion.version}: {exc.what}"
        done.checks.append(Checked(name, verdict, what))


def _loaded(desk: Desk, model: str, version: int) -> tuple[str, str]:
    """Verdict and words about one version: its files are those that were registered, and it predicts."""
    from mlflowctl.registry.artifacts import fetch
    from mlflowctl.registry.policy import Checks
    from mlflowctl.registry.registration import tampered
    from mlflowctl.registry.sandbox import run_trial

    found = desk.registry.version(model, version)
    if changed := tampered(desk, found):
        return "failed", f"v{version} is not what was registered: {'; '.join(changed[:5])}"
    with tempfile.TemporaryDirectory(prefix="mlflowctl-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "model"
        fetch(desk.artifacts, desk.registry.artifact_uri(model, version), place)
        trial = run_trial(place, None, Checks())
    if trial.ok:
        example = " and predicts its example" if trial.example == "ok" else ""
        return "ok", f"v{version} loads{example}"
    if not trial.attempted:
        return "note", f"v{version} was not tried here: {trial.error}"
    return "failed", f"v{version} does not load here: {trial.error}"
