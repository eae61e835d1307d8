"""Promotion and rollback against the script that everybody writes; long registries; long ledgers.

Run as ``python -m tests.benchmarks.promotions [--rounds N] [--out FILE]``: starts a stack of its own, and
writes its table between the promotion markers of the file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlflowctl.bring_up import context_of
from mlflowctl.database.connect import admin
from mlflowctl.demo.training import MODEL, train
from mlflowctl.registry import leases, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.stack.layout import Layout
from tests.benchmarks.machine import describe
from tests.benchmarks.stack import cold_stack, mlflowctl

BEGIN, END = "<!-- promotions: begin -->", "<!-- promotions: end -->"
MANY, FEW = 10_000, 10
LONG, SHORT = 10_000, 100
# What public promotion scripts do.
TWO_CALLS = """
import sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
client.transition_model_version_stage("plain", sys.argv[2], "Production", archive_existing_versions=True)
client.set_registered_model_alias("plain", "champion", sys.argv[2])
"""


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    facts = describe()
    with tempfile.TemporaryDirectory(prefix="mlflowctl-bench-") as folder:
        Path(folder).chmod(0o755)
        with cold_stack(Path(folder) / "stack") as (layout, _):
            text = render(facts, Bench(layout, Path(folder)).run(options.rounds))
    print(text)
    if options.out:
        page = options.out.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.out.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


class Bench:
    """One stack, two trained models, and what is measured on them."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self.layout, self.folder = layout, folder
        self.desk = Desk(context_of(layout))
        self.models = train(self.desk.context, folder)
        self.policy = str(folder / "promotion.yaml")

    def run(self, rounds: int) -> dict[str, Any]:
        self._say("champion and plain model")
        self._challenger("naive Bayes")
        self._model("promote", "--policy", self.policy, "--yes")
        self._plain()
        found: dict[str, Any] = {"few": self._rounds(rounds)}
        found["lease"] = self._lease(rounds)
        self._say(f"{MANY} versions")
        self._grow()
        found["many"] = self._rounds(rounds)
        for entries in (SHORT, LONG):
            self._say(f"ledger of {entries} entries")
            found[f"audit {entries}"] = self._audit(entries)
        return found

    def _say(self, what: str) -> None:
        print(f"… {what}", file=sys.stderr, flush=True)

    def _model(self, command: str, *arguments: str) -> float:
        """Seconds of one whole process."""
        began = time.perf_counter()
        mlflowctl("model", command, MODEL, *arguments, "--data-dir", str(self.layout.root))
        return time.perf_counter() - began

    def _challenger(self, kind: str) -> int:
        """Register, stage and validate, for real. The same model again is the same look at the holdout."""
        self._model("register", self.models[kind].source, "--policy", self.policy)
        newest = next(self.desk.registry.versions(MODEL)).version
        self._model("stage", str(newest), "--yes")
        self._model("validate", "--policy", self.policy)
        return newest

    def _plain(self) -> None:
        source = self.models["naive Bayes"].source
        for _ in range(2):
            self.desk.registry.create("plain", source, "", {})

    def _rounds(self, rounds: int) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"apply": [], "rollback": [], "script": []}
        plan = str(self.folder / "plan.json")
        for number in range(rounds):
            self._say(f"round {number + 1} of {rounds}")
            self._challenger("logistic regression")
            self._model("plan", "--policy", self.policy, "--out", plan)
            began = time.perf_counter()
            mlflowctl(
                "model", "apply", plan, "--policy", self.policy, "--yes", "--data-dir", str(self.layout.root)
            )
            found["apply"].append(time.perf_counter() - began)
            found["rollback"].append(self._model("rollback", "--no-load-check", "--yes"))
            found["script"].append(self._script(number))
        return found

    def _script(self, number: int) -> float:
        command = [sys.executable, "-W", "ignore", "-c", TWO_CALLS, self.desk.context.tracking_uri]
        began = time.perf_counter()
        subprocess.run([*command, str(1 + number % 2)], check=True, capture_output=True, timeout=120)
        return time.perf_counter() - began

    def _lease(self, rounds: int) -> list[float]:
        """Seconds between having the lease and having given it back, in this process."""
        from mlflowctl.registry import rollback

        taken, held = leases.acquire, []

        def timed(*arguments: Any, **named: Any) -> leases.Lease:
            lease = taken(*arguments, **named)
            began.append(time.perf_counter())
            return lease

        began: list[float] = []
        leases.acquire = timed
        try:
            for _ in range(rounds):
                self._challenger("logistic regression")
                self._model("promote", "--policy", self.policy, "--yes")
                move = rollback.plan(self.desk, MODEL, None)
                assert not isinstance(move, rollback.NothingToDo)
                began.clear()
                rollback.execute(self.desk, move, "benchmark", wait=0)
                held.append(time.perf_counter() - began[0])
        finally:
            leases.acquire = taken
        return held

    def _grow(self) -> None:
        """Copies of the first version by SQL, as ten years of nightly training would have left them."""
        copy = (
            "INSERT INTO model_versions SELECT (jsonb_populate_record(v, jsonb_build_object("
            "'version', 100 + n, 'current_stage', 'None'))).* FROM model_versions v, "
            "generate_series(1, %s) n WHERE v.name = %s AND v.version = 1"
        )
        database = self.desk.context.database
        assert database is not None
        with admin(database) as connection, connection, connection.cursor() as cursor:
            cursor.execute(copy, (MANY, MODEL))
            cursor.execute("ANALYZE model_versions")

    def _audit(self, entries: int) -> dict[str, float]:
        name = f"ledger-{entries}"
        self.desk.registry.rest.post("registered-models/create", {"name": name})
        ledger = self.desk.ledger(name)
        head = ledger.head()
        for number in range(entries):
            kind = ledger_state.UNFROZEN if number % 2 else ledger_state.FROZEN
            written = ledger.append_exactly(head, kind, self.desk.actor, "benchmark", {"reason": "benchmark"})
            assert written is not None
            head = written
        began = time.perf_counter()
        command = [sys.executable, "-c", MEASURED, "model", "audit", name]
        done = subprocess.run(
            [*command, "--data-dir", str(self.layout.root)],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "megabytes": int(done.stderr.rsplit("VmHWM:", 1)[1].split()[0]) / 1024}


# The command in a process that tells its own peak of resident memory. Not ru_maxrss: that outlives exec, so
# it would tell this process's.
MEASURED = """
import atexit, sys
def tell():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(tell)
sys.argv[0] = "mlflowctl"
from mlflowctl.cli.main import main
main()
"""


def _ratio(found: dict[str, list[float]], what: str, to: str) -> float:
    return statistics.median(a / b for a, b in zip(found[what], found[to], strict=True))


def render(facts: list[tuple[str, str]], found: dict[str, Any]) -> str:
    """The table, and what was aimed for."""
    few, many = found["few"], found["many"]
    lease = statistics.median(found["lease"]) * 1000
    grown = {
        what: statistics.median(many[what]) / statistics.median(few[what]) for what in ("apply", "rollback")
    }
    memory = found[f"audit {LONG}"]["megabytes"] / found[f"audit {SHORT}"]["megabytes"]
    aims = [
        (
            "apply of a validated plan, whole process, to the two-call script",
            0.4,
            _ratio(few, "apply", "script"),
            "×",
        ),
        ("rollback --no-load-check, whole process, to the same", 0.4, _ratio(few, "rollback", "script"), "×"),
        ("lease held by a rollback", 300, lease, " ms"),
        (f"apply, {MANY:,} versions to {FEW}", 1.5, grown["apply"], "×"),
        (f"rollback, {MANY:,} versions to {FEW}", 1.5, grown["rollback"], "×"),
        (f"memory of an audit, {LONG:,} entries to {SHORT}", 1.5, memory, "×"),
    ]
    lines = ["|  |  |", "| --- | --- |", *[f"| {name} | {value} |" for name, value in facts], ""]
    lines += ["| what | aim | reached | met |", "| --- | --- | --- | --- |"]
    for what, aim, value, unit in aims:
        lines.append(
            f"| {what} | ≤ {aim:g}{unit} | {value:.3g}{unit} | {'yes' if value <= aim else '**no**'} |"
        )
    seconds = {what: statistics.median(few[what]) for what in few}
    lines += [
        "",
        "Medians in seconds: " + ", ".join(f"{what} {value:.2f}" for what, value in seconds.items()) + ".",
    ]
    lines += [f"Audit of {LONG:,} entries: {found[f'audit {LONG}']['seconds']:.1f} s, "
              f"{found[f'audit {LONG}']['megabytes']:.0f} MB at its peak."]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
